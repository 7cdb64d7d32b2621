// Package testsize says how large a long test is to be, and with which randomness: two
// environment variables mean the same in every test.
package testsize

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Scaled is full times HELSEBRO_SCALE, 0.1 when that is not set, and at least least.
func Scaled(full, least int) int {
	scale, err := strconv.ParseFloat(os.Getenv("HELSEBRO_SCALE"), 64)
	if err != nil {
		scale = 0.1
	}
	return max(least, int(float64(full)*scale))
}

// Seed is HELSEBRO_SEED, another number each time when that is not set. A test that
// fails says with which it does so again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("HELSEBRO_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("HELSEBRO_SEED=%d does this again", seed)
		}
	})
	return seed
}
