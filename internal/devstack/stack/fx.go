package stack

import (
	"context"
	"fmt"
	"os"

	"go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/listen"
	"github.com/helsebro/helsebro/worker/app"
)

// Part is a Helsebro process that runs inside this one.
type Part struct{ app *fx.App }

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

// Run starts all three and stops them with the stack.
func (s *Stack) Run(ctx context.Context) error {
	for _, part := range []struct {
		name  string
		start func(context.Context) (*Part, error)
	}{{"worker", s.StartWorker}, {"listener", s.StartListener}, {"API", s.StartAPI}} {
		p, err := part.start(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		s.stop = append(s.stop, p.Stop)
	}
	return nil
}

func (s *Stack) part(ctx context.Context, options fx.Option) (*Part, error) {
	// Temporal's own variables are read from the environment: a process has one
	// stack at a time.
	for name, value := range map[string]string{"TEMPORAL_ADDRESS": s.Temporal.Address(), "TEMPORAL_NAMESPACE": s.Temporal.Namespace()} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	a := fx.New(options)
	starting, cancel := context.WithTimeout(ctx, a.StartTimeout())
	defer cancel()
	if err := a.Start(starting); err != nil {
		return nil, err
	}
	return &Part{a}, nil
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
