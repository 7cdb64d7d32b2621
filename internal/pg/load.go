package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
)

// LoadDialogue reads what a new run of the dialogue's lifecycle must know.
func (s *Store) LoadDialogue(ctx context.Context, clinicID, dialogueID string) (contract.LoadDialogueOutput, error) {
	var out contract.LoadDialogueOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.LoadDialogueOutput{}
		var latestAt *time.Time
		var closed, ends bool
		err := tx.QueryRow(ctx, `SELECT d.process, coalesce(latest.id::text, ''), latest.received_at, d.closed_at IS NOT NULL,
				d.origin = 'clinic' AND EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND `+accepted+`),
				(SELECT count(*) FROM inbound_message m WHERE m.dialogue_id = d.id AND `+inInbox+`),
				(SELECT count(*) FROM outbound_message o WHERE o.dialogue_id = d.id AND (`+accepted+` OR o.id = d.fee_notice_id)),
				d.closed_at IS NULL AND latest.id IS NOT NULL AND NOT EXISTS (SELECT FROM outbound_message o WHERE o.in_reply_to = latest.id AND `+accepted+`), d.escalated
			FROM dialogue d LEFT JOIN LATERAL (SELECT m.id, m.received_at FROM inbound_message m WHERE m.dialogue_id = d.id AND m.function <> 'VUS' AND `+inInbox+`
				ORDER BY m.received_at DESC, m.id DESC LIMIT 1) latest ON true
			WHERE d.id = $1 AND d.clinic_id = $2`, dialogueID, clinicID).
			Scan(&out.Process, &out.LatestMessageID, &latestAt, &closed, &out.Opened, &out.Messages, &out.Answers, &out.AnswerOwed, &out.Escalated)
		if err != nil {
			return notFound(err, "the clinic has no such dialogue")
		}
		out.LatestAt = derefTime(latestAt)
		err = tx.QueryRow(ctx, `SELECT o.id, o.code, o.close FROM outbound_message o WHERE o.dialogue_id = $1 AND `+accepted+`
			AND coalesce(o.outcome, '') NOT IN ('rejected', 'failed', 'error-queue') ORDER BY o.prepared_at DESC LIMIT 1`, dialogueID).
			Scan(&out.AnswerID, &out.AnswerCode, &ends)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		out.Ended = !out.AnswerOwed && (closed || ends || contract.Ends(out.AnswerCode))
		err = tx.QueryRow(ctx, `SELECT o.id, CASE WHEN o.outcome NOT IN ('acknowledged', 'done')
				AND coalesce((SELECT bool_or(c.resolved_at IS NULL) FROM operator_case c WHERE c.message_id = o.id), true) THEN o.id::text ELSE '' END
			FROM outbound_message o WHERE o.dialogue_id = $1 AND `+accepted+` ORDER BY o.prepared_at DESC LIMIT 1`, dialogueID).
			Scan(&out.LastOutboundID, &out.Troubled)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if out.Clock, err = s.answerClock(ctx, tx, clinicID, dialogueID); err != nil {
			return err
		}
		if out.Open, err = underWay(ctx, tx, dialogueID); err != nil {
			return err
		}
		if out.Accepted, err = column(ctx, tx, `SELECT id::text FROM (
				SELECT o.id, o.prepared_at AS at FROM outbound_message o WHERE o.dialogue_id = $1 AND `+accepted+`
				UNION ALL SELECT c.id, c.applied_at FROM dialogue_command c WHERE c.dialogue_id = $1 AND c.applied_at IS NOT NULL
				ORDER BY at DESC, id DESC LIMIT $2) newest ORDER BY at, id`, dialogueID, contract.MaxSeenIDs); err != nil {
			return err
		}
		if out.Seen, err = column(ctx, tx, `SELECT msg_id FROM (SELECT m.msg_id, m.received_at FROM inbound_message m
			WHERE m.dialogue_id = $1 AND `+inInbox+` ORDER BY m.received_at DESC LIMIT $2) newest ORDER BY received_at`, dialogueID, contract.MaxSeenIDs); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT m.id, m.msg_id, m.function, m.received_at FROM inbound_message m
			WHERE m.dialogue_id = $1 AND m.verdict = 'taken' AND NOT `+inInbox+` AND NOT EXISTS (SELECT FROM operator_case c WHERE c.message_id = m.id AND c.kind = $3)
			ORDER BY m.received_at, m.id LIMIT $2`, dialogueID, contract.MaxSeenIDs, contract.CaseNotDelivered)
		if err != nil {
			return err
		}
		out.Unplaced, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (contract.MessageReceived, error) {
			var m contract.MessageReceived
			err := row.Scan(&m.MessageID, &m.MsgID, &m.Function, &m.ReceivedAt)
			m.ReceivedAt = m.ReceivedAt.UTC()
			return m, err
		})
		return err
	})
	return out, err
}

// underWay lists the messages of staff that have no outcome yet, in the order in which
// they were accepted, and what a conversion costs, which no command gives a second time.
func underWay(ctx context.Context, tx pgx.Tx, dialogueID string) ([]contract.Delivery, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, o.code, o.sent_at, o.receipt_due FROM outbound_message o JOIN dialogue d ON d.id = o.dialogue_id
		WHERE d.id = $1 AND (`+accepted+` OR o.id = d.fee_notice_id) AND o.outcome IS NULL ORDER BY o.prepared_at, o.created_at`, dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (contract.Delivery, error) {
		var d contract.Delivery
		var sent, due *time.Time
		err := row.Scan(&d.OutboundID, &d.Code, &sent, &due)
		if d.SentAt = derefTime(sent); sent != nil {
			d.ReceiptDue = derefTime(due)
		}
		return d, err
	})
}

// column reads one column.
func column(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
