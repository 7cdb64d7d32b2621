// Package ports answers two questions about TCP ports of this machine: is this one
// free, and if not, who has it and which setting moves us elsewhere; and which ports
// may a test use.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Port is a port that a part of the development stack wants to listen on.
type Port struct {
	// Number is 1 to 65535.
	Number int
	// Purpose says in words who wants it, such as "the Temporal server".
	Purpose string
	// Variable is the environment variable that chooses another number; empty when
	// there is none.
	Variable string
}

// InUseError says that a wanted port is taken.
type InUseError struct {
	Port Port
	// Holder is the program that has the port, such as "postgres (pid 4711)"; empty
	// when this user may not know.
	Holder string
}

// Error names the port, its holder and what to do.
func (e *InUseError) Error() string {
	holder := "another program"
	if e.Holder != "" {
		holder = e.Holder
	}
	msg := fmt.Sprintf("port %d for %s is already used by %s: stop it", e.Port.Number, e.Port.Purpose, holder)
	if e.Port.Variable != "" {
		msg += fmt.Sprintf(", or set %s to a free port", e.Port.Variable)
	}
	return msg
}

// Check reports every wanted port that host cannot listen on, all in one error, so
// that nobody has to mend them one start at a time. The ports are free again when it
// returns.
func Check(host string, wanted ...Port) error {
	var errs []error
	seen := make(map[int]Port, len(wanted))
	for _, p := range wanted {
		if first, twice := seen[p.Number]; twice {
			errs = append(errs, fmt.Errorf("port %d is wanted for %s (%s) and for %s (%s): change one of them",
				p.Number, first.Purpose, first.Variable, p.Purpose, p.Variable))
			continue
		}
		seen[p.Number] = p
		errs = append(errs, check(host, p))
	}
	return errors.Join(errs...)
}

func check(host string, p Port) error {
	if p.Number < 1 || p.Number > 65535 {
		return fmt.Errorf("%s is %d: give a port between 1 and 65535 for %s", p.Variable, p.Number, p.Purpose)
	}
	switch err := listen(net.JoinHostPort(host, strconv.Itoa(p.Number))); {
	case err == nil:
		return nil
	case isInUse(err):
		return &InUseError{Port: p, Holder: holder(p.Number)}
	default:
		return fmt.Errorf("port %d for %s: %w", p.Number, p.Purpose, err)
	}
}

// tryStarting makes the os package find out now how it can start programs. The child that
// it makes for that, once, does not heed ForkLock.
var tryStarting = sync.OnceFunc(func() { _, _ = os.FindProcess(os.Getpid()) }) // always found

// listen listens on an address and lets go of it. No program is started in between: it
// would have the port, too, until its own code runs.
func listen(address string) error {
	tryStarting()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// Ports handed out by Free lie below the range from which the kernel takes the local
// ports of outgoing connections (32768 and up on Linux), so that no connection can
// take one between Free and the server that listens on it.
const (
	firstFree = 20000
	lastFree  = 32700
)

var handedOut = struct {
	sync.Mutex
	numbers map[int]bool
}{numbers: make(map[int]bool)}

// Free returns n different loopback ports that nobody listens on. It does not hand
// out a number twice in one process; two processes are kept apart by chance.
func Free(n int) ([]int, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	found := make([]int, 0, n)
	for range 100 * n {
		if len(found) == n {
			break
		}
		number := firstFree + rand.IntN(lastFree-firstFree)
		if handedOut.numbers[number] || check("127.0.0.1", Port{Number: number}) != nil {
			continue
		}
		handedOut.numbers[number] = true
		found = append(found, number)
	}
	if len(found) < n {
		return nil, fmt.Errorf("no %d free ports between %d and %d", n, firstFree, lastFree)
	}
	return found, nil
}
