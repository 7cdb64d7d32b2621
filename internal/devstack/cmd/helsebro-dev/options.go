package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/helsebro/helsebro/internal/devstack/stack"
)

// options are what the flags and the environment say.
type options struct {
	data     string
	logLevel string
	ports    stack.Ports
	// transport is stack.AMQP, or "" for the loopback.
	transport string
	// databaseURL is HELSEBRO_DATABASE_URL: a PostgreSQL that runs already.
	databaseURL string
}

// parse reads the flags. Without options the program ends with the exit code.
func parse(args []string, errs io.Writer) (*options, int) {
	o := &options{ports: stack.DefaultPorts}
	f := flag.NewFlagSet("helsebro-dev", flag.ContinueOnError)
	f.SetOutput(errs)
	f.Usage = func() {
		fmt.Fprintln(errs, "Runs Helsebro with all it needs, plays the main job once, and stays up until Ctrl-C.")
		fmt.Fprintln(errs, "HELSEBRO_DATABASE_URL makes it use a PostgreSQL that runs already. Flags:")
		f.PrintDefaults()
	}
	f.StringVar(&o.data, "data", "", "`directory` that keeps all state between runs (default a temporary one, removed at the end)")
	f.StringVar(&o.logLevel, "log-level", "info", "lowest `level` that the log tells: debug, info, warn or error")
	f.Func("transport", "loopback, or amqp: over RabbitMQ, signed and encrypted (default loopback)", func(text string) error {
		switch text {
		case "loopback":
			o.transport = ""
		case stack.AMQP:
			o.transport = stack.AMQP
		default:
			return errors.New("loopback or amqp")
		}
		return nil
	})
	for _, p := range []struct {
		port *int
		flag string
		of   string
	}{
		{&o.ports.Temporal, "temporal-port", "Temporal"}, {&o.ports.UI, "ui-port", "the Temporal UI"},
		{&o.ports.Codec, "codec-port", "the codec server"}, {&o.ports.API, "api-port", "the HTTP API"},
		{&o.ports.Simulator, "simulator-port", "Helsenorge's simulator"}, {&o.ports.Postgres, "postgres-port", "PostgreSQL"},
		{&o.ports.Sink, "sink-port", "the page of what patients get"}, {&o.ports.Mail, "mail-port", "its mail server"},
		{&o.ports.Broker, "rabbitmq-port", "RabbitMQ"},
	} {
		f.IntVar(p.port, p.flag, *p.port, "`port` of "+p.of+"; 0 takes a free one")
	}
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil, 0
	}
	if err != nil {
		return nil, 2
	}
	if f.NArg() > 0 {
		fmt.Fprintf(errs, "helsebro-dev takes flags only: %q is none. See --help\n", f.Arg(0))
		return nil, 2
	}
	return o, 0
}
