package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/temporalx"
)

// The oldest server that has standalone activities.
const oldestMajor, oldestMinor = 1, 32

// shortestRetention is below what redelivery may take: a duplicate start is refused by the
// closed run's id only as long as that is kept.
const shortestRetention = 72 * time.Hour

// polledWithin is how long ago a worker that is alive has asked for work: a poll lasts a
// minute at most, and the server remembers pollers for longer.
const polledWithin = 2 * time.Minute

func (i *installation) temporalAddress() string {
	return cmp.Or(i.temporalOptions.HostPort, client.DefaultHostPort)
}

func (i *installation) temporalTLS(context.Context) verdict {
	if i.temporalErr != nil {
		return skipped("see temporal-server first")
	}
	o := i.temporalOptions.ConnectionOptions
	// An API key turns TLS on, unless it is turned off in so many words.
	encrypted := o.TLS != nil || i.temporalOptions.Credentials != nil && !o.TLSDisabled
	switch {
	case encrypted:
		return ok("Temporal at %s is spoken to with TLS", i.temporalAddress())
	case onThisMachine(i.temporalAddress()):
		return ok("Temporal at %s is on this machine, without TLS", i.temporalAddress())
	}
	return warn("set TEMPORAL_TLS=true, and its certificates (TEMPORAL_TLS_…)", "Temporal at %s is beyond this machine and is spoken to without TLS, as TEMPORAL_TLS=false says", i.temporalAddress())
}

func (i *installation) temporalServer(ctx context.Context) verdict {
	if i.temporalErr != nil {
		return failed("mend TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TLS_… or the profile that TEMPORAL_PROFILE names", i.temporalErr)
	}
	info, err := i.temporal.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return fail("see that the server runs, and that TEMPORAL_ADDRESS and TEMPORAL_TLS_… are right", "Temporal at %s does not answer: %s", i.temporalAddress(), firstLine(err))
	}
	return version(i.temporalAddress(), info.GetServerVersion())
}

// version judges a server's version.
func version(address, v string) verdict {
	var major, minor int
	if _, err := fmt.Sscanf(v, "%d.%d", &major, &minor); err != nil {
		return warn(fmt.Sprintf("see that it is %d.%d or newer", oldestMajor, oldestMinor), "Temporal at %s says no version that is known (%q)", address, v)
	}
	if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
		return fail(fmt.Sprintf("bring the server to %d.%d or newer: receipts are standalone activities", oldestMajor, oldestMinor), "Temporal at %s has version %s", address, v)
	}
	return ok("Temporal at %s has version %s", address, v)
}

func (i *installation) temporalNamespace(ctx context.Context) verdict {
	name := i.temporalOptions.Namespace
	d, err := i.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: name})
	var none *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &none):
		return fail("make it (temporal operator namespace create --namespace "+name+" --retention 7d), or set TEMPORAL_NAMESPACE", "Temporal has no namespace %q", name)
	case err != nil:
		return fail("see that this client may describe the namespace", "the namespace %q cannot be read: %s", name, firstLine(err))
	case d.GetNamespaceInfo().GetState() != enums.NAMESPACE_STATE_REGISTERED:
		return fail("use another namespace (TEMPORAL_NAMESPACE)", "the namespace %q is being removed", name)
	}
	kept := d.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	if kept < shortestRetention {
		return warn("keep them for 3 days or more (temporal operator namespace update --namespace "+name+" --retention 7d): what comes again is known by them",
			"the namespace %q keeps closed histories for %s", name, kept)
	}
	return ok("the namespace %q keeps closed histories for %s", name, days(kept))
}

func (i *installation) searchAttributes(ctx context.Context) verdict {
	err := temporalx.CheckSearchAttributes(ctx, i.temporal, i.temporalOptions.Namespace)
	switch {
	case apperr.Is(err, apperr.NotFound):
		return failed("start a worker, which registers them, or let an administrator do it (temporal operator search-attribute create)", err)
	case apperr.Is(err, apperr.Conflict):
		return failed("remove it as is said, and start a worker", err)
	case err != nil:
		return fail("see that this client may list search attributes", "the search attributes cannot be read: %s", firstLine(err))
	}
	return ok("the search attributes of Helsebro are registered")
}

// polled is a queue that a worker must ask for work of a kind.
type polled struct {
	queue string
	kind  enums.TaskQueueType
}

// queues are those of the contract; a channel's only where it is configured.
func (i *installation) queues() []polled {
	all := []polled{
		{contract.QueueLifecycle, enums.TASK_QUEUE_TYPE_WORKFLOW}, {contract.QueueLifecycle, enums.TASK_QUEUE_TYPE_ACTIVITY},
		{contract.QueueHelsenorge, enums.TASK_QUEUE_TYPE_ACTIVITY},
	}
	c := i.worker.Channels
	for queue, offered := range map[string]bool{contract.QueueEmail: c.SMTP.Offered(), contract.QueueSMS: c.SMS.Offered(), contract.QueuePush: c.WebPush.Offered()} {
		if offered {
			all = append(all, polled{queue, enums.TASK_QUEUE_TYPE_ACTIVITY})
		}
	}
	return all
}

func (i *installation) workers(ctx context.Context) verdict {
	idle := map[string]bool{}
	queues := i.queues()
	for _, q := range queues {
		d, err := i.temporal.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
			Namespace: i.temporalOptions.Namespace, TaskQueue: &taskqueue.TaskQueue{Name: q.queue, Kind: enums.TASK_QUEUE_KIND_NORMAL}, TaskQueueType: q.kind,
		})
		if err != nil {
			return fail("see that this client may describe task queues", "the task queue %s cannot be read: %s", q.queue, firstLine(err))
		}
		if !i.alive(d.GetPollers()) {
			idle[q.queue] = true
		}
	}
	if len(idle) > 0 {
		return fail("start a worker with the configuration of this installation, or see in its log why it does not work", "nobody works on the task queues %s", strings.Join(sorted(idle), ", "))
	}
	return ok("somebody works on every task queue")
}

func (i *installation) alive(pollers []*taskqueue.PollerInfo) bool {
	for _, one := range pollers {
		if i.now().Sub(one.GetLastAccessTime().AsTime()) < polledWithin {
			return true
		}
	}
	return false
}
