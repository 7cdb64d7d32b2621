// Package config is the typed configuration of every process, read from the
// environment and checked before anything starts. Names, defaults and checks are
// here and nowhere else; docker-compose.yml is held against them by a test.
//
// The connection to Temporal is configured by Temporal's own variables
// (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE, …).
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

// Times of an orderly stop, in one place because each must fit into the next:
// the Temporal worker's, fx's, and the container's grace period.
const (
	// WorkerStopTimeout is how long a worker waits for running activities.
	WorkerStopTimeout = 20 * time.Second
	// StopTimeout is how long fx waits for all stop hooks.
	StopTimeout = 30 * time.Second
	// StartTimeout is how long fx waits for all start hooks.
	StartTimeout = 60 * time.Second
	// ContainerGracePeriod is docker-compose.yml's stop_grace_period.
	ContainerGracePeriod = 45 * time.Second
)

// Database is PostgreSQL.
type Database struct {
	// URL is a postgres:// connection string.
	URL string `env:"HELSEBRO_DATABASE_URL"`
	// MaxConns bounds the pool of one process.
	MaxConns int32 `env:"HELSEBRO_DATABASE_MAX_CONNS" envDefault:"16"`
	// Synthetic are the test registers whose numbers count as a person's, comma
	// separated: tenor, nhn, dolly. None where patients are real: nothing is then sent to
	// such a number (S25).
	Synthetic []string `env:"HELSEBRO_SYNTHETIC_NUMBERS" envDefault:""`
	// Retention is how many days what is kept is kept, "class=days" comma separated, where
	// it is not pg.RetentionClasses' default.
	Retention string `env:"HELSEBRO_RETENTION" envDefault:""`
}

// Vault holds the keys that encrypt columns and files.
type Vault struct {
	// Keys is the ring of key-encryption keys, "id:base64" of 32 bytes each,
	// comma separated; the first seals, all open.
	Keys string `env:"HELSEBRO_VAULT_KEYS"`
	// IndexKey is the base64 of the 32 bytes that make blind indexes. It cannot be
	// changed without re-indexing.
	IndexKey string `env:"HELSEBRO_VAULT_INDEX_KEY"`
}

// Temporal is what Helsebro adds to Temporal's own client configuration.
type Temporal struct {
	// CodecKeys is the ring that encrypts payloads, in the form of Vault.Keys.
	CodecKeys string `env:"HELSEBRO_CODEC_KEYS"`
}

// Codec is the codec server: it decrypts payloads for the Temporal UI.
type Codec struct {
	// Addr is where it listens.
	Addr string `env:"HELSEBRO_CODEC_ADDR" envDefault:"127.0.0.1:8234"`
	// UIOrigin is the one web origin that may call it, such as http://127.0.0.1:8233.
	UIOrigin string `env:"HELSEBRO_UI_ORIGIN" envDefault:"http://127.0.0.1:8233"`
	// WithoutLogin admits a Temporal UI that knows nobody, and sends no token, as the
	// operator "temporal-ui": for a UI on the same machine only.
	WithoutLogin bool `env:"HELSEBRO_CODEC_WITHOUT_LOGIN" envDefault:"false"`
}

// Transport is the way to Helsenorge.
type Transport struct {
	// Kind is amqp, or loopback on a development machine.
	Kind string `env:"HELSEBRO_TRANSPORT" envDefault:"loopback"`
	AMQP AMQP
	Keys Keys
	// LoopbackURL is where the simulator serves its queues.
	LoopbackURL string `env:"HELSEBRO_LOOPBACK_URL" envDefault:"http://127.0.0.1:8236"`
	Registries  Registries
	// DeadLetters are the broker's queues of dead letters, comma separated: what is on them
	// is kept in quarantine, where an operator sees it. Their names are the broker's, and in
	// no registry.
	DeadLetters []string `env:"HELSEBRO_DEAD_LETTER_QUEUES" envDefault:""`
	// ReceiptDue is how long a receipt of Helsenorge may take before an operator is
	// asked (HITS 1216 §2.2.4: normally minutes, at most a few hours).
	ReceiptDue time.Duration `env:"HELSEBRO_RECEIPT_DUE" envDefault:"4h"`
	Activity   Activity
	// HelsenorgeHerID is Helsenorge's own party in the address registry: to whom an
	// appointment is told that answers nothing.
	HelsenorgeHerID int `env:"HELSEBRO_HELSENORGE_HER_ID"`
}

// Registries are where parties and their agreements are looked up.
type Registries struct {
	// Kind is file, soap or rest: a file, or Norsk helsenett's address registry by its older
	// or its newer interface.
	Kind string `env:"HELSEBRO_REGISTRY" envDefault:"file"`
	// File is the address registry's file (YAML), for Kind file.
	File string `env:"HELSEBRO_REGISTRY_FILE" envDefault:""`
	// URL is the address registry's; User and Password are for soap.
	URL      string `env:"HELSEBRO_REGISTRY_URL" envDefault:""`
	User     string `env:"HELSEBRO_REGISTRY_USER" envDefault:""`
	Password string `env:"HELSEBRO_REGISTRY_PASSWORD" envDefault:""`
	// CPPAURL is the registry of collaboration profiles and agreements; empty means that the
	// address registry's certificates count for everybody.
	CPPAURL string `env:"HELSEBRO_CPPA_URL" envDefault:""`
	// AgreementExempt are functions (8279) that need no agreement, AgreementRequired refuses
	// whoever has neither agreement nor profile.
	AgreementExempt   []string `env:"HELSEBRO_AGREEMENT_EXEMPT" envDefault:""`
	AgreementRequired bool     `env:"HELSEBRO_AGREEMENT_REQUIRED" envDefault:"false"`
	// Age is how long an answer counts, Stale how long it does when a registry is down.
	Age   time.Duration `env:"HELSEBRO_REGISTRY_AGE" envDefault:"1h"`
	Stale time.Duration `env:"HELSEBRO_REGISTRY_STALE" envDefault:"24h"`
}

// HelseID is who we are to Norsk helsenett's and Helsenorge's interfaces.
type HelseID struct {
	// TokenURL is the token endpoint, such as https://helseid-sts.test.nhn.no/connect/token.
	TokenURL string `env:"HELSEBRO_HELSEID_TOKEN_URL" envDefault:""`
	ClientID string `env:"HELSEBRO_HELSEID_CLIENT_ID" envDefault:""`
	// KeyFile is the client's private key (JWK), which nobody but its owner reads.
	KeyFile string `env:"HELSEBRO_HELSEID_KEY_FILE" envDefault:""`
}

// Configured tells whether there is one.
func (c HelseID) Configured() bool { return c.TokenURL != "" }

func (c HelseID) check() error {
	if !c.Configured() {
		return nil
	}
	var errs []error
	if u, err := url.Parse(c.TokenURL); err != nil || u.Host == "" || u.Scheme != "https" && !onThisMachine(u) {
		errs = append(errs, errors.New("HELSEBRO_HELSEID_TOKEN_URL must be an https URL"))
	}
	if c.ClientID == "" {
		errs = append(errs, missing("HELSEBRO_HELSEID_CLIENT_ID", "the client's id at HelseID"))
	}
	return errors.Join(append(errs, checkFile("HELSEBRO_HELSEID_KEY_FILE", c.KeyFile, "the client's private key (JWK)"))...)
}

func (c Registries) check(id HelseID) error {
	var errs []error
	switch c.Kind {
	case "file":
		errs = append(errs, checkFile("HELSEBRO_REGISTRY_FILE", c.File, "the address registry (YAML)"))
	case "soap":
		if c.User == "" || c.Password == "" {
			errs = append(errs, missing("HELSEBRO_REGISTRY_USER and HELSEBRO_REGISTRY_PASSWORD", "a user of Norsk helsenett's"))
		}
	case "rest":
		if !id.Configured() {
			errs = append(errs, missing("HELSEBRO_HELSEID_TOKEN_URL", "HelseID's token endpoint, which the address registry wants tokens of"))
		}
	default:
		errs = append(errs, fmt.Errorf("HELSEBRO_REGISTRY is %q: set file, soap or rest", c.Kind))
	}
	if c.Kind != "file" && c.URL == "" {
		errs = append(errs, missing("HELSEBRO_REGISTRY_URL", "the address registry's interface"))
	}
	if c.CPPAURL != "" && !id.Configured() {
		errs = append(errs, missing("HELSEBRO_HELSEID_TOKEN_URL", "HelseID's token endpoint, which the registry of agreements wants tokens of"))
	}
	if c.Age <= 0 || c.Stale < c.Age {
		errs = append(errs, errors.New("HELSEBRO_REGISTRY_AGE is more than 0, and HELSEBRO_REGISTRY_STALE not less"))
	}
	return errors.Join(errs...)
}

// AMQP is the service bus of Norsk helsenett, for Kind amqp.
type AMQP struct {
	// URL is amqps://user:password@host:5671/exchange, user and password percent-encoded.
	URL string `env:"HELSEBRO_AMQP_URL" envDefault:""`
	// AddressVersion is how the broker writes queues: 1 up to RabbitMQ 3.13, 2 from 4.
	AddressVersion int `env:"HELSEBRO_AMQP_ADDRESS_VERSION" envDefault:"1"`
	// Release is the outcome of a message that is given back: released up to RabbitMQ 3.13,
	// modified from 4, which then counts its deliveries.
	Release string `env:"HELSEBRO_AMQP_RELEASE" envDefault:"released"`
	// CAFile has the certificates (PEM) that the broker's own is issued under; empty means
	// the system's.
	CAFile string `env:"HELSEBRO_AMQP_CA_FILE" envDefault:""`
	// System names this installation to the counterpart (X-SystemIdentifier).
	System string `env:"HELSEBRO_SYSTEM_ID" envDefault:"helsebro"`
}

// Keys are what messages are signed, encrypted and decrypted with. Only the worker and the
// listener have them.
type Keys struct {
	// Dir has the own keys; see cms.Files. Empty means that nothing is sealed: on a
	// development machine's loopback transport only.
	Dir string `env:"HELSEBRO_KEYS_DIR" envDefault:""`
	// Password opens the PKCS #12 files in it.
	Password string `env:"HELSEBRO_KEYS_PASSWORD" envDefault:""`
	// TrustedFile has the roots, and issuers between, that certificates must have (PEM).
	TrustedFile string `env:"HELSEBRO_TRUSTED_CERTIFICATES" envDefault:""`
	// CheckRevocation asks issuers' lists whether a certificate is revoked.
	CheckRevocation bool `env:"HELSEBRO_CHECK_REVOCATION" envDefault:"true"`
}

// Activity is Helsenorge's digitally-active check.
type Activity struct {
	// URL is where it answers; empty means that it is never asked, and the last known
	// status of a patient counts.
	URL string `env:"HELSEBRO_ACTIVITY_URL" envDefault:""`
	// Transport is Transport.Kind.
	Transport string `env:"HELSEBRO_TRANSPORT" envDefault:"loopback"`
	// HelseID is who asks; without it the check is asked without a token, as a gateway that
	// adds one, or the simulator, wants it.
	HelseID HelseID
}

// HTTP is the API.
type HTTP struct {
	// Addr is where it listens.
	Addr string `env:"HELSEBRO_HTTP_ADDR" envDefault:"127.0.0.1:8235"`
	// Rate is how many requests a second each caller may make, 0 for no limit; Burst how
	// many at once.
	Rate  float64 `env:"HELSEBRO_API_RATE" envDefault:"200"`
	Burst int     `env:"HELSEBRO_API_BURST" envDefault:"2000"`
}

func (c HTTP) check() error {
	if c.Rate < 0 || c.Rate > 0 && c.Burst < 1 {
		return fmt.Errorf("HELSEBRO_API_RATE is %g and HELSEBRO_API_BURST %d: set 0 for no limit, or both above", c.Rate, c.Burst)
	}
	return checkAddr("HELSEBRO_HTTP_ADDR", c.Addr)
}

// Health is what tells a supervisor that a process without an API is alive
// (GET /healthz) and ready (GET /readyz: 200 or 503). It says nothing else and needs
// no token, so it listens on the loopback unless told otherwise.
type Health struct {
	// Addr is where it listens.
	Addr string `env:"HELSEBRO_HEALTH_ADDR" envDefault:"127.0.0.1:8237"`
}

// Log is how processes log: slog, one JSON object a line on standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `env:"HELSEBRO_LOG_LEVEL" envDefault:"info"`
}

// Scan is the virus scanner that judges uploaded files.
type Scan struct {
	// ClamAVAddr is the host:port of a ClamAV daemon (clamd); empty means that nothing
	// scans them.
	ClamAVAddr string `env:"HELSEBRO_CLAMAV_ADDR" envDefault:""`
}

// Worker is the configuration of `worker`.
type Worker struct {
	Database  Database
	Vault     Vault
	Temporal  Temporal
	Transport Transport
	Channels  Channels
	Health    Health
	Log       Log
}

// Listen is the configuration of `starter listen`.
type Listen struct {
	Database  Database
	Vault     Vault
	Temporal  Temporal
	Transport Transport
	Health    Health
	Log       Log
}

// Serve is the configuration of `starter serve`. It holds no transport key: the
// HTTP process never seals or opens a message. It asks Helsenorge who is active there.
type Serve struct {
	Database Database
	Vault    Vault
	Temporal Temporal
	Codec    Codec
	Identity Identity
	Activity Activity
	HTTP     HTTP
	Scan     Scan
	// SMSCallback is empty where no gateway reports.
	SMSCallback SMSCallback
	Log         Log
}

// Load reads T from the environment and checks it. What could be read is returned beside an
// error, too.
func Load[T any, P interface {
	*T
	Validate() error
}]() (T, error) {
	var c T
	if err := env.Parse(&c); err != nil {
		// The package's own error names fields of ours, not settings.
		return c, errors.Join(append(unreadable(reflect.TypeFor[T]()), P(&c).Validate())...)
	}
	return c, P(&c).Validate()
}

// unreadable names the settings of a configuration whose values are not of their type.
func unreadable(t reflect.Type) (errs []error) {
	for field := range t.Fields() {
		name, ok := field.Tag.Lookup("env")
		if !ok {
			if field.Type.Kind() == reflect.Struct {
				errs = append(errs, unreadable(field.Type)...)
			}
			continue
		}
		alone := reflect.New(reflect.StructOf([]reflect.StructField{{Name: field.Name, Type: field.Type, Tag: field.Tag}}))
		if env.Parse(alone.Interface()) != nil {
			errs = append(errs, fmt.Errorf("%s cannot be read: give %s", name, form(field.Type)))
		}
	}
	return errs
}

// form is how a value of a type is written.
func form(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s or 4h"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Map:
		return "pairs as name:value, comma separated"
	}
	return "a number"
}

// LoadTransport reads how the broker is reached, for who has neither keys nor registries in
// the environment, and checks that alone.
func LoadTransport() (Transport, error) {
	var c Transport
	if err := env.Parse(&c); err != nil || c.Kind != "amqp" {
		return c, err
	}
	return c, c.AMQP.check()
}

// Validate names every setting that is missing or wrong, with what would be right.
func (c *Worker) Validate() error {
	return errors.Join(c.Database.check(), c.Vault.check(), c.Temporal.check(), c.Transport.check(), c.Channels.Validate(), c.Health.check(), c.Log.check())
}

// Validate names every setting that is missing or wrong, with what would be right.
func (c *Listen) Validate() error {
	return errors.Join(c.Database.check(), c.Vault.check(), c.Temporal.check(), c.Transport.check(), c.Health.check(), c.Log.check())
}

// Migrate is what bringing the schema up to date needs: no keys.
type Migrate struct {
	Database Database
	// OwnerURL is of the role that owns the tables, "" for the programs' own.
	OwnerURL string `env:"HELSEBRO_OWNER_DATABASE_URL" envDefault:""`
	// ReaderRole is a role that may read, "" for none.
	ReaderRole string `env:"HELSEBRO_READER_ROLE" envDefault:""`
	Log        Log
}

// Validate names what is missing.
func (c *Migrate) Validate() error { return errors.Join(c.Database.check(), c.Log.check()) }

// Validate names every setting that is missing or wrong, with what would be right.
func (c *Serve) Validate() error {
	return errors.Join(c.Database.check(), c.Vault.check(), c.Temporal.check(), c.Codec.check(), c.Identity.check(), c.Activity.check(),
		c.HTTP.check(), c.Scan.check(), c.SMSCallback.Validate(), c.Log.check())
}

func (c Database) check() error {
	if c.URL == "" {
		return missing("HELSEBRO_DATABASE_URL", "a connection string such as postgres://helsebro@127.0.0.1:5432/helsebro")
	}
	if c.MaxConns < 2 {
		return fmt.Errorf("HELSEBRO_DATABASE_MAX_CONNS is %d: set at least 2", c.MaxConns)
	}
	if _, err := nationalid.ParseMarks(c.Synthetic); err != nil {
		return fmt.Errorf("HELSEBRO_SYNTHETIC_NUMBERS: %w", err)
	}
	return nil
}

func (c Vault) check() error {
	var errs []error
	if c.Keys == "" {
		errs = append(errs, missing("HELSEBRO_VAULT_KEYS", `"id:base64" of 32 random bytes`))
	}
	if c.IndexKey == "" {
		errs = append(errs, missing("HELSEBRO_VAULT_INDEX_KEY", "base64 of 32 random bytes"))
	}
	return errors.Join(errs...)
}

func (c Temporal) check() error {
	if c.CodecKeys == "" {
		return missing("HELSEBRO_CODEC_KEYS", `"id:base64" of 32 random bytes`)
	}
	return nil
}

func (c Codec) check() error {
	u, err := url.Parse(c.UIOrigin)
	if err != nil || u.Scheme == "" || u.Host == "" || (u.Path != "" && u.Path != "/") {
		return fmt.Errorf("HELSEBRO_UI_ORIGIN must be one web origin such as http://127.0.0.1:8233")
	}
	if ip := net.ParseIP(u.Hostname()); c.WithoutLogin && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("HELSEBRO_CODEC_WITHOUT_LOGIN is for a Temporal UI on this machine: unset it, and let the UI log people in and pass their tokens (TEMPORAL_CODEC_PASS_ACCESS_TOKEN)")
	}
	return checkAddr("HELSEBRO_CODEC_ADDR", c.Addr)
}

func (c Transport) check() error {
	var errs []error
	switch c.Kind {
	case "amqp":
		errs = append(errs, c.AMQP.check())
		if c.Keys.Dir == "" {
			errs = append(errs, missing("HELSEBRO_KEYS_DIR", "the directory of the keys that messages are signed and decrypted with"))
		}
	case "loopback":
		if u, err := url.Parse(c.LoopbackURL); err != nil || u.Host == "" {
			errs = append(errs, fmt.Errorf("HELSEBRO_LOOPBACK_URL must be a URL such as http://127.0.0.1:8236"))
		}
	default:
		errs = append(errs, fmt.Errorf("HELSEBRO_TRANSPORT is %q: set amqp, or loopback on a development machine", c.Kind))
	}
	if c.Keys.Dir != "" {
		errs = append(errs, checkFile("HELSEBRO_KEYS_DIR", c.Keys.Dir, "the directory of the keys"),
			checkFile("HELSEBRO_TRUSTED_CERTIFICATES", c.Keys.TrustedFile, "the certificates of the issuers that are trusted (PEM)"))
	}
	errs = append(errs, c.Registries.check(c.Activity.HelseID))
	if c.ReceiptDue <= 0 || c.ReceiptDue > 96*time.Hour {
		errs = append(errs, fmt.Errorf("HELSEBRO_RECEIPT_DUE is %s: set more than 0 and at most 96h", c.ReceiptDue))
	}
	errs = append(errs, c.Activity.check())
	if c.HelsenorgeHerID <= 0 {
		errs = append(errs, missing("HELSEBRO_HELSENORGE_HER_ID", "Helsenorge's HER-id in the address registry"))
	}
	return errors.Join(errs...)
}

func (c AMQP) check() error {
	var errs []error
	if c.URL == "" {
		errs = append(errs, missing("HELSEBRO_AMQP_URL", "the service bus as amqps://user:password@host:5671/exchange"))
	}
	if c.AddressVersion != 1 && c.AddressVersion != 2 {
		errs = append(errs, fmt.Errorf("HELSEBRO_AMQP_ADDRESS_VERSION is %d: set 1 (RabbitMQ 3) or 2 (RabbitMQ 4)", c.AddressVersion))
	}
	if c.Release != "released" && c.Release != "modified" {
		errs = append(errs, fmt.Errorf("HELSEBRO_AMQP_RELEASE is %q: set released (RabbitMQ 3) or modified (RabbitMQ 4)", c.Release))
	}
	if c.CAFile != "" {
		errs = append(errs, checkFile("HELSEBRO_AMQP_CA_FILE", c.CAFile, "the certificates of the broker's issuer (PEM)"))
	}
	return errors.Join(errs...)
}

func (c Activity) check() error {
	// National ids go there: only what does not leave the machine, and the loopback
	// transport with its invented patients, may do without TLS.
	u, err := url.Parse(c.URL)
	if c.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || c.Transport != "loopback" && !onThisMachine(u))) {
		return fmt.Errorf("HELSEBRO_ACTIVITY_URL must be an https URL, or empty")
	}
	return c.HelseID.check()
}

func onThisMachine(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

func (c Scan) check() error {
	if c.ClamAVAddr == "" {
		return nil
	}
	return checkAddr("HELSEBRO_CLAMAV_ADDR", c.ClamAVAddr)
}

func (c Health) check() error { return checkAddr("HELSEBRO_HEALTH_ADDR", c.Addr) }

func (c Log) check() error {
	switch strings.ToLower(c.Level) {
	case "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("HELSEBRO_LOG_LEVEL is %q: set debug, info, warn or error", c.Level)
}

func missing(name, what string) error { return fmt.Errorf("%s is not set: give %s", name, what) }

func checkAddr(name, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%s is %q: give host:port", name, addr)
	}
	return nil
}

func checkFile(name, path, what string) error {
	if path == "" {
		return missing(name, "the path of "+what)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s: %s cannot be read: %w", name, what, err)
	}
	return nil
}
