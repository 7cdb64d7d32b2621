// Package rabbitmq runs RabbitMQ with AMQP 1.0 as a child of this process, for development
// and tests: Debian's programs, as a node of its own with its own ports, data and name
// service, on the loopback only. No service of the machine is used or changed.
package rabbitmq

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/helsebro/helsebro/internal/devstack/debian"
	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/testca"
)

// PortVariable is the environment variable that a user of the development stack changes to
// move the broker to another port.
const PortVariable = "RABBITMQ_PORT"

const (
	host = "127.0.0.1"
	// user is who logs in. Nobody else may, and nobody without a password.
	user = "helsebro"
	// Exchange is where everything is sent to, with the queue as its key, as on the bus of
	// Norsk helsenett.
	Exchange = "NHNTestServiceBus"
)

// Config is what a broker needs.
type Config struct {
	// Dir keeps its data, its certificate and its log. It is created when missing.
	Dir string
	// Port is where it listens with TLS; 0 takes a free one.
	Port int
	// Queues are declared at the start, each with its dead letters; see DeadLetters.
	Queues []string
	// Progress is told, in lines of text, what takes long. Nil is silence.
	Progress io.Writer
}

// Broker is a running broker. Its methods are not safe for concurrent use, except URL.
type Broker struct {
	cfg      Config
	programs string
	password string
	// names and dist are the ports of Erlang's name service and of the node itself.
	names, dist int
	node        *process
	service     *process // Erlang's name service
	lock        *os.File // of Dir, from Start to Stop
}

// DeadLetters is the queue for what a queue's receiver rejects, and for what was not taken
// in time: the party's, as the bus of Norsk helsenett names it.
func DeadLetters(queue string) string {
	if i := strings.LastIndexByte(queue, '_'); i > 0 {
		queue = queue[:i]
	}
	return queue + "_dl"
}

// Start starts a broker and returns when it takes messages, after about five seconds. A
// taken port is a *ports.InUseError, missing programs are a *debian.NotInstalledError. The
// broker dies with this process, however that ends.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	free, err := ports.Free(3)
	if err != nil {
		return nil, err
	}
	if cfg.Port == 0 {
		cfg.Port = free[2]
	}
	if err := ports.Check(host, ports.Port{Number: cfg.Port, Purpose: "RabbitMQ", Variable: PortVariable}); err != nil {
		return nil, err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, names: free[0], dist: free[1]}
	if b.programs, err = programs(); err != nil {
		return nil, err
	}
	if err := b.prepare(); err != nil {
		return nil, fmt.Errorf("RabbitMQ in %s: %w", cfg.Dir, err)
	}
	if err := b.Restart(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// programs finds the directory of the broker's own programs: those on PATH are wrappers
// that serve the machine's service.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("epmd"); err != nil || len(found) == 0 {
		return "", &debian.NotInstalledError{Packages: []string{"rabbitmq-server"}, Reason: "RabbitMQ is not installed"}
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// URL is where clients connect. It holds the password.
func (b *Broker) URL() string {
	u := url.URL{Scheme: "amqps", User: url.UserPassword(user, b.password), Host: net.JoinHostPort(host, strconv.Itoa(b.cfg.Port)), Path: "/" + Exchange}
	return u.String()
}

// CAFile is the certificate (PEM) that the broker's own is issued under.
func (b *Broker) CAFile() string { return b.path("ca.pem") }

// Ended is closed when the broker that runs now has ended, whoever ended it.
func (b *Broker) Ended() <-chan struct{} { return b.node.done }

func (b *Broker) path(name ...string) string {
	return filepath.Join(append([]string{b.cfg.Dir}, name...)...)
}

// prepare writes certificate, password and configuration. The first two stay the same.
func (b *Broker) prepare() error {
	if err := os.MkdirAll(b.path("home"), 0o700); err != nil {
		return err
	}
	password, err := os.ReadFile(b.path("password"))
	switch {
	case errors.Is(err, os.ErrNotExist):
		password = []byte(rand.Text())
		err = os.WriteFile(b.path("password"), password, 0o600)
	default:
	}
	if err != nil {
		return err
	}
	b.password = string(password)
	if _, err := os.Stat(b.CAFile()); errors.Is(err, os.ErrNotExist) {
		if err := b.certify(); err != nil {
			return err
		}
	}
	definitions, err := json.Marshal(b.definitions())
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"definitions.json": string(definitions),
		"enabled_plugins":  "[rabbitmq_amqp1_0].\n",
		"rabbitmq.conf": strings.Join([]string{
			"listeners.tcp = none",
			"listeners.ssl.1 = " + net.JoinHostPort(host, strconv.Itoa(b.cfg.Port)),
			"ssl_options.cacertfile = " + b.CAFile(),
			"ssl_options.certfile = " + b.path("server.pem"),
			"ssl_options.keyfile = " + b.path("server.pem"),
			"ssl_options.versions.1 = tlsv1.3",
			"ssl_options.versions.2 = tlsv1.2",
			// Else whoever says nothing about himself is a guest.
			"amqp1_0.default_user = none",
			"load_definitions = " + b.path("definitions.json"),
			"log.console = true",
			"log.file = false",
			"vm_memory_high_watermark.absolute = 4GiB",
			"disk_free_limit.absolute = 200MB",
		}, "\n") + "\n",
	} {
		if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// certify makes an authority and the broker's certificate. The authority's key is kept
// nowhere.
func (b *Broker) certify() error {
	ca, err := testca.New("Development broker", "")
	if err != nil {
		return err
	}
	server, err := ca.IssueServer(host, "localhost")
	if err != nil {
		return err
	}
	if err := server.WriteFile(b.path("server.pem")); err != nil {
		return err
	}
	return os.WriteFile(b.CAFile(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Root.Raw}), 0o600)
}

// definitions are everything that the broker has: declared, because a message to what is
// not there is taken and lost.
func (b *Broker) definitions() any {
	type object = map[string]any
	queues, bindings := []object{}, []object{} // RabbitMQ does not read null
	declared := map[string]bool{}
	declare := func(name string, arguments object) {
		if !declared[name] {
			declared[name] = true
			queues = append(queues, object{"name": name, "vhost": "/", "durable": true, "auto_delete": false, "arguments": arguments})
			bindings = append(bindings, object{
				"source": Exchange, "vhost": "/", "destination": name, "destination_type": "queue", "routing_key": name, "arguments": object{},
			})
		}
	}
	for _, q := range b.cfg.Queues {
		declare(q, object{"x-dead-letter-exchange": Exchange, "x-dead-letter-routing-key": DeadLetters(q)})
		declare(DeadLetters(q), object{})
	}
	return object{
		"vhosts":      []object{{"name": "/"}},
		"users":       []object{{"name": user, "password": b.password, "tags": ""}},
		"permissions": []object{{"user": user, "vhost": "/", "configure": "^amq\\.gen", "write": ".*", "read": ".*"}},
		"exchanges":   []object{{"name": Exchange, "vhost": "/", "type": "direct", "durable": true, "auto_delete": false, "internal": false, "arguments": object{}}},
		"queues":      queues, "bindings": bindings,
	}
}

// environment is all that the programs get.
func (b *Broker) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + b.path("home"), "RUNNING_UNDER_SYSTEMD=1"} // it is not: the node then has no shell above it
	for name, value := range map[string]string{
		// The data are the node's by its name. It need be unique in its name service only.
		"RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_NODENAME": "helsebro@localhost",
		"RABBITMQ_CONFIG_FILE": b.path("rabbitmq.conf"), "RABBITMQ_ADVANCED_CONFIG_FILE": b.path("none.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE": b.path("enabled_plugins"), "RABBITMQ_PLUGINS_EXPAND_DIR": b.path("plugins"),
		"RABBITMQ_MNESIA_BASE": b.path("data"), "RABBITMQ_LOG_BASE": b.path("log"), "RABBITMQ_LOGS": "-",
		"RABBITMQ_FEATURE_FLAGS_FILE": b.path("feature_flags"), "RABBITMQ_GENERATED_CONFIG_DIR": b.path("generated"),
		"RABBITMQ_PID_FILE": b.path("pid"), "RABBITMQ_DIST_PORT": strconv.Itoa(b.dist),
		"ERL_EPMD_PORT": strconv.Itoa(b.names), "ERL_EPMD_ADDRESS": host, "ERL_CRASH_DUMP": b.path("crash"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none -start_epmd false",
	} {
		env = append(env, name+"="+value)
	}
	return env
}

// started is what the broker logs when it takes messages.
const started = "Server startup complete"

// Restart starts a broker that was stopped or killed, on the same port and data.
func (b *Broker) Restart(ctx context.Context) error {
	if b.node != nil && !b.node.ended() {
		return errors.New("RabbitMQ is still running")
	}
	if err := b.claim(); err != nil {
		return err
	}
	if b.service == nil || b.service.ended() {
		// In the foreground, so that it ends with the node; by itself it would stay.
		epmd, err := exec.LookPath("epmd")
		if err != nil {
			return err
		}
		cmd := exec.Command(epmd, "-port", strconv.Itoa(b.names), "-address", host)
		cmd.Env, cmd.Dir = b.environment(), "/"
		if b.service, err = launch(cmd, io.Discard); err != nil {
			return fmt.Errorf("name service of Erlang: %w", err)
		}
	}
	log, err := os.OpenFile(b.path("rabbitmq.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	said := &watched{w: log, text: []byte(started), seen: make(chan struct{})}
	cmd := exec.Command(filepath.Join(b.programs, "rabbitmq-server"))
	cmd.Env, cmd.Dir = b.environment(), "/"
	if b.node, err = launch(cmd, said); err != nil {
		return errors.Join(fmt.Errorf("RabbitMQ: %w", err), log.Close(), b.service.kill())
	}
	node := b.node
	go func() { <-node.done; _ = log.Close() }()
	select {
	case <-said.seen:
		return nil
	case <-b.node.done:
		text, _ := os.ReadFile(b.path("rabbitmq.log"))
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		return errors.Join(fmt.Errorf("RabbitMQ in %s did not start: %s", b.cfg.Dir, strings.Join(lines[max(0, len(lines)-5):], "; ")), b.service.kill())
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("RabbitMQ in %s did not start in time: %w", b.cfg.Dir, ctx.Err()), b.Kill(), b.service.kill())
	}
}

// claim takes the directory: two nodes on the same data would destroy them.
func (b *Broker) claim() error {
	if b.lock != nil {
		return nil
	}
	lock, err := os.OpenFile(b.path("lock"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("another RabbitMQ runs on %s: stop it, or choose another directory", b.cfg.Dir), lock.Close())
	}
	b.lock = lock
	return nil
}

// Stop ends the broker in order, which takes about six seconds; when ctx ends first, it is
// killed and the error says so. Stopping a stopped broker is harmless.
func (b *Broker) Stop(ctx context.Context) (err error) {
	if !b.node.ended() {
		b.node.signal(syscall.SIGTERM)
		select {
		case <-b.node.done:
		case <-ctx.Done():
			err = errors.Join(fmt.Errorf("RabbitMQ did not stop in order: %w", ctx.Err()), b.Kill())
		}
	}
	err = errors.Join(err, b.service.kill())
	if b.lock != nil {
		err = errors.Join(err, b.lock.Close())
		b.lock = nil
	}
	return err
}

// Kill ends the broker as a crash does. It is for tests of what the product does then.
func (b *Broker) Kill() error { return b.node.kill() }

// Control runs rabbitmqctl on the broker and returns what it prints. It takes about two
// seconds.
func (b *Broker) Control(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.programs, "rabbitmqctl"), append([]string{"--quiet"}, args...)...)
	cmd.Env, cmd.Dir = b.environment(), "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Queue is what is on a queue: ready for a receiver, or unsettled with one.
type Queue struct {
	Name      string `json:"name"`
	Ready     int    `json:"messages_ready"`
	Unsettled int    `json:"messages_unacknowledged"`
	Receivers int    `json:"consumers"`
}

// Queues returns what is on all queues.
func (b *Broker) Queues(ctx context.Context) (queues []Queue, err error) {
	out, err := b.Control(ctx, "--formatter", "json", "list_queues", "name", "messages_ready", "messages_unacknowledged", "consumers")
	if err != nil {
		return nil, err
	}
	return queues, json.Unmarshal([]byte(out), &queues)
}

// watched passes on what is written, and tells when it has held a text.
type watched struct {
	w    io.Writer
	text []byte
	line []byte
	seen chan struct{}
	once sync.Once
}

func (w *watched) Write(p []byte) (int, error) {
	w.line = append(w.line, p...)
	if bytes.Contains(w.line, w.text) {
		w.once.Do(func() { close(w.seen) })
	}
	if i := bytes.LastIndexByte(w.line, '\n'); i >= 0 {
		w.line = w.line[i+1:]
	}
	return w.w.Write(p)
}

// process is a started child with its process group. done is closed when it has ended and
// was waited for.
type process struct {
	pid  int
	mu   sync.Mutex // held while a signal is sent and while the end is recorded
	over bool
	done chan struct{}
}

// launch starts a child that is killed when this process dies.
func launch(cmd *exec.Cmd, out io.Writer) (*process, error) {
	cmd.Stdout, cmd.Stderr = out, out
	// Its own group: Ctrl-C goes to a terminal's, and the broker must outlive those who
	// write to it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.WaitDelay = time.Second // helpers of the node may keep its output open for a moment
	p := &process{done: make(chan struct{})}
	begun := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err != nil {
			begun <- err
			return
		}
		p.pid = cmd.Process.Pid
		begun <- nil
		_ = cmd.Wait() // how it ended is in its log
		p.mu.Lock()
		p.over = true
		p.mu.Unlock()
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // what is left of its helpers
		close(p.done)
	}()
	return p, <-begun
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = syscall.Kill(p.pid, sig)
	}
}

// kill ends the group at once and returns when it is gone.
func (p *process) kill() error {
	p.mu.Lock()
	if !p.over {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("process %d cannot be killed", p.pid)
	}
}
