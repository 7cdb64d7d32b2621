// Package process runs one of the starter's long-running commands from start to
// stop.
package process

import (
	"context"
	"fmt"

	"go.uber.org/fx"
)

// Run starts what options compose, waits until ctx ends or the process is told to
// stop, and stops it in order, within fx's start and stop timeouts. When a part
// could not go on, the error says so of name.
func Run(ctx context.Context, name string, options fx.Option) error {
	app := fx.New(options)
	starting, cancel := context.WithTimeout(ctx, app.StartTimeout())
	defer cancel()
	// Whoever is told to stop while it starts has not failed: what has started is stopped
	// below, in order.
	if err := app.Start(starting); err != nil && ctx.Err() == nil {
		return err
	}
	failed := false
	select {
	case <-ctx.Done():
	case signal := <-app.Wait():
		failed = signal.ExitCode != 0
	}
	stopping, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), app.StopTimeout())
	defer cancelStop()
	if err := app.Stop(stopping); err != nil {
		return err
	}
	if failed {
		return fmt.Errorf("the %s could not go on: its log says why", name)
	}
	return nil
}
