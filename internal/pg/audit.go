package pg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// AuditRow is one access. It names nobody but those who are at work.
type AuditRow struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	// Name is the subject's, of one who is on the clinic's staff.
	Name         string `json:"name,omitempty"`
	Role         string `json:"role"`
	Organisation string `json:"organisation,omitempty"`
	Action       string `json:"action"`
	Object       string `json:"object,omitempty"`
	PatientID    string `json:"patientId,omitempty"`
}

// AuditQuery selects rows of the audit; what is empty selects all.
type AuditQuery struct {
	// PatientID makes it the patient's own log of who has looked (pasientjournalloven §18).
	PatientID, Subject, Action string
	// From is included, Until is not.
	From, Until time.Time
	// Limit is in rows, 1 when less. Cursor is the Next of the page before.
	Limit  int
	Cursor string
}

const sortAudit = "audit"

// audit notes an access in the transaction of what is done: without the one, there is not
// the other (apperr.Unavailable). patientID is whose data it is, "" for nobody's.
func (s *Store) audit(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID, action, object, patientID string) error {
	if by.Subject == "" {
		return apperr.New(apperr.Internal, "an access without a principal is refused")
	}
	_, err := tx.Exec(ctx, `WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared($9))
		INSERT INTO audit (at, clinic_id, subject, role, organisation, action, object, patient_id)
		SELECT $1::timestamptz, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::uuid FROM held`,
		s.now(), nullable(clinicID), by.Subject, string(by.Role), by.Organisation, action, object, nullable(patientID), auditLock)
	if apperr.Is(failure(err), apperr.Internal) {
		return apperr.Wrap(apperr.Unavailable, err, "the audit takes no row, and without one there is no access")
	}
	return err
}

// Audit lists the clinic's audit, newest first.
func (s *Store) Audit(ctx context.Context, by identity.Principal, clinicID string, q AuditQuery) (Page[AuditRow], error) {
	var found Page[AuditRow]
	q.Limit = max(q.Limit, 1)
	from, err := readCursor(q.Cursor, sortAudit)
	if err != nil {
		return found, err
	}
	before := int64(math.MaxInt64)
	if from != nil {
		if before, err = strconv.ParseInt(from.ID, 10, 64); err != nil {
			return found, apperr.InvalidFields("the list cannot go on there", apperr.Field{Path: "cursor", Rule: "the nextCursor of the page before, with the same sort"})
		}
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		object := ""
		if q.PatientID != "" {
			object = "patient/" + q.PatientID
		}
		if err := s.audit(ctx, tx, by, clinicID, "audit.read", object, q.PatientID); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT a.id, a.at, a.subject, coalesce(s.name, '') AS name, a.role, a.organisation, a.action, a.object, coalesce(a.patient_id::text, '') AS patient_id
			FROM audit a LEFT JOIN staff s ON s.clinic_id = a.clinic_id AND s.subject = a.subject
			WHERE a.clinic_id = $1 AND a.id < $2 AND ($3::uuid IS NULL OR a.patient_id = $3) AND ($4 = '' OR a.subject = $4) AND ($5 = '' OR a.action = $5)
				AND ($6::timestamptz IS NULL OR a.at >= $6) AND ($7::timestamptz IS NULL OR a.at < $7)
			ORDER BY a.id DESC LIMIT $8`, clinicID, before, nullable(q.PatientID), q.Subject, q.Action, instant(q.From), instant(q.Until), q.Limit+1)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AuditRow])
		found = page(all, q.Limit, func(r AuditRow) cursor {
			return cursor{Sort: sortAudit, At: r.At.UTC(), ID: strconv.FormatInt(r.ID, 10)}
		})
		return err
	})
	return found, err
}

// instant is nil for no instant.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Refused writes down that somebody was refused for want of a right: what names the
// operation.
func (s *Store) Refused(ctx context.Context, by identity.Principal, what string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error { return s.audit(ctx, tx, by, by.ClinicID, "refused", what, "") })
}

// AuditSeal covers the rows since the seal before it. Its hash is over that seal's hash and
// the rows, so that no row can be changed, added or removed below it without being seen.
type AuditSeal struct {
	Number   int64     `json:"number"`
	Until    int64     `json:"untilId" doc:"The id of the last row that it covers"`
	Rows     int64     `json:"rows"`
	SealedAt time.Time `json:"sealedAt"`
	Hash     string    `json:"hash" doc:"SHA-256, in hexadecimal"`
}

// sealAtMost bounds the rows of one seal.
const sealAtMost = 10_000

// SealAudit seals what was written to the audit since the last time; nil when that is
// nothing, when somebody else is at it, or when somebody is writing just now.
func (s *Store) SealAudit(ctx context.Context) (*AuditSeal, error) {
	var sealed *AuditSeal
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", sealLock).Scan(&mine); err != nil || !mine {
			return err
		}
		until, err := s.settledAudit(ctx)
		if err != nil || until == 0 {
			return err
		}
		last, hash, err := lastSeal(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, auditRange+" LIMIT $3", last.Until, until, sealAtMost)
		if err != nil {
			return err
		}
		next := AuditSeal{Number: last.Number + 1, SealedAt: s.now()}
		if next.Until, next.Rows, hash, err = chain(hash, rows); err != nil || next.Rows == 0 {
			return err
		}
		next.Hash = hex.EncodeToString(hash)
		sealed = &next
		_, err = tx.Exec(ctx, "INSERT INTO audit_seal (number, until_id, rows, sealed_at, hash) VALUES ($1, $2, $3, $4, $5)", next.Number, next.Until, next.Rows, next.SealedAt, hash)
		return err
	})
	return sealed, err
}

// settledAudit is the newest row that no other can get in before any more; 0 when that cannot be
// said now.
func (s *Store) settledAudit(ctx context.Context) (id int64, err error) {
	// In a transaction of its own: those who write wait for it.
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '50ms'"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", auditLock); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT coalesce(max(id), 0) FROM audit").Scan(&id)
	})
	if apperr.Is(err, apperr.Unavailable) {
		return 0, nil // somebody writes: it is asked again in a moment
	}
	return id, err
}

// auditRange are the rows after one and up to another, as they are sealed.
const auditRange = `SELECT id, at, coalesce(clinic_id::text, ''), subject, role, organisation, action, object, coalesce(patient_id::text, '')
	FROM audit WHERE id > $1 AND id <= $2 ORDER BY id`

// chain hashes rows after what was hashed before.
func chain(before []byte, rows pgx.Rows) (last, n int64, hash []byte, err error) {
	defer rows.Close()
	sum := sha256.New()
	_, _ = sum.Write(before) // a hash never fails
	for rows.Next() {
		var at time.Time
		var clinic, subject, role, organisation, action, object, patient string
		if err := rows.Scan(&last, &at, &clinic, &subject, &role, &organisation, &action, &object, &patient); err != nil {
			return 0, 0, nil, err
		}
		line, err := json.Marshal([]any{last, at.UTC().Format(time.RFC3339Nano), clinic, subject, role, organisation, action, object, patient})
		if err != nil {
			return 0, 0, nil, err
		}
		_, _ = sum.Write(append(line, '\n'))
		n++
	}
	return last, n, sum.Sum(nil), rows.Err()
}

func lastSeal(ctx context.Context, tx pgx.Tx) (last AuditSeal, hash []byte, err error) {
	err = tx.QueryRow(ctx, "SELECT number, until_id, hash FROM audit_seal ORDER BY number DESC LIMIT 1").Scan(&last.Number, &last.Until, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		last.Until, err = math.MinInt64, nil
	}
	return last, hash, err
}

// AuditVerdict is what a look at the whole chain has found.
type AuditVerdict struct {
	Intact bool `json:"intact" doc:"Whether nothing was changed, added or removed"`
	// Broken says where not, in words.
	Broken []string `json:"broken"`
	Seals  int64    `json:"seals"`
	Rows   int64    `json:"rows" doc:"Rows that were held against their seal"`
	// Removed are rows that were removed because of their age; Unsealed are younger than the
	// last seal.
	Removed  int64     `json:"removed"`
	Unsealed int64     `json:"unsealed"`
	Last     AuditSeal `json:"last" doc:"The newest seal: keep it elsewhere, and hand it in the next time"`
}

// maxBroken bounds how many places are told.
const maxBroken = 20

// VerifyAudit holds the whole audit, of all clinics, against its seals. number and hash are
// a seal that the caller has kept elsewhere, 0 and "" for none: they show that the chain was
// not made anew or cut at its end.
func (s *Store) VerifyAudit(ctx context.Context, by identity.Principal, clinicID string, number int64, hash string) (AuditVerdict, error) {
	v := AuditVerdict{Broken: []string{}}
	wrong := func(format string, args ...any) {
		if len(v.Broken) < maxBroken {
			v.Broken = append(v.Broken, fmt.Sprintf(format, args...))
		}
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// One look for all: what is sealed meanwhile is not seen.
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
		var removedUntil int64
		if err := tx.QueryRow(ctx, "SELECT coalesce(max(until_id), 0), coalesce(sum(rows), 0)::bigint FROM audit_removal").Scan(&removedUntil, &v.Removed); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT number, until_id, rows, sealed_at, hash FROM audit_seal ORDER BY number")
		if err != nil {
			return err
		}
		type seal struct {
			Number, Until, Rows int64
			SealedAt            time.Time
			Hash                []byte
		}
		seals, err := pgx.CollectRows(rows, pgx.RowToStructByPos[seal])
		if err != nil {
			return err
		}
		before, from := []byte(nil), int64(math.MinInt64)
		kept := number == 0
		for i, l := range seals {
			if l.Number != int64(i)+1 {
				wrong("seal %d is missing", i+1)
				break
			}
			if l.Until > removedUntil {
				rows, err := tx.Query(ctx, auditRange, from, l.Until)
				if err != nil {
					return err
				}
				_, n, sum, err := chain(before, rows)
				if err != nil {
					return err
				}
				v.Rows += n
				if !bytes.Equal(sum, l.Hash) {
					wrong("the rows up to %d are not those of seal %d: it has %d rows, there are %d", l.Until, l.Number, l.Rows, n)
				}
			}
			if l.Number == number {
				if kept = hex.EncodeToString(l.Hash) == hash; !kept {
					wrong("seal %d is another than the one that was kept", number)
				}
				number = 0
			}
			before, from = l.Hash, l.Until
			v.Seals, v.Last = l.Number, AuditSeal{l.Number, l.Until, l.Rows, l.SealedAt.UTC(), hex.EncodeToString(l.Hash)}
		}
		if !kept && number != 0 {
			wrong("seal %d, which was kept, is missing: the chain ends at %d", number, v.Seals)
		}
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM audit WHERE id > $1", from).Scan(&v.Unsealed); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "audit.verify", "", "")
	})
	v.Intact = len(v.Broken) == 0
	return v, err
}

// RemoveAudit removes what is older than age, which is two years at least (apperr.Internal
// when less), in whole seals; the seals stay. It returns how many rows.
func (s *Store) RemoveAudit(ctx context.Context, age time.Duration) (rows int64, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err = removeAudit(ctx, tx, age)
		return err
	})
	return rows, err
}

func removeAudit(ctx context.Context, tx pgx.Tx, age time.Duration) (rows int64, err error) {
	err = tx.QueryRow(ctx, "SELECT audit_remove(make_interval(secs => $1))", age.Seconds()).Scan(&rows)
	return rows, err
}

// sealEvery is how old an access gets before it is sealed, about.
const sealEvery = 5 * time.Second

// sealing seals the audit until ctx ends. The log has each seal: it is where the next
// verification can get one that was kept elsewhere.
func (s *Store) sealing(ctx context.Context, logger *slog.Logger) {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for {
			sealed, err := s.SealAudit(ctx)
			if err != nil && ctx.Err() == nil {
				logger.Warn("the audit cannot be sealed yet", "error", err)
			}
			if sealed == nil || err != nil {
				break
			}
			logger.Info("the audit is sealed", "seal", sealed.Number, "rows", sealed.Rows, "hash", sealed.Hash)
		}
	}
}
