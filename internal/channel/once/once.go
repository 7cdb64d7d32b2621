// Package once makes one HTTP request at most once, and says in the words of
// internal/channel what is known when it failed.
package once

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/channel"
)

const (
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 64 << 10
	// longestPause bounds what a provider may ask for in Retry-After.
	longestPause = 24 * time.Hour
)

// Answer is what the other side said.
type Answer struct {
	Status int
	Header http.Header
	// Body is at most 64 KiB.
	Body []byte
}

// Client makes requests. It is safe for concurrent use and keeps nothing open.
type Client struct{ http *http.Client }

// NewClient makes a client whose requests take at most timeout. It follows no
// redirect, uses no proxy and speaks HTTP/1.1. control, if not nil, may refuse the
// address that a name has resolved to (net.Dialer.Control) with a *channel.Refused.
func NewClient(timeout time.Duration, control func(network, address string, c syscall.RawConn) error) *Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &Client{http: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: timeout, Control: control}).DialContext,
			TLSHandshakeTimeout: timeout,
			Protocols:           &protocols,
			// A kept connection that the other side is just closing would make an
			// outcome unknown that is none.
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do sends the request once. Before a connection stands, a failure is a
// *channel.Refused that may be tried again; after that it is a *channel.Unknown.
// Neither holds the request's address.
func (c *Client) Do(req *http.Request) (Answer, error) {
	connected := false
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected = true }}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	// Without GetBody the transport cannot send it a second time: it would, since an
	// Idempotency-Key makes a request repeatable in its eyes.
	req.GetBody = nil
	resp, err := c.http.Do(req)
	if refused, ok := errors.AsType[*channel.Refused](err); ok { // by control
		return Answer{}, refused
	}
	if err != nil && !connected {
		return Answer{}, &channel.Refused{Code: "connect", Cause: channel.Cause(err)}
	}
	if err != nil {
		return Answer{}, &channel.Unknown{Code: "answer", Cause: channel.Cause(err)}
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end, or is lost
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil && resp.StatusCode/100 == 2 {
		return Answer{}, &channel.Unknown{Code: "answer", Cause: channel.Cause(err)}
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Code is the ledger's word for a status.
func Code(status int) string { return "http " + strconv.Itoa(status) }

// After reads Retry-After (RFC 9110 §10.2.3) as seen at now: seconds or a date, at
// most a day; zero if there is none or it makes no sense.
func After(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	var after time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), longestPause)
}
