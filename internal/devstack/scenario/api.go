package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
)

// callTimeout bounds one call, above what the API takes for its slowest answer.
const callTimeout = time.Minute

// call calls the API below the demonstration clinic's path, as a record system
// does. in is sent as JSON unless it is nil; out takes the answer unless it is nil.
func (p *play) call(ctx context.Context, who identity.Principal, method, path string, in, out any) error {
	return p.keyed(ctx, who, method, path, "", in, out)
}

// keyed is call with an idempotency key; "" is none.
func (p *play) keyed(ctx context.Context, who identity.Principal, method, path, key string, in, out any) error {
	token, err := p.stack.Token(who)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.stack.APIURL()+"/v1/clinics/"+demo.ClinicID+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL.Path, err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	if res.StatusCode >= http.StatusBadRequest {
		var refused api.Problem
		if json.NewDecoder(res.Body).Decode(&refused) != nil || refused.Detail == "" {
			refused.Detail = "the API did not say why"
		}
		return fmt.Errorf("%s %s: %s: %s", method, req.URL.Path, res.Status, refused.Detail)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// cli runs the CLI inside this process and returns what it prints.
func (p *play) cli(ctx context.Context, who identity.Principal, args ...string) (string, error) {
	token, err := p.stack.Token(who)
	if err != nil {
		return "", err
	}
	environment := map[string]string{"HELSEBRO_API_URL": p.stack.APIURL(), "HELSEBRO_CLINIC": demo.ClinicID, "HELSEBRO_TOKEN": token}
	var out, errs strings.Builder
	code := cli.Run(ctx, args, cli.Environment{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string { return environment[name] },
	}, cli.Processes{})
	if code != cli.ExitDone {
		return "", fmt.Errorf("the CLI ended with exit code %d: %s", code, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
