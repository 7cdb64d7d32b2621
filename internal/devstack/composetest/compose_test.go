// Package composetest_test runs Helsebro's own services of docker-compose.yml
// without containers: the same programs, commands, environments, files, order and
// health checks, on a real PostgreSQL and a real Temporal server. Only what a
// container engine does is put in their place: names become 127.0.0.1 with a port of
// each service's own, paths become those on this machine.
package composetest_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/composefile"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/devstack/postgres"
	"github.com/helsebro/helsebro/internal/devstack/supervise"
	"github.com/helsebro/helsebro/internal/devstack/temporalserver"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
)

const (
	root = "../../.."
	// patience bounds every wait for something that must come.
	patience = 2 * time.Minute
	// containerUser is the user of the Dockerfile.
	containerUser = 65532
)

// TestComposeServicesPlayAMessageThrough: a fresh clone, `make compose-env`, the
// services, and the commands that it prints, pasted as they are.
func TestComposeServicesPlayAMessageThrough(t *testing.T) {
	m := newMachine(t)
	for name := range m.services {
		m.up(name)
	}
	for name, s := range m.services {
		if s.Ours() && len(s.Healthcheck.Test) > 0 {
			m.awaitHealth(name)
		}
	}

	out := m.shell(m.next)
	require.Contains(t, out, "Clinic "+demo.ClinicID+" is written")
	var inbox api.List[pg.InboxItem]
	m.eventually("the citizen's message is in the inbox", func() error {
		if err := json.Unmarshal([]byte(m.starter("inbox", "--json")), &inbox); err != nil {
			return err
		}
		if len(inbox.Items) != 1 {
			return fmt.Errorf("%d items", len(inbox.Items))
		}
		return nil
	})
	dialogue := inbox.Items[0].DialogueID
	m.starter("dialogue", "answer", dialogue, "--code", contract.AnswerToEnquiry, "--text", "Attesten ligger klar.")
	m.eventually("answer and receipt are with Helsenorge", func() error {
		var book simulator.Book
		if err := json.Unmarshal([]byte(m.starter("simulate", "received", "--json")), &book); err != nil {
			return err
		}
		if len(book.Received) != 1 || len(book.Receipts) != 1 {
			return fmt.Errorf("%d answers, %d receipts", len(book.Received), len(book.Receipts))
		}
		require.Empty(t, book.Received[0].Problems)
		require.True(t, book.Receipts[0].OK)
		return nil
	})
	m.eventually("Helsenorge's receipt closes the answer", func() error {
		if out := m.starter("dialogue", "show", dialogue); !strings.Contains(out, string(contract.OutcomeAcknowledged)) {
			return fmt.Errorf("it says %s", out)
		}
		return nil
	})

	m.bookAndMove(out)

	slices.Reverse(m.started)
	for _, p := range m.started {
		p.stop(t)
	}
}

// bookAndMove pastes what demo seed has printed for appointments, and waits until the
// notice has gone all its way: refused by the mail server, taken by the gateway,
// reported to the API, told by explain.
func (m *machine) bookAndMove(printed string) {
	m.Helper()
	var commands string
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "  go run ") {
			commands += line
		}
	}
	m.shell(commands)
	appointment := regexp.MustCompile(`--appointment (\S+)`).FindStringSubmatch(commands)
	require.NotNil(m, appointment, "demo seed prints a booking")
	_, err := m.temporal.MoveAhead(m.Context(), contract.AppointmentWorkflowID(appointment[1]), 2*time.Minute)
	require.NoError(m, err)
	m.eventually("the clinic's notice has arrived", func() error {
		out := m.starter("explain", appointment[1])
		if !strings.Contains(out, "e-mail failed, sms delivered") {
			return fmt.Errorf("it says %s", out)
		}
		return nil
	})
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/messages?way=sms", m.port("simulator", "8238")))
	require.NoError(m, err)
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	var texts []sink.Message
	require.NoError(m, json.NewDecoder(res.Body).Decode(&texts))
	require.Len(m, texts, 1, "booked and moved within the minute: told once")
	require.Contains(m, texts[0].Text, "Demo senter")
	require.Len(m, m.mail.Messages(), 1)
	require.Equal(m, sink.Refused, m.mail.Messages()[0].Outcome)

	m.eventually("the citizen's booking is confirmed on Helsenorge", func() error {
		if out := m.starter("simulate", "appointments", "--citizen", "1"); !strings.Contains(out, simulator.Booked) {
			return fmt.Errorf("it says %s", out)
		}
		return nil
	})
}

// machine is one machine without containers.
type machine struct {
	*testing.T
	services map[string]composefile.Service
	// clone is a repository after `make compose-env`, with bin, volumes and a log.
	clone   string
	secrets map[string]string // of .env
	next    string            // the commands that are printed for pasting
	ports   map[string]int    // by "service:port"
	visited map[string]bool
	started []*process
	// temporal and mail stand in for the services of those names.
	temporal *temporalserver.Server
	mail     *sink.Sink
	log      *os.File
	token    string
}

// process is a service that runs.
type process struct {
	name  string
	cmd   *exec.Cmd
	grace time.Duration
	done  chan struct{}
}

// newMachine brings up what the services need of others.
func newMachine(t *testing.T) *machine {
	t.Helper()
	file, err := composefile.Read(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	m := &machine{T: t, services: file.Services, clone: t.TempDir(), secrets: map[string]string{}, ports: map[string]int{}, visited: map[string]bool{}}
	// The services run as another user, who must get in here and into bin.
	require.NoError(t, os.Chmod(filepath.Dir(m.clone), 0o755))
	// No setting of the developer's own may stand in for one that compose lacks.
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "HELSEBRO_") || strings.HasPrefix(name, "TEMPORAL_") || strings.HasPrefix(name, "PG") {
			t.Setenv(name, "") // restores it afterwards
			require.NoError(t, os.Unsetenv(name))
		}
	}
	m.log, err = os.Create(m.path("log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, m.log.Close())
		if text, err := os.ReadFile(m.log.Name()); t.Failed() && err == nil {
			t.Logf("the end of the log:\n%s", text[max(0, len(text)-6000):])
		}
	})
	require.NoError(t, os.Mkdir(m.path("bin"), 0o755))
	_, err = supervise.Build(t.Context(), m.path("bin"), false)
	require.NoError(t, err)
	m.composeEnv()
	m.startPostgres()
	m.startTemporal()
	m.startMail()
	return m
}

func (m *machine) path(elements ...string) string {
	return filepath.Join(append([]string{m.clone}, elements...)...)
}

// composeEnv does what `make compose-env` does.
func (m *machine) composeEnv() {
	m.Helper()
	script, err := os.ReadFile(filepath.Join(root, ".tools", "compose-env"))
	require.NoError(m, err)
	require.NoError(m, os.Mkdir(m.path(".tools"), 0o700))
	require.NoError(m, os.WriteFile(m.path(".tools", "compose-env"), script, 0o600))
	m.run(exec.CommandContext(m.Context(), "sh", m.path(".tools", "compose-env")))
	env, err := os.ReadFile(m.path(".env"))
	require.NoError(m, err)
	for line := range strings.Lines(string(env)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			m.secrets[name] = value
		}
	}
	for line := range strings.Lines(m.starter("demo", "init", ".docker/config")) {
		if strings.HasPrefix(line, "  ") {
			m.next += line
		}
	}
}

// startPostgres starts a server whose databases are made as the image does it: by
// the mounted script, as the superuser of the service.
func (m *machine) startPostgres() {
	m.Helper()
	server, err := postgres.Start(m.Context(), postgres.Config{Dir: m.path("postgres")})
	require.NoError(m, err)
	m.Cleanup(func() { require.NoError(m, server.Kill()) })
	m.ports["postgres:5432"] = server.Port()
	s, password := m.services["postgres"], m.secrets["POSTGRES_PASSWORD"]
	m.run(exec.CommandContext(m.Context(), "psql", "-X", "-q", "-d", server.URL("postgres"),
		"-c", "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '"+password+"'"))
	scripts := slices.DeleteFunc(s.Mounts(), func(mount composefile.Mount) bool {
		return !strings.HasPrefix(mount.Target, "/docker-entrypoint-initdb.d/")
	})
	require.Len(m, scripts, 1)
	for _, line := range [][]string{
		// The development stack's roles have the names that the script gives to others.
		{"psql", "-X", "-q", "-U", s.Environment["POSTGRES_USER"], "-d", "postgres", "-c", "ALTER ROLE helsebro RENAME TO devstack", "-c", "DROP ROLE helsebro_app", "-c", "DROP ROLE helsebro_reader"},
		{filepath.Join(root, scripts[0].Source)},
	} {
		cmd := exec.CommandContext(m.Context(), line[0], line[1:]...)
		cmd.Env = append(m.environment("postgres"), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(server.Port()), "PGPASSWORD="+password)
		m.run(cmd)
	}
}

func (m *machine) startTemporal() {
	m.Helper()
	server, err := temporalserver.Start(m.Context(), temporalserver.Config{
		SQLiteFile: m.path("temporal.db"), Namespace: m.services["temporal-namespace"].Environment["TEMPORAL_NAMESPACE"],
	})
	require.NoError(m, err)
	m.Cleanup(func() { require.NoError(m, server.Stop()) })
	m.temporal = server
	_, port, err := net.SplitHostPort(server.Address())
	require.NoError(m, err)
	m.ports["temporal:7233"], err = strconv.Atoi(port)
	require.NoError(m, err)
}

// startMail starts a mail server that refuses whom the service's own is told to refuse.
func (m *machine) startMail() {
	m.Helper()
	var err error
	m.mail, err = sink.Open(sink.Config{MailAddr: fmt.Sprintf("127.0.0.1:%d", m.port("mail", "1025"))})
	require.NoError(m, err)
	m.Cleanup(func() { require.NoError(m, m.mail.Close()) })
}

// up starts a service after those that it depends on, and waits until it is healthy
// or, when it is a job, done.
func (m *machine) up(name string) {
	m.Helper()
	if m.visited[name] {
		return
	}
	m.visited[name] = true
	s := m.services[name]
	for needed := range s.DependsOn {
		m.up(needed)
	}
	if !s.Ours() {
		return
	}
	cmd := m.command(name, s.Command)
	if len(s.Healthcheck.Test) == 0 {
		m.run(cmd)
		return
	}
	cmd.Stdout, cmd.Stderr = m.log, m.log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &process{name: name, cmd: cmd, done: make(chan struct{})}
	var err error
	p.grace, err = time.ParseDuration(s.StopGracePeriod)
	require.NoError(m, err)
	require.NoError(m, cmd.Start())
	go func() { defer close(p.done); _ = cmd.Wait() }() // how it ended is its state
	m.Cleanup(func() { _ = cmd.Process.Kill(); <-p.done })
	m.started = append(m.started, p)
	m.awaitHealth(name)
}

// awaitHealth waits until the service's own check says that it is healthy.
func (m *machine) awaitHealth(name string) {
	m.Helper()
	p := m.started[slices.IndexFunc(m.started, func(p *process) bool { return p.name == name })]
	m.eventually(name+" is healthy", func() error {
		select {
		case <-p.done:
			require.FailNowf(m, "it has ended by itself", "%s: %s", name, p.cmd.ProcessState)
		default:
		}
		out, err := m.command(name, m.services[name].Healthcheck.Test[1:]).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// stop stops the service as a container engine does: it ends by itself, in time and
// with success.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
		require.True(t, p.cmd.ProcessState.Success(), "%s: %s", p.name, p.cmd.ProcessState)
	case <-time.After(p.grace):
		require.FailNow(t, "killed after its grace period", p.name)
	}
}

// command is a command line in the service's container, so far as there is one.
func (m *machine) command(name string, line []string) *exec.Cmd {
	m.Helper()
	here := make([]string, len(line))
	for i, word := range line {
		here[i] = m.here(name, word)
	}
	cmd := exec.Command(here[0], here[1:]...)
	cmd.Dir = m.clone
	cmd.Env = m.environment(name)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: containerUser, Gid: containerUser}
	}
	return cmd
}

// environment is what compose gives the service, and nothing of the developer's.
func (m *machine) environment(name string) []string {
	m.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.clone}
	for variable, value := range m.services[name].Environment {
		env = append(env, variable+"="+m.here(name, value))
	}
	return env
}

var (
	variable = regexp.MustCompile(`\$\{(\w+)[^}]*\}`)
	address  = regexp.MustCompile(`\b([a-z][a-z-]*|127\.0\.0\.1|0\.0\.0\.0):(\d+)\b`)
)

// here is a value of compose as it is on this machine.
func (m *machine) here(service, value string) string {
	m.Helper()
	value = address.ReplaceAllStringFunc(value, func(found string) string {
		host, port, _ := strings.Cut(found, ":")
		if _, other := m.services[host]; !other {
			require.Contains(m, []string{"127.0.0.1", "0.0.0.0"}, host, "%s of %s is no service", found, service)
			host = service // each container has a loopback of its own
		}
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port(host, port)))
	})
	value = variable.ReplaceAllStringFunc(value, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		require.Contains(m, m.secrets, name, "compose-env does not write it")
		return m.secrets[name]
	})
	if name, ok := strings.CutPrefix(value, "/usr/local/bin/"); ok {
		return m.path("bin", name)
	}
	for _, mount := range m.services[service].Mounts() {
		if name, ok := strings.CutPrefix(value, mount.Target+"/"); ok {
			return filepath.Join(m.volume(mount), name)
		}
	}
	return value
}

// port is the port here of a port in the service's container.
func (m *machine) port(service, port string) int {
	m.Helper()
	key := service + ":" + port
	if m.ports[key] == 0 {
		free, err := ports.Free(1)
		require.NoError(m, err)
		m.ports[key] = free[0]
	}
	return m.ports[key]
}

// volume is the directory of a mount. A volume with a name belongs to the service,
// as one does that is first mounted where the image has a directory.
func (m *machine) volume(mount composefile.Mount) string {
	m.Helper()
	if strings.HasPrefix(mount.Source, "./") {
		return m.path(mount.Source)
	}
	dir := m.path("volumes", mount.Source)
	require.NoError(m, os.MkdirAll(dir, 0o755))
	if os.Geteuid() == 0 {
		require.NoError(m, os.Chown(dir, containerUser, containerUser))
	}
	return dir
}

// shell runs what a user pastes, in the clone and below what is published. Making
// secrets and starting containers is done already; `go run ./starter` is built.
func (m *machine) shell(script string) string {
	m.Helper()
	cmd := exec.CommandContext(m.Context(), "sh", "-euc", `
make() { :; }
docker() { :; }
go() { shift 2; bin/starter "$@"; }
`+script)
	cmd.Dir = m.clone
	cmd.Env = append(os.Environ(),
		fmt.Sprintf("HELSEBRO_API_URL=http://127.0.0.1:%d", m.port("starter", "8235")),
		fmt.Sprintf("HELSEBRO_LOOPBACK_URL=http://127.0.0.1:%d", m.port("simulator", "8236")),
		"HELSEBRO_CLINIC="+demo.ClinicID, "HELSEBRO_TOKEN="+m.token)
	return m.run(cmd)
}

// starter runs one command as the practitioner, outside of the containers.
func (m *machine) starter(args ...string) string {
	m.Helper()
	if m.next != "" && m.token == "" {
		m.token = strings.TrimSpace(m.shell("go run ./starter token --key .docker/config/issuer-key.pem --role " + string(demo.GP.Role) + " --hpr " + demo.GP.HPR + " --subject " + demo.GP.Subject))
	}
	line := "go run ./starter"
	for _, a := range args {
		line += " '" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return m.shell(line)
}

// run runs a command to its good end and returns what it prints.
func (m *machine) run(cmd *exec.Cmd) string {
	m.Helper()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoErrorf(m, cmd.Run(), "%s\n%s%s", cmd, &out, &errs)
	return out.String()
}

// eventually waits until check has nothing to say.
func (m *machine) eventually(what string, check func() error) {
	m.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			require.FailNowf(m, "it did not come to be", "%s: %v", what, err)
		case <-tick.C:
		}
	}
}
