//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// HELSEBRO_FAILPOINT is "point" or "point#n": the process dies when it comes to
// the point for the n-th time (the first by default).
var (
	armed, after = parse(os.Getenv("HELSEBRO_FAILPOINT"))
	hits         atomic.Int64
)

func parse(v string) (Point, int64) {
	name, count, counted := strings.Cut(v, "#")
	n, err := strconv.ParseInt(count, 10, 64)
	if !counted || err != nil {
		n = 1
	}
	return Point(name), n
}

// Hit kills the process as the kernel would: no deferred call runs, nothing is
// flushed. The line on standard error is how a supervisor knows where it died.
func Hit(p Point) {
	if p != armed || hits.Add(1) != after {
		return
	}
	fmt.Fprintf(os.Stderr, "failpoint %s\n", p)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}
