package main

import (
	"cmp"
	"context"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/starter/client"
)

// history is what Temporal keeps of one e-consultation answered once.
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

// histories lets n e-consultations be answered, one after the other, and reads what
// Temporal has kept.
func (b *bench) histories(ctx context.Context, n int) ([]history, error) {
	var all []history
	for range n {
		h, err := patiently(ctx, b.answeredOnce)
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
		value, err := b.temporal.QueryWorkflow(ctx, id, "", contract.QueryState)
		if err != nil {
			return false, err
		}
		var state contract.DialogueState
		if err := value.Get(&state); err != nil || state.Status != status {
			return false, err
		}
		d, err := b.temporal.DescribeWorkflowExecution(ctx, id, "")
		return err == nil && d.PendingWorkflowTask == nil && len(d.PendingActivities) == 0, err
	})
}

func (b *bench) read(ctx context.Context, id string) (history, error) {
	d, err := b.temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return history{}, err
	}
	h := history{Bytes: d.WorkflowExecutionInfo.HistorySizeBytes}
	byType := map[enumspb.EventType]int{}
	events := b.temporal.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return history{}, err
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
	}
	return h, nil
}
