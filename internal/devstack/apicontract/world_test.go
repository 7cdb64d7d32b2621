package apicontract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/vault"
	"github.com/helsebro/helsebro/starter/api"
)

// installation is what all tests of the package call: worker, listener and API with
// PostgreSQL, Temporal and Helsenorge's simulator.
var installation struct {
	*stack.Stack
	store *pg.Store
	log   *logs
	// document is what the running API says of itself.
	document *Document
	clinics  int
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "helsebro-apicontract-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	installation.log = &logs{}
	if installation.Stack, err = stack.Start(ctx, stack.Config{Dir: dir, Logger: slog.New(slog.NewJSONHandler(installation.log, nil))}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, installation.Stop(ctx)) }()
	v, err := vault.Open(installation.Worker().Vault)
	if err != nil {
		return 1, err
	}
	if installation.store, err = pg.Open(installation.Worker().Database, v); err != nil {
		return 1, err
	}
	defer installation.store.Close()
	if err := installation.Run(ctx); err != nil {
		return 1, err
	}
	res, err := http.Get(installation.APIURL() + "/openapi.json") //nolint:noctx // it ends with the process
	if err != nil {
		return 1, err
	}
	defer res.Body.Close() //nolint:errcheck // it is read whole
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 1, err
	}
	if installation.document, err = Read(raw); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// logs keeps the end of what the installation logs.
type logs struct {
	mu sync.Mutex
	b  []byte
}

const keptLog = 64 << 10

// Write implements io.Writer.
func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	if len(l.b) > 2*keptLog {
		l.b = bytes.Clone(l.b[len(l.b)-keptLog:])
	}
	return len(b), nil
}

// faults are the lines about requests that failed for a reason of ours.
func (l *logs) faults() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(string(l.b)) {
		if strings.Contains(line, "a request failed") || strings.Contains(line, "a request panicked") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// today is when what a clinic has begins.
var today = time.Now().UTC().Truncate(24 * time.Hour).Add(8 * time.Hour)

// newClinic is another clinic of the installation with one of everything.
func newClinic(t *testing.T) apiworld.Clinic {
	t.Helper()
	installation.clinics++
	return apiworld.Found(t, installation.store, installation.clinics, today)
}

// call is one request.
type call struct {
	method, target string
	header         http.Header
	body           io.Reader
}

// as is somebody's token.
func as(t *testing.T, p identity.Principal) string {
	t.Helper()
	token, err := installation.Token(p)
	require.NoError(t, err)
	return "Bearer " + token
}

func (c call) do(t *testing.T) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), c.method, installation.APIURL()+c.target, c.body)
	require.NoError(t, err)
	req.Header = c.header
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err, "%s %s", c.method, c.target)
	defer res.Body.Close() //nolint:errcheck // it is read whole
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}
}

// routeOf is the route table's entry of an operation.
func routeOf(op Operation) api.Route {
	return api.Route{Method: op.Method, Path: op.Path, Right: identity.Right(op.Right)}
}

// somebody of the clinic may use the operation.
func somebody(t *testing.T, c apiworld.Clinic, op Operation) identity.Principal {
	t.Helper()
	for _, role := range []identity.Role{
		identity.RolePractitioner, identity.RoleClinicAdministrator, identity.RoleStaff, identity.RolePortal,
		identity.RoleService, identity.RoleOperator, identity.RoleAuditor,
	} {
		if p := c.Who(role); p.May(identity.Right(op.Right)) {
			return p
		}
	}
	require.Fail(t, "nobody may use "+op.ID)
	return identity.Principal{}
}

// valid is a request of the operation that the clinic takes.
func valid(t *testing.T, c apiworld.Clinic, op Operation) call {
	t.Helper()
	target, body := apiworld.Request(t, routeOf(op), c, c.IDs, today)
	h := http.Header{"Authorization": {as(t, somebody(t, c, op))}, "Idempotency-Key": {uuid.NewString()}}
	if op.RequestBody != nil {
		for media := range op.RequestBody.Content {
			h.Set("Content-Type", media)
		}
	}
	return call{op.Method, target, h, strings.NewReader(body)}
}
