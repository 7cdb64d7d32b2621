// Package nhn asks Norsk helsenett's registries: the address registry, by SOAP or REST, and
// the registry of collaboration profiles and agreements (CPP, CPA).
//
// The shapes are those of public material; against NHN's own services nothing of this
// package has run.
package nhn

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	timeout = 10 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes: an agreement with all processes
	// has some 130,000.
	maxAnswer = 4 << 20
)

// service is one of the registries on the web.
type service struct {
	name string // for errors
	base string // without a slash at its end
	http *http.Client
}

// newService makes a service. base, the value of setting, is https, or http on this machine.
func newService(name, setting, base string, transport http.RoundTripper) (service, error) {
	u, err := url.Parse(base)
	ip := net.IP(nil)
	if err == nil {
		ip = net.ParseIP(u.Hostname())
	}
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || ip == nil || !ip.IsLoopback()) {
		return service{}, apperr.New(apperr.Invalid, "%s, the address of %s, is no https URL", setting, name)
	}
	return service{name: name, base: strings.TrimSuffix(base, "/"), http: &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// do makes a request and returns status and body. Its error is apperr.Unavailable.
func (s service) do(ctx context.Context, method, path string, header http.Header, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, apperr.New(apperr.Internal, "the question to %s cannot be written", s.name)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, apperr.Wrap(apperr.Unavailable, err, "%s does not answer", s.name)
	}
	defer res.Body.Close() //nolint:errcheck // it is read as far as it matters
	if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests {
		return 0, nil, &apperr.Error{Kind: apperr.Unavailable, Message: s.name + " asks to be asked later", After: retryAfter(res)}
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, apperr.Wrap(apperr.Unavailable, err, "%s broke off its answer", s.name)
	}
	if len(answer) > maxAnswer {
		return 0, nil, apperr.New(apperr.Unavailable, "%s answered more than %d bytes", s.name, maxAnswer)
	}
	return res.StatusCode, answer, nil
}

// retryAfter is how long a service asks to be left alone; 0 when it does not say so.
func retryAfter(res *http.Response) time.Duration {
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Hour)
}

// unexpected is an answer that is none of those documented. A token that is refused is our
// problem, and never says that something does not exist.
func (s service) unexpected(status int) error {
	return apperr.New(apperr.Unavailable, "%s answered %d %s", s.name, status, http.StatusText(status))
}
