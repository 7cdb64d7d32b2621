// Package postgres runs a PostgreSQL server as a child of this process, for
// development and tests: from the server programs of the machine, in a directory of
// its own, on the loopback only. It needs no container and no running service.
//
// PostgreSQL refuses to run as root. When this process is root, the server runs as
// the user postgres, else as nobody.
package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/devstack/ports"
)

// PortVariable is the environment variable that a user of the development stack
// changes to move the server to another port.
const PortVariable = "HELSEBRO_POSTGRES_PORT"

const (
	host = "127.0.0.1"
	// superuser owns the databases.
	superuser = "helsebro"
)

// Config is what a server needs.
type Config struct {
	// Dir keeps the cluster, its password and its log. It is created when missing and
	// belongs to the server's user. A cluster that is there already is used.
	Dir string
	// Port is where it listens; 0 takes a free one.
	Port int
	// Durable makes commits survive the loss of power. Without it they still survive
	// the death of any process, Kill included, which is what tests need.
	Durable bool
	// Progress is told, in lines of text, what takes long: installing, creating the
	// cluster. Nil is silence.
	Progress io.Writer
}

// Server is a running PostgreSQL server. Its methods are not safe for concurrent
// use, except URL and CreateDatabase.
type Server struct {
	cfg      Config
	programs string // directory of initdb, postgres and psql
	password string
	user     *account // whom the server runs as; nil for the user of this process
	process  *process
}

// Start installs the server's programs when they are missing and may be installed,
// creates the cluster when Dir has none, starts it, and returns when it accepts
// connections. A taken port is a *ports.InUseError. The server dies with this
// process, however that ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if cfg.Port == 0 {
		free, err := ports.Free(1)
		if err != nil {
			return nil, err
		}
		cfg.Port = free[0]
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	s := &Server{cfg: cfg}
	if err := s.checkPort(); err != nil {
		return nil, err
	}
	if s.programs, err = programs(ctx, cfg.Progress, s.clusterMajor()); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("PostgreSQL in %s: %w", cfg.Dir, err)
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	const roles = `SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', role, :'password')
FROM unnest(ARRAY['` + AppRole + `', '` + ReaderRole + `']) role WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
`
	if _, err := s.psql(ctx, "postgres", `\set password '`+s.password+"'\n"+roles); err != nil {
		return nil, errors.Join(fmt.Errorf("create roles: %w", err), s.Kill())
	}
	return s, nil
}

// URL is the connection string of a database. It holds the password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort(host, strconv.Itoa(s.cfg.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is where the server listens.
func (s *Server) Port() int { return s.cfg.Port }

// Ended is closed when the server that runs now has ended, whoever ended it. A
// later Restart has a channel of its own.
func (s *Server) Ended() <-chan struct{} { return s.process.done }

// The roles beside the owner's, as an installation has them.
const (
	AppRole    = "helsebro_app"
	ReaderRole = "helsebro_reader"
)

// As is the connection string of a database with another of the server's roles.
func (s *Server) As(role, database string) string {
	return strings.Replace(s.URL(database), "//"+superuser+":", "//"+role+":", 1)
}

// CreateDatabase creates a database unless it exists, and returns the URL of its owner.
func (s *Server) CreateDatabase(ctx context.Context, name string) (string, error) {
	const statement = `SELECT format('CREATE DATABASE %I TEMPLATE template0', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
`
	if _, err := s.psql(ctx, "postgres", statement, "-v", "name="+name); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	return s.URL(name), nil
}

// psql runs a script of SQL and psql commands and returns what it prints. The
// product's own access to PostgreSQL is internal/pg; this client needs no driver.
func (s *Server) psql(ctx context.Context, database, script string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.programs, "psql"), append([]string{
		"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", host, "-p", strconv.Itoa(s.cfg.Port), "-U", superuser, "-d", database, "-f", "-",
	}, args...)...)
	// The password is in the environment because arguments can be read by everybody.
	cmd.Env = append(environment(), "PGPASSWORD="+s.password, "PGCONNECT_TIMEOUT=10", "PGSSLMODE=disable")
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, lastLines(stderr.String(), 2))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Stop ends all connections and shuts the server down in order; when ctx ends first,
// it is stopped as by Kill and the error says so. Stopping a stopped server is
// harmless.
func (s *Server) Stop(ctx context.Context) error {
	select {
	case <-s.process.done:
		return nil
	default:
	}
	s.process.signal(syscall.SIGINT) // "fast shutdown"
	select {
	case <-s.process.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("PostgreSQL did not stop in order: %w", ctx.Err()), s.Kill())
	}
}

// Kill stops the server as a crash does: no checkpoint, clients cut off, and the next
// start recovers from the log. It returns when the server and its children are gone.
// It is for tests of what the product does then.
func (s *Server) Kill() error {
	// SIGQUIT ("immediate shutdown") and not SIGKILL: the postmaster must take its
	// children along, or the next start meets them.
	s.process.signal(syscall.SIGQUIT)
	select {
	case <-s.process.done:
		return nil
	case <-time.After(10 * time.Second):
	}
	s.process.signal(syscall.SIGKILL)
	<-s.process.done
	return errors.New("PostgreSQL did not stop within 10 s and was killed")
}

// Restart starts a server that was stopped or killed, on the same port and data.
func (s *Server) Restart(ctx context.Context) error {
	select {
	case <-s.process.done:
	default:
		return errors.New("PostgreSQL is still running")
	}
	if err := s.checkPort(); err != nil {
		return err
	}
	return s.start(ctx)
}

func (s *Server) checkPort() error {
	return ports.Check(host, ports.Port{Number: s.cfg.Port, Purpose: "PostgreSQL", Variable: PortVariable})
}

func (s *Server) clusterDir() string   { return filepath.Join(s.cfg.Dir, "cluster") }
func (s *Server) passwordFile() string { return filepath.Join(s.cfg.Dir, "password") }
func (s *Server) logFile() string      { return filepath.Join(s.cfg.Dir, "postgres.log") }

// clusterMajor is the major version of the cluster that Dir holds; 0 when none.
func (s *Server) clusterMajor() int {
	version, err := os.ReadFile(filepath.Join(s.clusterDir(), "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(version)))
	return major
}

// prepare makes the directory, the password and the cluster, each unless it is there.
func (s *Server) prepare(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.user, err = serverUser(s.clusterDir()); err != nil {
		return err
	}
	if err := s.user.own(s.cfg.Dir); err != nil {
		return err
	}
	if s.clusterMajor() != 0 {
		password, err := os.ReadFile(s.passwordFile())
		s.password = string(password)
		return err
	}

	fmt.Fprintf(s.cfg.Progress, "creating a PostgreSQL cluster in %s\n", s.cfg.Dir)
	s.password = rand.Text()
	if err := os.WriteFile(s.passwordFile(), []byte(s.password), 0o600); err != nil {
		return err
	}
	if err := s.user.own(s.passwordFile()); err != nil {
		return err
	}
	// An initdb that is cut off leaves half a cluster, so it works under another name.
	unfinished := filepath.Join(s.cfg.Dir, "unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	dir, err := os.Open(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // a directory
	args := []string{
		"-D", s.user.path(s.cfg.Dir, "unfinished"), "-U", superuser, "-E", "UTF8", "--locale=C.UTF-8",
		"--auth=scram-sha-256", "--pwfile=" + s.user.path(s.cfg.Dir, "password"), "--no-instructions",
	}
	if !s.cfg.Durable {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.programs, "initdb"), args...)
	s.user.run(cmd, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out), 3))
	}
	return os.Rename(unfinished, s.clusterDir())
}

// start runs the server and waits until it accepts connections.
func (s *Server) start(ctx context.Context) error {
	dir, err := os.Open(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // a directory
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own copy

	cmd := exec.Command(filepath.Join(s.programs, "postgres"), "-D", s.user.path(s.cfg.Dir, "cluster"))
	for _, setting := range s.settings() {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	cmd.Stdout, cmd.Stderr = log, log
	s.user.run(cmd, dir)
	if s.process, err = launch(cmd); err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}

	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !s.ready() {
		select {
		case <-s.process.done:
			text, _ := os.ReadFile(s.logFile())
			if bytes.Contains(text, []byte(`"postmaster.pid" already exists`)) {
				return fmt.Errorf("another PostgreSQL server runs on %s: stop it, or choose another directory", s.cfg.Dir)
			}
			return fmt.Errorf("PostgreSQL in %s did not start: %s", s.cfg.Dir, lastLines(string(text), 3))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("PostgreSQL in %s did not start in time: %w", s.cfg.Dir, ctx.Err()), s.Kill())
		case <-poll.C:
		}
	}
	return nil
}

func (s *Server) settings() []string {
	settings := []string{
		"listen_addresses=" + host,
		"port=" + strconv.Itoa(s.cfg.Port),
		"unix_socket_directories=",
		"max_connections=200",
		"timezone=UTC",
		"log_timezone=UTC",
		// Statements and the DETAIL of an error can hold what a patient is called.
		"log_min_error_statement=panic",
		"log_error_verbosity=terse",
	}
	if !s.cfg.Durable {
		// synchronous_commit stays on: without it Kill would lose commits that the
		// product was told are stored.
		settings = append(settings, "fsync=off", "full_page_writes=off")
	}
	return settings
}

// ready reads what pg_ctl -w reads: the postmaster writes its process id in line 1 of
// postmaster.pid and its state in line 8. The id tells the file of this server from
// one that a crashed server left.
func (s *Server) ready() bool {
	text, err := os.ReadFile(filepath.Join(s.clusterDir(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) >= 8 &&
		strings.TrimSpace(lines[0]) == strconv.Itoa(s.process.pid) &&
		strings.TrimSpace(lines[7]) == "ready"
}

// process is a started child. done is closed when it has ended and was waited for.
type process struct {
	pid  int
	mu   sync.Mutex // held while a signal is sent and while the end is recorded
	over bool
	done chan struct{}
}

// launch starts a child that gets SIGINT when this process dies.
func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	// Ctrl-C goes to a terminal's whole process group. The server must outlive those
	// who write to it, so that they can finish; Stop ends it.
	cmd.SysProcAttr.Setpgid = true
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the child ends, so
		// that thread has to wait for it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		_ = cmd.Wait() // how it ended is in its log
		p.mu.Lock()
		p.over = true
		p.mu.Unlock()
		close(p.done)
	}()
	return p, <-started
}

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = syscall.Kill(p.pid, sig)
	}
}

// environment is all that the programs get: PGDATA, PGPORT and the like of the
// developer's shell would change what they do.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
