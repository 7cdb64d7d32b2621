package pg

import (
	"context"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// RecordDeliveryReport stores a provider's verified word on a notice, found by the
// key that the provider was given (notice id + "/" + channel), once per event. It
// returns the notice whose workflow is to be told, and whether the word changed
// anything; an unknown key is apperr.NotFound.
func (s *Store) RecordDeliveryReport(ctx context.Context, channel contract.Channel, key, eventID string, state contract.AttemptState, at time.Time) (contract.NoticeInput, bool, error) {
	return contract.NoticeInput{}, false, apperr.New(apperr.Unsupported, "not yet")
}
