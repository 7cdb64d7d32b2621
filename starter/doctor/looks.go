package doctor

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/internal/transport/connect"
	"github.com/helsebro/helsebro/internal/vault"
)

// Processes are the programs that an installation may have on this machine.
var Processes = []string{"worker", "listen", "serve"}

// Examine looks at what the processes that are named need, from the environment as they read
// it. Its error is ctx's, when that ends first.
func Examine(ctx context.Context, processes []string) (Report, error) {
	i := newInstallation(processes)
	defer i.close()
	return examine(ctx, i.looks(), within)
}

// installation is what is looked at.
type installation struct {
	processes             []string
	worker                config.Worker
	listen                config.Listen
	serve                 config.Serve
	workerErr, listenErr  error
	serveErr              error
	store                 *pg.Store
	storeErr              error
	vault                 *vault.Vault
	vaultErr              error
	temporal              client.Client
	temporalOptions       client.Options
	temporalErr, codecErr error
	registry              registry.Registry
	registryErr           error
	logger                *slog.Logger
	now                   func() time.Time
}

// newInstallation reads the configuration and makes what is looked through; nothing is connected.
// What of it is wrong is told by the look that it is needed for.
func newInstallation(processes []string) *installation {
	i := &installation{processes: processes, logger: slog.New(slog.DiscardHandler), now: time.Now}
	// What could be read is there beside the error. The settings that processes share are the
	// same in all of them.
	i.worker, i.workerErr = config.Load[config.Worker]()
	i.listen, i.listenErr = config.Load[config.Listen]()
	i.serve, i.serveErr = config.Load[config.Serve]()
	i.vault, i.vaultErr = vault.Open(i.worker.Vault)
	database := i.worker.Database
	database.MaxConns = 4
	database.Synthetic = nil
	if database.URL == "" {
		i.storeErr = errors.New("HELSEBRO_DATABASE_URL is not set")
	} else {
		i.store, i.storeErr = pg.Open(database, i.vault)
	}
	_, i.codecErr = temporalx.Keys(i.worker.Temporal)
	codec := i.worker.Temporal
	if i.codecErr != nil {
		// No payload is read or written here: Temporal can be looked at with any key.
		codec.CodecKeys = "none:" + randomKey()
	}
	if i.temporalOptions, i.temporalErr = temporalx.ClientOptions(codec, i.logger); i.temporalErr == nil {
		i.temporal, i.temporalErr = temporalx.NewLazyClient(codec, i.logger)
	}
	if i.moves() {
		i.registry, i.registryErr = connect.Registry(i.worker.Transport)
	}
	return i
}

func randomKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// close gives back what was connected. A look that did not end in time may still hold a
// connection, and ends with the process.
func (i *installation) close() {
	if i.store != nil {
		go i.store.Close()
	}
	if i.temporal != nil {
		i.temporal.Close()
	}
}

// runs tells whether one of the processes is looked at.
func (i *installation) runs(process string) bool { return slices.Contains(i.processes, process) }

// moves tells whether a process is looked at that sends or receives messages.
func (i *installation) moves() bool { return i.runs("worker") || i.runs("listen") }

// looks are all checks, in the order in which they are shown: what others need comes first.
func (i *installation) looks() []look {
	const (
		connection, schema = "database-connection", "database-schema"
		server, namespace  = "temporal-server", "temporal-namespace"
		keys               = "keys-vault"
	)
	return []look{
		{name: "configuration-worker", look: i.configuration("worker", i.workerErr)},
		{name: "configuration-listen", look: i.configuration("listen", i.listenErr)},
		{name: "configuration-serve", look: i.configuration("serve", i.serveErr)},
		{name: connection, look: i.connection},
		{name: "database-role", needs: []string{connection}, look: i.role},
		{name: schema, needs: []string{connection}, look: i.schema},
		{name: "database-audit", needs: []string{schema}, look: i.audit},
		{name: "database-seals", needs: []string{schema}, look: i.seals},
		{name: "clock", needs: []string{connection}, look: i.clock},
		{name: "temporal-tls", look: i.temporalTLS},
		{name: server, look: i.temporalServer},
		{name: namespace, needs: []string{server}, look: i.temporalNamespace},
		{name: "temporal-search-attributes", needs: []string{namespace}, look: i.searchAttributes},
		{name: "temporal-workers", needs: []string{namespace}, look: i.workers},
		{name: keys, look: i.vaultKeys},
		{name: "keys-data", needs: []string{keys, schema}, look: i.dataKeys},
		{name: "keys-payloads", look: i.payloadKeys},
		{name: "keys-messages", look: i.messageKeys},
		{name: "keys-tokens", look: i.tokenKeys},
		{name: "registry-address", look: i.addressRegistry},
		{name: "registry-agreements", look: i.agreements},
		{name: "registry-activity", look: i.activity},
		{name: "broker", look: i.broker},
		{name: "channel-email", look: i.email},
		{name: "channel-sms", look: i.sms},
		{name: "channel-push", look: i.push},
	}
}

// configuration is what a process says of its settings at its start.
func (i *installation) configuration(process string, err error) func(context.Context) verdict {
	return func(context.Context) verdict {
		if !i.runs(process) {
			return skipped("%s is not looked at", process)
		}
		if err != nil {
			return failed("set what is named, in the environment of "+process, err)
		}
		return ok("%s has all its settings", process)
	}
}

func (i *installation) connection(ctx context.Context) verdict {
	if i.storeErr != nil {
		return failed("set HELSEBRO_DATABASE_URL to a connection string such as postgres://helsebro_app:…@127.0.0.1:5432/helsebro", i.storeErr)
	}
	if err := i.store.Reach(ctx); err != nil {
		return failed("see that PostgreSQL runs and takes "+i.store.Address()+" with the password of HELSEBRO_DATABASE_URL", err)
	}
	return ok("PostgreSQL answers as %s", i.store.Address())
}

func (i *installation) role(ctx context.Context) verdict {
	r, err := i.store.Rights(ctx)
	const toDo = "give the programs a role of their own (HELSEBRO_DATABASE_URL), let another own the tables (HELSEBRO_OWNER_DATABASE_URL), and run helsebro migrate"
	switch {
	case err != nil:
		return failed("see what PostgreSQL's log says", err)
	case r.Superuser:
		return fail(toDo, "the role %s is a superuser: nothing is kept from it", r.Role)
	case r.Owner:
		return fail(toDo, "the role %s owns tables, or may become who does: what it may not is not kept from it", r.Role)
	}
	return ok("the role %s owns nothing and is no superuser", r.Role)
}

func (i *installation) schema(ctx context.Context) verdict {
	if err := i.store.CheckSchema(ctx); err != nil {
		return failed("run helsebro migrate with this program's version", err)
	}
	database, program, err := i.store.SchemaVersion(ctx)
	switch {
	case err != nil:
		return failed("see what PostgreSQL's log says", err)
	case database > program:
		return warn("bring this program to the version that migrated the database", "the schema has version %d, this program knows %d", database, program)
	}
	return ok("the schema has version %d, which is this program's", database)
}

func (i *installation) audit(ctx context.Context) verdict {
	r, err := i.store.Rights(ctx)
	switch {
	case err != nil:
		return failed("see what PostgreSQL's log says", err)
	case len(r.Audit) > 0:
		return fail("let another role own the tables (HELSEBRO_OWNER_DATABASE_URL) and run helsebro migrate, which takes these rights away",
			"the role %s can change the audit: %s", r.Role, strings.Join(r.Audit, ", "))
	case !r.Notes:
		return fail("run helsebro migrate, which grants it", "the role %s cannot add to the audit, and without a row there is no access", r.Role)
	}
	return ok("the role %s can add to the audit, and change nothing of it", r.Role)
}

// unsealedAtMost is the alert rule's: a worker seals within seconds.
const unsealedAtMost = 5 * time.Minute

func (i *installation) seals(ctx context.Context) verdict {
	s, err := i.store.Sealed(ctx)
	switch {
	case err != nil:
		return failed("see what PostgreSQL's log says", err)
	case s.Oldest > unsealedAtMost:
		return warn("a worker seals it: see that one runs, and what its log says",
			"%d rows of the audit are not sealed, the oldest for %s", s.Rows, s.Oldest.Round(time.Second))
	case s.Seal == 0:
		return ok("the audit has no seal yet, and %d rows", s.Rows)
	}
	return ok("the newest seal is %d of %s; %d rows are younger", s.Seal, s.At.Format(time.RFC3339), s.Rows)
}

// How far this machine's clock may be from the database's.
const (
	clockWarns = 2 * time.Second
	clockFails = 30 * time.Second
)

func (i *installation) clock(ctx context.Context) verdict {
	before := i.now()
	theirs, err := i.store.Now(ctx)
	if err != nil {
		return failed("see what PostgreSQL's log says", err)
	}
	after := i.now()
	// The database looked at its clock between the two.
	return apart(theirs.Sub(before.Add(after.Sub(before) / 2)))
}

// apart judges how far the database's clock is ahead of ours.
func apart(d time.Duration) verdict {
	const toDo = "let NTP (chrony, systemd-timesyncd) set both machines' clocks: reminders, certificates and tokens depend on them"
	words := d.Abs().Round(time.Millisecond)
	switch {
	case d.Abs() > clockFails:
		return fail(toDo, "this machine's clock and PostgreSQL's are %s apart", words)
	case d.Abs() > clockWarns:
		return warn(toDo, "this machine's clock and PostgreSQL's are %s apart", words)
	}
	return ok("this machine's clock and PostgreSQL's are %s apart", words)
}

// onThisMachine tells the loopback from everything else.
func onThisMachine(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// days is a duration as people say it.
func days(d time.Duration) string { return fmt.Sprintf("%d days", int(d.Hours()/24)) }
