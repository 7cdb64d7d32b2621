package temporalserver

import (
	"maps"
	"time"

	"go.temporal.io/server/chasm/lib/activity"
	"go.temporal.io/server/common/dynamicconfig"
)

// settings is the server's dynamic configuration: where the defaults are made for a
// cluster of many nodes, what one node on a developer's machine needs.
var settings = dynamicconfig.StaticClient{
	// By default a queue of transfers or timers is polled at most 20 times a second,
	// which puts the steps of one workflow on a grid of 50 ms.
	dynamicconfig.TransferProcessorMaxPollRPS.Key(): 2000,
	dynamicconfig.TimerProcessorMaxPollRPS.Key():    2000,
	// Several writes of one shard may be under way at once.
	dynamicconfig.ShardIOConcurrency.Key(): 8,
	// A worker that completes a workflow task gets the activity in the answer.
	dynamicconfig.EnableActivityEagerExecution.Key(): true,

	// With more than one partition a single node spreads a queue over itself: a backlog
	// drains more slowly and a lone task waits for the right poller.
	dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
	dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

	// The history cache keeps closed and sleeping workflows for an hour, about 19 MiB a
	// thousand; the default of 128,000 entries has no bound that matters here.
	dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 500,

	// House-keeping for large clusters, whose workers the server never stops: in a test
	// that restarts it they would poll a server that is gone. Parents then close their
	// children themselves, and histories are still deleted when their retention ends.
	dynamicconfig.EnableParentClosePolicyWorker.Key(): false,
	dynamicconfig.TaskQueueScannerEnabled.Key():       false,
	dynamicconfig.HistoryScannerEnabled.Key():         false,

	// A clinic with a thousand notices due does not keep another's waiting: tasks of a
	// queue are dispatched by turns of their fairness key.
	dynamicconfig.MatchingEnableFairness.Key(): true,

	// What Helsebro uses, said even where it is the default, so that a change of the
	// defaults does not take it away.
	activity.Enabled.Key(): true, // receipts are standalone activities
	dynamicconfig.FrontendEnableUpdateWorkflowExecution.Key():              true,
	dynamicconfig.FrontendEnableUpdateWorkflowExecutionAsyncAccepted.Key(): true,
	dynamicconfig.EnableUpdateWithStartRetryOnClosedWorkflowAbort.Key():    true,
	// Lets a test or a demonstration move one execution ahead in time.
	dynamicconfig.WorkflowTimeSkippingEnabled.Key(): true,

	// A search attribute can be used at once after it was added: neither the list of
	// attributes nor the namespace that maps them may be old.
	dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
	// Which has one read for each execution of a list: thousands a page.
	dynamicconfig.FrontendPersistenceMaxQPS.Key():     1_000_000,
	dynamicconfig.NamespaceCacheRefreshInterval.Key(): 500 * time.Millisecond,
}

// withContinueAsNew is settings with another threshold, where one is given.
func withContinueAsNew(events int) dynamicconfig.StaticClient {
	if events == 0 {
		return settings
	}
	changed := maps.Clone(settings)
	changed[dynamicconfig.HistoryCountSuggestContinueAsNew.Key()] = events
	return changed
}
