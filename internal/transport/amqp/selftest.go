package amqp

import (
	"context"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
)

// SelfTest implements transport.SelfTester. It looks at whether the broker can be used: whether it lets us in, has the exchange
// and the own queues, and speaks addresses of the version that is set. Each finding says
// what to do; there is none when all is well. No message is sent or taken.
func (c *Client) SelfTest(ctx context.Context, queues []string) (findings []error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	conn, err := c.connection(ctx)
	if err != nil {
		return []error{err}
	}
	// attach makes a link that moves nothing, in a session of its own.
	attach := func(queue string, link func(*amqp.Session) error) {
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
		attach(q, func(s *amqp.Session) error {
			_, err := s.NewReceiver(ctx, c.address.source(q), &amqp.ReceiverOptions{Name: "self-test-" + uuid.NewString(), Credit: -1})
			return err
		})
	}
	if len(queues) > 0 {
		q := queueName(queues[0])
		attach(q, func(s *amqp.Session) error {
			_, err := s.NewSender(ctx, c.address.target(q), &amqp.SenderOptions{Name: "self-test-" + uuid.NewString()})
			return err
		})
	}
	return findings
}
