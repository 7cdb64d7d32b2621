package pg

import (
	"context"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// HoldKey makes the key of a request the caller's system's, for the clinic. It is
// apperr.Duplicate where another system has had it: what was done for that one is not told
// to this one. Idempotent. What is no UUID is refused by who reads the key.
func (s *Store) HoldKey(ctx context.Context, by identity.Principal, clinicID, key string) error {
	for _, id := range []string{clinicID, key} {
		if _, err := uuid.Parse(id); err != nil {
			return nil
		}
	}
	var holder string
	// The update of nothing gives the row that is there.
	if err := s.pool.QueryRow(ctx, `INSERT INTO request_key AS k (clinic_id, key, client_id, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (clinic_id, key) DO UPDATE SET client_id = k.client_id RETURNING client_id`,
		clinicID, key, by.ClientID, s.now()).Scan(&holder); err != nil {
		return failure(err)
	}
	if holder != by.ClientID {
		return apperr.New(apperr.Duplicate, "another system has used this key: give every request its own")
	}
	return nil
}
