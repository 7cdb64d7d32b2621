package pg

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/answerclock"
)

// answerProcesses are the processes that have limits of their own.
var answerProcesses = []contract.Process{contract.ProcessEConsultation, contract.ProcessEContact, contract.ProcessPrescription}

// ruled is the process whose rule and limits hold: an e-dialogue has those of an e-contact.
func ruled(p contract.Process) contract.Process {
	if p == contract.ProcessEDialogue {
		return contract.ProcessEContact
	}
	return p
}

// office is when the clinic opens and closes, of settings with their defaults.
func (v Settings) office() answerclock.Office {
	return answerclock.Office{Opens: dayTime(v.OfficeOpens), Closes: dayTime(v.OfficeCloses)}
}

// clock are the steps of an answer that is owed since received, of settings with their
// defaults, and its limit. There are none for a process whose clock is switched off.
func (v Settings) clock(p contract.Process, received time.Time) (steps []contract.Escalation, due time.Time) {
	limits := v.AnswerClock[ruled(p)]
	for _, s := range answerclock.Steps(received, limits, v.office()) {
		steps = append(steps, contract.Escalation{Step: contract.EscalationStep(s.Step), At: s.At})
	}
	return steps, answerclock.Limit(received, limits, v.office())
}

// owes writes down that an answer is owed since the message was received, where none was
// before: further messages do not move the clock (F13).
func (s *Store) owes(ctx context.Context, tx pgx.Tx, dialogueID string, received, due time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE dialogue SET closed_at = NULL, closed_by = '',
			answer_due = CASE WHEN owed_since IS NULL THEN $3 ELSE answer_due END, owed_since = coalesce(owed_since, $2)
		WHERE id = $1`, dialogueID, received, nullableTime(due))
	return err
}

// answerGiven stops the answer clock of a dialogue: its answer is prepared, or none is
// owed any more. Whoever was asked to look at it need not any more. Idempotent.
func (s *Store) answerGiven(ctx context.Context, tx pgx.Tx, dialogueID string) error {
	if _, err := tx.Exec(ctx, "UPDATE dialogue SET owed_since = NULL, answer_due = NULL, escalated = '' WHERE id = $1 AND owed_since IS NOT NULL", dialogueID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $3 WHERE dialogue_id = $1 AND kind = $2 AND resolved_at IS NULL",
		dialogueID, contract.CaseAnswerOverdue, s.now())
	return err
}

// answerEnded stops the answer clock for an answer that will not leave: its lifecycle
// stopped it when it accepted it, and the operator case takes its place.
func (s *Store) answerEnded(ctx context.Context, tx pgx.Tx, outboundID string) error {
	var dialogueID string
	err := tx.QueryRow(ctx, `SELECT d.id FROM outbound_message o JOIN dialogue d ON d.id = o.dialogue_id AND d.latest_message_id = o.in_reply_to
		WHERE o.id = $1 AND o.kind = 'answer'`, outboundID).Scan(&dialogueID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.answerGiven(ctx, tx, dialogueID)
}

// answerClock is the answer clock of a dialogue as its process has it, with the steps
// that are still to be done, and the limit written anew: a conversion brings other limits,
// counted from the same message. Nil where nothing is owed or there is no limit.
func (s *Store) answerClock(ctx context.Context, tx pgx.Tx, clinicID, dialogueID string) (*contract.AnswerClock, error) {
	var process contract.Process
	var escalated contract.EscalationStep
	var owed time.Time
	var clock contract.AnswerClock
	err := tx.QueryRow(ctx, `SELECT d.process, d.escalated, d.owed_since, m.id FROM dialogue d
			CROSS JOIN LATERAL (SELECT m.id FROM inbound_message m WHERE m.dialogue_id = d.id AND m.received_at >= d.owed_since
				AND m.verdict = 'taken' AND m.function <> $3 ORDER BY m.received_at, m.id LIMIT 1) m
		WHERE d.id = $1 AND d.clinic_id = $2`, dialogueID, clinicID, contract.FunctionUnread).Scan(&process, &escalated, &owed, &clock.MessageID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	settings, err := s.settings(ctx, tx, clinicID)
	if err != nil {
		return nil, err
	}
	steps, due := settings.clock(process, owed)
	if _, err := tx.Exec(ctx, "UPDATE dialogue SET answer_due = $2 WHERE id = $1 AND answer_due IS DISTINCT FROM $2", dialogueID, nullableTime(due)); err != nil {
		return nil, err
	}
	clock.Steps = slices.DeleteFunc(steps, func(e contract.Escalation) bool { return stepRank(e.Step) <= stepRank(escalated) })
	if len(clock.Steps) == 0 {
		return nil, nil
	}
	return &clock, nil
}

// stepRank orders the steps; 0 for none.
func stepRank(step contract.EscalationStep) int {
	return 1 + slices.Index([]contract.EscalationStep{
		contract.StepWarn, contract.StepDeputy, contract.StepAdministrator, contract.StepOverdue,
	}, step)
}
