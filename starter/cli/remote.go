package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/starter/api"
)

const (
	defaultAPI = "http://127.0.0.1:8235"
	// callTimeout bounds one call: above what the API takes for its slowest answer.
	callTimeout = 30 * time.Second
	// maxAnswerBytes bounds what is read of an answer.
	maxAnswerBytes = 64 << 20
)

// remote is a command's way to the API.
type remote struct {
	env       Environment
	api       string
	token     string
	tokenFile string
	clinic    string
	json      bool
}

// callsAPI gives cmd the flags of every command that calls the API.
func callsAPI(cmd *cobra.Command, env Environment) *remote {
	r := &remote{env: env}
	cmd.Flags().StringVar(&r.api, "api", "", "URL of the API (HELSEBRO_API_URL)")
	cmd.Flags().StringVar(&r.token, "token", "", "access token (HELSEBRO_TOKEN); others on this machine can see arguments, so rather a file or the environment")
	cmd.Flags().StringVar(&r.tokenFile, "token-file", "", "file that holds the access token")
	cmd.Flags().StringVar(&r.clinic, "clinic", "", "the clinic's id (HELSEBRO_CLINIC)")
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("token", "token-file")
	return r
}

// complete reads what the flags leave open from the environment.
func (r *remote) complete() error {
	r.api = first(r.api, r.env.Getenv("HELSEBRO_API_URL"), defaultAPI)
	if u, err := url.Parse(r.api); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return usage("the API's address must be a URL such as %s: set --api or HELSEBRO_API_URL", defaultAPI)
	}
	if r.tokenFile != "" {
		b, err := os.ReadFile(r.tokenFile)
		if err != nil {
			return usage("the token file cannot be read: %v", err)
		}
		r.token = string(b)
	}
	if r.token = strings.TrimSpace(first(r.token, r.env.Getenv("HELSEBRO_TOKEN"))); r.token == "" {
		return usage("there is no access token: set HELSEBRO_TOKEN, --token-file or --token (on a development machine: helsebro token)")
	}
	r.clinic = first(r.clinic, r.env.Getenv("HELSEBRO_CLINIC"))
	return nil
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// call makes one call below the clinic's path. in, where not nil, is sent as JSON;
// the answer's body is returned as it came.
func (r *remote) call(ctx context.Context, method, path string, in any, headers ...string) ([]byte, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
		headers = append([]string{"Content-Type", "application/json"}, headers...)
	}
	var raw []byte
	err := r.send(ctx, callTimeout, method, path, body, func(answer io.Reader) (err error) {
		raw, err = r.whole(answer)
		return err
	}, headers...)
	return raw, err
}

// whole reads an answer to its end.
func (r *remote) whole(answer io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(answer, maxAnswerBytes))
	if err != nil {
		return nil, noAnswer(r.api, err)
	}
	return raw, nil
}

// send makes one call below the clinic's path with a body as it is, and has take read
// the answer's unless it is a refusal.
func (r *remote) send(caller context.Context, timeout time.Duration, method, path string, body io.Reader, take func(io.Reader) error, headers ...string) error {
	if err := r.complete(); err != nil {
		return err
	}
	if r.clinic == "" {
		return usage("there is no clinic: set HELSEBRO_CLINIC or --clinic")
	}
	ctx, cancel := context.WithTimeout(caller, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.api, "/")+"/v1/clinics/"+url.PathEscape(r.clinic)+path, body)
	if err != nil {
		return usage("the request cannot be made: check the API's address and the ids")
	}
	if f, ok := body.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			req.ContentLength = info.Size() // what is too large is refused before it is sent
		}
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Accept", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	defer r.env.waiting(r.api)()
	res, err := http.DefaultClient.Do(req)
	if err != nil && caller.Err() != nil {
		return caller.Err()
	}
	if err != nil {
		return noAnswer(r.api, err)
	}
	defer res.Body.Close() //nolint:errcheck // everything is read, or the connection is given up
	if res.StatusCode >= http.StatusBadRequest {
		return r.refused(res)
	}
	return take(res.Body)
}

// refused reads why the API did not do it.
func (r *remote) refused(res *http.Response) error {
	raw, err := r.whole(res.Body)
	if err != nil {
		return err
	}
	f := &refusal{}
	if json.Unmarshal(raw, &f.Problem) != nil || f.Detail == "" {
		f.Detail = "the API answered " + res.Status + " without saying why: is " + r.api + " a Helsebro API?"
	}
	f.Status = res.StatusCode
	return f
}

// get reads one resource.
func (r *remote) get(ctx context.Context, path string, into any) ([]byte, error) {
	raw, err := r.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return raw, r.decode(raw, into)
}

func (r *remote) decode(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("the API's answer cannot be read: is %s a Helsebro API of this version?", r.api)
	}
	return nil
}

// show prints raw as JSON when it was asked for, and else what write writes.
func (r *remote) show(raw []byte, write func(io.Writer) error) error {
	if !r.json {
		return write(r.env.Out)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return errors.New("the API's answer is no JSON")
	}
	_, err := fmt.Fprintln(r.env.Out, strings.TrimSpace(b.String()))
	return err
}

// unreachable says that a process gave no answer.
type unreachable struct{ what string }

// Error implements error.
func (u *unreachable) Error() string { return u.what }

func noAnswer(api string, err error) error {
	return &unreachable{fmt.Sprintf("the API at %s does not answer (%v): is `helsebro serve` running, and is HELSEBRO_API_URL right?", api, cause(err))}
}

// cause leaves out the whole URL that the text of a *url.Error repeats.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// refusal is a problem that the API answered with.
type refusal struct{ api.Problem }

// unavailable tells whether trying again may help.
func (f *refusal) unavailable() bool {
	return f.Status == http.StatusServiceUnavailable || f.Status == http.StatusTooManyRequests || f.Status == http.StatusBadGateway || f.Status == http.StatusGatewayTimeout
}

// Error says what happened, the state or the fields, and what to do.
func (f *refusal) Error() string {
	var b strings.Builder
	b.WriteString(f.Detail)
	if f.State != "" {
		b.WriteString(" (state: " + f.State + ")")
	}
	for _, field := range f.Errors {
		b.WriteString("\n  " + field.Path + ": " + field.Rule)
	}
	switch {
	case f.Status == http.StatusUnauthorized:
		b.WriteString("\nGet a new token from your issuer (on a development machine: helsebro token).")
	case f.unavailable():
		b.WriteString("\nTry again in a moment; /readyz of the API says what is down.")
	}
	return b.String()
}
