package progress_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/progress"
)

func TestSteps(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := progress.New(&out)
	broken := errors.New("broken")
	require.NoError(t, s.Do("starting this", func() error { return nil }))
	require.NoError(t, s.Do("starting that", func() error {
		fmt.Fprintln(s, "installing it")
		fmt.Fprintln(s, "unpacking it")
		return nil
	}))
	require.ErrorIs(t, s.Do("starting the rest", func() error { return broken }), broken)
	require.Equal(t, `starting this … 0.0 s
starting that … 
  installing it
  unpacking it
  0.0 s
starting the rest … gave up after 0.0 s
`, out.String())
}
