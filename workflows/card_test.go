package workflows_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/workflows"
)

// cards keeps every status card that a replayed lifecycle shows whenever it waits.
type cards struct {
	interceptor.WorkerInterceptorBase
	seen map[string]bool
}

func (c *cards) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &inbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, c}
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase
	cards *cards
}

func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&outbound{interceptor.WorkflowOutboundInterceptorBase{Next: next}, i.cards})
}

type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	cards *cards
}

func (o *outbound) Await(ctx workflow.Context, condition func() bool) error {
	o.cards.seen[workflow.GetCurrentDetails(ctx)] = true
	return o.Next.Await(ctx, condition)
}

// oneCard is a card's form: what is waited for, until when where anything ends it or
// people must act, who acts, where to look.
var oneCard = regexp.MustCompile("^\\*\\*[^*]+\\*\\*\n\n(- until when: (no limit is set|[A-Z][a-z]{2} [0-9-]{10} [0-9:]{5} CES?T)\n)?- who acts: .+\n- look: `helsebro [^`]+`\n")

// TestEveryCardSaysWhoActsUntilWhenAndWhereToLook replays the recorded histories and reads
// each card that was shown, and names no patient that the simulator has.
func TestEveryCardSaysWhoActsUntilWhenAndWhereToLook(t *testing.T) {
	t.Parallel()
	key, err := os.ReadFile(filepath.Join("testdata", "replay-codec-key"))
	require.NoError(t, err)
	data, failure, err := temporalx.Converters(config.Temporal{CodecKeys: strings.TrimSpace(string(key))}, "helsebro")
	require.NoError(t, err)
	for process := range kinds {
		files, err := filepath.Glob(filepath.Join(process, "testdata", "replay", "*.json"))
		require.NoError(t, err)
		shown := &cards{seen: map[string]bool{}}
		for _, file := range files {
			replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
				DataConverter: data, FailureConverter: failure, Interceptors: []interceptor.WorkerInterceptor{shown},
			})
			require.NoError(t, err)
			workflows.Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistory(nil, read(t, file)))
		}
		delete(shown.seen, "") // nothing is shown before the first step is known
		require.NotEmpty(t, shown.seen, process)
		for card := range shown.seen {
			require.Regexp(t, oneCard, card, process)
			require.LessOrEqual(t, len(card), contract.MaxDetailsBytes, process)
			if !strings.Contains(card, "- who acts: nobody\n") {
				require.Contains(t, card, "- until when: ", process)
			}
			for i := range 100 {
				who := simulator.Citizen(i)
				for _, secret := range []string{who.NationalID, who.FamilyName + ",", who.GivenName + " " + who.FamilyName} {
					require.NotContains(t, card, secret, process)
				}
			}
		}
	}
}
