package pg

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// Case is something an operator is asked to look at.
type Case struct {
	ID         string            `json:"id"`
	Kind       contract.CaseKind `json:"kind"`
	DialogueID string            `json:"dialogueId,omitempty"`
	MessageID  string            `json:"messageId"`
	Reason     string            `json:"reason,omitempty"`
	OpenedAt   time.Time         `json:"openedAt"`
	ResolvedAt *time.Time        `json:"resolvedAt,omitempty"`
}

// CaseQuery selects cases; what is empty selects all.
type CaseQuery struct {
	Kind contract.CaseKind
	// Open leaves out those that are resolved.
	Open bool
	// Limit is in rows, 1 when less. Cursor is the Next of the page before.
	Limit  int
	Cursor string
}

// sortCases is the one order of cases: open ones first, the oldest first.
const sortCases = "cases"

// Cases lists the clinic's operator cases, open ones first, oldest first. An operator of
// the installation sees those that belong to no clinic with them.
func (s *Store) Cases(ctx context.Context, by identity.Principal, clinicID string, q CaseQuery) (Page[Case], error) {
	var found Page[Case]
	q.Limit = max(q.Limit, 1)
	from, err := readCursor(q.Cursor, sortCases)
	if err != nil {
		return found, err
	}
	if from == nil {
		from = &cursor{ID: uuid.Nil.String()}
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, kind, coalesce(dialogue_id::text, ''), message_id, reason, opened_at, resolved_at
			FROM operator_case WHERE (clinic_id = $1 OR ($2 AND clinic_id IS NULL)) AND ($3 = '' OR kind = $3) AND (NOT $4 OR resolved_at IS NULL)
				AND (resolved_at IS NOT NULL, opened_at, id) > ($5::boolean, $6::timestamptz, $7::uuid)
			ORDER BY resolved_at IS NOT NULL, opened_at, id LIMIT $8`,
			clinicID, ofInstallation(by), string(q.Kind), q.Open, from.Last, from.At, from.ID, q.Limit+1)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Case])
		if err != nil {
			return err
		}
		found = page(all, q.Limit, func(c Case) cursor {
			return cursor{Sort: sortCases, Last: c.ResolvedAt != nil, At: c.OpenedAt.UTC(), ID: c.ID}
		})
		return s.audit(ctx, tx, by, clinicID, "case.list", "", "")
	})
	return found, err
}

// ResolvedCase is what a lifecycle must hear of a case that was resolved. It is empty but
// for At where none waits: only a message of the clinic's that did not arrive is waited
// for, and only while a case about it is open.
type ResolvedCase struct {
	// At is when it was resolved first.
	At time.Time
	// DialogueID and Process are the thread's, MessageID the clinic's message and Code its
	// code.
	DialogueID, MessageID, Code string
	Process                     contract.Process
}

// ResolveCase says that somebody has seen to a case. Idempotent: the first instant stands.
// What is still so opens it again when it is next looked at.
func (s *Store) ResolveCase(ctx context.Context, by identity.Principal, clinicID, id string) (ResolvedCase, error) {
	var r ResolvedCase
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		r = ResolvedCase{}
		var messageID string
		if err := tx.QueryRow(ctx, `UPDATE operator_case SET resolved_at = coalesce(resolved_at, $4) WHERE id = $3 AND (clinic_id = $1 OR ($2 AND clinic_id IS NULL))
			RETURNING resolved_at, message_id`, clinicID, ofInstallation(by), id, s.now()).Scan(&r.At, &messageID); err != nil {
			return notFound(err, "the clinic has no such case")
		}
		err := tx.QueryRow(ctx, `SELECT d.id, d.process, o.id, o.code FROM outbound_message o JOIN dialogue d ON d.id = o.dialogue_id
			WHERE o.id = $1 AND NOT EXISTS (SELECT FROM operator_case c WHERE c.message_id = o.id AND c.resolved_at IS NULL)`, messageID).
			Scan(&r.DialogueID, &r.Process, &r.MessageID, &r.Code)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "case.resolve", "case/"+id, "")
	})
	return r, err
}
