package api

import (
	"context"
	"net/http"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// QuarantineRequest is a decision about a message that is kept aside.
type QuarantineRequest struct {
	Decision pg.QuarantineDecision `json:"decision" enum:"retry,release,discard" doc:"retry takes it in again, release puts it back on its queue; the listener does both within seconds"`
	Note     string                `json:"note,omitempty" doc:"discard: why, in at most 500 characters, without naming anybody"`
}

// InQuarantine is the input of every operation on a message that is kept aside.
type InQuarantine struct {
	InClinic
	Message string `path:"message" doc:"The id in the quarantine"`
}

func (a *API) registerQuarantine(s Service) {
	secured(a, identity.RightQuarantineRead, get("/quarantine", "list-quarantine", "Messages kept aside, newest first, in pages"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			InPage
			State pg.QuarantineState `query:"state" enum:"kept,taken,released,discarded" doc:"Only those in this state"`
		}) (*listOut[pg.Quarantine], error) {
			return pages(s.Quarantine(ctx, c.Principal, c.clinic, pg.QuarantineQuery{State: in.State, Limit: in.Limit, Cursor: in.Cursor}))
		})
	secured(a, identity.RightQuarantineRead, get("/quarantine/{message}", "read-quarantined", "What is known of a message kept aside; its content is shown to nobody"),
		func(ctx context.Context, c caller, in *InQuarantine) (*bodyOut[pg.Quarantine], error) {
			return body(s.QuarantinedMessage(ctx, c.Principal, c.clinic, in.Message))
		})
	secured(a, identity.RightQuarantineDecide, op(http.MethodPost, "/quarantine/{message}/decisions", "decide-quarantined",
		"Try a message again, put it back on its queue, or discard it; the same decision again changes nothing", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InQuarantine
			Body QuarantineRequest
		}) (*bodyOut[pg.Quarantine], error) {
			return body(s.DecideQuarantine(ctx, c.Principal, c.clinic, in.Message, in.Body.Decision, in.Body.Note))
		})
}
