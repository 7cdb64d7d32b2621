package cli

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Who looks on is told what is slow, and not of what is quick; a pipe is told nothing.
func TestWaitingIsSaid(t *testing.T) {
	t.Parallel()
	for took, said := range map[time.Duration]string{
		1900 * time.Millisecond: "",
		8 * time.Second:         "waiting for the API, 2 s; Ctrl-C stops\nwaiting for the API, 7 s; Ctrl-C stops\n",
	} {
		for _, looksOn := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				var err bytes.Buffer
				done := Environment{Err: &err, Interactive: looksOn}.waiting("the API")
				<-time.After(took) // by a clock of the test, which takes no time
				done()
				if !looksOn {
					said = ""
				}
				require.Equal(t, said, err.String())
			})
		}
	}
}
