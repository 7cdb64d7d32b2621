package main

import (
	"cmp"
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/starter/client"
)

// history is what Temporal keeps of one life: of one workflow, or of a workflow and
// its child.
type history struct {
	Events int `json:"events"`
	// Bytes is the server's own count, which its limits are about.
	Bytes int64       `json:"bytes"`
	Types []eventType `json:"types"`
}

// eventType is the events of one type. Their bytes are those that a reader gets;
// the server's count is of its own form, which differs a little.
type eventType struct {
	Type   string `json:"type"`
	Events int    `json:"events"`
	Bytes  int    `json:"bytes"`
}

// life is a kind of life whose history is looked at.
type life struct {
	name string
	live func(context.Context) (history, error)
}

// lives are all kinds.
func (b *bench) lives() []life {
	return []life{
		{"e-consultation, answered once", b.answeredOnce},
		{"bare workflow: one timer, one activity", b.remindedBare},
		{"appointment, reminder delegated to Helsenorge", b.delegated},
		{"appointment, the clinic's reminder by one SMS", b.remindedBySMS},
	}
}

// histories lets n lives of the kind be lived, one after the other, and reads what
// Temporal has kept.
func (l life) histories(ctx context.Context, n int) ([]history, error) {
	var all []history
	for range n {
		h, err := patiently(ctx, l.live)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	slices.SortStableFunc(all, func(a, b history) int { return cmp.Or(a.Events-b.Events, int(a.Bytes-b.Bytes)) })
	return all, nil
}

// answeredOnce is one e-consultation: message, answer, Helsenorge's receipt.
func (b *bench) answeredOnce(ctx context.Context) (history, error) {
	row, _, err := b.inbound.consult(ctx)
	if err != nil {
		return history{}, err
	}
	if err := b.inbound.drain(ctx); err != nil { // journalled and receipted
		return history{}, err
	}
	id := contract.DialogueWorkflowID(row.DialogueID)
	// People answer later than within milliseconds: the message has come to rest.
	if err := b.rest(ctx, id, contract.StatusAwaitingClinic); err != nil {
		return history{}, err
	}
	if _, err := client.New(b.store, b.temporal).Answer(ctx, demo.GP, demo.ClinicID, row.DialogueID, client.Answer{
		Code: contract.AnswerFromPractitioner, Text: "Hei. Hvil kneet i to uker, og ta kontakt igjen hvis det ikke blir bedre.",
	}); err != nil {
		return history{}, err
	}
	if err := b.rest(ctx, id, contract.StatusAnswered); err != nil {
		return history{}, err
	}
	return b.read(ctx, id)
}

// rest waits until the workflow has the status and nothing is under way in it.
func (b *bench) rest(ctx context.Context, id string, status contract.Status) error {
	return until(ctx, func() (bool, error) {
		state, err := stateOf[contract.DialogueState](ctx, b, id)
		if err != nil || state.Status != status {
			return false, err
		}
		return b.idle(ctx, id)
	})
}

// stateOf asks a workflow for its state.
func stateOf[S any](ctx context.Context, b *bench, id string) (state S, err error) {
	value, err := b.temporal.QueryWorkflow(ctx, id, "", contract.QueryState)
	if err != nil {
		return state, err
	}
	return state, value.Get(&state)
}

// idle tells whether nothing is under way in the workflow.
func (b *bench) idle(ctx context.Context, id string) (bool, error) {
	d, err := b.temporal.DescribeWorkflowExecution(ctx, id, "")
	return err == nil && d.PendingWorkflowTask == nil && len(d.PendingActivities) == 0, err
}

// closed waits until the workflow has ended by itself.
func (b *bench) closed(ctx context.Context, id string) error {
	return b.temporal.GetWorkflow(ctx, id, "").Get(ctx, nil)
}

// read reads the histories of the workflows as one, without what skip has added.
func (b *bench) read(ctx context.Context, ids ...string) (history, error) {
	var h history
	byType := map[enumspb.EventType]int{}
	for _, id := range ids {
		d, err := b.temporal.DescribeWorkflowExecution(ctx, id, "")
		if err != nil {
			return history{}, err
		}
		h.Bytes += d.WorkflowExecutionInfo.HistorySizeBytes
		if err := b.events(ctx, id, func(e *historypb.HistoryEvent) {
			if skipping(e) {
				h.Bytes -= int64(e.Size())
				return
			}
			h.Events++
			i, known := byType[e.EventType]
			if !known {
				i = len(h.Types)
				byType[e.EventType] = i
				h.Types = append(h.Types, eventType{Type: e.EventType.String()})
			}
			h.Types[i].Events++
			h.Types[i].Bytes += e.Size()
		}); err != nil {
			return history{}, err
		}
	}
	return h, nil
}

// events shows all events of the workflow's newest run.
func (b *bench) events(ctx context.Context, id string, show func(*historypb.HistoryEvent)) error {
	events := b.temporal.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		show(e)
	}
	return nil
}
