package apperr

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"
)

// details is what crosses to Temporal beside type and message.
type details struct {
	State  string  `json:"state,omitempty"`
	Fields []Field `json:"fields,omitempty"`
}

// ToTemporal translates err to the ApplicationError that an activity, an update
// handler or a validator returns. The type is the Kind; final kinds are
// non-retryable; an expected refusal is benign, so that it makes no error log.
// The cause stays behind: it may quote a driver or a peer. A cancelled context
// and an ApplicationError pass unchanged; nil is nil.
func ToTemporal(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Kind: Internal, Message: "an unexpected fault: the process log names it"}
		if errors.Is(err, context.DeadlineExceeded) {
			e = &Error{Kind: Unavailable, Message: "a dependency did not answer in time"}
		}
	}
	opts := temporal.ApplicationErrorOptions{
		NonRetryable:   !e.Kind.Retryable(),
		NextRetryDelay: e.After,
	}
	if e.State != "" || len(e.Fields) > 0 {
		opts.Details = []any{details{State: e.State, Fields: e.Fields}}
	}
	if !e.Kind.Retryable() {
		opts.Category = temporal.ApplicationErrorCategoryBenign
	}
	return temporal.NewApplicationErrorWithOptions(e.Message, string(e.Kind), opts)
}

// FromTemporal translates what a client call returned back to an *Error: an
// ApplicationError anywhere in the chain keeps its kind, message, state and
// fields. Any other error is returned as it is; nil is nil.
func FromTemporal(err error) error {
	var app *temporal.ApplicationError
	if err == nil || !errors.As(err, &app) {
		return err
	}
	kind := Kind(app.Type())
	if !known(kind) {
		kind = Internal
	}
	e := &Error{Kind: kind, Message: app.Message()}
	var d details
	if app.HasDetails() && app.Details(&d) == nil {
		e.State, e.Fields = d.State, d.Fields
	}
	return e
}
