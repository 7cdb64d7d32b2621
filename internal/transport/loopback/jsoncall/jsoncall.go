// Package jsoncall is one JSON request and its answer over HTTP, with apperr as
// errors on both sides: what a process of the development stack offers to another
// on the same machine.
package jsoncall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
)

// None is the input or output of a call that has none.
type None struct{}

// problem is an error on the wire, application/problem+json.
type problem struct {
	Kind   apperr.Kind    `json:"kind"`
	Detail string         `json:"detail"`
	State  string         `json:"state,omitempty"`
	Fields []apperr.Field `json:"fields,omitempty"`
}

// Handle serves a call. A body is JSON of at most limit bytes with known fields
// only; a GET has none.
func Handle[In, Out any](limit int64, call func(*http.Request, In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		if r.Method != http.MethodGet {
			if err := Read(w, r, limit, &in); err != nil {
				Fail(w, err)
				return
			}
		}
		out, err := call(r, in)
		if err != nil {
			Fail(w, err)
			return
		}
		body, err := json.Marshal(out)
		if err != nil {
			Fail(w, apperr.Wrap(apperr.Internal, err, "the answer cannot be written"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // whoever asked has gone
	})
}

// Read reads the JSON body of a request. It demands the content type, which a
// browser does not send to another origin unasked.
func Read(w http.ResponseWriter, r *http.Request, limit int64, in any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return apperr.New(apperr.Invalid, "the body must be application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	err := d.Decode(in)
	if err == nil {
		// Anything after the value is as wrong as a broken value.
		if err = d.Decode(&None{}); errors.Is(err, io.EOF) {
			return nil
		}
		err = errors.New("one JSON value is expected")
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return apperr.New(apperr.TooLarge, "the body has more than %d bytes", limit)
	}
	return apperr.Wrap(apperr.Invalid, err, "the body is not the JSON that is expected")
}

// status is the HTTP status of a kind.
func status(k apperr.Kind) int {
	switch k {
	case apperr.Invalid, apperr.Unsupported:
		return http.StatusUnprocessableEntity
	case apperr.NotFound:
		return http.StatusNotFound
	case apperr.Conflict, apperr.Duplicate:
		return http.StatusConflict
	case apperr.Unauthenticated:
		return http.StatusUnauthorized
	case apperr.Forbidden:
		return http.StatusForbidden
	case apperr.TooLarge:
		return http.StatusRequestEntityTooLarge
	case apperr.Erased:
		return http.StatusGone
	case apperr.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// Fail answers with an error.
func Fail(w http.ResponseWriter, err error) {
	p := problem{Kind: apperr.KindOf(err), Detail: err.Error()}
	var e *apperr.Error
	if errors.As(err, &e) {
		p.State, p.Fields = e.State, e.Fields
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status(p.Kind))
	_ = json.NewEncoder(w).Encode(p) // whoever asked has gone
}

// NewHTTPClient returns a client for calls on one machine: it follows no redirect
// and uses no proxy. Close its idle connections at the end.
func NewHTTPClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, Protocols: http1()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// BaseURL checks the address of another process, such as http://127.0.0.1:8236.
func BaseURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", apperr.New(apperr.Invalid, "an address such as http://127.0.0.1:8236 is expected")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// Post calls with a body.
func Post[Out any](ctx context.Context, c *http.Client, url string, in any) (Out, error) {
	return call[Out](ctx, c, http.MethodPost, url, in)
}

// Get calls without a body.
func Get[Out any](ctx context.Context, c *http.Client, url string) (Out, error) {
	return call[Out](ctx, c, http.MethodGet, url, nil)
}

func call[Out any](ctx context.Context, c *http.Client, method, url string, in any) (out Out, err error) {
	resp, err := Open(ctx, c, method, url, in)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end, or is lost
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, unreachable(ctx, err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, apperr.Wrap(apperr.Unavailable, err, "the answer is not the JSON that is expected")
	}
	return out, nil
}

// Open calls and returns the answer's body unread, which the caller closes. A
// server that is not there is apperr.Unavailable; a ctx that ended is its own error.
func Open(ctx context.Context, c *http.Client, method, url string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, apperr.Wrap(apperr.Internal, err, "the request cannot be written")
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "the request cannot be made")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end, or is lost
	var p problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil || p.Kind == "" {
		// Some other server, or ours while it stops.
		return nil, apperr.New(apperr.Unavailable, "the address answered HTTP %d, not as expected", resp.StatusCode)
	}
	return nil, &apperr.Error{Kind: p.Kind, Message: p.Detail, State: p.State, Fields: p.Fields}
}

// unreachable leaves out what was asked: an URL may name a person.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	return apperr.Wrap(apperr.Unavailable, err, "the other process does not answer")
}
