// Package apperr is the error taxonomy: a dozen named types, one translator to
// Temporal's ApplicationError and one back.
//
// An error says what went wrong and the way out, and never holds a patient: no
// name, id, phone or text. Only the outermost error type decides whether Temporal
// retries (a wrapped non-retryable error retries), so an activity returns
// ToActivity(err) and nobody wraps the result again.
package apperr

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
)

// Kind names a class of failure. It is the ApplicationError's type and the last
// segment of a problem+json type: an API, like a workflow name.
type Kind string

// The taxonomy. The comment says whether a retry may help.
const (
	// Invalid: a field or a message breaks a rule. Final.
	Invalid Kind = "invalid"
	// NotFound: no such thing, or not the caller's. Final.
	NotFound Kind = "not-found"
	// Conflict: the state does not allow it, or somebody else was first. Final.
	Conflict Kind = "conflict"
	// Unauthenticated: no token, or one that proves nothing. Final.
	Unauthenticated Kind = "unauthenticated"
	// Forbidden: a right is missing; the text names it. Final.
	Forbidden Kind = "forbidden"
	// TooLarge: above a documented limit. Final.
	TooLarge Kind = "too-large"
	// Unsupported: understood, but not offered by this version or clinic. Final.
	Unsupported Kind = "unsupported"
	// Erased: the patient's key is gone, so the content cannot be read. Final.
	Erased Kind = "erased"
	// Duplicate: the same key arrived with other content. Final.
	Duplicate Kind = "duplicate"
	// Stale: it has changed since the caller read it. Final.
	Stale Kind = "stale"
	// Busy: the caller asks more often than he may. Final here; he may ask again after After.
	Busy Kind = "busy"
	// Unavailable: a dependency is down or slow. Retried.
	Unavailable Kind = "unavailable"
	// Internal: a fault of ours. Retried, since the next version may be right.
	Internal Kind = "internal"
)

// Retryable tells whether trying again may help.
func (k Kind) Retryable() bool { return k == Unavailable || k == Internal }

// Field names one invalid field of a request.
type Field struct {
	// Path is the field's place, such as body.code.
	Path string `json:"path"`
	// Rule is what it breaks, and what would be right. Never the value.
	Rule string `json:"rule"`
}

// Error is every error that leaves a package of this project.
type Error struct {
	Kind Kind
	// Message says what happened and what to do, without a patient.
	Message string
	// Fields are the invalid fields, for Invalid.
	Fields []Field
	// State is the state that stands in the way, for Conflict.
	State string
	// After is when a retry may help, for Unavailable; zero means soon.
	After time.Duration
	// Cause is kept for logs of the same process; it does not cross to Temporal.
	Cause error
}

// Error returns the message, and the cause's text where there is one.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a kind.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of a kind with a cause. The cause must not hold a patient.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// InvalidFields makes an Invalid error that names each field.
func InvalidFields(message string, fields ...Field) *Error {
	return &Error{Kind: Invalid, Message: message, Fields: fields}
}

// InState makes a Conflict error that names the state.
func InState(state, format string, args ...any) *Error {
	return &Error{Kind: Conflict, Message: fmt.Sprintf(format, args...), State: state}
}

// KindOf returns the kind of err: that of an *Error or an ApplicationError in its
// chain, "" for nil, and Internal for anything else.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) && known(Kind(app.Type())) {
		return Kind(app.Type())
	}
	return Internal
}

// Is tells whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

func known(k Kind) bool {
	switch k {
	case Invalid, NotFound, Conflict, Unauthenticated, Forbidden, TooLarge,
		Unsupported, Erased, Duplicate, Stale, Busy, Unavailable, Internal:
		return true
	}
	return false
}
