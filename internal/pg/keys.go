package pg

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/vault"
)

// rower is a transaction or the pool.
type rower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// sealingKey is a data key with the id under which its sealed columns name it.
type sealingKey struct {
	id string
	vault.DataKey
}

// seal seals v as JSON for one column of one row.
func (k sealingKey) seal(column, row string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "a value cannot be encoded")
	}
	return k.Seal(plain, column+"/"+row)
}

// open opens what seal made.
func (k sealingKey) open(column, row string, sealed []byte, v any) error {
	plain, err := k.Open(sealed, column+"/"+row)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return apperr.New(apperr.Internal, "a sealed %s does not decode", column)
	}
	return nil
}

// resealed seals for one place what was sealed for another.
func (k sealingKey) resealed(sealed []byte, from, to string) ([]byte, error) {
	plain, err := k.Open(sealed, from)
	if err != nil {
		return nil, err
	}
	return k.Seal(plain, to)
}

// key reads a data key. A key that is gone means that its patient was erased.
func (s *Store) key(ctx context.Context, q rower, id string) (sealingKey, error) {
	var w vault.Wrapped
	err := q.QueryRow(ctx, "SELECT kek, wrapped FROM data_key WHERE id = $1", id).Scan(&w.KEK, &w.Bytes)
	if errors.Is(err, pgx.ErrNoRows) {
		return sealingKey{}, apperr.New(apperr.Erased, "the patient is erased: the content cannot be read any more")
	}
	if err != nil {
		return sealingKey{}, err
	}
	k, err := s.vault.Unwrap(w)
	return sealingKey{id: id, DataKey: k}, err
}

// intakeKey returns the key for what no patient is known for: the clinic's, or
// the installation's when clinicID is "". It is made on first use.
func (s *Store) intakeKey(ctx context.Context, tx pgx.Tx, clinicID string) (sealingKey, error) {
	clinic := nullable(clinicID)
	const read = "SELECT id FROM data_key WHERE patient_id IS NULL AND clinic_id IS NOT DISTINCT FROM $1"
	var id string
	err := tx.QueryRow(ctx, read, clinic).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		made, err := s.newKey(ctx, tx, clinicID, "")
		if err != nil || made.id != "" {
			return made, err
		}
		// Somebody else made it in the meantime.
		if err := tx.QueryRow(ctx, read, clinic).Scan(&id); err != nil {
			return sealingKey{}, err
		}
	} else if err != nil {
		return sealingKey{}, err
	}
	return s.key(ctx, tx, id)
}

// newKey makes a data key; id is empty when another transaction was first.
func (s *Store) newKey(ctx context.Context, tx pgx.Tx, clinicID, patientID string) (sealingKey, error) {
	k, w, err := s.vault.NewDataKey()
	if err != nil {
		return sealingKey{}, err
	}
	id := newID()
	tag, err := tx.Exec(ctx, `INSERT INTO data_key (id, clinic_id, patient_id, kek, wrapped, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		id, nullable(clinicID), nullable(patientID), w.KEK, w.Bytes, s.now())
	if err != nil || tag.RowsAffected() == 0 {
		return sealingKey{}, err
	}
	return sealingKey{id: id, DataKey: k}, nil
}

// nullable makes an empty id SQL's null.
func nullable(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}
