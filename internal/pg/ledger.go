package pg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// Effects that the ledger knows. A line's key is effect + "/" + the id of the
// message that the effect is about.
const (
	EffectReceipt = "receipt"
	EffectInbox   = "inbox"
	EffectJournal = "journal"
	EffectAnswer  = "answer"
	EffectRefusal = "refusal"
	EffectReport  = "transport-error"
	// EffectPublication: Helsenorge is told of an appointment by a message that
	// answers nothing.
	EffectPublication = "publication"
	// EffectConversion: an e-contact becomes an e-consultation, journalled as a whole (F14).
	EffectConversion = "conversion"
	// EffectNotice: the patient is told, by whomever (F1).
	EffectNotice = "notice"
	// EffectEscalation: an answer is owed for too long, and others are shown it (F13). Its
	// key has the step, too.
	EffectEscalation = "escalation"
)

// What ledgerLine and ledgerOutcome do.
const (
	addLine = `INSERT INTO ledger (key, clinic_id, effect, dialogue_id, message_id, why, intended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING`
	endLine = `UPDATE ledger SET outcome = $2, outcome_at = $3, result = $4
		WHERE key = $1 AND (outcome IS NULL OR outcome IN ('overdue', 'failed'))`
)

// ledgerLine writes down an intended effect. A line that exists is left as it is.
func (s *Store) ledgerLine(ctx context.Context, tx pgx.Tx, key, clinicID, effect, dialogueID, messageID string, why any) error {
	if why == nil {
		why = struct{}{}
	}
	_, err := tx.Exec(ctx, addLine, key, nullable(clinicID), effect, nullable(dialogueID), messageID, why, s.now())
	return err
}

// ledgerOutcome writes a line's terminal outcome. The first one stands, except
// that a late receipt corrects "overdue" and "failed".
func (s *Store) ledgerOutcome(ctx context.Context, tx pgx.Tx, key string, outcome contract.Outcome, result any) error {
	if result == nil {
		result = struct{}{}
	}
	_, err := tx.Exec(ctx, endLine, key, outcome, s.now(), result)
	return err
}

// LedgerLine is one intended effect and what became of it.
type LedgerLine struct {
	Key        string           `json:"key"`
	Effect     string           `json:"effect"`
	MessageID  string           `json:"messageId"`
	IntendedAt time.Time        `json:"intendedAt"`
	Why        json.RawMessage  `json:"why"`
	Outcome    contract.Outcome `json:"outcome,omitempty"`
	OutcomeAt  *time.Time       `json:"outcomeAt,omitempty"`
	Result     json.RawMessage  `json:"result"`
}

// Ledger lists a dialogue's intended effects, oldest first.
func (s *Store) Ledger(ctx context.Context, by identity.Principal, clinicID, dialogueID string) ([]LedgerLine, error) {
	var lines []LedgerLine
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var patientID string
		if err := tx.QueryRow(ctx, "SELECT coalesce(patient_id::text, '') FROM dialogue WHERE id = $1 AND clinic_id = $2", dialogueID, clinicID).Scan(&patientID); err != nil {
			return notFound(err, "the clinic has no such dialogue")
		}
		var err error
		if lines, err = s.ledger(ctx, tx, dialogueID); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue.explain", "dialogue/"+dialogueID, patientID)
	})
	return lines, err
}

// LedgerOfMessage lists what was intended for one message, of a citizen or of the clinic,
// oldest first.
func (s *Store) LedgerOfMessage(ctx context.Context, by identity.Principal, clinicID, messageID string) ([]LedgerLine, error) {
	var lines []LedgerLine
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if lines, err = s.ledgerLines(ctx, tx, "message_id = $1 AND clinic_id = $2", messageID, clinicID); err != nil {
			return err
		}
		if len(lines) == 0 {
			return apperr.New(apperr.NotFound, "the clinic has no such message")
		}
		return s.audit(ctx, tx, by, clinicID, "message.explain", "message/"+messageID, "")
	})
	return lines, err
}

func (s *Store) ledger(ctx context.Context, tx pgx.Tx, dialogueID string) ([]LedgerLine, error) {
	return s.ledgerLines(ctx, tx, "dialogue_id = $1", dialogueID)
}

func (s *Store) ledgerLines(ctx context.Context, tx pgx.Tx, which string, args ...any) ([]LedgerLine, error) {
	rows, err := tx.Query(ctx, `SELECT key, effect, message_id, intended_at, why, coalesce(outcome, ''), outcome_at, result
		FROM ledger WHERE `+which+` ORDER BY intended_at, key`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[LedgerLine])
}

// openCase opens an operator case once per kind and message.
func (s *Store) openCase(ctx context.Context, tx pgx.Tx, clinicID, dialogueID, messageID string, kind contract.CaseKind, reason string) error {
	_, err := tx.Exec(ctx, `INSERT INTO operator_case (id, clinic_id, kind, dialogue_id, message_id, reason, opened_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (kind, message_id) DO NOTHING`,
		newID(), nullable(clinicID), kind, nullable(dialogueID), messageID, reason, s.now())
	return err
}

// notArrived opens the case of a message of the clinic's that did not arrive, anew where it
// was resolved: one that was sent again may fail again.
func (s *Store) notArrived(ctx context.Context, tx pgx.Tx, clinicID, dialogueID, messageID string, kind contract.CaseKind, reason string) error {
	if _, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = NULL, opened_at = $4, reason = $3 WHERE kind = $1 AND message_id = $2 AND resolved_at IS NOT NULL",
		kind, messageID, reason, s.now()); err != nil {
		return err
	}
	return s.openCase(ctx, tx, clinicID, dialogueID, messageID, kind, reason)
}

// OpenCase opens an operator case, idempotent by kind and message, and returns its id.
func (s *Store) OpenCase(ctx context.Context, in contract.OpenCaseInput) (string, error) {
	var id string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.openCase(ctx, tx, in.ClinicID, in.DialogueID, in.MessageID, in.Kind, in.Reason); err != nil {
			return err
		}
		// The effect that the case is about has its outcome: it was not done.
		for _, effect := range undone[in.Kind] {
			if err := s.ledgerOutcome(ctx, tx, effect+"/"+in.MessageID, contract.OutcomeFailed, map[string]string{"reason": in.Reason}); err != nil {
				return err
			}
		}
		if which := ungiven[in.Kind]; which != "" {
			if err := s.endNotices(ctx, tx, contract.OutcomeFailed, in.Reason, which, in.MessageID); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, "SELECT id FROM operator_case WHERE kind = $1 AND message_id = $2", in.Kind, in.MessageID).Scan(&id)
	})
	return id, err
}

// undone names the effects that a case says were not done; of an id only one exists.
var undone = map[contract.CaseKind][]string{
	contract.CaseNotJournalled: {EffectJournal},
	contract.CaseNotDelivered:  {EffectInbox},
	contract.CaseNotSent:       {EffectAnswer, EffectPublication},
}

// ungiven is the condition on the notices n that a case says nobody will give: the one
// that it is about, and, where an operator has ended an appointment's run, those that
// the run was still to have decided.
var ungiven = map[contract.CaseKind]string{
	contract.CaseNoticeFailed: "n.id = $1 AND n.outcome IS NULL",
	contract.CaseCancelled:    "(n.id = $1 OR n.appointment_id = $1 AND n.owner = 'pending') AND n.outcome IS NULL",
}

// ofInstallation tells whether the caller runs the whole installation: he also
// sees what belongs to no clinic.
func ofInstallation(by identity.Principal) bool {
	return by.Role == identity.RoleOperator && by.ClinicID == ""
}

// Conditions on a message m and an outbound message o: a lifecycle has placed the
// one in an inbox, and accepted the other.
const (
	inInbox  = "EXISTS (SELECT FROM inbox_item i WHERE i.message_id = m.id)"
	accepted = "o.kind = 'answer' AND o.prepared_at IS NOT NULL"
	// The counterpart has it, or will have.
	given = accepted + " AND coalesce(o.outcome, '') NOT IN ('rejected', 'error-queue', 'failed')"
)
