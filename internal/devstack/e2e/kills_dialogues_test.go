package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"github.com/helsebro/helsebro/internal/testsize"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// TestKilledWhileConverting: the worker dies between a conversion and its record, and at
// each step of the notice that follows (F14). The patient writes meanwhile. The dialogue is
// converted once, has one journal entry with every message once, and the patient is told of
// the fee once. The server notices only after a while that a worker has died in an
// activity: the later points are for the full size.
func TestKilledWhileConverting(t *testing.T) {
	w := newWorld(t, stack.Config{})
	p := w.spawn()
	points := []failpoint.Point{failpoint.DialogueChanged, failpoint.JournalWritten, failpoint.AnswerSent, failpoint.AnswerPrepared, failpoint.AnswerRecorded}
	for i, point := range points[:testsize.Scaled(len(points), 1)] {
		sent, subject := w.act(simulator.Action{Kind: simulator.EContact, Citizen: i})
		id := w.dialogue(subject)
		before := p.worker.Died(point)
		p.worker.DieAt(point, 1)
		key := newID()
		var done client.DialogueChanged
		w.eventually("it is converted", func() error {
			status, body, err := w.call(demo.GP, http.MethodPost, "/dialogues/"+id+"/changes", key, api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("%d %s", status, body)
			}
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(body), &done)
		})
		w.act(simulator.Action{Kind: simulator.Reply, Citizen: i, InReplyTo: sent.MsgID, Times: 2})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoError(t, p.worker.AwaitDeath(ctx, point, before))
		cancel()
		var d pg.Dialogue
		w.eventually("everything of it has its outcome, after a death at "+string(point), func() error {
			var err error
			if d, err = w.store.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id); err != nil {
				return err
			}
			if len(d.Messages) != 2 || len(d.Journal) != 3 || d.BillableAt == nil {
				return fmt.Errorf("%d messages, %d journalled, billable %v", len(d.Messages), len(d.Journal), d.BillableAt)
			}
			lines, err := w.store.Ledger(t.Context(), demo.Admin, demo.ClinicID, id)
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.Outcome == "" {
					return fmt.Errorf("the ledger line %s has no outcome", l.Effect)
				}
			}
			return nil
		})
		require.Equal(t, []any{contract.ProcessEConsultation, done.MessageID}, []any{d.Process, d.FeeNoticeID})
		entries, messages := map[string]bool{}, map[string]bool{}
		for _, j := range d.Journal {
			entries[j.ID], messages[j.MessageID] = true, true
		}
		require.Len(t, entries, 1)
		require.Len(t, messages, 3)
		require.Equal(t, d.Messages[0].ID, d.Journal[0].MessageID)
		book, err := w.Simulator.Book(t.Context())
		require.NoError(t, err)
		told := slices.DeleteFunc(book.Received, func(r simulator.Received) bool { return r.Patient != simulator.Citizen(i).NationalID })
		require.Len(t, told, 1, "died at %s", point)
		require.Equal(t, contract.OpenDialogue, told[0].Function)
		require.Zero(t, told[0].Changed, "a retry repeats its bytes")
		status, _, err := w.call(demo.GP, http.MethodPost, "/dialogues/"+id+"/changes", newID(), api.DialogueChangeRequest{Kind: pg.ConvertDialogue})
		require.NoError(t, err)
		require.Equal(t, http.StatusConflict, status)
	}
}
