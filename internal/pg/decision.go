package pg

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
)

// aboutChange is what a decision about a change is about, beside contract's.
const aboutChange = "change"

// decision is what a rule decided, on what.
type decision struct {
	appointmentID        string
	revision             int
	about, decided, rule string
	inputs               any
}

// decide writes a decision down (F1). key is "" for what may be decided again; output
// is what whoever asks again is told.
func (s *Store) decide(ctx context.Context, tx pgx.Tx, key string, d decision, output any) error {
	var stored any
	if key != "" {
		stored = output
	}
	if d.inputs == nil {
		d.inputs = struct{}{}
	}
	_, err := tx.Exec(ctx, `INSERT INTO decision (key, appointment_id, revision, about, decided, rule, inputs, output, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		nullable(key), d.appointmentID, d.revision, d.about, d.decided, d.rule, d.inputs, stored, s.now())
	return err
}

// decidedBefore reads what followed from a decision that was made before.
func (s *Store) decidedBefore(ctx context.Context, tx pgx.Tx, key string, output any) (bool, error) {
	var stored []byte
	err := tx.QueryRow(ctx, "SELECT output FROM decision WHERE key = $1", key).Scan(&stored)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(stored, output); err != nil {
		return false, apperr.New(apperr.Internal, "a stored decision does not decode")
	}
	return true, nil
}
