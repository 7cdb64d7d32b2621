// Package stack brings up everything that Helsebro needs on one machine: keys, a
// token issuer, PostgreSQL, Temporal with its UI, and Helsenorge's simulator. The
// worker, the listener and the API then run inside this process (Run) or as child
// processes (Environment), with the same modules as in production.
package stack

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/channel/webpush"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/devstack/postgres"
	"github.com/helsebro/helsebro/internal/devstack/progress"
	"github.com/helsebro/helsebro/internal/devstack/rabbitmq"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// Ports are where the parts listen, all on 127.0.0.1. Zero takes a free one.
type Ports struct {
	Temporal, UI, Codec, API, Simulator, Postgres int
	// Sink and Mail are where what the clinic sends to patients arrives: the page that
	// shows it, with the SMS gateway and the push service, and the mail server.
	Sink, Mail int
	// Broker is RabbitMQ's.
	Broker int
}

// AMQP is the transport that goes over RabbitMQ, signed and encrypted. Without it messages
// take the loopback transport, as they are.
const AMQP = "amqp"

// DefaultPorts are those of `make run`.
var DefaultPorts = Ports{Temporal: 7233, UI: 8233, Codec: 8234, API: 8235, Simulator: 8236, Postgres: 15432, Sink: 8238, Mail: 8239, Broker: 15671}

// Config is what a stack needs.
type Config struct {
	// Dir keeps all state. It is created when missing.
	Dir string
	// Transport is AMQP, or "" for the loopback.
	Transport string
	Ports     Ports
	// DatabaseURL uses a PostgreSQL that runs already instead of an own one.
	DatabaseURL string
	// Durable makes PostgreSQL survive the loss of power.
	Durable bool
	// ReceiptDue is how long a receipt may take; zero is the product's default.
	ReceiptDue time.Duration
	// PerSecond bounds how many messages each provider is given a second; zero is no
	// bound.
	PerSecond float64
	// Parties are more entries of the address registry.
	Parties []registry.Party
	// ClamAVAddr is where a clamd judges uploaded files; empty is nowhere.
	ClamAVAddr string
	// CodecKeys replaces the keys that encrypt Temporal's payloads, and
	// SuggestContinueAsNewAfter the server's threshold: for tests.
	CodecKeys                 string
	SuggestContinueAsNewAfter int
	// Progress is told what happens, in lines of text. Nil is silence.
	Progress io.Writer
	// Logger gets the logs of every part.
	Logger *slog.Logger
}

// Stack is what runs.
type Stack struct {
	Config
	Postgres  *postgres.Server
	Temporal  *temporalserver.Server
	Simulator *simulator.Client
	Broker    *rabbitmq.Broker // nil without AMQP
	pki       *simulator.PKI   // nil without AMQP
	// Sink is where the clinic's own notices arrive.
	Sink   *sink.Sink
	Issuer *identity.DevIssuer
	// URL is the programs' connection string of the database, Owner that of who owns it.
	URL, Owner string
	// Fresh tells that Dir held no keys: whatever an older database holds cannot be
	// opened with the new ones.
	Fresh bool
	keys  keys
	steps *progress.Steps
	stop  []stopper
	parts []namedPart
	// failed gets the first part that ended by itself.
	failed chan error
	// cut is CutHelsenorge.
	cut atomic.Bool
}

// stopper ends something that was started.
type stopper struct {
	name string
	stop func(context.Context) error
}

// keys are the secrets of a development stack, made once and kept in its directory.
type keys struct {
	Vault string `json:"vault"`
	Index string `json:"index"`
	Codec string `json:"codec"`
	// SMSCallback signs the gateway's reports, VAPID identifies us to push services.
	SMSCallback string `json:"smsCallback"`
	VAPID       string `json:"vapid"`
}

// Start brings everything up in the order in which it is needed. What was started
// is stopped again when a later part fails or ctx ends.
func Start(ctx context.Context, cfg Config) (_ *Stack, err error) {
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Stack{Config: cfg, steps: progress.New(cfg.Progress), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
		}
	}()
	if err := s.claimPorts(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	if s.keys, s.Fresh, err = loadKeys(s.path("keys.json")); err != nil {
		return nil, err
	}
	if cfg.CodecKeys != "" {
		s.keys.Codec = cfg.CodecKeys
	}
	if s.Issuer, err = identity.OpenDevIssuer(s.path("issuer-key.json")); err != nil {
		return nil, err
	}
	if err := s.Issuer.WriteJWKS(s.path("jwks.json")); err != nil {
		return nil, err
	}
	parties := slices.Concat(simulator.Parties(), demo.Registry(), cfg.Parties)
	type part struct {
		name  string
		start func(context.Context) error
	}
	parts := []part{
		{"PostgreSQL", s.startPostgres}, {"Temporal", s.startTemporal}, {"Helsenorge's simulator", s.startSimulator},
		{"the patients' sink", s.startSink},
	}
	if s.Transport == AMQP {
		if s.pki, err = simulator.OpenPKI(s.path("keys"), s.SimulatorURL()); err != nil {
			return nil, err
		}
		parties = s.pki.Certify(parties)
		parts = slices.Insert(parts, 2, part{"RabbitMQ", s.startBroker})
	}
	if err := registry.Write(s.path("registry.yaml"), parties); err != nil {
		return nil, err
	}
	for _, part := range parts {
		if err := s.steps.Do("starting "+part.name, func() error { return part.start(ctx) }); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return s, nil
}

// Stop stops everything in the opposite order. Stopping twice is harmless.
func (s *Stack) Stop(ctx context.Context) error {
	var errs []error
	for i := len(s.stop) - 1; i >= 0; i-- {
		one := s.stop[i]
		if err := s.steps.Do("stopping "+one.name, func() error { return one.stop(ctx) }); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", one.name, err))
		}
	}
	s.stop, s.parts = nil, nil
	return errors.Join(errs...)
}

func (s *Stack) onStop(name string, stop func(context.Context) error) {
	s.stop = append(s.stop, stopper{name, stop})
}

// Watch returns nil when ctx ends, and before that an error when a part of the
// stack has ended by itself. It is for one caller.
func (s *Stack) Watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, p := range s.parts {
		ended := p.app.Wait()
		go func() {
			select {
			case signal := <-ended:
				// A signal to this process arrives here too, with exit code 0.
				if signal.ExitCode != 0 {
					s.fail(p.name)
				}
			case <-ctx.Done():
			}
		}()
	}
	select {
	case err := <-s.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// fail tells Watch that a part has ended by itself; the first one counts.
func (s *Stack) fail(name string) {
	select {
	case s.failed <- fmt.Errorf("%s has ended by itself", name):
	default:
	}
}

func (s *Stack) path(name string) string { return filepath.Join(s.Dir, name) }

// claimPorts fills in free ports and refuses taken ones, all at once.
func (s *Stack) claimPorts() error {
	named := []struct {
		port              *int
		purpose, variable string // variable is make's
	}{
		{&s.Ports.Temporal, "Temporal", "TEMPORAL_PORT"}, {&s.Ports.UI, "the Temporal UI", "UI_PORT"},
		{&s.Ports.Codec, "the codec server", "CODEC_PORT"}, {&s.Ports.API, "the HTTP API", "API_PORT"},
		{&s.Ports.Simulator, "Helsenorge's simulator", "SIMULATOR_PORT"}, {&s.Ports.Postgres, "PostgreSQL", "POSTGRES_PORT"},
		{&s.Ports.Sink, "the patients' sink", "SINK_PORT"}, {&s.Ports.Mail, "the sink's mail server", "MAIL_PORT"},
		{&s.Ports.Broker, "RabbitMQ", rabbitmq.PortVariable},
	}
	var wanted []ports.Port
	missing := 0
	for _, n := range named {
		if *n.port == 0 {
			missing++
			continue
		}
		if n.port == &s.Ports.Postgres && s.DatabaseURL != "" || n.port == &s.Ports.Broker && s.Transport != AMQP {
			continue
		}
		wanted = append(wanted, ports.Port{Number: *n.port, Purpose: n.purpose, Variable: n.variable})
	}
	if err := ports.Check("127.0.0.1", wanted...); err != nil {
		return err
	}
	free, err := ports.Free(missing)
	if err != nil {
		return err
	}
	for _, n := range named {
		if *n.port == 0 {
			*n.port, free = free[0], free[1:]
		}
	}
	return nil
}

func (s *Stack) startPostgres(ctx context.Context) error {
	s.URL, s.Owner = s.DatabaseURL, s.DatabaseURL
	if s.URL == "" {
		var err error
		if s.Postgres, err = postgres.Start(ctx, postgres.Config{
			Dir: s.path("postgres"), Port: s.Ports.Postgres, Durable: s.Durable, Progress: s.steps,
		}); err != nil {
			return err
		}
		ended := s.Postgres.Ended()
		go func() { <-ended; s.fail("PostgreSQL") }()
		s.onStop("PostgreSQL", s.Postgres.Stop)
		if s.Owner, err = s.Postgres.CreateDatabase(ctx, "helsebro"); err != nil {
			return err
		}
		s.URL = s.Postgres.As(postgres.AppRole, "helsebro")
	}
	app, err := pg.RoleOf(s.URL)
	if err == nil {
		err = pg.Migrate(ctx, s.Owner, pg.Roles{App: app}, s.Logger)
	}
	if err != nil && s.DatabaseURL != "" {
		err = fmt.Errorf("%w: check HELSEBRO_DATABASE_URL and what it points to, or unset it to have a PostgreSQL started here", err)
	}
	return err
}

func (s *Stack) startTemporal(ctx context.Context) error {
	var err error
	if s.Temporal, err = temporalserver.Start(ctx, temporalserver.Config{
		Port: s.Ports.Temporal, UIPort: s.Ports.UI, SQLiteFile: s.path("temporal.db"),
		CodecEndpoint: "http://" + s.addr(s.Ports.Codec), Logger: s.Logger, SuggestContinueAsNewAfter: s.SuggestContinueAsNewAfter,
	}); err != nil {
		return err
	}
	s.onStop("Temporal", func(context.Context) error { return s.Temporal.Stop() })
	return nil
}

// APIURL is where the HTTP API answers.
func (s *Stack) APIURL() string { return "http://" + s.addr(s.Ports.API) }

// SimulatorURL is where the simulator answers and serves its queues.
func (s *Stack) SimulatorURL() string { return "http://" + s.addr(s.Ports.Simulator) }

func (s *Stack) addr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// serve serves h on the port until the stack stops.
func (s *Stack) serve(name string, port int, h http.Handler) error {
	l, err := net.Listen("tcp", s.addr(port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.Logger.Error("a server of the stack ended", "port", port, "error", err)
			s.fail(name)
		}
	}()
	s.onStop(name, func(context.Context) error { return server.Close() })
	return nil
}

// Token makes a token of the stack's own issuer, good for a day.
func (s *Stack) Token(p identity.Principal) (string, error) { return s.Issuer.Issue(p, 24*time.Hour) }

// Worker, Listen and Serve are the configurations of the three processes.
func (s *Stack) Worker() config.Worker {
	return config.Worker{Database: s.database(), Vault: s.vault(), Temporal: s.temporal(), Transport: s.transport(), Channels: s.channels(), Log: config.Log{Level: "info"}, Health: config.Health{Addr: "127.0.0.1:0"}}
}

// Listen is the listener's configuration.
func (s *Stack) Listen() config.Listen {
	return config.Listen{Database: s.database(), Vault: s.vault(), Temporal: s.temporal(), Transport: s.transport(), Log: config.Log{Level: "info"}, Health: config.Health{Addr: "127.0.0.1:0"}}
}

// Serve is the API's configuration.
func (s *Stack) Serve() config.Serve {
	return config.Serve{
		Database: s.database(), Vault: s.vault(), Temporal: s.temporal(),
		Codec:    config.Codec{Addr: s.addr(s.Ports.Codec), UIOrigin: s.Temporal.UIURL(), WithoutLogin: true},
		Identity: config.Identity{Issuer: identity.DevIssuerName, Audience: identity.DevAudience, JWKSFile: s.path("jwks.json")},
		Activity: s.activity(), Scan: config.Scan{ClamAVAddr: s.ClamAVAddr},
		HTTP: config.HTTP{Addr: s.addr(s.Ports.API)}, SMSCallback: config.SMSCallback{Keys: s.keys.SMSCallback}, Log: config.Log{Level: "info"},
	}
}

// database takes the simulator's citizens, whose numbers are of Test-Norge, for people.
func (s *Stack) database() config.Database {
	return config.Database{URL: s.URL, MaxConns: 16, Synthetic: []string{"tenor"}}
}

func (s *Stack) activity() config.Activity {
	return config.Activity{URL: s.SimulatorURL(), Transport: "loopback"}
}
func (s *Stack) vault() config.Vault {
	return config.Vault{Keys: s.keys.Vault, IndexKey: s.keys.Index}
}
func (s *Stack) temporal() config.Temporal { return config.Temporal{CodecKeys: s.keys.Codec} }
func (s *Stack) transport() config.Transport {
	due := s.ReceiptDue
	if due == 0 {
		due = 4 * time.Hour
	}
	t := config.Transport{Kind: "loopback", LoopbackURL: s.SimulatorURL(), Registries: config.Registries{Kind: "file", File: s.path("registry.yaml"), Age: time.Hour, Stale: time.Hour}, ReceiptDue: due,
		Activity: s.activity(), HelsenorgeHerID: simulator.HerID}
	if s.Transport == AMQP {
		t.Kind = "amqp"
		t.AMQP = config.AMQP{URL: s.Broker.URL(), AddressVersion: 1, Release: "released", CAFile: s.Broker.CAFile(), System: "helsebro"}
		for _, p := range demo.Registry() {
			if dead := rabbitmq.DeadLetters(p.AsyncQueue); p.AsyncQueue != "" && !slices.Contains(t.DeadLetters, dead) {
				t.DeadLetters = append(t.DeadLetters, dead)
			}
		}
		t.Keys = config.Keys{Dir: s.pki.ClinicKeys(), TrustedFile: s.pki.TrustedFile(), CheckRevocation: true}
	}
	return t
}

// Environment is what the three processes need, as child processes of this one.
func (s *Stack) Environment() []string {
	t, i, c := s.transport(), s.Serve().Identity, s.channels()
	env := s.temporalEnvironment()
	if s.Transport == AMQP {
		env = append(env,
			"HELSEBRO_AMQP_URL="+t.AMQP.URL,
			"HELSEBRO_AMQP_CA_FILE="+t.AMQP.CAFile,
			"HELSEBRO_DEAD_LETTER_QUEUES="+strings.Join(t.DeadLetters, ","),
			"HELSEBRO_KEYS_DIR="+t.Keys.Dir,
			"HELSEBRO_TRUSTED_CERTIFICATES="+t.Keys.TrustedFile,
		)
	}
	return append(env,
		"HELSEBRO_DATABASE_URL="+s.URL,
		"HELSEBRO_VAULT_KEYS="+s.keys.Vault,
		"HELSEBRO_VAULT_INDEX_KEY="+s.keys.Index,
		"HELSEBRO_CODEC_KEYS="+s.keys.Codec,
		"HELSEBRO_TRANSPORT="+t.Kind,
		"HELSEBRO_LOOPBACK_URL="+t.LoopbackURL,
		"HELSEBRO_REGISTRY_FILE="+t.Registries.File,
		"HELSEBRO_RECEIPT_DUE="+t.ReceiptDue.String(),
		"HELSEBRO_ACTIVITY_URL="+t.Activity.URL,
		"HELSEBRO_SYNTHETIC_NUMBERS="+strings.Join(s.database().Synthetic, ","),
		"HELSEBRO_HELSENORGE_HER_ID="+strconv.Itoa(t.HelsenorgeHerID),
		"HELSEBRO_TOKEN_ISSUER="+i.Issuer,
		"HELSEBRO_TOKEN_AUDIENCE="+i.Audience,
		"HELSEBRO_JWKS_FILE="+i.JWKSFile,
		"HELSEBRO_HTTP_ADDR="+s.addr(s.Ports.API),
		"HELSEBRO_CODEC_ADDR="+s.addr(s.Ports.Codec),
		"HELSEBRO_UI_ORIGIN="+s.Temporal.UIURL(),
		"HELSEBRO_CODEC_WITHOUT_LOGIN=true", // the UI of the stack has none
		"HELSEBRO_HEALTH_ADDR=127.0.0.1:0",
		"HELSEBRO_SMS_CALLBACK_KEYS="+s.keys.SMSCallback,
		"HELSEBRO_SMTP_ADDR="+c.SMTP.Addr,
		"HELSEBRO_SMTP_TLS="+c.SMTP.TLS,
		"HELSEBRO_SMTP_FROM="+c.SMTP.From,
		"HELSEBRO_SMS_URL="+c.SMS.URL,
		"HELSEBRO_SMS_KEY="+c.SMS.Key,
		"HELSEBRO_SMTP_PER_SECOND="+strconv.FormatFloat(c.SMTP.PerSecond, 'g', -1, 64),
		"HELSEBRO_SMS_PER_SECOND="+strconv.FormatFloat(c.SMS.PerSecond, 'g', -1, 64),
		"HELSEBRO_PUSH_PER_SECOND="+strconv.FormatFloat(c.WebPush.PerSecond, 'g', -1, 64),
		"HELSEBRO_SMS_FROM="+c.SMS.From,
		"HELSEBRO_SMS_CALLBACK_URL="+c.SMS.CallbackURL,
		"HELSEBRO_VAPID_KEY="+c.WebPush.Key,
		"HELSEBRO_VAPID_SUBJECT="+c.WebPush.Subject,
		"HELSEBRO_CHANNELS_LOCAL=true",
	)
}

// loadKeys reads the keys, or makes them when there are none.
func loadKeys(file string) (k keys, fresh bool, err error) {
	raw, err := os.ReadFile(file)
	if err == nil {
		return k, false, json.Unmarshal(raw, &k)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return k, false, err
	}
	vapid, err := webpush.GenerateKey()
	if err != nil {
		return k, true, err
	}
	k = keys{Vault: "dev:" + newKey(), Index: newKey(), Codec: "dev:" + newKey(), SMSCallback: newKey(), VAPID: vapid}
	if raw, err = json.MarshalIndent(k, "", "  "); err != nil {
		return k, true, err
	}
	return k, true, os.WriteFile(file, raw, 0o600)
}

func newKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// Queues tells how many messages wait on each queue, of RabbitMQ or the simulator.
func (s *Stack) Queues(ctx context.Context) ([]loopback.QueueState, error) {
	if s.Transport == AMQP {
		queues, err := s.Broker.Queues(ctx)
		states := make([]loopback.QueueState, len(queues))
		for i, q := range queues {
			states[i] = loopback.QueueState{Name: q.Name, Ready: q.Ready, Unsettled: q.Unsettled, Links: q.Receivers}
		}
		return states, err
	}
	c, err := loopback.NewClient(s.SimulatorURL())
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx) //nolint:errcheck // it holds no link
	return c.Queues(ctx)
}

// RestartTemporal starts the server again on the same ports and file, after
// Temporal.Stop.
func (s *Stack) RestartTemporal(ctx context.Context) error { return s.startTemporal(ctx) }
