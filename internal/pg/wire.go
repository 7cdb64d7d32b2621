package pg

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// ReasonNotReachable is the reason of the operator case of a message that was not sent,
// since the patient could not be reached on Helsenorge when it was to leave (S27).
const ReasonNotReachable = "patient-not-reachable"

// wireForm is how a message of staff leaves. A process cannot change inside a
// conversation of the wire, while a dialogue may: so a message follows the newest
// conversation of the dialogue's process, or begins one (HITS 1217 §2.3.3, F14).
type wireForm struct {
	// process (8279) and the parties are the conversation's.
	process          string
	fromHer, toHer   int
	msgID, parent    string
	answers, opens   bool
	code, turnedFrom string
	// settles is true for an answer to the citizen's latest message: nothing is owed any more.
	settles bool
}

// codeIn is the code of an answer as its process has it: a conversion may have come
// between the writing and the sending, and only an e-consultation says on the wire that
// it is closed (HITS 1217 §3.2.3, §3.3.2). An e-dialogue's need not be named.
func codeIn(p contract.Process, code string, closes bool) string {
	if p == contract.ProcessEDialogue && code == "" {
		return contract.InHouse
	}
	if p != contract.ProcessEConsultation || code != contract.AnswerToEnquiry && code != contract.AnswerFromPractitioner {
		return code
	}
	if closes {
		return contract.AnswerDialogueEnded
	}
	return contract.AnswerFromPractitioner
}

// formed decides in which form a message of staff leaves, and puts it into the job. What
// does not answer a citizen's message where he wrote it passes the gates again; p.refused
// is set when one is closed.
func (s *Store) formed(ctx context.Context, tx pgx.Tx, p *Prepared, job *Job, clinicID, dialogueID, answered string, counterpart int) (*wireForm, error) {
	d, err := s.lockDialogue(ctx, tx, clinicID, dialogueID)
	if err != nil {
		return nil, err
	}
	var closes bool
	if err := tx.QueryRow(ctx, "SELECT close FROM outbound_message WHERE id = $1", p.ID).Scan(&closes); err != nil {
		return nil, err
	}
	f := wireForm{process: onWire[d.process], code: codeIn(d.process, job.Code, closes), turnedFrom: d.turnedFrom, settles: answered != "" && answered == d.latestMessageID}
	if !slices.Contains(contract.OpenCodes(d.process), f.code) {
		err = s.follow(ctx, tx, d, answered, &f)
	} else {
		f.opens = true
	}
	if err != nil {
		return nil, err
	}
	if !f.answers {
		r, err := s.reachableIn(ctx, tx, d, d.process)
		if err != nil {
			return nil, err
		}
		if !r.Reachable {
			p.refused, err = s.refuse(ctx, tx, d, p.ID, r)
			return nil, err
		}
		patient, err := s.openPatient(ctx, tx, d.patientID)
		if err != nil {
			return nil, err
		}
		job.Original, job.Patient = nil, &patient
	}
	if f.opens {
		if err := s.parties(ctx, tx, d, counterpart, &f); err != nil {
			return nil, err
		}
		if f.code = contract.OpenDialogue; !d.replyAllowed {
			f.code = contract.OpenOneWay
		}
	}
	p.FromHerID, p.ToHerID, p.Subject = f.fromHer, f.toHer, f.process
	job.Code, job.Opens, job.Conversation, job.Parent = f.code, f.opens, f.msgID, f.parent
	return &f, nil
}

// follow finds the conversation that the message follows: that of the message that it
// answers, where the process is still the dialogue's, else the newest of the process
// that the other side has. Where there is none, the message opens one.
func (s *Store) follow(ctx context.Context, tx pgx.Tx, d dialogueRow, answered string, f *wireForm) error {
	err := tx.QueryRow(ctx, `SELECT conversation, msg_id, to_her_id, from_her_id FROM inbound_message WHERE id = $1 AND process = $2`, nullable(answered), f.process).
		Scan(&f.msgID, &f.parent, &f.fromHer, &f.toHer)
	if err == nil {
		f.answers = true
		return nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	err = tx.QueryRow(ctx, `SELECT c.msg_id, m.msg_id, m.ours, m.theirs FROM conversation c JOIN (
			SELECT conversation, msg_id, to_her_id AS ours, from_her_id AS theirs, received_at AS at FROM inbound_message WHERE dialogue_id = $1 AND verdict = 'taken'
			UNION ALL SELECT conversation, msg_id, from_her_id, to_her_id, prepared_at FROM outbound_message WHERE dialogue_id = $1 AND kind = 'answer' AND wire IS NOT NULL
				AND coalesce(outcome, '') NOT IN ('rejected', 'error-queue', 'failed')) m ON m.conversation = c.msg_id
		WHERE c.dialogue_id = $1 AND c.process = $2 ORDER BY m.at DESC, m.msg_id DESC LIMIT 1`, d.id, d.process).Scan(&f.msgID, &f.parent, &f.fromHer, &f.toHer)
	if errors.Is(err, pgx.ErrNoRows) {
		f.opens = true
		return nil
	}
	return err
}

// parties chooses between whom a conversation is opened: the party that the citizen wrote
// to, if it still offers the process, else whoever does for him; and Helsenorge.
func (s *Store) parties(ctx context.Context, tx pgx.Tx, d dialogueRow, counterpart int, f *wireForm) error {
	ours, theirs, err := writtenTo(ctx, tx, d.id)
	if err != nil {
		return err
	}
	f.fromHer, f.toHer = ours, cmp.Or(theirs, counterpart)
	if f.toHer == 0 {
		return apperr.New(apperr.Unsupported, "Helsenorge's HER-id is not configured: set HELSEBRO_HELSENORGE_HER_ID")
	}
	ok, err := offers(ctx, tx, d.clinicID, f.fromHer, f.process)
	if err != nil || ok {
		return err
	}
	if f.fromHer, ok, err = s.offeringParty(ctx, tx, d.clinicID, d.patientID, f.process); err == nil && !ok {
		err = apperr.New(apperr.Unsupported, "neither the patient's practitioner nor the clinic offers the service: register it in the address registry")
	}
	return err
}

// refuse ends a message that is not to leave, with the operator case that says why, and
// returns what its sender is told.
func (s *Store) refuse(ctx context.Context, tx pgx.Tx, d dialogueRow, id string, r Reachability) (refused, err error) {
	if err := s.ledgerLine(ctx, tx, EffectAnswer+"/"+id, d.clinicID, EffectAnswer, d.id, id, nil); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "UPDATE outbound_message SET prepared_at = $2 WHERE id = $1", id, s.now()); err != nil {
		return nil, err
	}
	if err := s.answerEnded(ctx, tx, id); err != nil {
		return nil, err
	}
	if err := s.closeOutbound(ctx, tx, id, contract.OutcomeFailed, r.codes()); err != nil {
		return nil, err
	}
	return r.refusal(d.process), s.openCase(ctx, tx, d.clinicID, d.id, id, contract.CaseNotSent, ReasonNotReachable)
}

// codes are the closed gates as the ledger has them.
func (r Reachability) codes() []string {
	codes := make([]string, len(r.Reasons))
	for i, g := range r.Reasons {
		codes[i] = string(g)
	}
	return codes
}

// refusal says which gates are closed.
func (r Reachability) refusal(p contract.Process) error {
	e := apperr.New(apperr.Conflict, "the patient cannot be contacted on Helsenorge: see to the reasons, or use another way")
	if p == contract.ProcessEDialogue {
		e.Message = "the record does not say who the patient is: an e-dialogue needs a full birth number or D number"
	}
	for i, code := range r.codes() {
		if i == 0 {
			e.State = code
		}
		e.Fields = append(e.Fields, apperr.Field{Path: "patientId", Rule: code})
	}
	return e
}

// keepForm keeps in which form a message was prepared, and what follows from it.
func (s *Store) keepForm(ctx context.Context, tx pgx.Tx, id string, f wireForm, job Job) error {
	if f.opens {
		f.msgID = job.MsgID
	}
	var d dialogueRow
	err := tx.QueryRow(ctx, `UPDATE outbound_message o SET opens = $2, conversation = $3, from_her_id = $4, to_her_id = $5, process = $6,
			code = CASE WHEN $2 THEN o.code ELSE $7 END FROM dialogue d WHERE o.id = $1 AND d.id = o.dialogue_id RETURNING d.id, d.clinic_id, d.process`,
		id, f.opens, f.msgID, f.fromHer, f.toHer, f.process, f.code).Scan(&d.id, &d.clinicID, &d.process)
	if err == nil {
		err = s.writtenAgain(ctx, tx, id)
	}
	if err == nil && f.settles {
		err = s.answerGiven(ctx, tx, d.id)
	}
	if err != nil || !f.opens {
		return err
	}
	if err := s.openConversation(ctx, tx, d.clinicID, d.id, f.msgID, d.process, s.now()); err != nil {
		return err
	}
	if f.turnedFrom == "" || d.process != contract.ProcessEConsultation {
		return nil
	}
	// What it goes on from belongs to its entry (S68).
	return s.journalThread(ctx, tx, d.id, f.turnedFrom)
}

// writtenAgain opens a dialogue that the clinic closed before it wrote the message. What a
// conversion costs is told in one that is closed, too.
func (s *Store) writtenAgain(ctx context.Context, tx pgx.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE dialogue d SET closed_at = NULL, closed_by = '' FROM outbound_message o
		WHERE o.id = $1 AND d.id = o.dialogue_id AND d.closed_at < o.created_at AND o.id IS DISTINCT FROM d.fee_notice_id`, id)
	return err
}
