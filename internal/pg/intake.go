package pg

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/domain/title"
)

// Verdict is what becomes of an arrived message.
type Verdict string

const (
	// Taken: a lifecycle takes it; positive receipt.
	Taken Verdict = "taken"
	// Refused: understood, but not offered here (26) or the citizen is blocked
	// (30): positive receipt and a refusal (HITS 1217 §2.13.3).
	Refused Verdict = "refused"
	// Rejected: negative receipt (8221).
	Rejected Verdict = "rejected"
	// Told: it tells who can be reached on Helsenorge; positive receipt, nothing more.
	Told Verdict = "told"
	// Reported: the sender's error queue is told (HITS 1216 §2.2.3).
	Reported Verdict = "reported"
	// Settled: a receipt or an error report for a message of ours.
	Settled Verdict = "settled"
	// Noted: stored and nothing more: a receipt for a message we do not know, or
	// something unreadable on the error queue, which is never answered.
	Noted Verdict = "noted"
	// Quarantined: a known id with other content, kept beside the first.
	Quarantined Verdict = "quarantined"
)

// MadeUpTransportID begins the transport id of a message that came without one, or
// with one that cannot be kept.
const MadeUpTransportID = "sha256:"

// Problem is a broken rule, without the value that breaks it.
type Problem struct {
	Code string `json:"code"`
	Path string `json:"path,omitempty"`
	Rule string `json:"rule,omitempty"`
}

// Arrival is a message that the transport delivered, opened and read.
type Arrival struct {
	TransportID, Subject, CorrelationID string
	FromHerID, ToHerID                  int
	// ErrorQueue is true for what came from the error queue.
	ErrorQueue bool
	// Raw is the opened XML, or the body as it came where it could not be opened.
	Raw []byte
	// Wire is the message as it came: what is kept aside when it cannot be taken in.
	Wire Wire
	// Quarantine is the id of what was kept aside and is tried again, "" for what comes from
	// a queue.
	Quarantine string
	// Verdict, Codes and Problems are what reading it alone can tell. Storing may
	// turn Taken into Refused: the clinic's services and blocked patients decide.
	Verdict  Verdict
	Codes    []string
	Problems []Problem
	// WantsReceipt is false for what was sent with Ack N.
	WantsReceipt bool
	// ProcessCode (8279), Function (7601, 7602) and MsgID are the wire's.
	ProcessCode, Function, MsgID   string
	RefToParent, RefToConversation string
	// Process is the lifecycle, "" when none takes this process.
	Process contract.Process
	Patient *Patient
	Content Content
	// Attachments are the files, by content.
	Attachments []Attachment
	// Items are the prescriptions that a citizen asks to have renewed, as M1 names them;
	// empty when he asks in his own words.
	Items []Medicine
	// Activity is what the message tells of who can be reached on Helsenorge.
	Activity []ReportedActivity
	// Booking is set for messages about an appointment that carry one.
	Booking *Booking
	// Settles is set for receipts and error reports.
	Settles *Settlement
	// WrittenAt is when the message says it was written (GenDate); zero where it does
	// not. A journal has messages in that order.
	WrittenAt time.Time
	// refusal is why the service was not offered when the message came.
	refusal reachability.Gate
}

// Content is what people read of a citizen's message.
type Content struct {
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"`
	// XHTML is the sanitised markup where the message had any.
	XHTML string `json:"xhtml,omitempty"`
	// Actor is who wrote on the patient's behalf, Relation why (7611).
	Actor    string `json:"actor,omitempty"`
	Relation string `json:"relation,omitempty"`
	// WishedHPR is the practitioner whom the citizen wants (role 23).
	WishedHPR string `json:"wishedHpr,omitempty"`
	// DeliveryMode is kodeverk 8324 of a renewal request.
	DeliveryMode string `json:"deliveryMode,omitempty"`
}

// storedContent is what is sealed of a message: what people read, and what it says of
// an appointment.
type storedContent struct {
	Content
	Booking *Booking `json:"booking,omitempty"`
}

// Attachment is a file of a message.
type Attachment struct {
	MIME        string
	Description string
	Content     []byte
}

// Settlement is what a receipt or an error report says of a message of ours.
type Settlement struct {
	// OriginalMsgID (receipt) or OriginalTransportID (error report) finds it.
	OriginalMsgID, OriginalTransportID string
	Outcome                            contract.Outcome
	Codes                              []string
	// Texts are the receipt's own words beside each code (HIS 80415 §3.3.5): staff read
	// them, nobody else.
	Texts []string
}

// Arrived is a stored message and what must follow from it.
type Arrived struct {
	ID         string
	ClinicID   string
	Verdict    Verdict
	Process    contract.Process
	Function   string
	MsgID      string
	DialogueID string
	// Receipt tells whether an application receipt is owed.
	Receipt bool
	// Again is true when the message was stored before; HandedOver when nothing is
	// left to be done for it.
	Again, HandedOver bool
	// NewDialogue is true when this message opened its dialogue.
	NewDialogue bool
	ReceivedAt  time.Time
	// Settled is the delivery that a receipt closed: the lifecycle is told.
	Settled *SettledDelivery
}

// SettledDelivery is a message of ours whose outcome came.
type SettledDelivery struct {
	OutboundID string
	DialogueID string
	ClinicID   string
	Process    contract.Process
	Outcome    contract.Outcome
	Codes      []string
}

// errAgain leaves the transaction when the message is known.
var errAgain = errors.New("known message")

// StoreArrival stores a message once, in one transaction with everything that is
// decided about it: raw and parsed content, patient, dialogue, ledger lines,
// settled deliveries. It is idempotent on (sender, transport id) and on (sender,
// receiver, MsgId): the same content again returns the first row, so that
// unfinished work can be taken up; other content under a known id is quarantined.
func (s *Store) StoreArrival(ctx context.Context, a Arrival) (Arrived, error) {
	sum := sha256.Sum256(a.Raw)
	var out Arrived
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = Arrived{}
		return s.storeArrival(ctx, tx, a, sum[:], &out)
	})
	if !errors.Is(err, errAgain) {
		return out, err
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error { return s.arrivedAgain(ctx, tx, a, sum[:], &out) })
	return out, err
}

func (s *Store) storeArrival(ctx context.Context, tx pgx.Tx, a Arrival, sum []byte, out *Arrived) error {
	*out = Arrived{ID: newID(), Verdict: a.Verdict, Process: a.Process, Function: a.Function, MsgID: a.MsgID, ReceivedAt: s.now()}
	err := tx.QueryRow(ctx, "SELECT clinic_id FROM party WHERE her_id = $1", a.ToHerID).Scan(&out.ClinicID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if out.ClinicID == "" && slices.Contains([]Verdict{Taken, Refused, Told}, a.Verdict) {
		out.Verdict, a.Codes = Rejected, []string{"E10"}
		a.Problems = []Problem{{Code: "E10", Path: "MsgHead/MsgInfo/Receiver", Rule: "no party of this installation has the receiver's HER-id"}}
	}
	if a.Verdict == Reported {
		many, err := s.tooManyReports(ctx, tx, a)
		if err != nil {
			return err
		}
		if many {
			return s.quarantine(ctx, tx, a, sum, out, "too-many-reports")
		}
	}
	key, patientID, err := s.judge(ctx, tx, &a, out)
	if err != nil {
		return err
	}
	if key.id == "" {
		if key, err = s.intakeKey(ctx, tx, out.ClinicID); err != nil {
			return err
		}
	}
	raw, err := key.Seal(a.Raw, "inbound_message.raw/"+out.ID)
	if err != nil {
		return err
	}
	content, err := key.seal("inbound_message.content", out.ID, storedContent{a.Content, a.Booking})
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `INSERT INTO inbound_message (id, clinic_id, transport_id, from_her_id, to_her_id, subject, correlation_id,
			error_queue, sha256, key_id, raw, content, process, function, msg_id, conversation, verdict, codes, problems, patient_id, dialogue_id, received_at, patient_index, written_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) ON CONFLICT DO NOTHING`,
		out.ID, nullable(out.ClinicID), a.TransportID, a.FromHerID, a.ToHerID, a.Subject, a.CorrelationID,
		a.ErrorQueue, sum, key.id, raw, content, a.ProcessCode, a.Function, nullable(a.MsgID), a.conversation(), out.Verdict,
		nonNil(a.Codes), nonNil(a.Problems), nullable(patientID), nullable(out.DialogueID), out.ReceivedAt,
		s.strangerIndex(out.ClinicID, a, patientID), a.writtenAt(out.ReceivedAt))
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errAgain
	}
	if err := s.storeAttachments(ctx, tx, key, out.ID, a.Attachments); err != nil {
		return err
	}
	if out.NewDialogue && out.Process == contract.ProcessPrescription {
		if err := s.storeItems(ctx, tx, key, out.ClinicID, out.DialogueID, a); err != nil {
			return err
		}
	}
	if out.Verdict == Told {
		if err := s.activityReported(ctx, tx, out.ClinicID, a); err != nil {
			return err
		}
	}
	out.Receipt = a.WantsReceipt && slices.Contains([]Verdict{Taken, Refused, Told, Rejected}, out.Verdict)
	return s.intend(ctx, tx, a, out)
}

// writtenAt is when the message was written, never after it was received.
func (a Arrival) writtenAt(receivedAt time.Time) *time.Time {
	switch {
	case a.WrittenAt.IsZero():
		return nil
	case a.WrittenAt.After(receivedAt):
		return &receivedAt
	}
	return &a.WrittenAt
}

// strangerIndex is the blind index of a patient who was read in a message that is
// not filed under him: by it an erasure finds the message.
func (s *Store) strangerIndex(clinicID string, a Arrival, patientID string) []byte {
	if a.Patient == nil || clinicID == "" || patientID != "" {
		return nil
	}
	return s.vault.BlindIndex(nationalIDIndex, clinicID, a.Patient.NationalID)
}

// judge finds patient and dialogue of a message that a lifecycle may take, the
// delivery that a receipt closes, and the key that seals the message.
func (s *Store) judge(ctx context.Context, tx pgx.Tx, a *Arrival, out *Arrived) (key sealingKey, patientID string, err error) {
	if a.Settles != nil {
		return key, "", s.settle(ctx, tx, *a, out)
	}
	if (out.Verdict != Taken && out.Verdict != Refused) || a.Patient == nil {
		return key, "", nil
	}
	var blocked bool
	if patientID, blocked, key, err = s.patient(ctx, tx, out.ClinicID, *a.Patient); err != nil {
		return key, "", err
	}
	if out.Verdict == Refused {
		return key, patientID, nil
	}
	if a.refusal, err = s.closedTo(ctx, tx, a.ToHerID, a.ProcessCode); err != nil {
		return key, "", err
	}
	switch {
	case blocked:
		out.Verdict, a.Codes = Refused, []string{contract.AnswerNoAccess}
		a.refusal = "" // the code says it
	case a.refusal != "" && a.asks(): // what asks for nothing is not refused either
		out.Verdict, a.Codes = Refused, []string{contract.AnswerRefused}
	case a.Process == contract.ProcessAppointment:
		err = s.threadAppointment(ctx, tx, *a, out, key, patientID)
	default:
		// Who writes there is active there; he is locked before his dialogue.
		if a.asks() {
			err = s.seenActive(ctx, tx, patientID, a.Content.Actor == "")
		}
		if err == nil {
			err = s.thread(ctx, tx, *a, out, key, patientID)
		}
	}
	return key, patientID, err
}

// thread finds the message's dialogue, or opens one: by conversation, then by
// parent, and only for the same patient. A missing parent is no ground to refuse. The
// conversation in which an e-contact began leads to the dialogue when it has become an
// e-consultation, too (F14).
func (s *Store) thread(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived, key sealingKey, patientID string) error {
	// Two messages of one conversation that arrive at once must meet in one dialogue.
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))", out.ClinicID, a.conversation()); err != nil {
		return err
	}
	// Locked: a conversion that is under way counts.
	var latest time.Time
	err := tx.QueryRow(ctx, `SELECT d.id, d.process, d.latest_at FROM dialogue d
		WHERE d.clinic_id = $1 AND d.patient_id = $4 AND (d.process = $5 OR d.converted_at IS NOT NULL AND $5 = 'e-contact') AND d.id IN (
			SELECT dialogue_id FROM conversation WHERE clinic_id = $1 AND msg_id = $2
			UNION SELECT dialogue_id FROM inbound_message WHERE clinic_id = $1 AND msg_id = $3
			UNION SELECT dialogue_id FROM outbound_message WHERE clinic_id = $1 AND msg_id = $3)
		ORDER BY EXISTS (SELECT FROM conversation c WHERE c.clinic_id = $1 AND c.msg_id = $2 AND c.dialogue_id = d.id) DESC, d.created_at
		LIMIT 1 FOR NO KEY UPDATE OF d`,
		out.ClinicID, a.conversation(), nullable(a.RefToParent), patientID, a.Process).Scan(&out.DialogueID, &out.Process, &latest)
	if err == nil {
		out.follow(latest)
		if err := s.joinDialogue(ctx, tx, a, out); err != nil {
			return err
		}
		return s.mapConversation(ctx, tx, a, out)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return s.openDialogue(ctx, tx, a, out, key, patientID)
}

// follow dates what joins a dialogue after what is in it, though the clock of another
// machine, or a wait for the dialogue, says otherwise: whether it is answered is told by it.
func (m *Arrived) follow(latest time.Time) {
	if !m.ReceivedAt.After(latest) {
		m.ReceivedAt = latest.UTC().Add(time.Microsecond)
	}
}

// asks tells whether the message asks for something.
func (a Arrival) asks() bool { return a.Function != contract.FunctionUnread }

// joinDialogue adds the message to its dialogue. Who writes opens it again and has read
// what was sent; where he was asked whether he wants an e-consultation, this is his word: in
// the conversation of the question, or written once Helsenorge had it.
func (s *Store) joinDialogue(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived) error {
	if !a.asks() {
		_, err := tx.Exec(ctx, "UPDATE dialogue SET unread_at = $2 WHERE id = $1", out.DialogueID, out.ReceivedAt)
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE dialogue d SET closed_at = NULL, closed_by = '', unread_at = NULL,
			latest_message_id = CASE WHEN latest_message_id IS NULL OR latest_at <= $3 THEN $2 ELSE latest_message_id END,
			latest_at = greatest(latest_at, $3),
			billable_at = CASE WHEN fee_asked AND EXISTS (SELECT FROM outbound_message o WHERE o.id = d.fee_notice_id
					AND (o.conversation = $4 OR o.outcome = 'acknowledged' AND date_trunc('second', o.sent_at) <= $5))
				THEN coalesce(billable_at, $3) ELSE billable_at END
		WHERE id = $1`, out.DialogueID, out.ID, out.ReceivedAt, nullable(a.conversation()), cmp.Or(a.writtenAt(out.ReceivedAt), &out.ReceivedAt))
	return err
}

// openDialogue opens a dialogue with the message.
func (s *Store) openDialogue(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived, key sealingKey, patientID string) error {
	out.DialogueID, out.NewDialogue = newID(), true
	sealed, err := key.seal("dialogue.title", out.DialogueID, title.Inbound(string(a.Process), a.Content.Subject))
	if err != nil {
		return err
	}
	var latest *string
	if a.asks() {
		latest = &out.ID
	}
	if _, err := tx.Exec(ctx, `INSERT INTO dialogue (id, clinic_id, patient_id, process, title, key_id, latest_message_id, created_at, latest_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)`,
		out.DialogueID, out.ClinicID, patientID, a.Process, sealed, key.id, latest, out.ReceivedAt); err != nil {
		return err
	}
	return s.mapConversation(ctx, tx, a, out)
}

// mapConversation files the wire's conversation under the dialogue. The conversation
// of another patient keeps its own: nothing is filed under somebody else.
func (s *Store) mapConversation(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived) error {
	return s.openConversation(ctx, tx, out.ClinicID, out.DialogueID, a.conversation(), a.Process, out.ReceivedAt)
}

// openConversation files a conversation of the wire under a dialogue. It has one process
// for good, whatever the dialogue becomes.
func (s *Store) openConversation(ctx context.Context, tx pgx.Tx, clinicID, dialogueID, msgID string, p contract.Process, at time.Time) error {
	_, err := tx.Exec(ctx, "INSERT INTO conversation (clinic_id, msg_id, dialogue_id, process, opened_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
		clinicID, msgID, dialogueID, p, at)
	return err
}

// settle closes the delivery that a receipt or an error report is for. The first
// terminal word stands, but a late receipt may still correct "overdue" and
// "failed"; a contradiction goes to an operator (HITS 1168 §4.1).
func (s *Store) settle(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived) error {
	var d SettledDelivery
	var current *contract.Outcome
	var process *contract.Process
	var dialogueID *string
	var kind OutboundKind
	// The counterpart of the original message alone may settle it.
	const original = `FROM outbound_message o LEFT JOIN inbound_message i ON i.id = o.in_reply_to LEFT JOIN dialogue d ON d.id = o.dialogue_id
		WHERE o.kind IN ('answer', 'refusal', 'appointment') AND (o.msg_id = $1 OR o.transport_id = $2)
			AND coalesce(o.to_her_id, i.from_her_id) = $3 AND coalesce(o.from_her_id, i.to_her_id) = $4`
	args := []any{nullable(a.Settles.OriginalMsgID), nullable(a.Settles.OriginalTransportID), a.FromHerID, a.ToHerID}
	if slices.Contains(a.Settles.Codes, contract.CodeInactive) {
		// Before the message is locked: whoever decides about a patient locks him first.
		var patientID string
		err := tx.QueryRow(ctx, "SELECT d.patient_id "+original+" AND d.patient_id IS NOT NULL", args...).Scan(&patientID)
		if err == nil {
			err = s.seenInactive(ctx, tx, patientID)
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	// And whoever changes a dialogue locks it before its messages.
	if _, err := tx.Exec(ctx, "SELECT FROM dialogue WHERE process IN ('e-contact', 'e-consultation') AND id IN (SELECT o.dialogue_id "+original+") FOR NO KEY UPDATE", args...); err != nil {
		return err
	}
	var keyID string
	err := tx.QueryRow(ctx, "SELECT o.id, o.clinic_id, o.dialogue_id, d.process, o.outcome, o.kind, o.key_id "+original+" FOR UPDATE OF o", args...).
		Scan(&d.OutboundID, &d.ClinicID, &dialogueID, &process, &current, &kind, &keyID)
	if errors.Is(err, pgx.ErrNoRows) {
		out.Verdict = Noted
		return nil
	}
	if err != nil {
		return err
	}
	if dialogueID != nil {
		d.DialogueID, d.Process = *dialogueID, *process
	}
	d.Outcome, d.Codes = a.Settles.Outcome, a.Settles.Codes
	out.Settled = &d
	// "sent" is what a refusal says until its receipt is in; a message that was not to
	// leave any more and has a receipt had left before.
	provisional := []contract.Outcome{
		contract.OutcomeOverdue, contract.OutcomeFailed, contract.OutcomeSent, contract.OutcomeSuperseded, contract.OutcomeExpired, contract.OutcomeSuppressed,
	}
	if current != nil && !slices.Contains(provisional, *current) {
		if *current == d.Outcome {
			return nil
		}
		d.Outcome = *current // the lifecycle is told what stands
		return s.openCase(ctx, tx, d.ClinicID, d.DialogueID, d.OutboundID, contract.CaseContradiction, string(a.Settles.Outcome))
	}
	if err := s.closeOutbound(ctx, tx, d.OutboundID, d.Outcome, d.Codes); err != nil {
		return err
	}
	if err := s.keepTexts(ctx, tx, d.OutboundID, keyID, a.Settles.Texts); err != nil {
		return err
	}
	if d.Outcome == contract.OutcomeAcknowledged {
		if kind == KindAnswer && d.Process == contract.ProcessEConsultation && current != nil && *current == contract.OutcomeFailed {
			if err := s.journalLate(ctx, tx, d); err != nil {
				return err
			}
		}
		// One that was sent again had been on the error queue.
		if _, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $3 WHERE message_id = $1 AND kind = ANY ($2) AND resolved_at IS NULL",
			d.OutboundID, []contract.CaseKind{contract.CaseReceiptOverdue, contract.CaseNotSent, contract.CaseDeliveryRejected}, s.now()); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE dialogue SET billable_at = coalesce(billable_at, $2) WHERE fee_notice_id = $1 AND NOT fee_asked", d.OutboundID, s.now())
		return err
	}
	if kind == KindAppointment && slices.Contains(d.Codes, contract.CodeInactive) {
		return nil // not a failure: the clinic tells him itself from now on (F3)
	}
	reason := ""
	if len(d.Codes) > 0 {
		reason = d.Codes[0]
	}
	return s.notArrived(ctx, tx, d.ClinicID, d.DialogueID, d.OutboundID, contract.CaseDeliveryRejected, reason)
}

// journalLate journals a message of an e-consultation that was given up and had left
// nevertheless: its lifecycle has not, since nothing was sent (S50).
func (s *Store) journalLate(ctx context.Context, tx pgx.Tx, d SettledDelivery) error {
	if _, err := tx.Exec(ctx, "UPDATE ledger SET outcome = NULL, outcome_at = NULL, result = '{}' WHERE key = $1 AND outcome = $2",
		EffectJournal+"/"+d.OutboundID, contract.OutcomeSuperseded); err != nil {
		return err
	}
	_, err := s.journal(ctx, tx, d.DialogueID, d.OutboundID, contract.Outbound)
	if apperr.Is(err, apperr.Erased) {
		return nil // there is no journal left
	}
	return err
}

// keepTexts keeps a receipt's own words with the message that it is for, sealed: they
// are for staff, and may name the patient.
func (s *Store) keepTexts(ctx context.Context, tx pgx.Tx, outboundID, keyID string, texts []string) error {
	if !slices.ContainsFunc(texts, func(t string) bool { return t != "" }) {
		return nil
	}
	key, err := s.key(ctx, tx, keyID)
	if apperr.Is(err, apperr.Erased) {
		return nil // nobody is left whom they could be about
	}
	if err != nil {
		return err
	}
	sealed, err := key.seal("outbound_message.outcome_text", outboundID, texts)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE outbound_message SET outcome_text = $2 WHERE id = $1", outboundID, sealed)
	return err
}

// intend writes the ledger lines of everything that must follow from the message.
func (s *Store) intend(ctx context.Context, tx pgx.Tx, a Arrival, out *Arrived) error {
	line := func(effect string, why any) error {
		return s.ledgerLine(ctx, tx, effect+"/"+out.ID, out.ClinicID, effect, out.DialogueID, out.ID, why)
	}
	type reason struct {
		Verdict  Verdict           `json:"verdict"`
		Codes    []string          `json:"codes,omitempty"`
		Problems []Problem         `json:"problems,omitempty"`
		Closed   reachability.Gate `json:"closed,omitempty"`
	}
	why := reason{out.Verdict, a.Codes, a.Problems, a.refusal}
	if out.Receipt {
		if err := line(EffectReceipt, why); err != nil {
			return err
		}
	}
	switch out.Verdict {
	case Taken:
		if decidedByCalendar(a.Function) {
			return nil // its effect is the answer, whose line is written with the decision
		}
		read, err := s.readerOf(ctx, tx, out.ClinicID, out.DialogueID, a.ToHerID)
		if err != nil {
			return err
		}
		read.WishedHPR = a.Content.WishedHPR
		if err := line(EffectInbox, read); err != nil {
			return err
		}
		if out.Process == contract.ProcessEConsultation {
			return line(EffectJournal, nil)
		}
	case Refused:
		return line(EffectRefusal, why)
	case Reported:
		return line(EffectReport, why)
	case Rejected, Told, Settled, Noted, Quarantined: // nothing but the receipt, if that
	}
	return nil
}

// arrivedAgain reads the row that an earlier delivery made.
func (s *Store) arrivedAgain(ctx context.Context, tx pgx.Tx, a Arrival, sum []byte, out *Arrived) error {
	*out = Arrived{Again: true}
	var first []byte
	var clinicID, dialogueID, msgID *string
	var process *contract.Process
	var handedOver *time.Time
	err := tx.QueryRow(ctx, `SELECT m.id, m.clinic_id, m.verdict, d.process, m.function, m.msg_id, m.dialogue_id, m.received_at, m.handed_over_at, m.sha256,
			EXISTS (SELECT FROM ledger l WHERE l.key = 'receipt/' || m.id)
		FROM inbound_message m LEFT JOIN dialogue d ON d.id = m.dialogue_id
		WHERE m.from_her_id = $1 AND (m.transport_id = $2 OR (m.to_her_id = $3 AND m.msg_id = $4 AND m.verdict <> 'reported'))
		ORDER BY m.transport_id = $2 DESC LIMIT 1`,
		a.FromHerID, a.TransportID, a.ToHerID, nullable(a.MsgID)).
		Scan(&out.ID, &clinicID, &out.Verdict, &process, &out.Function, &msgID, &dialogueID, &out.ReceivedAt, &handedOver, &first, &out.Receipt)
	if err != nil {
		return err
	}
	out.ClinicID, out.DialogueID, out.MsgID = deref(clinicID), deref(dialogueID), deref(msgID)
	if process != nil {
		out.Process = *process
	}
	out.HandedOver = handedOver != nil
	if !bytes.Equal(first, sum) {
		return s.quarantine(ctx, tx, a, sum, out, "known-id-other-content")
	}
	if out.Verdict == Settled && !out.HandedOver {
		return s.settle(ctx, tx, a, out)
	}
	return nil
}

// HandedOver records that Temporal has accepted everything that follows from the
// message: from now on a redelivery changes nothing.
func (s *Store) HandedOver(ctx context.Context, messageID string) error {
	_, err := s.pool.Exec(ctx, "UPDATE inbound_message SET handed_over_at = coalesce(handed_over_at, $2) WHERE id = $1", messageID, s.now())
	return failure(err)
}

// conversation is the wire's conversation: the first message's MsgId.
func (a Arrival) conversation() string {
	if a.RefToConversation != "" {
		return a.RefToConversation
	}
	return a.MsgID
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nonNil makes a nil slice the empty one that a NOT NULL column wants.
func nonNil[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}
