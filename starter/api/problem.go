package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// ProblemPrefix starts the type of every problem; its kind follows. The host
// cannot exist (RFC 2606): a type is a name, nothing is fetched from it.
const ProblemPrefix = "https://helsebro.invalid/problems/"

// retrySoon is the Retry-After of an unavailable dependency that names no time.
const retrySoon = 2 * time.Second

// maxInvalid is how many invalid fields a problem names: more of the same help nobody,
// and a request must not be answered by many times its size.
const maxInvalid = 100

// Problem is every error of the API (RFC 9457), as application/problem+json. It
// never quotes a value of the request.
type Problem struct {
	// Type is ProblemPrefix and an apperr.Kind. It is stable: programs tell
	// problems apart by it.
	Type   string `json:"type" doc:"Stable name of the kind of problem" example:"https://helsebro.invalid/problems/conflict"`
	Title  string `json:"title" doc:"The kind in words"`
	Status int    `json:"status" doc:"HTTP status"`
	Detail string `json:"detail" doc:"What happened and what to do"`
	// State is what stands in the way, for 409.
	State string `json:"state,omitempty" doc:"The state that stands in the way"`
	// Errors names each invalid field, for 422, but no more than maxInvalid of them.
	Errors []Invalid `json:"errors,omitempty" doc:"The invalid fields, at most the first 100"`

	headers http.Header
}

// Invalid names an invalid field. Paths in the body have no prefix; others begin
// with header, query or path.
type Invalid struct {
	Path string `json:"path" doc:"The field, such as staff[0].name or header.Idempotency-Key"`
	Rule string `json:"rule" doc:"What it breaks or what would be right, never its value"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statuses is what each kind is on HTTP.
var statuses = map[apperr.Kind]struct {
	status int
	title  string
}{
	apperr.Invalid:         {http.StatusUnprocessableEntity, "The request is invalid"},
	apperr.NotFound:        {http.StatusNotFound, "Not found"},
	apperr.Conflict:        {http.StatusConflict, "The state does not allow it"},
	apperr.Unauthenticated: {http.StatusUnauthorized, "A valid token is needed"},
	apperr.Forbidden:       {http.StatusForbidden, "A right is missing"},
	apperr.TooLarge:        {http.StatusRequestEntityTooLarge, "Too large"},
	apperr.Unsupported:     {http.StatusUnprocessableEntity, "Not supported"},
	apperr.Erased:          {http.StatusGone, "Erased"},
	apperr.Duplicate:       {http.StatusConflict, "The key belongs to another request"},
	apperr.Stale:           {http.StatusPreconditionFailed, "It has changed"},
	apperr.Busy:            {http.StatusTooManyRequests, "Too many requests"},
	apperr.Unavailable:     {http.StatusServiceUnavailable, "Temporarily unavailable"},
	apperr.Internal:        {http.StatusInternalServerError, "Internal error"},
}

func newProblem(kind apperr.Kind, detail string) *Problem {
	s := statuses[kind]
	return &Problem{Type: ProblemPrefix + string(kind), Title: s.title, Status: s.status, Detail: detail, headers: http.Header{}}
}

// problem translates an error of the service. What is not an *apperr.Error, and
// every cause, stays behind: it may quote a driver.
func problem(err error) *Problem {
	var e *apperr.Error
	if !errors.As(err, &e) {
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			e = apperr.New(apperr.Unavailable, "the request was not finished in time: try again")
		default:
			e = apperr.New(apperr.Internal, "")
		}
	}
	if e.Kind == apperr.Internal {
		return newProblem(apperr.Internal, "an unexpected fault of this service: its log names it")
	}
	p := newProblem(e.Kind, e.Message)
	p.State = e.State
	for _, f := range e.Fields[:min(len(e.Fields), maxInvalid)] {
		p.Errors = append(p.Errors, Invalid(f))
	}
	switch e.Kind {
	case apperr.Unavailable, apperr.Busy:
		after := e.After
		if after <= 0 {
			after = retrySoon
		}
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	case apperr.Unauthenticated:
		p.challenge(err)
	case apperr.Forbidden:
		p.headers.Set("WWW-Authenticate", `Bearer realm="helsebro", error="insufficient_scope"`)
	default:
	}
	return p
}

// challenge says how to be let in (RFC 6750 §3, RFC 9449 §7.1). The type is the same for
// every reason; what is no credentials at all but a mistake of the request is 400.
func (p *Problem) challenge(err error) {
	c := &identity.Challenge{Code: "invalid_token"}
	_ = errors.As(err, &c) // else the refusal is not of a token: of a signature
	p.headers["Www-Authenticate"] = c.WWWAuthenticate()
	if c.Nonce != "" {
		p.headers.Set("DPoP-Nonce", c.Nonce)
	}
	if c.Code == "invalid_request" {
		p.Status = http.StatusBadRequest
	}
}

// huma makes errors of its own (validation, body, negotiation) by this variable
// and has no other hook.
func init() { huma.NewError = ofFramework }

// ofFramework brings huma's errors to the same shape. huma would echo the values
// that it refuses; here they stay out.
func ofFramework(status int, message string, errs ...error) huma.StatusError {
	p := newProblem(kindOf(status), message)
	p.Status = status
	if status >= http.StatusInternalServerError {
		p.Detail = "an unexpected fault of this service: its log names it"
		return p
	}
	for _, err := range errs[:min(len(errs), maxInvalid)] {
		var d huma.ErrorDetailer
		if err == nil || !errors.As(err, &d) {
			continue
		}
		p.Errors = append(p.Errors, invalid(status, d.ErrorDetail()))
	}
	if len(p.Errors) > 0 {
		p.Detail = "the request has invalid fields"
	}
	return p
}

func kindOf(status int) apperr.Kind {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestTimeout:
		return apperr.Invalid
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return apperr.NotFound
	case http.StatusRequestEntityTooLarge:
		return apperr.TooLarge
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return apperr.Unsupported
	}
	return apperr.Internal
}

func invalid(status int, d *huma.ErrorDetail) Invalid {
	path, rule := d.Location, d.Message
	switch status {
	case http.StatusBadRequest:
		// The parser's message quotes what it stumbled over.
		return Invalid{Path: path, Rule: "valid JSON"}
	case http.StatusUnsupportedMediaType:
		return Invalid{Path: "header.Content-Type", Rule: "application/json"}
	}
	// What follows a colon quotes, and the decoder's own words, of what no rule has seen,
	// quote more.
	rule, _, _ = strings.Cut(rule, ": ")
	if !slices.ContainsFunc([]string{"expected ", "unexpected ", "unknown ", "required ", "invalid "}, func(words string) bool { return strings.HasPrefix(rule, words) }) {
		rule = "a value of the type that the description names"
	}
	var missing string
	if n, err := fmt.Sscanf(rule, validation.MsgExpectedRequiredProperty, &missing); err == nil && n == 1 {
		path, rule = path+"."+missing, "required"
	}
	return Invalid{Path: strings.TrimPrefix(path, "body."), Rule: rule}
}
