package scenario

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// tell writes what a step did and how long it took, in lines of at most width.
func (p *play) tell(began time.Time, format string, args ...any) {
	p.steps++
	words := append(strings.Fields(fmt.Sprintf(format, args...)), fmt.Sprintf("(%.1f s)", time.Since(began).Seconds()))
	fmt.Fprintln(p.out)
	line := fmt.Sprintf("%d.", p.steps)
	indent := strings.Repeat(" ", len(line))
	for _, word := range words {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			fmt.Fprintln(p.out, line)
			line = indent
		}
		line += " " + word
	}
	fmt.Fprintln(p.out, line)
}

// line writes a detail of the step.
func (p *play) line(format string, args ...any) {
	fmt.Fprintln(p.out, strings.TrimRight("   "+fmt.Sprintf(format, args...), " "))
}

// quote writes what a command or a message says.
func (p *play) quote(text string) {
	for line := range strings.Lines(text) {
		p.line("  %s", strings.TrimRight(line, "\n"))
	}
}

// await asks until the answer is yes. The error of an answer ends it, and so does
// patience, with what was awaited.
func await(ctx context.Context, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("waited %s for %s, and it did not come", patience, what))
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		done, err := ask()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
