// Package doctor looks at what an installation needs and says what to do: its
// configuration, the database, Temporal, keys, registries, the broker, the clinic's channels
// and the clock. It changes nothing, sends nothing, and asks about nobody.
//
// The names of checks are an API: scripts and monitoring know them.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// State is how a check ended.
type State string

// The states of a check.
const (
	OK State = "ok"
	// Warn: it works, and somebody should look at it.
	Warn State = "warn"
	// Fail: something will not work, or not safely.
	Fail State = "fail"
	// Skipped: it is not configured here, or what it needs has failed.
	Skipped State = "skipped"
)

// Check is what one check has found.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Found is what is there, ToDo what to do about it, "" when nothing is.
	Found string `json:"found"`
	ToDo  string `json:"toDo,omitempty"`
}

// Report is what all checks have found, always in the same order.
type Report struct {
	Checks []Check `json:"checks"`
}

// Count is how many checks ended in a state.
func (r Report) Count(s State) (n int) {
	for _, c := range r.Checks {
		if c.State == s {
			n++
		}
	}
	return n
}

// within bounds each check, from when what it needs is known.
const within = 5 * time.Second

// verdict is how a look ended.
type verdict struct {
	state       State
	found, toDo string
}

// look is one check before it is made.
type look struct {
	name string
	// needs are the looks without which this one could only repeat what they say.
	needs []string
	look  func(context.Context) verdict
}

func ok(format string, args ...any) verdict {
	return verdict{state: OK, found: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) verdict {
	return verdict{state: Skipped, found: fmt.Sprintf(format, args...)}
}

func warn(toDo, format string, args ...any) verdict {
	return verdict{Warn, fmt.Sprintf(format, args...), toDo}
}

func fail(toDo, format string, args ...any) verdict {
	return verdict{Fail, fmt.Sprintf(format, args...), toDo}
}

// failed is fail with an error's words and, for invalid fields, theirs.
func failed(toDo string, err error) verdict {
	found := err.Error()
	var e *apperr.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			found += fmt.Sprintf("; %s: %s", f.Path, f.Rule)
		}
	}
	return fail(toDo, "%s", strings.ReplaceAll(found, "\n", "; "))
}

// examine makes all looks at once, each when what it needs is known. A look that does not end
// in time, or heeds no context, has failed. Its error is ctx's.
func examine(ctx context.Context, looks []look, limit time.Duration) (Report, error) {
	done := make(map[string]chan struct{}, len(looks))
	found := make(map[string]*Check, len(looks))
	for _, l := range looks {
		done[l.name], found[l.name] = make(chan struct{}), &Check{Name: l.name}
	}
	for _, l := range looks {
		go func() {
			defer close(done[l.name])
			v := l.take(ctx, limit, func(need string) State {
				<-done[need]
				return found[need].State
			})
			c := found[l.name]
			c.State, c.Found, c.ToDo = v.state, v.found, v.toDo
		}()
	}
	report := Report{Checks: make([]Check, 0, len(looks))}
	for _, l := range looks {
		<-done[l.name]
		report.Checks = append(report.Checks, *found[l.name])
	}
	return report, ctx.Err()
}

// take makes one look, after those that it needs.
func (l look) take(ctx context.Context, limit time.Duration, of func(string) State) verdict {
	for _, need := range l.needs {
		if s := of(need); s == Fail || s == Skipped {
			return skipped("see %s first", need)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	seen := make(chan verdict, 1)
	go func() { seen <- l.look(ctx) }()
	select {
	case v := <-seen:
		return v
	case <-ctx.Done():
		return fail("see whether it is up, and whether a firewall is between", "no answer within %s", limit)
	}
}
