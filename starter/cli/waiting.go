package cli

import (
	"fmt"
	"sync"
	"time"
)

const (
	// silence is how long nothing is said while something is waited for, and repeat how
	// often it is said then.
	silence, repeat = 2 * time.Second, 5 * time.Second
)

// waiting says to who looks on what is waited for, and for how long by now, until done.
func (e Environment) waiting(what string) (done func()) {
	if !e.Interactive {
		return func() {}
	}
	began, ended := time.Now(), make(chan struct{})
	var saying sync.WaitGroup
	saying.Go(func() {
		next := time.NewTimer(silence)
		defer next.Stop()
		for {
			select {
			case <-ended:
				return
			case <-next.C:
				fmt.Fprintf(e.Err, "waiting for %s, %.0f s; Ctrl-C stops\n", what, time.Since(began).Seconds())
				next.Reset(repeat)
			}
		}
	})
	return func() { close(ended); saying.Wait() }
}
