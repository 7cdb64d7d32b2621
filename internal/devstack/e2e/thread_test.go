package e2e_test

import (
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
)

// TestThreeThousandMessages: an e-consultation of so many messages (HELSEBRO_SCALE
// scales them) continues as new while they arrive, and has each of them once: in the
// lifecycle, in an inbox and in the patient's record.
func TestThreeThousandMessages(t *testing.T) {
	w := running(t, stack.Config{SuggestContinueAsNewAfter: 400})
	c, err := w.Client()
	require.NoError(t, err)
	defer c.Close()
	messages := testsize.Scaled(3000, 150)
	first, subject := w.act(simulator.Action{Kind: simulator.EConsultation})
	dialogueID := w.dialogue(subject)
	id := contract.DialogueWorkflowID(dialogueID)
	for sent := 1; sent < messages; { // in bursts, faster than they are taken
		burst := min(100, messages-sent)
		var senders sync.WaitGroup
		for sender := range 4 {
			senders.Go(func() {
				for range (burst + sender) / 4 {
					if _, err := w.Simulator.Act(t.Context(), simulator.Action{
						Kind: simulator.Reply, InReplyTo: first.MsgID, To: demo.GPHerID, Subject: subject,
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		senders.Wait()
		sent += burst
		stands(w, c, id, "has every message", func(s contract.DialogueState) bool { return s.Messages == sent })
	}

	w.eventually("every message is in an inbox and in the record", func() error {
		lines, err := w.store.Ledger(t.Context(), demo.Operator, demo.ClinicID, dialogueID)
		if err != nil {
			return err
		}
		done := map[string]map[string]bool{pg.EffectInbox: {}, pg.EffectJournal: {}}
		for _, line := range lines {
			if of, ok := done[line.Effect]; ok && line.Outcome == contract.OutcomeDone {
				of[line.MessageID] = true
			}
		}
		for effect, of := range done {
			if len(of) != messages {
				return fmt.Errorf("%s: %d of %d", effect, len(of), messages)
			}
		}
		return nil
	})

	// Nothing was asked for twice in any of the runs.
	asked, runs := map[string]int{}, 0
	for _, run := range w.executions(c) {
		if run.Execution.WorkflowId != id {
			continue
		}
		runs++
		for _, e := range w.history(c, id, run.Execution.RunId).Events {
			if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
				asked[a.ActivityType.Name]++
			}
		}
	}
	require.Greater(t, runs, 1, "it has not continued as new")
	require.Equal(t, messages, asked["DeliverToInbox"])
	require.Equal(t, messages, asked["WriteJournalEntry"])
	t.Logf("%d messages in %d runs", messages, runs)
}
