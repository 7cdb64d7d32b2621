package e2e_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/testsize"
)

// TestTheBrokerDies: RabbitMQ crashes while citizens write and the clinic answers. Each
// message has one outcome all the same (F11, F13).
func TestTheBrokerDies(t *testing.T) {
	w := running(t, stack.Config{Transport: stack.AMQP})
	n := testsize.Scaled(500, 24)
	var sent []expectation
	for i := range n {
		a := simulator.Action{Kind: kinds[i%len(kinds)], Citizen: i, Times: 1 + i%3}
		var e expectation
		w.eventually("a citizen writes", func() error {
			// Another message each time: one whose fate is unknown may arrive, too.
			a.Subject, a.To = "sak-"+uuid.NewString()[:8], demo.GPHerID
			var err error
			e.sent, err = w.Simulator.Act(t.Context(), a)
			e.subject = a.Subject
			return err
		})
		sent = append(sent, e)
		if i == n/3 || i == 2*n/3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			require.NoError(t, w.Broker.Kill())
			require.NoError(t, w.Broker.Restart(ctx))
			cancel()
		}
	}
	w.all(sent)
	w.eventually("everything has its outcome", func() error { return w.audit(sent) })
}
