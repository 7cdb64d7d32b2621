package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/observ"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport/connect"
	"github.com/helsebro/helsebro/starter/api"
)

const (
	defaultSimulator     = "http://127.0.0.1:8236"
	defaultSimulatorAddr = "127.0.0.1:8236"
	// simulatorStop is how long the simulator waits for calls that run.
	simulatorStop = 5 * time.Second
)

func simulateCommand(env Environment) *cobra.Command {
	return parent("simulate", "Helsenorge as a counterpart, on a development machine",
		simulateServeCommand(env), simulateSendCommand(env), simulateThreadsCommand(env), simulateReceivedCommand(env),
		simulateSlotsCommand(env), simulateBookCommand(env), simulateCancelCommand(env), simulateWishCommand(env),
		simulatePractitionersCommand(env), simulateTestCommand(env), simulateAppointmentsCommand(env), simulateFaultsCommand(env),
		simulateActivityCommand(env, "active", "Let a citizen be reached on Helsenorge"),
		simulateActivityCommand(env, "inactive", "Let a citizen not be reached on Helsenorge"))
}

func simulateServeCommand(env Environment) *cobra.Command {
	var addr, data, file, keys string
	var beside sink.Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a simulated Helsenorge with everybody's queues",
		Long: `Run a simulated Helsenorge with the queues of every party of the address
registry, until Ctrl-C or SIGTERM. Queues and book are kept in the data directory.
It knows no callers, so it listens on the loopback unless told otherwise.

With HELSEBRO_TRANSPORT=amqp the queues are those of the broker at HELSEBRO_AMQP_URL, as
for worker and listener. --keys makes keys and certificates of an authority of its own in a
directory, for Helsenorge, for parties with wrong certificates, and for the clinics: it
prints what a clinic sets, and writes the registry with the certificates beside them.

With --sink it is the patients' phones too: a gateway for text messages (/sms, for
who has HELSEBRO_SMS_KEY; reports are signed with HELSEBRO_SMS_CALLBACK_KEYS) and a
push service, with a page that shows what arrived. Mail goes to a mail server.`,
		Example: `  helsebro simulate serve --data ./simulator --registry registry.yaml
  HELSEBRO_TRANSPORT=amqp HELSEBRO_AMQP_URL=amqps://… helsebro simulate serve --data ./simulator --registry registry.yaml --keys ./keys`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&addr, "addr", defaultSimulatorAddr, "where it listens")
	cmd.Flags().StringVar(&data, "data", "", "directory of queues and book (required)")
	cmd.Flags().StringVar(&beside.HTTPAddr, "sink", "", "where text and push messages to patients arrive, such as 127.0.0.1:8238 (default nowhere)")
	cmd.Flags().StringVar(&beside.BaseURL, "sink-url", "", "how others reach --sink (default by its address)")
	cmd.Flags().StringVar(&file, "registry", "", "the address registry, YAML (HELSEBRO_REGISTRY_FILE)")
	cmd.Flags().StringVar(&keys, "keys", "", "directory of keys, made when there are none; messages are then signed and encrypted")
	_ = cmd.MarkFlagRequired("data") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		if file = first(file, env.Getenv("HELSEBRO_REGISTRY_FILE")); file == "" {
			return usage("there is no address registry: set --registry or HELSEBRO_REGISTRY_FILE")
		}
		parties, err := registry.Open(file)
		if err != nil {
			return usage("%v", err)
		}
		served := simulator.ServerConfig{Dir: data, Parties: parties, Logger: observ.New(env.Err, "info")}
		if keys != "" {
			if served.PKI, served.Parties, err = withKeys(env, keys, addr, parties); err != nil {
				return err
			}
		}
		if cfg, err := config.LoadTransport(); err != nil {
			return usage("%v", err)
		} else if cfg.Kind == "amqp" {
			if served.Transport, err = connect.Transport(cfg, served.Logger); err != nil {
				return err
			}
			defer served.Transport.Close(context.WithoutCancel(cmd.Context())) //nolint:errcheck // the process ends
		}
		if beside.HTTPAddr == "" {
			return serveSimulator(cmd.Context(), addr, served)
		}
		phones, err := openSink(env, beside)
		if err != nil {
			return err
		}
		return errors.Join(serveSimulator(cmd.Context(), addr, served), phones.Close())
	})
	return cmd
}

// openSink opens the patients' phones, without a mail server.
func openSink(env Environment, cfg sink.Config) (*sink.Sink, error) {
	keys, err := config.SMSCallback{Keys: env.Getenv("HELSEBRO_SMS_CALLBACK_KEYS")}.Secrets()
	if err != nil {
		return nil, incomplete(err)
	}
	if len(keys) == 0 {
		return nil, usage("the gateway must sign its reports: set HELSEBRO_SMS_CALLBACK_KEYS")
	}
	cfg.NoMail, cfg.CallbackKeys, cfg.SMSKey, cfg.Logger = true, keys, env.Getenv("HELSEBRO_SMS_KEY"), observ.New(env.Err, "info")
	s, err := sink.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("the sink cannot listen: %w", err)
	}
	cfg.Logger.Info("taking messages to patients", "addr", s.HTTPAddr())
	return s, nil
}

// withKeys opens the keys, and writes the registry with their certificates beside them.
func withKeys(env Environment, dir, addr string, parties *registry.File) (*simulator.PKI, *registry.File, error) {
	pki, err := simulator.OpenPKI(dir, "http://"+addr)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "registry.yaml")
	if err := registry.Write(path, pki.Certify(parties.Parties())); err != nil {
		return nil, nil, err
	}
	_, err = fmt.Fprintf(env.Out, "A clinic sets:\n  HELSEBRO_KEYS_DIR=%s\n  HELSEBRO_TRUSTED_CERTIFICATES=%s\n  HELSEBRO_REGISTRY_FILE=%s\n", pki.ClinicKeys(), pki.TrustedFile(), path)
	if err != nil {
		return nil, nil, err
	}
	certified, err := registry.Open(path)
	return pki, certified, err
}

func serveSimulator(ctx context.Context, addr string, served simulator.ServerConfig) (err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("the simulator cannot listen: %w", err)
	}
	logger := served.Logger
	s, err := simulator.Start(served)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), simulatorStop)
		defer cancel()
		err = errors.Join(err, s.Close(stopping))
	}()
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: simulatorStop,
		// Receivers wait for messages in open calls, which must end with the process.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	logger.Info("simulating Helsenorge", "addr", l.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), simulatorStop)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		return server.Close()
	}
	return nil
}

// simulated is a command's way to the simulator.
type simulated struct {
	env  Environment
	url  string
	json bool
}

func callsSimulator(cmd *cobra.Command, env Environment) *simulated {
	s := &simulated{env: env}
	cmd.Flags().StringVar(&s.url, "url", "", "URL of the simulator (HELSEBRO_LOOPBACK_URL, else "+defaultSimulator+")")
	cmd.Flags().BoolVar(&s.json, "json", false, "print JSON")
	return s
}

func (s *simulated) client() *simulator.Client {
	return simulator.NewClient(strings.TrimSuffix(first(s.url, s.env.Getenv("HELSEBRO_LOOPBACK_URL"), defaultSimulator), "/"))
}

// show prints v as JSON when it was asked for, and else what write writes.
func (s *simulated) show(v any, write func(io.Writer) error) error {
	if !s.json {
		return write(s.env.Out)
	}
	e := json.NewEncoder(s.env.Out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// failed gives the simulator's errors the exit codes of the API's.
func (s *simulated) failed(err error) error {
	var e *apperr.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Kind {
	case apperr.Unavailable:
		return &unreachable{what: e.Error()}
	case apperr.Internal:
		return err
	default:
		r := &refusal{}
		r.Status, r.Detail = http.StatusUnprocessableEntity, e.Error()
		for _, f := range e.Fields {
			r.Errors = append(r.Errors, api.Invalid(f))
		}
		return r
	}
}

// act does what a citizen does and shows what was sent for it.
func (s *simulated) act(ctx context.Context, a simulator.Action) error {
	sent, err := s.client().Act(ctx, a)
	if err != nil {
		return s.failed(err)
	}
	return s.show(sent, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "Sent %s to %d: message %s, conversation %s\n", sent.Kind, sent.To, sent.MsgID, sent.Conversation)
		return err
	})
}

func simulateReceivedCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "received",
		Short:   "List what the simulated Helsenorge has received",
		Example: "  helsebro simulate received\n  helsebro simulate received --json",
		Args:    cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		b, err := s.client().Book(cmd.Context())
		if err != nil {
			return s.failed(err)
		}
		return s.show(b, func(w io.Writer) error {
			if err := table(w, "No message has been received.", len(b.Received), "AT\tMESSAGE\tPROCESS\tCODE\tIN REPLY TO\tTIMES\tPROBLEMS\tTEXT", func(i int) []string {
				r := b.Received[i]
				return []string{stamp(r.At), r.MsgID, r.Process, r.Function, r.Parent, strconv.Itoa(r.Deliveries), strings.Join(r.Problems, " "), r.Text}
			}); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
			return table(w, "No receipt has been received.", len(b.Receipts), "AT\tRECEIPT\tFOR\tTIMES\tSAYS", func(i int) []string {
				r := b.Receipts[i]
				says := "ok"
				if !r.OK {
					says = "rejected " + strings.Join(r.Codes, " ")
				}
				return []string{stamp(r.At), r.ID, r.Original, strconv.Itoa(r.Deliveries), says}
			})
		})
	})
	return cmd
}
