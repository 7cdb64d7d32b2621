package doctor

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/testca"
)

// secret is in every setting that is one: no check may show it.
const secret = "open-sesame"

// closedPort is an address that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// environment is that of an installation that has nothing but its settings: everything
// outside is a closed port.
func environment(t *testing.T) map[string]string {
	t.Helper()
	dir, closed := t.TempDir(), closedPort(t)
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	parties := filepath.Join(dir, "registry.yaml")
	require.NoError(t, registry.Write(parties, []registry.Party{{HerID: 800001, Name: "Helsenorge", AsyncQueue: "a", SyncQueue: "s", ErrorQueue: "e"}}))
	jwks := filepath.Join(dir, "jwks.json")
	issuer, err := identity.OpenDevIssuer(filepath.Join(dir, "issuer.pem"))
	require.NoError(t, err)
	require.NoError(t, issuer.WriteJWKS(jwks))
	return map[string]string{
		"HELSEBRO_DATABASE_URL": "postgres://app:" + secret + "@" + closed + "/helsebro?sslmode=disable",
		"HELSEBRO_VAULT_KEYS":   "k1:" + key, "HELSEBRO_VAULT_INDEX_KEY": key, "HELSEBRO_CODEC_KEYS": "k1:" + key,
		"HELSEBRO_REGISTRY_FILE": parties, "HELSEBRO_HELSENORGE_HER_ID": "800001", "HELSEBRO_JWKS_FILE": jwks,
		"TEMPORAL_ADDRESS": closed, "TEMPORAL_NAMESPACE": "helsebro", "TEMPORAL_API_KEY": "", "TEMPORAL_CONFIG_FILE": filepath.Join(dir, "none.toml"),
	}
}

// lookAt makes one check of an installation with the environment.
func lookAt(t *testing.T, env map[string]string, name string, processes ...string) verdict {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	if len(processes) == 0 {
		processes = Processes
	}
	i := newInstallation(processes)
	t.Cleanup(i.close)
	for _, l := range i.looks() {
		if l.name == name {
			return l.take(t.Context(), within, func(string) State { return OK })
		}
	}
	require.Fail(t, "no such check", name)
	return verdict{}
}

func TestEachCauseHasItsAdvice(t *testing.T) {
	greeting := func(said string) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprintf(c, "%s\r\n", said)
				_, _ = bufio.NewReader(c).ReadString('\n') // what it says to that does not matter
				_ = c.Close()
			}
		}()
		return l.Addr().String()
	}
	answering := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	taken, err := sink.Open(sink.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) })
	smtp := func(addr string) map[string]string {
		return map[string]string{"HELSEBRO_SMTP_ADDR": addr, "HELSEBRO_SMTP_TLS": "none", "HELSEBRO_SMTP_FROM": "Clinic <clinic@helsebro.example>"}
	}
	private := filepath.Join(t.TempDir(), "private.json")
	require.NoError(t, os.WriteFile(private, []byte(`{"keys":[{"kty":"oct","k":"`+secret+`"}]}`), 0o600))

	for _, c := range []struct {
		why, check  string
		set         map[string]string
		state       State
		found, toDo string
	}{
		{"all is set", "configuration-worker", nil, OK, "has all its settings", ""},
		{"a setting is missing", "configuration-worker", map[string]string{"HELSEBRO_CODEC_KEYS": ""}, Fail, "HELSEBRO_CODEC_KEYS is not set", "environment of worker"},
		{"a setting is no number", "configuration-listen", map[string]string{"HELSEBRO_DATABASE_MAX_CONNS": "many"}, Fail, "HELSEBRO_DATABASE_MAX_CONNS cannot be read", "environment of listen"},
		{"no issuer", "configuration-serve", map[string]string{"HELSEBRO_JWKS_FILE": ""}, Fail, "HELSEBRO_JWKS_FILE is not set", "environment of serve"},
		{"no database is named", "database-connection", map[string]string{"HELSEBRO_DATABASE_URL": ""}, Fail, "HELSEBRO_DATABASE_URL is not set", "set HELSEBRO_DATABASE_URL"},
		{"nobody listens", "database-connection", nil, Fail, "connection refused", "see that PostgreSQL runs"},
		{"anybody's certificate", "database-connection", map[string]string{"HELSEBRO_DATABASE_URL": "postgres://app:" + secret + "@db.example/helsebro?sslmode=require"}, Fail, "sslmode=verify-full", "set HELSEBRO_DATABASE_URL"},
		{"no connection string", "database-connection", map[string]string{"HELSEBRO_DATABASE_URL": "postgres://app:" + secret + "@:::/x"}, Fail, "not a PostgreSQL connection string", "set HELSEBRO_DATABASE_URL"},
		{"nobody listens", "temporal-server", nil, Fail, "does not answer", "TEMPORAL_ADDRESS"},
		{"on this machine", "temporal-tls", nil, OK, "without TLS", ""},
		{"beyond this machine", "temporal-server", map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233"}, Fail, "TEMPORAL_TLS=true", "TEMPORAL_TLS_"},
		{"beyond this machine, as is said", "temporal-tls", map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_TLS": "false"}, Warn, "without TLS", "TEMPORAL_TLS=true"},
		{"with TLS", "temporal-tls", map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_TLS": "true"}, OK, "with TLS", ""},
		{"with a key of the API", "temporal-tls", map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_API_KEY": secret}, OK, "with TLS", ""},
		{"a key is short", "keys-vault", map[string]string{"HELSEBRO_VAULT_KEYS": "k1:" + secret}, Fail, "HELSEBRO_VAULT_KEYS", "openssl rand"},
		{"a key is short", "keys-payloads", map[string]string{"HELSEBRO_CODEC_KEYS": "k1:" + secret}, Fail, "HELSEBRO_CODEC_KEYS", "openssl rand"},
		{"nothing is sealed", "keys-messages", nil, Skipped, "HELSEBRO_KEYS_DIR is not set", ""},
		{"nothing to seal with", "keys-messages", map[string]string{"HELSEBRO_TRANSPORT": "amqp"}, Fail, "no keys", "set HELSEBRO_KEYS_DIR"},
		{"an empty directory", "keys-messages", map[string]string{"HELSEBRO_KEYS_DIR": t.TempDir()}, Fail, "has no keys", "HELSEBRO_KEYS_DIR"},
		{"public keys", "keys-tokens", nil, OK, "are read", ""},
		{"a secret among them", "keys-tokens", map[string]string{"HELSEBRO_JWKS_FILE": private}, Fail, "is not a public key", "HELSEBRO_JWKS_FILE"},
		{"the issuer is down", "keys-tokens", map[string]string{"HELSEBRO_JWKS_FILE": "", "HELSEBRO_JWKS_URL": "http://" + closedPort(t) + "/jwks"}, Fail, "connection refused", "HELSEBRO_JWKS_URL"},
		{"it knows Helsenorge", "registry-address", nil, OK, "knows Helsenorge's party 800001", ""},
		{"it does not", "registry-address", map[string]string{"HELSEBRO_HELSENORGE_HER_ID": "5"}, Fail, "does not know Helsenorge's party 5", "HELSEBRO_HELSENORGE_HER_ID"},
		{"there is no file", "registry-address", map[string]string{"HELSEBRO_REGISTRY_FILE": "/none"}, Fail, "cannot be read", "HELSEBRO_REGISTRY"},
		{"it does not answer", "registry-address", map[string]string{"HELSEBRO_REGISTRY": "soap", "HELSEBRO_REGISTRY_URL": "http://" + closedPort(t), "HELSEBRO_REGISTRY_USER": "u", "HELSEBRO_REGISTRY_PASSWORD": secret}, Fail, "does not answer", "HELSEBRO_REGISTRY_"},
		{"no tokens to ask with", "registry-agreements", map[string]string{"HELSEBRO_CPPA_URL": "http://" + closedPort(t)}, Fail, "", "HELSEBRO_CPPA_URL"},
		{"none is configured", "registry-agreements", nil, Skipped, "HELSEBRO_CPPA_URL is not set", ""},
		{"none is configured", "registry-activity", nil, Skipped, "HELSEBRO_ACTIVITY_URL is not set", ""},
		{"nobody asked about", "registry-activity", map[string]string{"HELSEBRO_ACTIVITY_URL": answering(http.StatusBadRequest)}, OK, "answers", ""},
		{"our calls are not taken", "registry-activity", map[string]string{"HELSEBRO_ACTIVITY_URL": answering(http.StatusForbidden)}, Fail, "does not take our calls", "HELSEBRO_HELSEID_"},
		{"it is in trouble", "registry-activity", map[string]string{"HELSEBRO_ACTIVITY_URL": answering(http.StatusBadGateway)}, Fail, "502", "HELSEBRO_ACTIVITY_URL"},
		{"no broker", "broker", nil, Skipped, "not amqp", ""},
		{"nobody listens", "broker", map[string]string{"HELSEBRO_TRANSPORT": "amqp", "HELSEBRO_AMQP_URL": "amqp://user:" + secret + "@" + closedPort(t) + "/x"}, Fail, "", "HELSEBRO_AMQP_URL"},
		{"the password would be read", "broker", map[string]string{"HELSEBRO_TRANSPORT": "amqp", "HELSEBRO_AMQP_URL": "amqp://user:" + secret + "@broker.example/x"}, Fail, "amqps://", "HELSEBRO_AMQP_URL"},
		{"none is configured", "channel-email", nil, Skipped, "HELSEBRO_SMTP_ADDR is not set", ""},
		{"it greets", "channel-email", smtp(taken.MailAddr()), OK, "takes us in", ""},
		{"it has no service", "channel-email", smtp(greeting("554 no service")), Fail, "554", "HELSEBRO_SMTP_ADDR"},
		{"it is no mail server", "channel-email", smtp(greeting("HTTP/1.1 400 Bad Request")), Fail, "does not take us in", "HELSEBRO_SMTP_ADDR"},
		{"nobody listens", "channel-email", smtp(closedPort(t)), Fail, "connection refused", "HELSEBRO_SMTP_ADDR"},
		{"none is configured", "channel-sms", nil, Skipped, "HELSEBRO_SMS_URL is not set", ""},
		{"configured", "channel-sms", map[string]string{"HELSEBRO_SMS_URL": "https://sms.example/v1", "HELSEBRO_SMS_KEY": secret}, OK, "sms.example", ""},
		{"none is configured", "channel-push", nil, Skipped, "HELSEBRO_VAPID_KEY is not set", ""},
		{"no key", "channel-push", map[string]string{"HELSEBRO_VAPID_KEY": secret}, Fail, "HELSEBRO_VAPID_KEY", "mend"},
	} {
		t.Run(c.check+": "+c.why, func(t *testing.T) {
			env := environment(t)
			for k, v := range c.set {
				env[k] = v
			}
			v := lookAt(t, env, c.check)
			require.Equal(t, c.state, v.state, v)
			require.Contains(t, v.found, c.found)
			require.Contains(t, v.toDo, c.toDo)
			require.Equal(t, c.state == Warn || c.state == Fail, v.toDo != "", "what is not well says what to do: %v", v)
			require.NotContains(t, v.found+v.toDo, secret)
		})
	}
}

// TestCertificates: a certificate is told of in time, and what counterparts would refuse is.
func TestCertificates(t *testing.T) {
	ca, err := testca.New("root", "")
	require.NoError(t, err)
	other, err := testca.New("another", "")
	require.NoError(t, err)
	now := time.Now()
	issue := func(by *testca.CA, usage x509.KeyUsage, days int) testca.Certificate {
		c, err := by.IssueFor("clinic", usage, now.AddDate(-1, 0, 0), now.AddDate(0, 0, days).Add(time.Hour))
		require.NoError(t, err)
		return c
	}
	good := issue(ca, testca.Both, 300)
	for name, c := range map[string]struct {
		signing, decryption testca.Certificate
		state               State
		found               string
	}{
		"well":                     {good, good, OK, "the first expires in 300 days"},
		"another must be ordered":  {good, issue(ca, testca.Encryption, 29), Warn, "expires in 29 days"},
		"expired":                  {issue(ca, testca.Signing, -1), good, Fail, "signing is not taken by counterparts: Invalid end date"},
		"for another use":          {good, issue(ca, testca.Signing, 300), Fail, "decryption is not taken by counterparts: Invalid usage"},
		"of an unknown authority":  {issue(other, testca.Both, 300), good, Fail, "not issued under a known root"},
		"expired and for no use":   {issue(ca, testca.Encryption, -1), good, Fail, "Invalid end date, Invalid usage"},
		"the last day that is due": {issue(ca, testca.Signing, 30), good, OK, "expires in 30 days"},
	} {
		t.Run(name, func(t *testing.T) {
			env, dir := environment(t), t.TempDir()
			require.NoError(t, c.signing.WriteFile(filepath.Join(dir, "signing.pem")))
			require.NoError(t, c.decryption.WriteFile(filepath.Join(dir, "decryption.pem")))
			env["HELSEBRO_KEYS_DIR"], env["HELSEBRO_CHECK_REVOCATION"] = dir, "false"
			env["HELSEBRO_TRUSTED_CERTIFICATES"] = filepath.Join(t.TempDir(), "trusted.pem")
			require.NoError(t, os.WriteFile(env["HELSEBRO_TRUSTED_CERTIFICATES"], testca.PEM(ca.Root), 0o600))
			v := lookAt(t, env, "keys-messages")
			require.Equal(t, c.state, v.state, v)
			require.Contains(t, v.found, c.found)
			require.Equal(t, c.state == OK, v.toDo == "", v)
		})
	}
	t.Run("two keys in one file's place", func(t *testing.T) {
		env, dir := environment(t), t.TempDir()
		require.NoError(t, testca.Certificate{Certificate: good.Certificate, Key: issue(ca, testca.Both, 9).Key}.WriteFile(filepath.Join(dir, "signing.pem")))
		env["HELSEBRO_KEYS_DIR"] = dir
		v := lookAt(t, env, "keys-messages")
		require.Equal(t, Fail, v.state)
		require.Contains(t, v.found, "no certificate in it is that of the key")
	})
}

// TestOtherMachinesProcesses: what only another process needs is not asked for here.
func TestOtherMachinesProcesses(t *testing.T) {
	for check, by := range map[string]string{
		"configuration-worker": "serve", "configuration-serve": "worker", "keys-tokens": "listen", "keys-messages": "serve",
		"registry-address": "serve", "broker": "serve", "channel-email": "listen", "channel-sms": "serve", "channel-push": "listen",
	} {
		require.Equal(t, Skipped, lookAt(t, environment(t), check, by).state, check)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]State{"1.32.0": OK, "1.32.1": OK, "1.40.0-rc.1": OK, "2.0.0": OK, "1.31.9": Fail, "0.99.0": Fail, "": Warn, "unknown": Warn} {
		require.Equal(t, want, version("127.0.0.1:7233", v).state, v)
	}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]State{
		0: OK, 2 * time.Second: OK, 2*time.Second + 1: Warn, -3 * time.Second: Warn, 30 * time.Second: Warn, 30*time.Second + 1: Fail, -time.Hour: Fail,
	} {
		require.Equal(t, want, apart(d).state, d)
	}
}

// TestExamine: all looks at once, told in order; none waits for ever, and none repeats what
// another has said.
func TestExamine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		slowly := func(context.Context) verdict { <-time.After(3 * time.Second); return ok("at last") }
		began := time.Now()
		r, err := examine(t.Context(), []look{
			{name: "slow", look: slowly},
			{name: "deaf", look: func(context.Context) verdict { <-never; return ok("") }},
			{name: "after slow", needs: []string{"slow"}, look: slowly},
			{name: "after deaf", needs: []string{"deaf"}, look: slowly},
			{name: "after that", needs: []string{"after deaf"}, look: slowly},
			{name: "quick", look: func(context.Context) verdict { return warn("hurry less", "too quick") }},
		}, within)
		require.NoError(t, err)
		require.Equal(t, 6*time.Second, time.Since(began))
		require.Equal(t, []Check{
			{"slow", OK, "at last", ""}, {"deaf", Fail, "no answer within 5s", "see whether it is up, and whether a firewall is between"},
			{"after slow", OK, "at last", ""}, {"after deaf", Skipped, "see deaf first", ""}, {"after that", Skipped, "see after deaf first", ""},
			{"quick", Warn, "too quick", "hurry less"},
		}, r.Checks)
		require.Equal(t, []int{2, 1, 1, 2}, []int{r.Count(OK), r.Count(Warn), r.Count(Fail), r.Count(Skipped)})

		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		began = time.Now()
		_, err = examine(ctx, []look{{name: "deaf", look: func(context.Context) verdict { <-never; return ok("") }}}, within)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// TestNamesAreAnAPI: scripts know them. Whatever a check needs comes before it.
func TestNamesAreAnAPI(t *testing.T) {
	for k, v := range environment(t) {
		t.Setenv(k, v)
	}
	i := newInstallation(Processes)
	defer i.close()
	var names []string
	for _, l := range i.looks() {
		require.Subset(t, names, l.needs, l.name)
		names = append(names, l.name)
	}
	require.Equal(t, strings.Fields(`configuration-worker configuration-listen configuration-serve
		database-connection database-role database-schema database-audit database-seals clock
		temporal-tls temporal-server temporal-namespace temporal-search-attributes temporal-workers
		keys-vault keys-data keys-payloads keys-messages keys-tokens
		registry-address registry-agreements registry-activity broker channel-email channel-sms channel-push`), names)
}
