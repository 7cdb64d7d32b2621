package process

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end   func(fx.Shutdowner, context.CancelFunc) error
		fails bool
	}{
		"ended by its context":        {func(_ fx.Shutdowner, cancel context.CancelFunc) error { cancel(); return nil }, false},
		"told to stop":                {func(s fx.Shutdowner, _ context.CancelFunc) error { return s.Shutdown() }, false},
		"a part that could not go on": {func(s fx.Shutdowner, _ context.CancelFunc) error { return s.Shutdown(fx.ExitCode(1)) }, true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stopped := false
		err := Run(ctx, "listener", fx.Options(fx.NopLogger, fx.Invoke(func(lc fx.Lifecycle, s fx.Shutdowner) {
			lc.Append(fx.Hook{
				OnStart: func(context.Context) error {
					go func() { _ = c.end(s, cancel) }()
					return nil
				},
				OnStop: func(context.Context) error { stopped = true; return nil },
			})
		})))
		cancel()
		require.Equal(t, c.fails, err != nil, name)
		require.True(t, stopped, name)
	}
}
