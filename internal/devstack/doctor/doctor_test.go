// Package doctor_test lets helsebro doctor look at a real PostgreSQL, a real Temporal server
// and a real RabbitMQ in which one thing after the other is wrong.
package doctor_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/rabbitmq"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/temporalx"
	"github.com/helsebro/helsebro/internal/vault"
	"github.com/helsebro/helsebro/starter/cli"
	"github.com/helsebro/helsebro/starter/doctor"
	"github.com/helsebro/helsebro/worker/fleet"
	"github.com/helsebro/helsebro/workflows"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// examine is what the doctor says of the environment, by the names of the checks.
func examine(t *testing.T) map[string]doctor.Check {
	t.Helper()
	r, err := doctor.Examine(t.Context(), doctor.Processes)
	require.NoError(t, err)
	found := map[string]doctor.Check{}
	for _, c := range r.Checks {
		found[c.Name] = c
	}
	return found
}

// says wants a check to have ended in a state, with words of what was found and of what to do.
func says(t *testing.T, c doctor.Check, state doctor.State, found, toDo string) {
	t.Helper()
	require.Equal(t, state, c.State, c)
	require.Contains(t, c.Found, found)
	require.Contains(t, c.ToDo, toDo)
	require.Equal(t, toDo != "", c.ToDo != "", c)
}

// settings gives this process those of a database.
func settings(t *testing.T, d *storetest.Database) {
	t.Helper()
	for k, v := range map[string]string{
		"HELSEBRO_DATABASE_URL": d.Config.URL, "HELSEBRO_VAULT_KEYS": d.Vault.Keys, "HELSEBRO_VAULT_INDEX_KEY": d.Vault.IndexKey,
		"HELSEBRO_CODEC_KEYS": "c:" + storetest.Key(), "TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_CONFIG_FILE": filepath.Join(t.TempDir(), "none.toml"),
	} {
		t.Setenv(k, v)
	}
}

func TestTheDatabase(t *testing.T) {
	d := storetest.New(t)
	settings(t, d)
	require.NoError(t, d.Store.PutClinic(t.Context(), demo.Operator, demo.Clinic()))
	require.NoError(t, d.Store.Refused(t.Context(), demo.Desk, "an operation"))
	sql := func(statement string) {
		t.Helper()
		_, err := d.SQL(t.Context(), statement)
		require.NoError(t, err)
	}

	v, err := vault.Open(d.Vault)
	require.NoError(t, err)
	_, wrapped, err := v.NewDataKey()
	require.NoError(t, err)
	sql(fmt.Sprintf(`INSERT INTO data_key (id, kek, wrapped, created_at) VALUES (gen_random_uuid(), '%s', '\x%x', now())`, wrapped.KEK, wrapped.Bytes))

	// As an installation has it.
	found := examine(t)
	says(t, found["database-connection"], doctor.OK, "helsebro_app@127.0.0.1", "")
	says(t, found["database-role"], doctor.OK, "helsebro_app owns nothing", "")
	says(t, found["database-schema"], doctor.OK, "this program's", "")
	says(t, found["database-audit"], doctor.OK, "change nothing of it", "")
	says(t, found["database-seals"], doctor.OK, "no seal yet", "")
	says(t, found["clock"], doctor.OK, "apart", "")
	says(t, found["keys-data"], doctor.OK, "1 of its keys", "")

	seal, err := d.Store.SealAudit(t.Context())
	require.NoError(t, err)
	says(t, examine(t)["database-seals"], doctor.OK, fmt.Sprintf("the newest seal is %d of ", seal.Number), "")

	// The ring is another than the one that the database was written with, by its ids or by its keys.
	for _, ring := range []string{"other:" + storetest.Key(), "test:" + storetest.Key()} {
		t.Setenv("HELSEBRO_VAULT_KEYS", ring)
		says(t, examine(t)["keys-data"], doctor.Fail, "", "put back the keys")
	}
	t.Setenv("HELSEBRO_VAULT_KEYS", d.Vault.Keys)

	// Nobody seals.
	sql("INSERT INTO audit (at, subject, role, action) VALUES (now() - interval '6 minutes', 'x', 'x', 'x')")
	says(t, examine(t)["database-seals"], doctor.Warn, "1 rows of the audit are not sealed", "a worker seals it")

	// The role may do what it should not.
	sql("GRANT UPDATE (subject) ON audit TO helsebro_app; GRANT TRUNCATE ON audit_seal TO helsebro_app")
	says(t, examine(t)["database-audit"], doctor.Fail, "helsebro_app can change the audit: UPDATE on audit, TRUNCATE on audit_seal", "HELSEBRO_OWNER_DATABASE_URL")
	sql("REVOKE ALL ON audit, audit_seal FROM helsebro_app; REVOKE UPDATE (subject) ON audit FROM helsebro_app; GRANT SELECT ON audit, audit_seal TO helsebro_app")
	says(t, examine(t)["database-audit"], doctor.Fail, "cannot add to the audit", "run helsebro migrate")
	sql("ALTER TABLE slot OWNER TO helsebro_app")
	says(t, examine(t)["database-role"], doctor.Fail, "helsebro_app owns tables", "a role of their own")
	sql("ALTER TABLE slot OWNER TO helsebro")

	// The owner, who is a superuser here.
	t.Setenv("HELSEBRO_DATABASE_URL", d.Owner)
	found = examine(t)
	says(t, found["database-role"], doctor.Fail, "helsebro is a superuser", "a role of their own")
	says(t, found["database-audit"], doctor.Fail, "DELETE on audit", "HELSEBRO_OWNER_DATABASE_URL")
	t.Setenv("HELSEBRO_DATABASE_URL", d.Config.URL)

	// The schema is newer, older, and not there.
	sql("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
	says(t, examine(t)["database-schema"], doctor.Warn, "has version 999", "bring this program")
	sql("DELETE FROM goose_db_version WHERE version_id > 3")
	found = examine(t)
	says(t, found["database-schema"], doctor.Fail, "older than this program", "run helsebro migrate")
	says(t, found["database-audit"], doctor.Skipped, "see database-schema first", "")
	sql("DROP TABLE goose_db_version")
	says(t, examine(t)["database-schema"], doctor.Fail, "has no schema", "run helsebro migrate")

	// PostgreSQL does not let it in, or has nothing of that name.
	t.Setenv("HELSEBRO_DATABASE_URL", strings.Replace(d.Config.URL, "helsebro_app:", "helsebro_app:not-", 1))
	found = examine(t)
	says(t, found["database-connection"], doctor.Fail, "does not let the role in", "with the password of HELSEBRO_DATABASE_URL")
	says(t, found["database-role"], doctor.Skipped, "see database-connection first", "")
	t.Setenv("HELSEBRO_DATABASE_URL", strings.Replace(d.Config.URL, "?sslmode", "_none?sslmode", 1))
	says(t, examine(t)["database-connection"], doctor.Fail, "no database of that name", "see that PostgreSQL runs")
	t.Setenv("HELSEBRO_DATABASE_URL", strings.Replace(d.Config.URL, "sslmode=disable", "sslmode=verify-full", 1))
	says(t, examine(t)["database-connection"], doctor.Fail, "PostgreSQL", "see that PostgreSQL runs")
}

func TestTemporal(t *testing.T) {
	settings(t, storetest.New(t))
	server, err := temporalserver.Start(t.Context(), temporalserver.Config{SQLiteFile: filepath.Join(t.TempDir(), "temporal.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	t.Setenv("TEMPORAL_ADDRESS", server.Address())

	t.Setenv("TEMPORAL_NAMESPACE", "nowhere")
	found := examine(t)
	says(t, found["temporal-server"], doctor.OK, "has version 1.", "")
	says(t, found["temporal-namespace"], doctor.Fail, `no namespace "nowhere"`, "temporal operator namespace create --namespace nowhere")
	says(t, found["temporal-workers"], doctor.Skipped, "see temporal-namespace first", "")

	t.Setenv("TEMPORAL_NAMESPACE", server.Namespace())
	found = examine(t)
	says(t, found["temporal-namespace"], doctor.OK, "3 days", "")
	says(t, found["temporal-search-attributes"], doctor.Fail, "HelsebroClinic, HelsebroProcess, HelsebroState", "start a worker")
	says(t, found["temporal-workers"], doctor.Fail, "nobody works on the task queues helsebro, helsebro-helsenorge", "start a worker")

	logger := slog.New(slog.DiscardHandler)
	c, err := temporalx.NewLazyClient(config.Temporal{CodecKeys: os.Getenv("HELSEBRO_CODEC_KEYS")}, logger)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, temporalx.EnsureSearchAttributes(t.Context(), c, server.Namespace()))
	says(t, examine(t)["temporal-search-attributes"], doctor.OK, "are registered", "")

	// A worker for messages, and none for notices by e-mail.
	work(t, c, contract.QueueHelsenorge)
	says(t, awaitWorkers(t, contract.QueueHelsenorge), doctor.OK, "somebody works on every task queue", "")
	t.Setenv("HELSEBRO_SMTP_ADDR", "127.0.0.1:1")
	says(t, examine(t)["temporal-workers"], doctor.Fail, "nobody works on the task queues helsebro-email", "start a worker")
	work(t, c, contract.QueueEmail)
	says(t, awaitWorkers(t, contract.QueueEmail), doctor.OK, "somebody works on every task queue", "")

	_, err = c.WorkflowService().UpdateNamespace(t.Context(), &workflowservice.UpdateNamespaceRequest{
		Namespace: server.Namespace(), Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(24 * time.Hour)},
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return examine(t)["temporal-namespace"].State == doctor.Warn }, 30*time.Second, 100*time.Millisecond)
	says(t, examine(t)["temporal-namespace"], doctor.Warn, "keeps closed histories for 24h", "--retention 7d")
}

// work is a worker of the lifecycles and of one more queue.
func work(t *testing.T, c client.Client, queue string) {
	t.Helper()
	f, err := fleet.New(c, []fleet.Registration{
		{Queue: contract.QueueLifecycle, Register: func(r worker.Registry) { workflows.Register(r); r.RegisterActivity(nothing) }},
		{Queue: queue, Register: func(r worker.Registry) { r.RegisterActivity(nothing) }},
	}, slog.New(slog.DiscardHandler), func(err error) { t.Error(err) })
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, f.Stop(context.Background())) })
}

func nothing(context.Context) error { return nil }

// awaitWorkers waits until the doctor sees that somebody works on the queue.
func awaitWorkers(t *testing.T, queue string) (c doctor.Check) {
	t.Helper()
	require.Eventually(t, func() bool {
		c = examine(t)["temporal-workers"]
		return !strings.Contains(c.Found, queue)
	}, 30*time.Second, 100*time.Millisecond)
	return c
}

// TestTheBroker: the queues of the clinic's own parties are looked for, as the registry names them.
func TestTheBroker(t *testing.T) {
	d := storetest.New(t)
	settings(t, d)
	require.NoError(t, d.Store.PutClinic(t.Context(), demo.Operator, demo.Clinic()))
	queues := registry.Queues(demo.Registry())
	broker, err := rabbitmq.Start(t.Context(), rabbitmq.Config{Dir: t.TempDir(), Queues: queues})
	require.NoError(t, err)
	t.Cleanup(func() { _ = broker.Kill() }) // its data go with it
	for k, v := range map[string]string{
		"HELSEBRO_TRANSPORT": "amqp", "HELSEBRO_AMQP_URL": broker.URL(), "HELSEBRO_AMQP_CA_FILE": broker.CAFile(),
		"HELSEBRO_REGISTRY_FILE": filepath.Join(t.TempDir(), "registry.yaml"),
	} {
		t.Setenv(k, v)
	}
	parties := demo.Registry()
	require.NoError(t, registry.Write(os.Getenv("HELSEBRO_REGISTRY_FILE"), parties))
	says(t, examine(t)["broker"], doctor.OK, "lets us in and has the", "")

	for i := range parties {
		if parties[i].ErrorQueue != "" {
			parties[i].ErrorQueue = "nowhere_error"
		}
	}
	require.NoError(t, registry.Write(os.Getenv("HELSEBRO_REGISTRY_FILE"), parties))
	says(t, examine(t)["broker"], doctor.Fail, "the broker has no queue nowhere_error", "mend HELSEBRO_AMQP_URL")
	t.Setenv("HELSEBRO_AMQP_CA_FILE", "")
	says(t, examine(t)["broker"], doctor.Fail, "certificate", "mend HELSEBRO_AMQP_URL")
}

// TestNoSecretIsPrinted: whatever fails, no setting that is a secret is shown, on the terminal
// or as JSON, and the exit code says that something fails.
func TestNoSecretIsPrinted(t *testing.T) {
	d := storetest.New(t)
	settings(t, d)
	const secret = "open-sesame"
	own, err := url.Parse(d.Config.URL)
	require.NoError(t, err)
	password, _ := own.User.Password()
	for k, v := range map[string]string{
		"HELSEBRO_DATABASE_URL": strings.Replace(d.Config.URL, "helsebro_app:", "helsebro_app:"+secret, 1),
		"HELSEBRO_VAULT_KEYS":   "k:" + secret, "HELSEBRO_VAULT_INDEX_KEY": secret, "HELSEBRO_CODEC_KEYS": "k:" + secret, "HELSEBRO_VAPID_KEY": secret,
		"HELSEBRO_TRANSPORT": "amqp", "HELSEBRO_AMQP_URL": "amqp://user:" + secret + "@127.0.0.1:1/x", "HELSEBRO_KEYS_DIR": t.TempDir(), "HELSEBRO_KEYS_PASSWORD": secret,
		"HELSEBRO_REGISTRY": "soap", "HELSEBRO_REGISTRY_URL": "http://127.0.0.1:1", "HELSEBRO_REGISTRY_USER": "user", "HELSEBRO_REGISTRY_PASSWORD": secret,
		"HELSEBRO_SMTP_ADDR": "127.0.0.1:1", "HELSEBRO_SMTP_USER": "user", "HELSEBRO_SMTP_PASSWORD": secret, "HELSEBRO_SMTP_FROM": "clinic@helsebro.example",
		"HELSEBRO_SMS_URL": "https://sms.example/?key=" + secret, "HELSEBRO_SMS_KEY": secret, "HELSEBRO_SMS_CALLBACK_KEYS": secret, "HELSEBRO_DPOP_NONCE_KEY": secret,
		"TEMPORAL_API_KEY": secret, "TEMPORAL_TLS": "false", "HELSEBRO_JWKS_URL": "https://user:" + secret + "@issuer.example/jwks",
		"HELSEBRO_HELSENORGE_HER_ID": "800001",
	} {
		t.Setenv(k, v)
	}
	for _, args := range [][]string{{"doctor"}, {"doctor", "--json"}} {
		var out, errs bytes.Buffer
		code := cli.Run(t.Context(), args, cli.Environment{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: os.Getenv}, cli.Processes{})
		require.Equal(t, cli.ExitFailed, code, errs.String())
		require.Contains(t, errs.String(), "checks fail")
		require.Contains(t, out.String(), "database-connection")
		require.NotContains(t, out.String()+errs.String(), secret)
		require.NotContains(t, out.String()+errs.String(), password, "the role's password")
	}
}
