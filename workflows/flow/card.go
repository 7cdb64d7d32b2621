package flow

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
)

// Stage says a status in words: what is waited for, and who has something to do, "" where
// people have nothing to do.
type Stage struct{ Waits, Acts string }

// Card is the status card of a lifecycle in the Temporal UI. Nothing on it may name a
// patient: what it is made of is the lifecycle's state, which holds none.
type Card struct {
	Stage
	// Until is when the waiting ends by itself; zero where nothing ends it.
	Until time.Time
	// Look is the command that tells more.
	Look string
	// Cases is how many operator cases the lifecycle has had.
	Cases int
	facts strings.Builder
}

// Fact adds a line.
func (c *Card) Fact(format string, args ...any) { fmt.Fprintf(&c.facts, "- "+format+"\n", args...) }

// Show puts the card, in Markdown, in the place of the one before. It is no command and
// leaves no event.
func (c *Card) Show(ctx workflow.Context) {
	text := c.String()
	workflow.SetCurrentDetails(ctx, text[:min(len(text), contract.MaxDetailsBytes)])
}

// String is the card in Markdown. What is looked for first stands first, so that a card
// that is cut has it.
func (c *Card) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n", c.Waits)
	switch {
	case !c.Until.IsZero():
		fmt.Fprintf(&b, "- until when: %s\n", When(c.Until))
	case c.Acts != "":
		b.WriteString("- until when: no limit is set\n")
	}
	fmt.Fprintf(&b, "- who acts: %s\n- look: `%s`\n", cmp.Or(c.Acts, "nobody"), c.Look)
	if c.Cases > 0 {
		fmt.Fprintf(&b, "- operator cases so far: %d, see `helsebro case list`\n", c.Cases)
	}
	b.WriteString("\n" + c.facts.String())
	return b.String()
}
