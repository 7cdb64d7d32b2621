package stack

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/listen"
	"github.com/helsebro/helsebro/worker/app"
)

// Part is a Helsebro process that runs inside this one.
type Part struct{ app *fx.App }

// namedPart is a part that the stack itself has started.
type namedPart struct {
	*Part
	name string
}

// StartWorker, StartListener and StartAPI run Helsebro's processes inside this
// one, composed of the same modules as the programs.
func (s *Stack) StartWorker(ctx context.Context) (*Part, error) {
	return s.part(ctx, app.Options(s.Worker(), s.Logger))
}

// StartListener runs the listener.
func (s *Stack) StartListener(ctx context.Context) (*Part, error) {
	return s.part(ctx, listen.Options(s.Listen(), s.Logger))
}

// StartAPI runs the HTTP API and the codec server.
func (s *Stack) StartAPI(ctx context.Context) (*Part, error) {
	return s.part(ctx, api.Options(s.Serve(), s.Logger))
}

// Run starts all three, watches them and stops them with the stack.
func (s *Stack) Run(ctx context.Context) error {
	for _, part := range []struct {
		name  string
		start func(context.Context) (*Part, error)
	}{{"the worker", s.StartWorker}, {"the listener", s.StartListener}, {"the HTTP API", s.StartAPI}} {
		if err := s.steps.Do("starting "+part.name, func() error {
			p, err := part.start(ctx)
			if err != nil {
				return err
			}
			s.parts = append(s.parts, namedPart{p, part.name})
			s.onStop(part.name, p.Stop)
			return nil
		}); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

func (s *Stack) part(ctx context.Context, options fx.Option) (*Part, error) {
	if err := s.setTemporalEnvironment(); err != nil {
		return nil, err
	}
	a := fx.New(options)
	starting, cancel := context.WithTimeout(ctx, a.StartTimeout())
	defer cancel()
	if err := a.Start(starting); err != nil {
		return nil, err
	}
	return &Part{a}, nil
}

// setTemporalEnvironment points Temporal's own client configuration at the stack,
// and takes away what the developer has configured for other servers: an API key or
// a certificate must not be sent to this one. A process has one stack at a time.
func (s *Stack) setTemporalEnvironment() error {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "TEMPORAL_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	for _, pair := range s.temporalEnvironment() {
		name, value, _ := strings.Cut(pair, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) temporalEnvironment() []string {
	return []string{
		"TEMPORAL_ADDRESS=" + s.Temporal.Address(),
		"TEMPORAL_NAMESPACE=" + s.Temporal.Namespace(),
		"TEMPORAL_CONFIG_FILE=" + os.DevNull,
	}
}

// Stop stops the part in the order that its hooks want.
func (p *Part) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.app.StopTimeout())
	defer cancel()
	return p.app.Stop(ctx)
}

// Client connects to the stack's Temporal with its codec, for tests and the bench.
func (s *Stack) Client() (client.Client, error) {
	keys, err := temporalx.Keys(s.temporal())
	if err != nil {
		return nil, err
	}
	return client.Dial(temporalx.Configure(client.Options{HostPort: s.Temporal.Address(), Namespace: s.Temporal.Namespace()}, keys, s.Logger))
}
