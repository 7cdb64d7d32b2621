// Command helsebro-screenshots is `make screenshots`: it brings the development stack up,
// plays the main job and one refusal, and writes pictures of the Temporal UI, taken in a
// headless Chromium, into the directory that it is given.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/devstack/browser"
	"github.com/helsebro/helsebro/internal/devstack/operatorview"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
)

// stopTimeout bounds the orderly stop.
const stopTimeout = 2 * time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: helsebro-screenshots DIRECTORY")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "helsebro-screenshots: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) (err error) {
	if err := browser.Ensure(ctx, os.Stdout); err != nil {
		return err
	}
	state, err := os.MkdirTemp("", "helsebro-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	s, err := stack.Start(ctx, stack.Config{Dir: state, Progress: os.Stdout})
	if err != nil {
		return err
	}
	defer func() {
		stopping, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer done()
		err = errors.Join(err, s.Stop(stopping))
	}()
	if err := s.Run(ctx); err != nil {
		return err
	}
	played, err := scenario.Play(ctx, s, io.Discard)
	if err != nil {
		return err
	}
	refused, err := scenario.Refuse(ctx, s)
	if err != nil {
		return err
	}
	pictures, err := operatorview.Pictures(ctx, s, played, refused)
	if err != nil {
		return err
	}
	return operatorview.Take(ctx, dir, pictures)
}
