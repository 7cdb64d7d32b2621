package client

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
)

// DeliveryReport is a provider's verified word on what became of a notice. Whoever
// makes one has proven whom it is from.
type DeliveryReport struct {
	Channel contract.Channel
	// Key is the idempotency key by which the provider was given the notice.
	Key string
	// EventID names this report at the provider; a repetition has the same.
	EventID string
	State   contract.AttemptState
	// At is when it happened, by the provider's clock.
	At time.Time
}

// DeliveryReported stores a report and tells the notice that may be waiting for it.
// It asks for no principal: the report has proven itself.
//
// Idempotent by channel and EventID: a repetition is recorded once, and tells the
// notice again, since the first time may have ended between the two. A report of a
// notice that nobody knows, or that is over, succeeds without effect. Unavailable asks
// the provider to report again.
func (c *Client) DeliveryReported(ctx context.Context, r DeliveryReport) error {
	notice, _, err := c.store.RecordDeliveryReport(ctx, r.Channel, r.Key, r.EventID, r.State, r.At)
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.ReportStored)
	// A signal and no update: the provider waits for nothing but our having it.
	err = c.temporal.SignalWorkflow(ctx, contract.NoticeWorkflowID(notice.NoticeID), "", contract.SignalDeliveryReported,
		contract.DeliveryReported{Channel: r.Channel, State: r.State, At: r.At})
	var over *serviceerror.NotFound
	if errors.As(err, &over) {
		return nil
	}
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the report is stored, but its notice could not be told: report it again")
	}
	failpoint.Hit(failpoint.ReportSignalled)
	return nil
}
