package pg

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

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
)

// ledgerLine writes down an intended effect. A line that exists is left as it is.
func (s *Store) ledgerLine(ctx context.Context, tx pgx.Tx, key, clinicID, effect, dialogueID, messageID string, why any) error {
	if why == nil {
		why = struct{}{}
	}
	_, err := tx.Exec(ctx, `INSERT INTO ledger (key, clinic_id, effect, dialogue_id, message_id, why, intended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING`,
		key, nullable(clinicID), effect, nullable(dialogueID), messageID, why, s.now())
	return err
}

// ledgerOutcome writes a line's terminal outcome. The first one stands, except
// that a late receipt corrects "overdue" and "failed".
func (s *Store) ledgerOutcome(ctx context.Context, tx pgx.Tx, key string, outcome contract.Outcome, result any) error {
	if result == nil {
		result = struct{}{}
	}
	_, err := tx.Exec(ctx, `UPDATE ledger SET outcome = $2, outcome_at = $3, result = $4
		WHERE key = $1 AND (outcome IS NULL OR outcome IN ('overdue', 'failed'))`, key, outcome, s.now(), result)
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
		if err := tx.QueryRow(ctx, "SELECT patient_id FROM dialogue WHERE id = $1 AND clinic_id = $2", dialogueID, clinicID).Scan(&patientID); err != nil {
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

func (s *Store) ledger(ctx context.Context, tx pgx.Tx, dialogueID string) ([]LedgerLine, error) {
	rows, err := tx.Query(ctx, `SELECT key, effect, message_id, intended_at, why, coalesce(outcome, ''), outcome_at, result
		FROM ledger WHERE dialogue_id = $1 ORDER BY intended_at, key`, dialogueID)
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

// ofInstallation tells whether the caller runs the whole installation: he also
// sees what belongs to no clinic.
func ofInstallation(by identity.Principal) bool {
	return by.Role == identity.RoleOperator && by.ClinicID == ""
}

// Cases lists the clinic's operator cases, open ones first, oldest first. An
// operator of the installation sees those that belong to no clinic with them.
func (s *Store) Cases(ctx context.Context, by identity.Principal, clinicID string) ([]Case, error) {
	var cases []Case
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, kind, coalesce(dialogue_id::text, ''), message_id, reason, opened_at, resolved_at
			FROM operator_case WHERE clinic_id = $1 OR ($2 AND clinic_id IS NULL) ORDER BY resolved_at IS NOT NULL, opened_at LIMIT 500`,
			clinicID, ofInstallation(by))
		if err != nil {
			return err
		}
		if cases, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Case]); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "case.list", "", "")
	})
	return cases, err
}

// Conditions on a message m and an outbound message o: a lifecycle has placed the
// one in an inbox, and accepted the other.
const (
	inInbox  = "EXISTS (SELECT FROM inbox_item i WHERE i.message_id = m.id)"
	accepted = "o.kind = 'answer' AND o.prepared_at IS NOT NULL"
)
