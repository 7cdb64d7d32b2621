package pg

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/publication"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Rules of a publication, beside those of domain/publication.
const (
	// ruleMoved: another appointment takes its place, and tells of both.
	ruleMoved = "moved"
	// ruleNotActive: the patient is not on Helsenorge, or does not want to be told there.
	ruleNotActive = "not-active"
	// ruleNotOffered: no party of the calendar's owner takes part in a process that
	// tells of appointments (S12), or the counterpart is not configured.
	ruleNotOffered = "not-offered"
	// ruleSuperseded: a later revision tells it.
	ruleSuperseded = "superseded"
	// ruleErased: nobody is left to be told.
	ruleErased = "erased"
)

// Publish decides which one message tells Helsenorge of the appointment as it stands
// (HITS 1217 §3.4.1), and stores it with its ledger line: the lifecycle sends it. It is
// idempotent by appointment and revision. counterpart is Helsenorge's HER-id; 0 tells nobody there.
//
// One change is told once: an appointment that was cancelled while another of the same
// patient and practitioner was made within the grace, neither told, was moved. The new
// one then inherits what Helsenorge and the patient know of the old one, and says that
// it is changed (07) with the old one in related-to; the old one says nothing. The two
// may come in either order, and a change may name the one that it replaces.
func (s *Store) Publish(ctx context.Context, in contract.PublishInput, counterpart int) (contract.PublishOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.PublishOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.PublishOutput{}
		a, err := s.lockAppointment(ctx, tx, in.ClinicID, in.AppointmentID)
		if err != nil {
			return err
		}
		key := publicationKey(a.id, in.Revision)
		again, err := s.decidedBefore(ctx, tx, key, &out)
		if err != nil || again {
			return err
		}
		if in.Revision != a.revision {
			out.Rule = ruleSuperseded
			return s.decide(ctx, tx, key, decision{a.id, in.Revision, contract.AboutPublication, "", out.Rule, nil}, out)
		}
		inputs, err := s.publish(ctx, tx, &a, counterpart, &out)
		if err != nil {
			return err
		}
		a.told, a.tellAt, a.unsettled = a.revision, time.Time{}, time.Time{}
		if _, err := tx.Exec(ctx, "UPDATE appointment SET told = revision, tell_at = NULL, unsettled_since = NULL WHERE id = $1", a.id); err != nil {
			return err
		}
		return s.decide(ctx, tx, key, decision{a.id, a.revision, contract.AboutPublication, out.Code, out.Rule, inputs}, out)
	})
	return out, err
}

func publicationKey(appointmentID string, revision int) string {
	return "publication/" + appointmentID + "/" + strconv.Itoa(revision)
}

// publicationInputs is what a publication was decided on.
type publicationInputs struct {
	Now       publication.Snapshot  `json:"now"`
	Published *publication.Snapshot `json:"published,omitempty"`
	Told      *publication.Snapshot `json:"told,omitempty"`
	Active    *bool                 `json:"active,omitempty"`
	Consents  bool                  `json:"consents"`
	MovedFrom string                `json:"movedFrom,omitempty"`
	MovedTo   string                `json:"movedTo,omitempty"`
	FromHerID int                   `json:"fromHerId,omitempty"`
	Process   string                `json:"process,omitempty"`
}

func (s *Store) publish(ctx context.Context, tx pgx.Tx, a *standing, counterpart int, out *contract.PublishOutput) (publicationInputs, error) {
	in := publicationInputs{Now: a.snapshot()}
	if a.patientErased {
		out.Rule = ruleErased
		return in, nil
	}
	var self, other *bool
	var deceased bool
	if err := tx.QueryRow(ctx, "SELECT active_self, active_other, consents, deceased_at IS NOT NULL FROM patient WHERE id = $1", a.patientID).
		Scan(&self, &other, &in.Consents, &deceased); err != nil {
		return in, err
	}
	if err := s.pair(ctx, tx, a); err != nil {
		return in, err
	}
	in.MovedFrom, in.MovedTo = a.movedFrom, a.movedTo
	if a.movedTo != "" {
		out.Rule = ruleMoved
		return in, nil
	}
	known, err := s.known(ctx, tx, *a)
	if err != nil {
		return in, err
	}
	in.Published, in.Told = known.published, known.told
	code, why := publication.Code(known.published, in.Now)
	if code == "" && a.status == contract.StatusCancelled && !a.hidden && known.published == nil && known.perhaps != nil {
		// It may have left without our knowing: better cancelled once too often.
		code, why = publication.Code(known.perhaps, in.Now)
	}
	toldCode, _ := publication.Code(known.told, in.Now)
	out.Purpose, out.Rule = contract.PurposeOf(toldCode), why
	if deceased {
		out.Rule = notice.ReasonDeceased // Helsenorge would tell the family (D14)
		return in, nil
	}
	if code == "" {
		return in, nil
	}
	if self != nil || other != nil {
		active := self != nil && *self || other != nil && *other
		in.Active = &active
	}
	if !in.Consents || in.Active != nil && !*in.Active {
		out.Rule = ruleNotActive
		return in, nil
	}
	err = tx.QueryRow(ctx, `SELECT her_id, process FROM offering
		WHERE staff_id = $1 AND clinic_id = $2 AND process = ANY ($3) ORDER BY process = $4 DESC, her_id LIMIT 1`,
		nullable(a.ownerID), a.clinicID, []string{codes.Timereservasjon, codes.Avtaleutsending}, codes.Timereservasjon).Scan(&in.FromHerID, &in.Process)
	if errors.Is(err, pgx.ErrNoRows) || counterpart == 0 {
		out.Rule = ruleNotOffered
		return in, nil
	}
	if err != nil {
		return in, err
	}
	settings, err := s.settings(ctx, tx, a.clinicID)
	if err != nil {
		return in, err
	}
	out.Code, out.OutboundID = code, newID()
	if out.Purpose != "" {
		out.HandOverAt = settings.handOver(s.now(), a.startsAt)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO outbound_message (id, clinic_id, kind, dialogue_id, code, key_id, from_her_id, to_her_id, process, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		out.OutboundID, a.clinicID, KindAppointment, a.id, code, a.keyID, in.FromHerID, counterpart, in.Process, s.now()); err != nil {
		return in, err
	}
	if err := s.ledgerLine(ctx, tx, EffectPublication+"/"+out.OutboundID, a.clinicID, EffectPublication, a.id, out.OutboundID,
		map[string]any{"code": code, "rule": why, "revision": a.revision}); err != nil {
		return in, err
	}
	return in, s.published(ctx, tx, *a, out.OutboundID, code)
}

// published keeps what a message tells of the appointment.
func (s *Store) published(ctx context.Context, tx pgx.Tx, a standing, outboundID, code string) error {
	_, err := tx.Exec(ctx, `INSERT INTO publication (outbound_id, appointment_id, revision, code, snapshot, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		outboundID, a.id, a.revision, code, a.snapshot(), s.now())
	return err
}

// supersedeUnsent ends what has not left for Helsenorge yet, and answers nothing: a
// later message says it all (D11).
func (s *Store) supersedeUnsent(ctx context.Context, tx pgx.Tx, appointmentID string) error {
	rows, err := tx.Query(ctx, `UPDATE outbound_message SET outcome = $2, outcome_at = $3
		WHERE dialogue_id = $1 AND kind = 'appointment' AND sent_at IS NULL AND outcome IS NULL RETURNING id`,
		appointmentID, contract.OutcomeSuperseded, s.now())
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.ledgerOutcome(ctx, tx, EffectPublication+"/"+id, contract.OutcomeSuperseded, nil); err != nil {
			return err
		}
	}
	return nil
}

// useless says with which outcome a message that has not left never does: the start has
// come since it was decided, the patient does not want to be told there any more or has
// died, or the integration is not active any more. "" is for what may leave.
func (s *Store) useless(ctx context.Context, tx pgx.Tx, outboundID string) (contract.Outcome, error) {
	var late, unwanted bool
	err := tx.QueryRow(ctx, `SELECT (p.snapshot ->> 'starts_at')::timestamptz BETWEEN p.at AND $3,
			NOT c.consents OR c.deceased_at IS NOT NULL OR NOT EXISTS (SELECT FROM offering f WHERE f.her_id = o.from_her_id AND f.process = o.process)
		FROM publication p JOIN outbound_message o ON o.id = p.outbound_id JOIN appointment a ON a.id = p.appointment_id JOIN patient c ON c.id = a.patient_id
		WHERE p.outbound_id = $1 AND o.kind = $2 AND o.sent_at IS NULL`, outboundID, KindAppointment, s.now()).Scan(&late, &unwanted)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", nil
	case late:
		return contract.OutcomeExpired, nil
	case unwanted:
		return contract.OutcomeSuppressed, nil
	}
	return "", err
}

// pair links the two halves of a move that was done as cancel and new.
func (s *Store) pair(ctx context.Context, tx pgx.Tx, a *standing) error {
	other, err := s.otherHalf(ctx, tx, *a)
	if err != nil || other == "" {
		return err
	}
	if a.status == contract.StatusCancelled {
		a.movedTo = other
		return s.link(ctx, tx, a.clinicID, a.id, other)
	}
	a.movedFrom = other
	return s.link(ctx, tx, a.clinicID, other, a.id)
}

// otherHalf finds the other half of a move that was done as cancel and new; "" for none.
func (s *Store) otherHalf(ctx context.Context, tx pgx.Tx, a standing) (other string, err error) {
	settings, err := s.settings(ctx, tx, a.clinicID)
	if err != nil || a.hidden || a.ownerID == "" {
		return "", err
	}
	grace := time.Duration(settings.GraceMinutes) * time.Minute
	switch {
	case a.status == contract.StatusCancelled && a.movedTo == "" && a.told > 0:
		err = tx.QueryRow(ctx, `SELECT b.id FROM appointment b JOIN calendar c ON c.id = b.calendar_id JOIN appointment_type t ON t.id = b.type_id
			WHERE b.patient_id = $1 AND b.clinic_id = $2 AND c.owner_id = $3 AND NOT t.hidden AND b.status = 'booked' AND b.told = 0 AND b.moved_from IS NULL
				AND b.unsettled_since BETWEEN $4 AND $5 ORDER BY b.unsettled_since, b.id LIMIT 1`,
			a.patientID, a.clinicID, a.ownerID, a.changedAt.Add(-grace), a.changedAt.Add(grace)).Scan(&other)
	case a.status == contract.StatusBooked && a.movedFrom == "" && a.told == 0:
		err = tx.QueryRow(ctx, `SELECT b.id FROM appointment b JOIN calendar c ON c.id = b.calendar_id JOIN appointment_type t ON t.id = b.type_id
			WHERE b.patient_id = $1 AND b.clinic_id = $2 AND c.owner_id = $3 AND NOT t.hidden AND b.status = 'cancelled' AND b.told > 0 AND b.told < b.revision
				AND b.moved_to IS NULL AND b.changed_at BETWEEN $4 AND $5 ORDER BY b.changed_at, b.id LIMIT 1`,
			a.patientID, a.clinicID, a.ownerID, a.unsettled.Add(-grace), a.unsettled.Add(grace)).Scan(&other)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return other, err
}

// link makes the second take the place of the first: whoever names the first on the
// wire from now on means the second, and what has not left of the first never does.
func (s *Store) link(ctx context.Context, tx pgx.Tx, clinicID, first, second string) error {
	if err := s.supersedeUnsent(ctx, tx, first); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE appointment SET moved_to = $2 WHERE id = $1", first, second); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE appointment SET moved_from = $2 WHERE id = $1", second, first); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO appointment_identifier (clinic_id, identifier, appointment_id)
		SELECT $1, identifier, $3 FROM appointment_identifier WHERE clinic_id = $1 AND appointment_id = $2 ON CONFLICT DO NOTHING`, clinicID, first, second)
	return err
}

// toldMessage is a message about an appointment, and what became of it.
type toldMessage struct {
	id, code   string
	kind       OutboundKind
	revision   int
	snapshot   publication.Snapshot
	at         time.Time
	prepared   bool
	sentAt     time.Time
	receiptDue time.Time
	outcome    contract.Outcome // "" while open
	outcomeAt  time.Time
	codes      []string
}

// counts tells whether Helsenorge has the message, or will: an answer cannot be
// stopped, and what has left is there until it is refused.
func (m toldMessage) counts() bool {
	if m.outcome == "" {
		return m.kind == KindAnswer || !m.sentAt.IsZero()
	}
	return slices.Contains([]contract.Outcome{contract.OutcomeAcknowledged, contract.OutcomeOverdue, contract.OutcomeSent}, m.outcome)
}

// perhaps tells whether it may have left without our knowing.
func (m toldMessage) perhaps() bool { return m.prepared && m.outcome == contract.OutcomeSuperseded }

// messages lists what Helsenorge was told of an appointment, newest first.
func (s *Store) messages(ctx context.Context, tx pgx.Tx, appointmentID string) ([]toldMessage, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, p.code, o.kind, p.revision, p.snapshot, p.at, o.prepared_at IS NOT NULL, o.sent_at, o.receipt_due,
			coalesce(o.outcome, ''), o.outcome_at, o.outcome_codes
		FROM publication p JOIN outbound_message o ON o.id = p.outbound_id WHERE p.appointment_id = $1 ORDER BY p.revision DESC, p.at DESC, o.id DESC`, appointmentID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (toldMessage, error) {
		var m toldMessage
		var sent, due, outcomeAt *time.Time
		err := row.Scan(&m.id, &m.code, &m.kind, &m.revision, &m.snapshot, &m.at, &m.prepared, &sent, &due, &m.outcome, &outcomeAt, &m.codes)
		m.at, m.sentAt, m.receiptDue, m.outcomeAt = m.at.UTC(), derefTime(sent), derefTime(due), derefTime(outcomeAt)
		return m, err
	})
}

// knowledge is what the other side knows of an appointment. An appointment that takes
// another's place inherits it.
type knowledge struct {
	// published is what Helsenorge shows, nil for nothing; perhaps is what it may show.
	published, perhaps *publication.Snapshot
	// told is what the patient was told last, by whomever, and when; nil for nothing.
	told   *publication.Snapshot
	toldAt time.Time
	// newest is the newest message that was not superseded.
	newest *toldMessage
}

func (s *Store) known(ctx context.Context, tx pgx.Tx, a standing) (knowledge, error) {
	var k knowledge
	for id := a.id; id != ""; {
		messages, err := s.messages(ctx, tx, id)
		if err != nil {
			return k, err
		}
		first := func(fits func(toldMessage) bool) *toldMessage {
			if i := slices.IndexFunc(messages, fits); i >= 0 {
				return &messages[i]
			}
			return nil
		}
		told, err := s.toldByClinic(ctx, tx, id)
		if err != nil {
			return k, err
		}
		m := first(toldMessage.counts)
		hiddenSince := func(revision int) (hidden bool, err error) {
			err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM appointment_revision WHERE appointment_id = $1 AND revision > $2 AND hidden)", id, revision).Scan(&hidden)
			return hidden, err
		}
		if k.published == nil && m != nil {
			snapshot := m.snapshot
			if snapshot.Hidden, err = hiddenSince(m.revision); err != nil {
				return k, err
			}
			k.published = &snapshot
		}
		if p := first(toldMessage.perhaps); k.perhaps == nil && p != nil {
			k.perhaps = &p.snapshot
		}
		if n := first(func(m toldMessage) bool { return m.outcome != contract.OutcomeSuperseded }); k.newest == nil && n != nil {
			k.newest = n
		}
		if k.told == nil && (told != nil || m != nil) {
			last := told
			if m != nil && (told == nil || m.revision >= told.revision) {
				last = m
			}
			snapshot := last.snapshot
			if snapshot.Hidden, err = hiddenSince(last.revision); err != nil {
				return k, err
			}
			k.told, k.toldAt = &snapshot, last.at
		}
		var before *string
		if err := tx.QueryRow(ctx, "SELECT moved_from FROM appointment WHERE id = $1", id).Scan(&before); err != nil {
			return k, err
		}
		id = deref(before)
	}
	return k, nil
}

// toldByClinic is the newest revision of which the clinic's own channels told.
func (s *Store) toldByClinic(ctx context.Context, tx pgx.Tx, appointmentID string) (*toldMessage, error) {
	var m toldMessage
	var starts, ends *time.Time
	var status contract.Status
	err := tx.QueryRow(ctx, `SELECT r.revision, r.status, r.starts_at, r.ends_at, r.place, coalesce(t.category, ''), n.decided_at FROM notice n
			JOIN appointment_revision r ON r.appointment_id = n.appointment_id AND r.revision = n.revision LEFT JOIN appointment_type t ON t.id = r.type_id
		WHERE n.appointment_id = $1 AND n.purpose <> $2 AND EXISTS (SELECT FROM notice_attempt x WHERE x.notice_id = n.id AND x.state = ANY ($3))
		ORDER BY r.revision DESC LIMIT 1`, appointmentID, contract.PurposeReminder,
		mayHave).
		Scan(&m.revision, &status, &starts, &ends, &m.snapshot.Place, &m.snapshot.TypeCategory, &m.at)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // nothing was told, and that is no error
	}
	m.at, m.snapshot.StartsAt, m.snapshot.EndsAt = m.at.UTC(), derefTime(starts), derefTime(ends)
	m.snapshot.Cancelled, m.snapshot.NoShow = status == contract.StatusCancelled, status == contract.StatusMissed
	return &m, err
}

// appointmentJob is what a message about an appointment is built from: as it was when
// the message was decided. It is nil for a message that tells of none.
func (s *Store) appointmentJob(ctx context.Context, tx pgx.Tx, outboundID string) (*AppointmentJob, error) {
	var j AppointmentJob
	var snapshot publication.Snapshot
	var id, clinicID, code, patientID string
	var movedFrom, slotID, name, role, hpr *string
	var contact *int
	err := tx.QueryRow(ctx, `SELECT a.id, a.clinic_id, a.patient_id, p.code, p.snapshot, a.moved_from, a.slot_id, coalesce(t.summary, ''), s.name, s.role, s.hpr,
			(SELECT y.her_id FROM party y LEFT JOIN offering o ON o.her_id = y.her_id AND o.process = $2 WHERE y.staff_id = s.id AND y.clinic_id = a.clinic_id
				ORDER BY o.process IS NULL, y.her_id LIMIT 1)
		FROM publication p JOIN appointment a ON a.id = p.appointment_id
			JOIN appointment_revision r ON r.appointment_id = a.id AND r.revision = p.revision
			LEFT JOIN appointment_type t ON t.id = r.type_id LEFT JOIN calendar c ON c.id = r.calendar_id LEFT JOIN staff s ON s.id = c.owner_id
		WHERE p.outbound_id = $1`, outboundID, codes.Timereservasjon).
		Scan(&id, &clinicID, &patientID, &code, &snapshot, &movedFrom, &slotID, &j.Summary, &name, &role, &hpr, &contact)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // the message tells of no appointment
	}
	if err != nil {
		return nil, err
	}
	j.StartsAt, j.EndsAt, j.Place, j.Category, j.Cancelled = snapshot.StartsAt, snapshot.EndsAt, snapshot.Place, snapshot.TypeCategory, snapshot.Cancelled
	j.Practitioner = Author{Name: deref(name), Role: deref(role), HPR: deref(hpr)}
	if contact != nil {
		j.Contact = *contact
	}
	if j.UID, j.RelatedTo, err = s.names(ctx, tx, id, deref(movedFrom), outboundID, code); err != nil {
		return nil, err
	}
	j.Patient, err = s.openPatient(ctx, tx, patientID)
	return &j, err
}

// names is how a message identifies the appointment (§4.1, the newest rule): the uid is
// the appointment's own id, related-to the original that it was moved from, else the
// slot that a citizen reserved. What Helsenorge has under the original's id only is
// cancelled under that.
func (s *Store) names(ctx context.Context, tx pgx.Tx, id, movedFrom, outboundID, code string) (uid, relatedTo string, err error) {
	slotOf := func(id string) (slot string, err error) {
		err = tx.QueryRow(ctx, `SELECT i.identifier FROM appointment_identifier i JOIN appointment a ON a.id = i.appointment_id AND a.origin = $2
			WHERE i.appointment_id = $1 AND i.identifier <> i.appointment_id::text
				AND NOT EXISTS (SELECT FROM appointment other WHERE other.id::text = i.identifier) ORDER BY a.slot_id::text = i.identifier DESC, i.identifier LIMIT 1`,
			id, originHelsenorge).Scan(&slot)
		if errors.Is(err, pgx.ErrNoRows) {
			return "", nil
		}
		return slot, err
	}
	if movedFrom == "" {
		relatedTo, err = slotOf(id)
		return id, relatedTo, err
	}
	// The chain back to the original, and the newest in it that Helsenorge has.
	original, under := id, ""
	for next := id; next != ""; {
		original = next
		messages, err := s.messages(ctx, tx, original)
		if err != nil {
			return "", "", err
		}
		if under == "" && slices.ContainsFunc(messages, func(m toldMessage) bool { return m.id != outboundID && m.counts() }) {
			under = original
		}
		var before *string
		if err := tx.QueryRow(ctx, "SELECT moved_from FROM appointment WHERE id = $1", original).Scan(&before); err != nil {
			return "", "", err
		}
		next = deref(before)
	}
	switch {
	case code != contract.AppointmentCancelled || under == "":
		return id, original, nil
	case under == original:
		relatedTo, err = slotOf(original)
		return original, relatedTo, err
	}
	return under, original, nil
}

// openDeliveries lists the messages about the appointment that have no outcome.
func (s *Store) openDeliveries(ctx context.Context, tx pgx.Tx, a standing) ([]contract.Delivery, error) {
	rows, err := tx.Query(ctx, `SELECT o.id, o.code, o.sent_at, o.receipt_due, coalesce(p.revision, $2),
			coalesce(d.output ->> 'purpose', CASE WHEN p.outbound_id IS NOT NULL AND o.kind = 'answer' THEN o.code END, '')
		FROM outbound_message o LEFT JOIN publication p ON p.outbound_id = o.id
			LEFT JOIN decision d ON d.key = 'publication/' || p.appointment_id || '/' || p.revision AND d.output ->> 'outboundId' = o.id::text
		WHERE o.dialogue_id = $1 AND o.kind IN ('answer', 'appointment') AND o.outcome IS NULL ORDER BY o.created_at, o.id`, a.id, a.revision)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (contract.Delivery, error) {
		var d contract.Delivery
		var sent, due *time.Time
		var about string // the purpose that was decided; an answer tells what its code says
		err := row.Scan(&d.OutboundID, &d.Code, &sent, &due, &d.Revision, &about)
		d.SentAt, d.ReceiptDue, d.Purpose = derefTime(sent), derefTime(due), contract.PurposeOf(about)
		if d.Purpose == "" {
			d.Purpose = contract.Purpose(about)
		}
		return d, err
	})
}
