package amqp

import (
	"context"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
)

// SelfTest implements transport.SelfTester. It looks at whether the broker lets us in, has
// the exchange and the own queues, and speaks addresses of the version that is set. No
// message is sent or taken.
func (c *Client) SelfTest(ctx context.Context, queues []string) (findings []error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	conn, err := c.connection(ctx)
	if err != nil {
		return []error{err}
	}
	// attach makes a link that moves nothing, in a session of its own.
	attach := func(queue string, fault func(context.Context, error, string) error, link func(*amqp.Session) error) {
		session, err := conn.NewSession(ctx, nil)
		if err == nil {
			err = link(session)
			closeSession(ctx, session)
		}
		if err == nil {
			return
		}
		said := said(err)
		if said != nil && said.Condition == amqp.ErrCondInvalidField {
			findings = append(findings, apperr.Wrap(apperr.Invalid, said, "the broker does not know addresses of version %d: set HELSEBRO_AMQP_ADDRESS_VERSION=%d", c.address.version, 3-c.address.version))
			return
		}
		findings = append(findings, fault(ctx, err, queue))
	}
	for _, q := range queues {
		q = queueName(q)
		attach(q, fault, func(s *amqp.Session) error {
			_, err := s.NewReceiver(ctx, c.address.source(q), &amqp.ReceiverOptions{Name: "self-test-" + uuid.NewString(), Credit: -1})
			return err
		})
	}
	if len(queues) > 0 {
		q := queueName(queues[0])
		attach(q, c.sendingFault, func(s *amqp.Session) error {
			_, err := s.NewSender(ctx, c.address.target(q), &amqp.SenderOptions{Name: "self-test-" + uuid.NewString()})
			return err
		})
	}
	return findings
}
