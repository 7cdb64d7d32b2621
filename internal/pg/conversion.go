package pg

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/conversion"
)

// applyConvert makes an e-contact an e-consultation (S54, F14): its whole thread goes
// into the patient's journal once, marked with who converted it and when, and the patient
// is told that a fee follows, or asked, by one message that opens the e-consultation on
// the wire. It is refused when that message could not reach him. Of a dialogue that is
// converted already it is refused, too, unless that message did not arrive: then the
// patient is told anew, and nothing else.
func (s *Store) applyConvert(ctx context.Context, tx pgx.Tx, c storedChange, out *contract.ApplyDialogueChangeOutput) error {
	d := c.dialogue
	converted := !d.convertedAt.IsZero()
	switch lost, err := s.feeNoticeLost(ctx, tx, d.id); {
	case err != nil:
		return err
	case converted && !lost:
		return apperr.InState("converted", "the dialogue is converted already: it is an e-consultation")
	case !converted && d.process != contract.ProcessEContact:
		return apperr.InState(string(d.process), "only an e-contact can be converted to an e-consultation")
	}
	r, err := s.reachableIn(ctx, tx, d, contract.ProcessEConsultation)
	if err != nil {
		return err
	}
	if !r.Reachable {
		return r.refusal(contract.ProcessEConsultation)
	}
	d.process = contract.ProcessEConsultation
	notice, asks, err := s.feeNotice(ctx, tx, c, d)
	if err != nil {
		return err
	}
	out.Process, out.OutboundID, out.Code, out.New, out.Closed = d.process, notice, contract.OpenDialogue, true, !d.closedAt.IsZero()
	if converted {
		_, err := tx.Exec(ctx, "UPDATE dialogue SET fee_notice_id = $2, fee_asked = $3 WHERE id = $1", d.id, notice, asks)
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE dialogue SET process = $2, converted_at = $3, converted_by = $4, fee_notice_id = $5, fee_asked = $6 WHERE id = $1`,
		d.id, d.process, s.now(), c.Author, notice, asks); err != nil {
		return err
	}
	entry, err := s.journalEntry(ctx, tx, c.ClinicID, d.patientID, d.id)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE journal_entry SET converted_at = $2, converted_by = $3 WHERE id = $1", entry, s.now(), c.Author); err != nil {
		return err
	}
	if err := s.journalThread(ctx, tx, d.id, d.id); err != nil {
		return err
	}
	line := EffectConversion + "/" + d.id
	if err := s.ledgerLine(ctx, tx, line, c.ClinicID, EffectConversion, d.id, d.id, map[string]string{"fee": feeWord(asks)}); err != nil {
		return err
	}
	if err := s.ledgerOutcome(ctx, tx, line, contract.OutcomeDone, map[string]string{"entry": entry, "notice": notice}); err != nil {
		return err
	}
	// What is owed has the limits of an e-consultation now, counted from the same message.
	out.Clock, err = s.answerClock(ctx, tx, c.ClinicID, d.id)
	return err
}

// feeNoticeLost tells whether the message that told of the fee did not reach the patient,
// and never will.
func (s *Store) feeNoticeLost(ctx context.Context, tx pgx.Tx, dialogueID string) (lost bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM dialogue d JOIN outbound_message o ON o.id = d.fee_notice_id
		WHERE d.id = $1 AND d.billable_at IS NULL AND o.outcome = ANY ($2))`, dialogueID, []contract.Outcome{contract.OutcomeRejected, contract.OutcomeFailed}).Scan(&lost)
	return lost, err
}

// feeWord is how the ledger says in which way the patient learns of the fee.
func feeWord(asks bool) string {
	if asks {
		return conversionAsks
	}
	return conversionTells
}

// feeNotice drafts the message that tells the patient of the fee, or asks him, in his
// language or the clinic's.
func (s *Store) feeNotice(ctx context.Context, tx pgx.Tx, c storedChange, d dialogueRow) (id string, asks bool, err error) {
	settings, err := s.settings(ctx, tx, c.ClinicID)
	if err != nil {
		return "", false, err
	}
	preference, err := s.preference(ctx, tx, d.patientID)
	if err != nil {
		return "", false, err
	}
	language := cmp.Or(preference.Language, settings.Language)
	text := conversion.Tells(language)
	if asks = settings.Conversion == conversionAsks; asks {
		text = conversion.Asks(language)
	}
	key, err := s.key(ctx, tx, d.keyID)
	if err != nil {
		return "", false, err
	}
	id = newID()
	sealed, err := key.seal("outbound_message.content", id, answerContent{Subject: text.Subject, Text: text.Text})
	if err != nil {
		return "", false, err
	}
	_, err = s.draft(ctx, tx, draftRow{
		id: id, clinicID: c.ClinicID, dialogueID: d.id, code: contract.OpenDialogue, author: c.Author, keyID: key.id, content: sealed,
	}, &Drafted{})
	return id, asks, err
}

// applyResend takes the identical message on once more, with the same MsgId and a new
// transport id: after it was overdue, or reported on the error queue and its cause seen to
// (HITS 1216 §2.2.4). What the receiver has had already it drops by the MsgId. At most
// once; a message that was refused by a receipt is written anew instead.
func (s *Store) applyResend(ctx context.Context, tx pgx.Tx, c storedChange, out *contract.ApplyDialogueChangeOutput) error {
	var outcome contract.Outcome
	var wired, again bool
	err := tx.QueryRow(ctx, `SELECT coalesce(outcome, ''), code, wire IS NOT NULL, resent_at IS NOT NULL FROM outbound_message
		WHERE id = $1 AND dialogue_id = $2 AND kind = 'answer' FOR UPDATE`, c.OutboundID, c.DialogueID).Scan(&outcome, &out.Code, &wired, &again)
	if err != nil {
		return notFound(err, "the dialogue has no such message of the clinic")
	}
	switch {
	case again:
		return apperr.InState(string(outcome), "the message was sent again before: the identical message goes at most once more; write a new one")
	case outcome == "":
		return apperr.InState("under way", "the message is under way: wait for its receipt")
	case outcome != contract.OutcomeOverdue && outcome != contract.OutcomeErrorQueue || !wired:
		return apperr.InState(string(outcome), "only a message whose receipt is overdue, or that was reported on the error queue, is sent again: write a new one")
	}
	if c.dialogue.process == contract.ProcessPrescription {
		if err := s.onlyAnswer(ctx, tx, c.dialogue.id, c.OutboundID); err != nil {
			return err
		}
	}
	// Nobody whom it cannot reach is written to again (HITS 1217 §2.13.2).
	r, err := s.reachableIn(ctx, tx, c.dialogue, c.dialogue.process)
	if err != nil {
		return err
	}
	if !r.Reachable {
		return r.refusal(c.dialogue.process)
	}
	if _, err := tx.Exec(ctx, `UPDATE outbound_message SET outcome = NULL, outcome_at = NULL, outcome_codes = '{}', outcome_text = NULL, sent_at = NULL, receipt_due = NULL,
			resent_at = $2, transport_id = $3 WHERE id = $1`, c.OutboundID, s.now(), newTransportID()); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE ledger SET outcome = NULL, outcome_at = NULL, result = '{}', why = why || $2 WHERE key = $1`,
		EffectAnswer+"/"+c.OutboundID, map[string]any{"resentAt": s.now(), "after": outcome}); err != nil {
		return err
	}
	out.OutboundID = c.OutboundID
	return nil
}
