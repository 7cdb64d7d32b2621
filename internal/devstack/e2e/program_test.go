package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/ports"
	"github.com/helsebro/helsebro/internal/devstack/postgres"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/cli"
)

// lastLine is what helsebro-dev prints when it is up and the story is told.
const lastLine = "Ctrl-C stops everything."

// TestProgram is `make run` as a user has it: the program, signals, and what is left.
func TestProgram(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "helsebro-dev")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/helsebro-dev").CombinedOutput()
	require.NoErrorf(t, err, "go build: %s", out)

	t.Run("leaves nothing behind", func(t *testing.T) {
		d := start(t, binary, nil)
		d.awaitUp()
		for _, url := range []string{d.url(d.ports["api"]) + "/readyz", d.url(d.ports["ui"]) + "/healthz", d.url(d.ports["simulator"]) + "/healthz", d.url(d.ports["sink"])} {
			res, err := http.Get(url)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusOK, res.StatusCode, url)
		}
		require.Contains(t, d.out.String(), "export HELSEBRO_API_URL="+d.url(d.ports["api"])+" ")
		require.Contains(t, oneLine(d.out.String()), "Patients' messages "+d.url(d.ports["sink"])+",")
		d.paste()
		require.NotEmpty(t, d.children(), "PostgreSQL is a child")
		require.Zero(t, d.stop(syscall.SIGINT))
		require.Contains(t, d.out.String(), "stopping PostgreSQL")
		require.True(t, strings.HasSuffix(d.out.String(), "Everything is stopped and nothing is left.\n"))
		d.requireGone()
		left, err := os.ReadDir(d.tmp)
		require.NoError(t, err)
		require.Empty(t, left)
	})

	t.Run("goes over RabbitMQ and leaves nothing behind", func(t *testing.T) {
		d := start(t, binary, nil, "--transport", "amqp")
		d.awaitUp()
		require.NotEmpty(t, d.processes())
		require.Zero(t, d.stop(syscall.SIGINT))
		require.Contains(t, d.out.String(), "stopping RabbitMQ")
		d.requireGone()
		require.Empty(t, d.processes())
		left, err := os.ReadDir(d.tmp)
		require.NoError(t, err)
		require.Empty(t, left)
	})

	t.Run("takes a doubled signal for one", func(t *testing.T) {
		d := start(t, binary, nil)
		d.awaitUp()
		require.NoError(t, d.cmd.Process.Signal(syscall.SIGINT))
		require.Zero(t, d.stop(syscall.SIGTERM))
		d.requireGone()
	})

	t.Run("keeps state with a data directory", func(t *testing.T) {
		data := filepath.Join(t.TempDir(), "it's data")
		for _, earlier := range []bool{false, true} {
			d := start(t, binary, nil, "--data", data)
			d.awaitUp()
			require.Equal(t, earlier, strings.Contains(d.out.String(), "from an earlier run"))
			require.Equal(t, earlier, strings.Contains(d.out.String(), "It goes on with the state in "+data))
			require.Zero(t, d.stop(syscall.SIGTERM))
			d.requireGone()
			for _, kept := range []string{"keys.json", "temporal.db", "helsebro.log", "postgres/cluster/PG_VERSION", "helsenorge/book.jsonl"} {
				require.FileExists(t, filepath.Join(data, kept))
			}
		}
	})

	t.Run("tells when a part has ended", func(t *testing.T) {
		d := start(t, binary, nil)
		d.awaitUp()
		children := d.children()
		require.Len(t, children, 1)
		require.NoError(t, syscall.Kill(children[0], syscall.SIGQUIT))
		require.Equal(t, 1, d.wait())
		require.Contains(t, d.err.String(), "PostgreSQL has ended by itself, so everything else is stopped too\nThe log is "+d.tmp)
		d.requireGone()
	})

	t.Run("is interrupted before it is up", func(t *testing.T) {
		d := start(t, binary, nil)
		d.await("starting PostgreSQL")
		require.Equal(t, 1, d.stop(syscall.SIGINT))
		require.Equal(t, "Stopped before everything was up.\n", d.err.String())
		d.requireGone()
		left, err := os.ReadDir(d.tmp)
		require.NoError(t, err)
		require.Empty(t, left)
	})

	t.Run("names a taken port", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() //nolint:errcheck // it has done its duty
		taken := l.Addr().(*net.TCPAddr).Port
		d := start(t, binary, nil, "--api-port", strconv.Itoa(taken))
		require.Equal(t, 1, d.wait())
		require.Equal(t, fmt.Sprintf("\nhelsebro-dev: port %d for the HTTP API is already used by e2e.test (pid %d): stop it, or set API_PORT to a free port\n", taken, os.Getpid()), d.err.String())
	})

	t.Run("uses a database that is there", func(t *testing.T) {
		server, err := postgres.Start(t.Context(), postgres.Config{Dir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, server.Kill()) })
		url, err := server.CreateDatabase(t.Context(), "theirs")
		require.NoError(t, err)
		environment := []string{"HELSEBRO_DATABASE_URL=" + url}
		d := start(t, binary, environment)
		d.awaitUp()
		require.Empty(t, d.children())
		require.Zero(t, d.stop(syscall.SIGINT))
		d.requireGone()

		d = start(t, binary, environment)
		require.Equal(t, 1, d.wait())
		require.Contains(t, d.err.String(), "sealed with keys that are in that run's directory")
		d.requireGone()

		d = start(t, binary, []string{"HELSEBRO_DATABASE_URL=postgres://127.0.0.1:1/none"})
		require.Equal(t, 1, d.wait())
		require.Contains(t, d.err.String(), "check HELSEBRO_DATABASE_URL")
	})

	t.Run("refuses wrong flags", func(t *testing.T) {
		for _, args := range [][]string{{"--api-port", "x"}, {"--loud"}, {"now"}} {
			require.Equal(t, 2, start(t, binary, nil, args...).wait(), args)
		}
		d := start(t, binary, nil, "--help")
		require.Zero(t, d.wait())
		for _, flag := range []string{"-postgres-port", "-sink-port", "-mail-port"} {
			require.Contains(t, d.err.String(), flag)
		}
	})
}

// dev is a running helsebro-dev.
type dev struct {
	*testing.T
	cmd      *exec.Cmd
	out, err *lockedBuffer
	ports    map[string]int
	tmp      string
	done     chan struct{}
}

// start starts the program on free ports, in a temporary directory of its own.
func start(t *testing.T, binary string, environment []string, args ...string) *dev {
	t.Helper()
	names := []string{"temporal", "ui", "codec", "api", "simulator", "postgres", "sink", "mail", "rabbitmq"}
	free, err := ports.Free(len(names))
	require.NoError(t, err)
	d := &dev{T: t, out: &lockedBuffer{}, err: &lockedBuffer{}, ports: map[string]int{}, tmp: t.TempDir(), done: make(chan struct{})}
	var flags []string
	for i, name := range names {
		d.ports[name] = free[i]
		flags = append(flags, "--"+name+"-port", strconv.Itoa(free[i]))
	}
	d.cmd = exec.CommandContext(t.Context(), binary, append(flags, args...)...)
	// A developer's own Temporal must not be reached.
	d.cmd.Env = append(os.Environ(), append(environment, "TMPDIR="+d.tmp, "TEMPORAL_API_KEY=theirs", "TEMPORAL_PROFILE=theirs")...)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.err
	require.NoError(t, d.cmd.Start())
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait() // the exit code is read from its state
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill() // it has ended unless the test failed
		<-d.done
		if t.Failed() {
			t.Logf("it said:\n%s%s", d.out.String(), d.err.String())
		}
	})
	return d
}

func (d *dev) url(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// paste runs what the program prints for pasting, as it is: every command succeeds,
// and what was cancelled is cancelled.
func (d *dev) paste() {
	d.Helper()
	environment := map[string]string{}
	run := func(args ...string) string {
		var out, errs strings.Builder
		code := cli.Run(d.Context(), args, cli.Environment{
			In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string { return environment[name] },
		}, cli.Processes{})
		require.Equal(d, cli.ExitDone, code, "%q: %s", args, errs.String())
		return out.String()
	}
	_, printed, _ := strings.Cut(d.out.String(), "To go on, paste this")
	printed, _, _ = strings.Cut(printed, "Somebody else")
	commands := 0
	for line := range strings.Lines(printed) {
		line = strings.TrimSpace(line)
		if set, ok := strings.CutPrefix(line, "export "); ok {
			for _, pair := range strings.Fields(set) {
				name, value, _ := strings.Cut(pair, "=")
				environment[name] = value
			}
		}
		if words, ok := strings.CutPrefix(line, "go run ./starter "); ok {
			out, err := exec.CommandContext(d.Context(), "sh", "-c", `printf '%s\0' `+words).Output()
			require.NoError(d, err)
			run(strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")...)
			commands++
		}
	}
	require.Equal(d, 20, commands)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for give := time.Now().Add(patience); !strings.Contains(run("simulate", "appointments", "--citizen", "0"), simulator.Cancelled); <-tick.C {
		require.True(d, time.Now().Before(give), "the citizen's cancellation was not answered")
	}
}

// await waits until the program has said something.
func (d *dev) await(something string) {
	d.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	give := time.NewTimer(patience)
	defer give.Stop()
	for !strings.Contains(d.out.String(), something) {
		select {
		case <-d.done:
			require.FailNow(d, "it ended before it said: "+something)
		case <-give.C:
			require.FailNow(d, "it did not say: "+something)
		case <-tick.C:
		}
	}
}

func (d *dev) awaitUp() {
	d.Helper()
	d.await(lastLine)
}

// stop sends a signal and returns the exit code.
func (d *dev) stop(signal syscall.Signal) int {
	d.Helper()
	require.NoError(d, d.cmd.Process.Signal(signal))
	return d.wait()
}

func (d *dev) wait() int {
	d.Helper()
	select {
	case <-d.done:
	case <-time.After(patience):
		require.FailNow(d, "it did not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

// children are the processes that the program has started and that live.
func (d *dev) children() []int {
	d.Helper()
	var found []int
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(d, err)
	for _, file := range all {
		// "pid (name) state ppid …"; a process may end while its file is read.
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(d.cmd.Process.Pid) && fields[0] != "Z" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			require.NoError(d, err)
			found = append(found, pid)
		}
	}
	return found
}

// processes are those of the broker that the program has started, at any remove.
func (d *dev) processes() (found []string) {
	d.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(d, err)
	for _, file := range all {
		if environment, _ := os.ReadFile(file); strings.Contains(string(environment), "RABBITMQ_MNESIA_BASE="+d.tmp) {
			found = append(found, file)
		}
	}
	return found
}

// requireGone holds that nothing of the program is left on any of its ports:
// PostgreSQL's own processes included.
func (d *dev) requireGone() {
	d.Helper()
	for name, number := range d.ports {
		require.NoError(d, ports.Check("127.0.0.1", ports.Port{Number: number, Purpose: name}))
	}
}
