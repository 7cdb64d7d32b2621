//go:build !failpoints

package failpoint

// Hit does nothing in a process that is not built to die.
func Hit(Point) {}
