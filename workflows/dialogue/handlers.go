package dialogue

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/flow"
)

// handle registers the query and the updates.
func (r *run) handle(ctx workflow.Context) error {
	taken := func() bool { return r.loaded && !r.signals.Waiting() }
	if err := flow.Resolve(ctx, taken, r.resolved); err != nil {
		return err
	}
	if err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryState,
		func() (contract.DialogueState, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "the dialogue's state"}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateOpen, r.open, workflow.UpdateHandlerOptions{
		Validator:   r.mayOpen,
		Description: "send the clinic's first message; the text is in the database",
	}); err != nil {
		return err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateAnswer, r.answer, workflow.UpdateHandlerOptions{
		Validator:   r.mayAnswer,
		Description: "send staff's answer; the text is in the database",
	}); err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateChange, r.change, workflow.UpdateHandlerOptions{
		Validator:   r.mayChange,
		Description: "take, assign, forward, close, convert or resend; what to do is in the database",
	})
}

// refuse is the refusal of a command that the state does not allow.
func (r *run) refuse(format string, args ...any) error {
	return apperr.ToTemporal(apperr.InState(string(r.status()), format, args...))
}

// may refuses a command that no rule of its own needs to look at. A command that was
// taken on already stays so; one that comes while the state is being read is let in, and
// its handler looks again.
func (r *run) may(id string, rule func() error) error {
	switch {
	case id == "":
		return apperr.ToTemporal(apperr.New(apperr.Invalid, "the command has no id"))
	case !r.loaded || slices.Contains(r.state.Accepted, id):
		return nil
	case r.ending:
		return r.refuse("an operator is ending this dialogue's run: try again in a moment")
	case len(r.state.Open) >= contract.MaxOpenDeliveries:
		return r.refuse("%d messages wait for Helsenorge: try again when they are through", len(r.state.Open))
	}
	return rule()
}

// mayOpen refuses a first message where there is one already.
func (r *run) mayOpen(cmd contract.OpenCommand) error {
	return r.may(cmd.MessageID, func() error {
		codes := contract.OpenCodes(r.process())
		switch {
		case !slices.Contains(codes, cmd.Code):
			return r.wrongCode("a dialogue cannot be opened so", codes)
		case r.state.Messages > 0 || r.state.Answers > 0:
			return r.refuse("the dialogue has begun already: answer in it, or start another one")
		}
		return nil
	})
}

// mayAnswer refuses an answer that the state does not allow.
func (r *run) mayAnswer(cmd contract.AnswerCommand) error {
	return r.may(cmd.AnswerID, func() error {
		codes := contract.AnswerCodes(r.process())
		switch {
		case !slices.Contains(codes, cmd.Code):
			return r.wrongCode("this dialogue cannot be answered so", codes)
		case r.state.LatestMessageID == "" && !r.state.Opened:
			return r.refuse("the citizen's message is not in the inbox yet: try again in a moment")
		case cmd.InReplyTo != "" && cmd.InReplyTo != r.state.LatestMessageID && r.placing:
			return r.refuse("the citizen's message is being put in the inbox: try again in a moment")
		case cmd.InReplyTo != "" && cmd.InReplyTo != r.state.LatestMessageID:
			return r.refuse("the citizen has written since: read the latest message first")
		case r.state.LatestMessageID != "" && !r.state.AnswerOwed && !cmd.FollowUp:
			return r.refuse("no answer is owed any more: send a follow-up if something is to be added")
		}
		return nil
	})
}

func (r *run) wrongCode(message string, codes []string) error {
	return apperr.ToTemporal(apperr.InvalidFields(message, apperr.Field{Path: "code", Rule: fmt.Sprintf("one of %v for %s", codes, r.process())}))
}

// mayChange refuses a change that this run cannot take; what the dialogue allows is for
// PostgreSQL to say.
func (r *run) mayChange(cmd contract.ChangeCommand) error {
	return r.may(cmd.CommandID, func() error { return nil })
}

// open takes the clinic's first message on.
func (r *run) open(ctx workflow.Context, cmd contract.OpenCommand) (contract.AnswerAccepted, error) {
	return r.accept(ctx, cmd.MessageID, cmd.Code, func() error { return r.mayOpen(cmd) }, func() { r.state.Opened = true })
}

// answer takes an answer on.
func (r *run) answer(ctx workflow.Context, cmd contract.AnswerCommand) (contract.AnswerAccepted, error) {
	return r.accept(ctx, cmd.AnswerID, cmd.Code, func() error { return r.mayAnswer(cmd) }, func() { r.settle(cmd.Close || contract.Ends(cmd.Code)) })
}

// accept takes a message of the clinic's on, once. It does not wait for Helsenorge: the
// message's outcome is on the ledger. It does wait for a change that is being applied: a
// message is judged by the process that it will be sent in.
func (r *run) accept(ctx workflow.Context, id, code string, may func() error, take func()) (contract.AnswerAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded && !r.changing }); err != nil {
		return contract.AnswerAccepted{}, err
	}
	if err := may(); err != nil {
		return contract.AnswerAccepted{}, err
	}
	var fresh bool
	if r.state.Accepted, fresh = flow.Remember(r.state.Accepted, id); fresh {
		take()
		r.state.Answers++
		r.state.Troubled, r.state.LastOutboundID = "", id
		r.deliveries.Add(ctx, contract.Delivery{OutboundID: id, Code: code})
	}
	return contract.AnswerAccepted{AnswerID: id, Status: r.status()}, nil
}

// change applies a command to the dialogue. What PostgreSQL refuses is the caller's to
// know, and changes nothing here.
func (r *run) change(ctx workflow.Context, cmd contract.ChangeCommand) (contract.ChangeAccepted, error) {
	if err := workflow.Await(ctx, func() bool { return r.loaded }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	if err := flow.Once(ctx, r.turn, &r.state.Accepted, cmd.CommandID, func() error { return r.mayChange(cmd) },
		func(clean workflow.Context) error { return r.apply(ctx, clean, cmd.CommandID) }); err != nil {
		return contract.ChangeAccepted{}, err
	}
	return contract.ChangeAccepted{CommandID: cmd.CommandID, Status: r.status()}, nil
}

// apply has a change done, while no message of the clinic's is given up or taken on.
func (r *run) apply(ctx, clean workflow.Context, commandID string) error {
	r.changing = true
	defer func() { r.changing = false }()
	release, err := r.deliveries.Hold(clean)
	if err != nil {
		return err // not on a disconnected context
	}
	defer release()
	out, err := flow.Do(clean, flow.Record, "change the dialogue", contract.DialogueActivities.ApplyDialogueChange,
		contract.ApplyDialogueChangeInput{ClinicID: r.in.ClinicID, DialogueID: r.in.DialogueID, CommandID: commandID, Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	return r.adopt(ctx, out)
}

// adopt takes over how the dialogue stands after a change.
func (r *run) adopt(ctx workflow.Context, out contract.ApplyDialogueChangeOutput) error {
	r.counted(out.CaseOpened)
	if out.Closed {
		r.settle(true)
	} else if r.state.AnswerOwed {
		r.clock.Replace(out.Clock)
	}
	// It goes this way only: the word of an older change is no way back.
	converted := out.Process == contract.ProcessEConsultation && r.process() == contract.ProcessEContact
	if converted {
		r.state.Process = out.Process
		if err := workflow.UpsertTypedSearchAttributes(ctx, contract.AttrProcess.ValueSet(string(out.Process))); err != nil {
			return err
		}
	}
	message := contract.Delivery{OutboundID: out.OutboundID, Code: out.Code}
	switch {
	case out.OutboundID == "":
	case out.New: // what it costs is told; a dialogue that the clinic has closed stays so
		r.state.Answers++
		r.state.Ended, r.state.Troubled, r.state.LastOutboundID = out.Closed, "", out.OutboundID
		r.deliveries.Add(ctx, message)
	default:
		r.deliveries.Again(ctx, message)
		if r.state.Troubled == out.OutboundID {
			r.state.Troubled = ""
		}
	}
	r.refresh(ctx)
	return nil
}

// settle ends what is owed: by an accepted answer, or by a close.
func (r *run) settle(ended bool) {
	r.state.AnswerOwed = false
	r.state.Ended = ended
	r.clock.Stop()
}

// resolved takes note that an operator has seen to a message that did not arrive.
func (r *run) resolved(cmd contract.ResolveCommand) contract.Status {
	if r.state.Troubled == cmd.MessageID {
		r.state.Troubled = ""
	}
	return r.status()
}
