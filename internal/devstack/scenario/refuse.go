package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// Refuse plays what goes wrong, on a stack on which Play was played: a citizen writes an
// e-contact, the clinic answers, and Helsenorge refuses the answer. It returns once an
// operator case is open and the dialogue says that an operator must look.
func Refuse(ctx context.Context, s *stack.Stack) (t *Thread, err error) {
	p := &play{stack: s, out: io.Discard, result: Result{Threads: []*Thread{{
		Kind: simulator.EContact, Process: contract.ProcessEContact, Subject: "Adresse til ny lege", By: demo.Desk, Code: contract.AnswerToEnquiry,
		Text: "Hei. Adressen er Storgata 1.",
	}}}}
	t = p.result.Threads[0]
	if err := p.send(ctx); err != nil {
		return t, err
	}
	if err := await(ctx, "the e-contact in the inbox", func() (bool, error) { return p.placed(ctx, t) }); err != nil {
		return t, err
	}
	if err := s.Simulator.SetFaults(ctx, simulator.Faults{Receipt: contract.CodeInactive}); err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, s.Simulator.SetFaults(context.WithoutCancel(ctx), simulator.Faults{})) }()
	if err := p.call(ctx, t.By, http.MethodPost, "/dialogues/"+t.DialogueID+"/answers", api.AnswerRequest{Code: t.Code, Text: t.Text}, nil); err != nil {
		return t, fmt.Errorf("answering: %w", err)
	}
	return t, await(ctx, "the refusal of the answer", func() (bool, error) {
		d, err := p.dialogue(ctx, t)
		return d.Status == contract.StatusNeedsOperator, err
	})
}

// Resolve has the clinic's administrator see to what Refuse left, with the CLI, and
// returns once the dialogue needs no operator any more: to the database and, by the word
// of its lifecycle, to Temporal.
func Resolve(ctx context.Context, s *stack.Stack, t *Thread) error {
	p := &play{stack: s, out: io.Discard}
	var cases api.List[client.Case]
	if err := p.call(ctx, demo.Admin, http.MethodGet, "/cases?open=true&kind="+string(contract.CaseDeliveryRejected), nil, &cases); err != nil {
		return err
	}
	for _, one := range cases.Items {
		if one.DialogueID != t.DialogueID {
			continue
		}
		if _, err := p.cli(ctx, demo.Admin, "case", "resolve", one.ID); err != nil {
			return err
		}
		var e client.Explanation
		if err := p.call(ctx, t.By, http.MethodGet, "/dialogues/"+t.DialogueID+"/explain", nil, &e); err != nil {
			return err
		}
		d, err := p.dialogue(ctx, t)
		if err == nil && (d.Status != contract.StatusAnswered || e.Lifecycle.Dialogue == nil || e.Lifecycle.Dialogue.Status != contract.StatusAnswered) {
			err = fmt.Errorf("dialogue %s is %s once its case is resolved, and its lifecycle does not agree or is %s", t.DialogueID, d.Status, e.Lifecycle.Status)
		}
		return err
	}
	return fmt.Errorf("dialogue %s has no case", t.DialogueID)
}
