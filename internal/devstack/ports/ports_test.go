package ports_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/helsebro/helsebro/internal/devstack/ports"
)

func TestCheckNamesHolderAndVariable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // the test ends
	taken := ports.Port{Number: l.Addr().(*net.TCPAddr).Port, Purpose: "the Temporal server", Variable: "A_PORT"}

	err = ports.Check("127.0.0.1", taken)

	var inUse *ports.InUseError
	require.ErrorAs(t, err, &inUse)
	require.Contains(t, inUse.Holder, fmt.Sprintf("(pid %d)", os.Getpid()))
	require.Equal(t, fmt.Sprintf("port %d for the Temporal server is already used by %s: stop it, or set A_PORT to a free port",
		taken.Number, inUse.Holder), err.Error())
}

// A program that is being started has what this one has open, for a moment.
func TestCheckIsNotMisledByProgramsThatStart(t *testing.T) {
	t.Parallel()
	free, err := ports.Free(1)
	require.NoError(t, err)
	var starting errgroup.Group
	var done atomic.Bool
	for range 4 {
		starting.Go(func() error {
			for !done.Load() {
				if err := exec.Command("true").Run(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range 5000 {
		if err = ports.Check("127.0.0.1", ports.Port{Number: free[0]}); err != nil {
			break
		}
	}
	done.Store(true)
	require.NoError(t, starting.Wait())
	require.NoError(t, err)
}

func TestCheckReportsEveryPort(t *testing.T) {
	t.Parallel()
	free, err := ports.Free(1)
	require.NoError(t, err)

	err = ports.Check("127.0.0.1",
		ports.Port{Number: free[0], Purpose: "the API", Variable: "A_PORT"},
		ports.Port{Number: free[0], Purpose: "the UI", Variable: "B_PORT"},
		ports.Port{Number: 70000, Purpose: "PostgreSQL", Variable: "C_PORT"})

	require.EqualError(t, err, fmt.Sprintf("port %d is wanted for the API (A_PORT) and for the UI (B_PORT): change one of them\n", free[0])+
		"C_PORT is 70000: give a port between 1 and 65535 for PostgreSQL")
}

func TestFreePortsCanBeListenedOnAndDiffer(t *testing.T) {
	t.Parallel()
	numbers, err := ports.Free(50)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, n := range numbers {
		require.False(t, seen[n])
		seen[n] = true
		require.NoError(t, ports.Check("127.0.0.1", ports.Port{Number: n}))
	}
}
