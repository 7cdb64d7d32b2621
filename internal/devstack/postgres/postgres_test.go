package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net"
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
)

// childDirectory tells TestMain to be the program whose death a test watches.
const childDirectory = "POSTGRES_TEST_CHILD_DIRECTORY"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDirectory); dir != "" {
		s, err := Start(context.Background(), Config{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.process.pid)
		select {}
	}
	os.Exit(m.Run())
}

func startServer(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

func query(t *testing.T, s *Server, database, sql string) string {
	t.Helper()
	out, err := s.psql(t.Context(), database, sql)
	require.NoError(t, err)
	return out
}

func TestDataOutlivesStopKillAndANewServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "postgres")
	var progress bytes.Buffer
	began := time.Now()
	s := startServer(t, Config{Dir: dir, Progress: &progress})
	t.Logf("first start %s", time.Since(began))
	require.Contains(t, progress.String(), "creating a PostgreSQL cluster")

	url, err := s.CreateDatabase(t.Context(), "helsebro")
	require.NoError(t, err)
	require.Contains(t, url, fmt.Sprintf("@127.0.0.1:%d/helsebro?", s.Port()))
	query(t, s, "helsebro", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")

	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, s.Stop(t.Context()), "stopping twice")
	began = time.Now()
	require.NoError(t, s.Restart(t.Context()))
	t.Logf("restart %s", time.Since(began))
	query(t, s, "helsebro", "INSERT INTO t VALUES (2)")

	require.NoError(t, s.Kill())
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, "1\n2", query(t, s, "helsebro", "SELECT n FROM t ORDER BY n"),
		"what was committed outlives a crash of the server")
	require.NoError(t, s.Stop(t.Context()))

	again := startServer(t, Config{Dir: dir, Port: s.Port(), Durable: true})
	same, err := again.CreateDatabase(t.Context(), "helsebro")
	require.NoError(t, err)
	require.Equal(t, url, same)
	require.Equal(t, "2", query(t, again, "helsebro", "SELECT count(*) FROM t"))
	require.Equal(t, "on|on", query(t, again, "helsebro", "SELECT current_setting('fsync'), current_setting('full_page_writes')"))
}

func TestServerRunsUnprivilegedOnTheLoopbackWithAPassword(t *testing.T) {
	t.Parallel()
	s := startServer(t, Config{Dir: t.TempDir()})

	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(s.process.pid)))
	require.NoError(t, err)
	require.NotZero(t, info.Sys().(*syscall.Stat_t).Uid, "PostgreSQL must not run as root")

	require.Equal(t, "127.0.0.1|", query(t, s, "postgres",
		"SELECT current_setting('listen_addresses'), current_setting('unix_socket_directories')"))

	intruder := &Server{cfg: s.cfg, programs: s.programs, password: "guess"}
	_, err = intruder.psql(t.Context(), "postgres", "SELECT 1")
	require.ErrorContains(t, err, "password authentication failed")
}

func TestErrorsDoNotLogValues(t *testing.T) {
	t.Parallel()
	s := startServer(t, Config{Dir: t.TempDir()})
	query(t, s, "postgres", "CREATE TABLE p (name text PRIMARY KEY)")
	_, err := s.psql(t.Context(), "postgres", "INSERT INTO p VALUES ('Kari Testesen'), ('Kari Testesen')")
	require.Error(t, err)
	log, err := os.ReadFile(s.logFile())
	require.NoError(t, err)
	require.Contains(t, string(log), "duplicate key")
	require.NotContains(t, string(log), "Testesen")
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // the test ends

	_, err = Start(t.Context(), Config{Dir: t.TempDir(), Port: l.Addr().(*net.TCPAddr).Port})

	var inUse *ports.InUseError
	require.ErrorAs(t, err, &inUse)
	require.ErrorContains(t, err, "for PostgreSQL")
	require.ErrorContains(t, err, PortVariable)
}

func TestDirectoryInUseIsExplained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startServer(t, Config{Dir: dir})

	_, err := Start(t.Context(), Config{Dir: dir})

	require.EqualError(t, err, "another PostgreSQL server runs on "+dir+": stop it, or choose another directory")
}

func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), childDirectory+"="+t.TempDir())
	stdout, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line := make([]byte, 32)
	n, err := stdout.Read(line)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	require.NoError(t, err, "the child said %q", line[:n])

	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())

	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH || zombie(pid) },
		20*time.Second, 20*time.Millisecond)
}

// zombie tells whether a process has ended; an orphan waits for whoever adopts it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestChoosePrefersThePathAndKeepsToTheClustersVersion(t *testing.T) {
	t.Parallel()
	found := []installed{{dir: "path", major: 16}, {dir: "debian17", major: 17}, {dir: "debian15", major: 15}}
	require.Equal(t, "path", choose(found, 0))
	require.Equal(t, "debian17", choose(found, 17))
	require.Empty(t, choose(found, 18))
	require.Equal(t, "debian15", choose([]installed{{dir: "path", major: 13}, {dir: "debian15", major: 15}}, 0))
}
