// Command starter is the CLI `helsebro`: HTTP API, listener, migrations, and what
// staff and operators do from a terminal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/listen"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal stops in order; the next one is the system's again.
	context.AfterFunc(ctx, stop)
	return cli.Run(ctx, os.Args[1:], cli.Environment{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Interactive: terminal(os.Stderr),
	}, cli.Processes{Serve: api.Run, Listen: listen.Run})
}

// terminal says whether somebody looks at the file.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
