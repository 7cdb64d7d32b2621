package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Activity is whether somebody can be reached on Helsenorge.
type Activity struct {
	// Self: he has a profile there and has consented.
	Self bool
	// Other: somebody who represents him has. Of a child under 16 only this can be.
	Other bool
}

// ActivityClient asks Helsenorge who is digitally active there, with
// HelsenorgeAktivSjekken (protocol-appointment §7). It is safe for concurrent use and
// keeps nothing: who caches an answer must follow what changes it.
//
// Helsenorge knows its callers by a HelseID token, which the transport adds; the simulator,
// and a gateway that adds one itself, want none.
type ActivityClient struct {
	url  string
	http *http.Client
}

const (
	// MaxActivityIDs is how many people one call may ask for.
	MaxActivityIDs = 1000
	// activityTimeout bounds one call. The patient's notice waits for it, and there is
	// always the last known status.
	activityTimeout = 5 * time.Second
	// maxActivityAnswer bounds what is read of an answer, in bytes.
	maxActivityAnswer = 1 << 20
	pathActivity      = "/digitaltaktiv/helsenorgeaktivsjekken/v1"
	// areaGP is the area that GPs ask in.
	areaGP = "Helsehjelp"
)

// NewActivityClient makes a client of the service at baseURL, such as
// https://helsenorge.example, over a transport, nil for the usual one; "" makes one that says
// of everything that it cannot be asked.
func NewActivityClient(baseURL string, transport http.RoundTripper) *ActivityClient {
	return &ActivityClient{
		url: strings.TrimSuffix(baseURL, "/"),
		// The body holds national ids: they go to the configured address or nowhere.
		http: &http.Client{Transport: transport, Timeout: activityTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Active asks about one person. Its errors are those of Check.
func (c *ActivityClient) Active(ctx context.Context, nationalID string) (self, other bool, err error) {
	all, err := c.Check(ctx, []string{nationalID})
	if err != nil {
		return false, false, err
	}
	a, ok := all[nationalID]
	if !ok {
		return false, false, apperr.New(apperr.Unavailable, "the digitally-active check left out whom it was asked about")
	}
	return a.Self, a.Other, nil
}

// Check asks about at most MaxActivityIDs people, by national id. Whoever the answer
// leaves out is not in the result. It is apperr.Unavailable when the service cannot be
// asked or does not answer properly within 5 s, apperr.TooLarge for too many people,
// and apperr.Forbidden when the service does not take our calls. No error names a
// person.
func (c *ActivityClient) Check(ctx context.Context, nationalIDs []string) (map[string]Activity, error) {
	switch {
	case c.url == "":
		return nil, apperr.New(apperr.Unavailable, "the digitally-active check is not configured: set HELSEBRO_ACTIVITY_URL")
	case len(nationalIDs) > MaxActivityIDs:
		return nil, apperr.New(apperr.TooLarge, "the digitally-active check takes %d people at a time: ask in parts", MaxActivityIDs)
	case len(nationalIDs) == 0:
		return map[string]Activity{}, nil
	}
	res, err := c.post(ctx, nationalIDs)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // it is read as far as it matters
	if res.StatusCode != http.StatusOK {
		return nil, answered(res)
	}
	// A decoder's error may quote what it reads, which is national ids.
	var answer activityAnswer
	if err := json.NewDecoder(io.LimitReader(res.Body, maxActivityAnswer)).Decode(&answer); err != nil || answer.Active == nil {
		return nil, apperr.New(apperr.Unavailable, "the digitally-active check answered something else than it is documented to")
	}
	out := make(map[string]Activity, len(nationalIDs))
	for _, id := range nationalIDs {
		if a, ok := answer.Active[id]; ok {
			out[id] = Activity{Self: a.Self, Other: a.Other}
		}
	}
	return out, nil
}

// Ping asks about nobody: that is a question which the service may refuse as such (400), and
// so says that it is there and takes our calls. Its errors are those of Check.
func (c *ActivityClient) Ping(ctx context.Context) error {
	if c.url == "" {
		_, err := c.Check(ctx, nil)
		return err
	}
	res, err := c.post(ctx, []string{})
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // the status is all that is wanted
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusBadRequest {
		return answered(res)
	}
	return nil
}

// post asks. Its error is that there is no answer.
func (c *ActivityClient) post(ctx context.Context, nationalIDs []string) (*http.Response, error) {
	body, err := json.Marshal(activityRequest{IDs: nationalIDs, Area: areaGP})
	if err != nil {
		return nil, apperr.New(apperr.Internal, "the question for the digitally-active check cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+pathActivity, bytes.NewReader(body))
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "HELSEBRO_ACTIVITY_URL is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, apperr.Wrap(apperr.Unavailable, err, "the digitally-active check does not answer")
	}
	return res, nil
}

// answered is the error of an answer that is none.
func answered(res *http.Response) error {
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return apperr.New(apperr.Forbidden, "the digitally-active check does not take our calls (%s): check the agreement with Helsenorge", res.Status)
	}
	return apperr.New(apperr.Unavailable, "the digitally-active check answered %s", res.Status)
}

// activityRequest and activityAnswer are the bodies (protocol-appointment §7).
type activityRequest struct {
	IDs  []string `json:"fnrListe"`
	Area string   `json:"omraade"`
}

type activityAnswer struct {
	Active map[string]struct {
		Self  bool `json:"erDigitaltAktivSelv"`
		Other bool `json:"erDigitaltAktivViaAndre"`
	} `json:"erAktivListe"`
}
