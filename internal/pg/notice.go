package pg

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/publication"
	"github.com/helsebro/helsebro/internal/domain/representation"
)

// ActivityReading is what a fresh look at whether a patient is active on Helsenorge
// came to.
type ActivityReading struct {
	// At is when it was looked; zero when it was not.
	At time.Time
	// Self and Other: active himself, or through a representative.
	Self, Other bool
	// Failure is the class of error when there was no answer: the last known status
	// stands.
	Failure string
}

// ActivitySubject is the national id by which the activity of the appointment's
// patient is checked. An erased patient is apperr.Erased.
func (s *Store) ActivitySubject(ctx context.Context, clinicID, appointmentID string) (string, error) {
	var p Patient
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		a, err := s.appointment(ctx, tx, clinicID, appointmentID)
		if err != nil {
			return err
		}
		p, err = s.openPatient(ctx, tx, a.patientID)
		return err
	})
	return p.NationalID, err
}

// usable is a contact that may be used now, by channel.
type usable map[contract.Channel]Contact

func (u usable) channels(configured Channels) []notice.Channel {
	var reachable []notice.Channel
	for c := range u {
		if _, ok := configured[c]; ok {
			reachable = append(reachable, notice.Channel(c))
		}
	}
	slices.Sort(reachable)
	return reachable
}

// situation is everything that a notice depends on, read at once: nothing in it
// contradicts anything else (D15).
type situation struct {
	notice.Situation
	// Activity says where Active is from.
	Activity struct {
		Self    *bool         `json:"self,omitempty"`
		Other   *bool         `json:"other,omitempty"`
		At      time.Time     `json:"at,omitzero"`
		By      string        `json:"by,omitempty"`
		Age     time.Duration `json:"age,omitempty"`
		Failure string        `json:"failure,omitempty"`
	} `json:"activity"`
	Contacts   []contactJudged   `json:"contacts,omitempty"`
	Preference notice.Preference `json:"preference"`
	Erased     bool              `json:"erased,omitempty"`

	settings Settings
	usable   usable
	language string
	key      sealingKey
	place    string
}

// contactJudged is a contact without its address, and why it may not be used.
type contactJudged struct {
	ID       string           `json:"id"`
	Channel  contract.Channel `json:"channel"`
	Relation string           `json:"relation,omitempty"`
	Unusable string           `json:"unusable,omitempty"`
}

// contactGone: the provider says that the address does not exist any more.
const contactGone = "gone"

// situation reads the situation of a notice as it is now. configured are the channels
// that the installation has.
func (s *Store) situation(ctx context.Context, tx pgx.Tx, a standing, purpose contract.Purpose, revision int, configured Channels) (situation, error) {
	var v situation
	var err error
	if v.settings, err = s.settings(ctx, tx, a.clinicID); err != nil {
		return v, err
	}
	v.Situation = notice.Situation{
		Purpose: notice.Purpose(purpose), Revision: revision, CurrentRevision: a.revision, StartsAt: a.startsAt, Now: s.now(),
		Cancelled: !a.booked(), Hidden: a.hidden,
		Gates:   notice.Gates{Clinic: v.settings.Notify, Calendar: a.calendarGate, Type: a.typeGate},
		MinLead: time.Duration(v.settings.MinLeadMinutes) * time.Minute,
	}
	v.language, v.place, v.Erased = v.settings.Language, a.place, a.patientErased
	if a.patientErased {
		return v, nil
	}
	if err := s.readPatient(ctx, tx, a, &v); err != nil {
		return v, err
	}
	v.Reachable = v.usable.channels(configured)
	known, err := s.known(ctx, tx, a)
	if err != nil {
		return v, err
	}
	budget := time.Duration(v.settings.FallbackMinutes) * time.Minute
	if purpose == contract.PurposeReminder {
		v.WaitUntil = a.startsAt.Add(-24*time.Hour - budget)
	}
	if n := known.newest; n != nil && current(n.snapshot, a.snapshot()) {
		v.Publication = stateOf(*n)
		if purpose != contract.PurposeReminder {
			v.WaitUntil = v.settings.handOver(n.at, a.startsAt)
		}
	}
	return v, nil
}

// shortPatience is how long Helsenorge's word is waited for however near the start is:
// it comes in seconds where nothing is wrong.
const shortPatience = 5 * time.Minute

// handOver is until when Helsenorge's word on a message is waited for, before the clinic
// tells the patient itself (F3).
func (v Settings) handOver(told, startsAt time.Time) time.Time {
	patience := earlier(told.Add(time.Duration(v.FallbackMinutes)*time.Minute), startsAt.Add(-time.Duration(v.MinLeadMinutes)*time.Minute))
	return later(told.Add(shortPatience), patience)
}

// current tells whether a message says how the appointment stands now.
func current(told, now publication.Snapshot) bool {
	code, _ := publication.Code(&told, now)
	return code == "" && !now.Hidden
}

// stateOf is what became of a message.
func stateOf(m toldMessage) notice.Publication {
	switch {
	case m.outcome == "":
		return notice.AwaitingReceipt
	case m.outcome == contract.OutcomeAcknowledged:
		return notice.Accepted
	case m.outcome == contract.OutcomeRejected && slices.Contains(m.codes, contract.CodeInactive):
		return notice.Inactive
	case m.outcome == contract.OutcomeRejected, m.outcome == contract.OutcomeErrorQueue:
		return notice.Refused
	}
	return notice.Lost
}

// readPatient reads what the notice depends on of the patient: status, preference, and
// which of the contacts may be used at this instant (F2, D4, D14).
func (s *Store) readPatient(ctx context.Context, tx pgx.Tx, a standing, v *situation) error {
	var activeAt, deceased *time.Time
	var bornOn, identity []byte
	var err error
	if err := tx.QueryRow(ctx, `SELECT active_self, active_other, active_at, active_by, consents, protected, deceased_at, born_on, identity
		FROM patient WHERE id = $1`, a.patientID).Scan(&v.Activity.Self, &v.Activity.Other, &activeAt, &v.Activity.By, &v.Consent, &v.Protected,
		&deceased, &bornOn, &identity); err != nil {
		return err
	}
	v.Deceased = deceased != nil
	v.ActiveKnown = v.Activity.Self != nil || v.Activity.Other != nil
	v.Active = is(v.Activity.Self) || is(v.Activity.Other)
	if v.Activity.At = derefTime(activeAt); !v.Activity.At.IsZero() {
		v.Activity.Age = v.Now.Sub(v.Activity.At)
	}
	if v.key, err = s.key(ctx, tx, a.keyID); err != nil {
		return err
	}
	preference, err := s.preference(ctx, tx, a.patientID)
	if err != nil {
		return err
	}
	if preference.Language != "" {
		v.language = preference.Language
	}
	for _, c := range preference.Channels {
		v.Preference.Order = append(v.Preference.Order, notice.Channel(c))
	}
	for _, c := range preference.OptedOut {
		v.Preference.OptOut = append(v.Preference.OptOut, notice.Channel(c))
	}
	born, known, err := birthDate(v.key, a.patientID, bornOn, identity)
	if err != nil {
		return err
	}
	contacts, err := s.contacts(ctx, tx, card{a.clinicID, a.patientID, v.key})
	if err != nil {
		return err
	}
	represents, err := s.represents(ctx, tx, a.patientID, v.Now)
	if err != nil {
		return err
	}
	v.usable = usable{}
	// The patient's own before a representative's.
	slices.SortStableFunc(contacts, func(x, y Contact) int { return min(len(x.Relation), 1) - min(len(y.Relation), 1) })
	for _, c := range contacts {
		why := unusable(c, born, known, v.Now, v.Protected, represents)
		v.Contacts = append(v.Contacts, contactJudged{ID: c.ID, Channel: c.Channel, Relation: c.Relation, Unusable: why})
		if _, ok := v.usable[c.Channel]; why == "" && !ok {
			v.usable[c.Channel] = c
		}
	}
	return nil
}

// represents tells, by relation, whether one who has it still represents the patient; a
// relation that nobody is registered with is not in it.
func (s *Store) represents(ctx context.Context, tx pgx.Tx, patientID string, now time.Time) (map[string]bool, error) {
	rows, err := tx.Query(ctx, `SELECT r.relation, bool_or((r.until IS NULL OR r.until > $2) AND NOT p.protected)
		FROM representation r JOIN patient p ON p.id = r.representative_id WHERE r.patient_id = $1 GROUP BY r.relation`, patientID, now)
	if err != nil {
		return nil, err
	}
	live := map[string]bool{}
	var relation string
	var stands bool
	_, err = pgx.ForEachRow(rows, []any{&relation, &stands}, func() error {
		live[relation] = stands
		return nil
	})
	return live, err
}

// unusable says why a contact may not be used at the instant; "" when it may. A parent's
// stands on the child's card until the child is 16, or for as long as the patient has
// confirmed it since (D4); any other representative's only while he represents. Where
// nobody knows the date of birth, no representative's is used.
func unusable(c Contact, born time.Time, known bool, now time.Time, protected bool, represents map[string]bool) string {
	if !c.GoneAt.IsZero() {
		return contactGone
	}
	if c.Relation == "" {
		return ""
	}
	if !known {
		return birthUnknown
	}
	if stands, registered := represents[c.Relation]; registered && !stands {
		return notRepresented
	}
	card := representation.Contact{Owner: representation.Representative, Relation: representation.Relation(c.Relation), Verified: true, ConfirmedAt: c.ConfirmedAt}
	if card.Relation == representation.FO {
		card.Owner, card.FromParent = representation.Patient, true
	}
	_, why := representation.UsableContact(card, born, now, protected)
	return why
}

// DecideNotice decides who gives the patient a notice (S83-S90, F2, F3), on everything
// as it is in one transaction, and writes the notice with its line on the ledger. The
// first decision that is not pending stands, whatever is asked afterwards. configured
// are the channels that the installation has.
func (s *Store) DecideNotice(ctx context.Context, in contract.DecideNoticeInput, reading ActivityReading, configured Channels) (contract.DecideNoticeOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.DecideNoticeOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.DecideNoticeOutput{}
		a, err := s.lockAppointment(ctx, tx, in.ClinicID, in.AppointmentID)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, "SELECT id, owner, reason FROM notice WHERE appointment_id = $1 AND purpose = $2 AND revision = $3 FOR UPDATE",
			a.id, in.Purpose, in.Revision).Scan(&out.NoticeID, &out.Owner, &out.Reason)
		if err == nil && out.Owner != contract.OwnerPending {
			return nil
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if out.NoticeID == "" {
			out.NoticeID = newID()
		}
		if !reading.At.IsZero() && reading.Failure == "" {
			if _, err := tx.Exec(ctx, `UPDATE patient SET active_self = $2, active_other = $3, active_at = $4, active_by = $5
				WHERE id = $1 AND erased_at IS NULL AND (active_at IS NULL OR active_at <= $4)`,
				a.patientID, reading.Self, reading.Other, reading.At, ActivityCheck); err != nil {
				return err
			}
		}
		v, err := s.situation(ctx, tx, a, in.Purpose, in.Revision, configured)
		if err != nil {
			return err
		}
		v.Activity.Failure = reading.Failure
		if in.Purpose != contract.PurposeReminder && !v.WaitUntil.IsZero() && (!v.Gates.Open() || len(v.Reachable) == 0) {
			v.WaitUntil = a.startsAt // nobody else can tell him
		}
		d := notice.Decide(v.Situation)
		if v.Erased {
			d = notice.Decision{Owner: notice.Nobody, Reason: ruleErased}
		}
		out.Owner, out.Reason, out.Until, out.CaseOpened = contract.Owner(d.Owner), d.Reason, d.Until, d.Case
		return s.writeNotice(ctx, tx, a, in, v, out)
	})
	return out, err
}

// writeNotice writes a decided notice, and what it was decided on.
func (s *Store) writeNotice(ctx context.Context, tx pgx.Tx, a standing, in contract.DecideNoticeInput, v situation, out contract.DecideNoticeOutput) error {
	if err := s.keepNotice(ctx, tx, a, in, out); err != nil {
		return err
	}
	if in.Purpose == contract.PurposeReminder && out.Owner != contract.OwnerPending && in.Revision == a.revision {
		if _, err := tx.Exec(ctx, "UPDATE appointment SET remind_at = NULL WHERE id = $1", a.id); err != nil {
			return err
		}
	}
	return s.decide(ctx, tx, "", decision{a.id, in.Revision, string(in.Purpose), string(out.Owner), out.Reason, v}, nil)
}

// keepNotice writes a notice's row, its line on the ledger and the case about it.
func (s *Store) keepNotice(ctx context.Context, tx pgx.Tx, a standing, in contract.DecideNoticeInput, out contract.DecideNoticeOutput) error {
	latest := a.startsAt
	if in.Purpose == contract.PurposeReminder {
		latest = a.startsAt.Add(-24 * time.Hour)
	}
	outcome := outcomeOf(out.Owner, out.Reason)
	if _, err := tx.Exec(ctx, `INSERT INTO notice (id, clinic_id, appointment_id, patient_id, purpose, revision, owner, reason, decided_at, latest_at, outcome, outcome_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET owner = $7, reason = $8, decided_at = $9, latest_at = $10, outcome = $11, outcome_at = $12`,
		out.NoticeID, a.clinicID, a.id, a.patientID, in.Purpose, in.Revision, out.Owner, out.Reason, s.now(), nullableTime(latest),
		nullable(string(outcome)), s.outcomeAt(outcome)); err != nil {
		return err
	}
	key := EffectNotice + "/" + out.NoticeID
	if err := s.ledgerLine(ctx, tx, key, a.clinicID, EffectNotice, a.id, out.NoticeID,
		map[string]any{"purpose": in.Purpose, "revision": in.Revision}); err != nil {
		return err
	}
	if outcome != "" {
		if err := s.ledgerOutcome(ctx, tx, key, outcome, map[string]any{"owner": out.Owner, "reason": out.Reason}); err != nil {
			return err
		}
	}
	if out.CaseOpened {
		return s.openCase(ctx, tx, a.clinicID, a.id, out.NoticeID, caseOf(out.Reason), out.Reason)
	}
	return nil
}

// outcomeAt is the instant of an outcome, null for none.
func (s *Store) outcomeAt(o contract.Outcome) *time.Time {
	if o == "" {
		return nil
	}
	now := s.now()
	return &now
}

// outcomeOf is the terminal outcome that a decision is, "" where the notice is still to
// be given or decided.
func outcomeOf(owner contract.Owner, reason string) contract.Outcome {
	switch {
	case owner == contract.OwnerHelsenorge:
		return contract.OutcomeDelegated
	case owner != contract.OwnerNobody:
		return ""
	case reason == notice.ReasonSuperseded:
		return contract.OutcomeSuperseded
	case reason == notice.ReasonExpired:
		return contract.OutcomeExpired
	}
	return contract.OutcomeSuppressed
}

// caseOf is what an operator is asked to look at for the reason.
func caseOf(reason string) contract.CaseKind {
	switch reason {
	case notice.ReasonExpired, notice.DoneLatestPast:
		return contract.CaseNoticeExpired
	case notice.ReasonNoContact, notice.ReasonProtected:
		return contract.CaseNoContact
	}
	return contract.CaseNoticeFailed
}

// untold is the condition on an open notice n that no provider may have it: of any
// other, NextHop knows what became of it.
const untold = `n.outcome IS NULL AND NOT EXISTS (SELECT FROM notice_attempt t WHERE t.notice_id = n.id AND t.state NOT IN ('failed', 'withheld'))`

// supersede ends the notices about older revisions that are still to be decided or
// given (F5).
func (s *Store) supersede(ctx context.Context, tx pgx.Tx, appointmentID string) error {
	return s.endNotices(ctx, tx, contract.OutcomeSuperseded, notice.ReasonSuperseded, "n.appointment_id = $1 AND "+untold, appointmentID)
}

// endNotices writes one outcome for the notices n that the condition on $1 names, and
// for their lines. What was still to be decided is nobody's now.
func (s *Store) endNotices(ctx context.Context, tx pgx.Tx, outcome contract.Outcome, reason, which, id string) error {
	rows, err := tx.Query(ctx, `UPDATE notice n SET owner = CASE WHEN owner = 'pending' THEN 'nobody' ELSE owner END, reason = $2, outcome = $3, outcome_at = $4
		WHERE `+which+` RETURNING n.id, n.owner`, id, reason, outcome, s.now())
	if err != nil {
		return err
	}
	type ended struct {
		ID    string
		Owner contract.Owner
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ended])
	if err != nil {
		return err
	}
	for _, n := range all {
		if err := s.ledgerOutcome(ctx, tx, EffectNotice+"/"+n.ID, outcome, map[string]any{"owner": n.Owner, "reason": reason}); err != nil {
			return err
		}
	}
	return nil
}

// pendingNotices lists what is still to be decided about the current revision, or to be
// given: what was asked for and left open, the planned reminder, and what no open delivery will bring.
func (s *Store) pendingNotices(ctx context.Context, tx pgx.Tx, a standing, deliveries []contract.Delivery) ([]contract.PendingNotice, error) {
	// What is the clinic's to give and has no end may never have been started: to start
	// it again is harmless.
	rows, err := tx.Query(ctx, `SELECT purpose, owner = 'pending' OR owner = 'clinic' AND outcome IS NULL FROM notice
		WHERE appointment_id = $1 AND revision = $2`, a.id, a.revision)
	if err != nil {
		return nil, err
	}
	var list []contract.PendingNotice
	known := map[contract.Purpose]bool{}
	var purpose contract.Purpose
	var open bool
	if _, err := pgx.ForEachRow(rows, []any{&purpose, &open}, func() error {
		known[purpose] = true
		if open {
			list = append(list, contract.PendingNotice{Purpose: purpose, Revision: a.revision, At: s.now(), Asked: true})
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if !a.remindAt.IsZero() && a.planned == a.revision && !known[contract.PurposeReminder] {
		list = append(list, contract.PendingNotice{Purpose: contract.PurposeReminder, Revision: a.revision, At: a.remindAt})
	}
	var publication contract.PublishOutput
	if _, err := s.decidedBefore(ctx, tx, publicationKey(a.id, a.revision), &publication); err != nil {
		return nil, err
	}
	for _, d := range deliveries {
		if d.OutboundID == publication.OutboundID && d.Purpose != "" && !known[d.Purpose] {
			list = append(list, contract.PendingNotice{Purpose: d.Purpose, Revision: a.revision, At: publication.HandOverAt, Asked: true})
		}
		known[d.Purpose] = known[d.Purpose] || d.Revision == a.revision
	}
	told := []contract.Purpose{publication.Purpose}
	rows, err = tx.Query(ctx, `SELECT p.code FROM publication p JOIN outbound_message o ON o.id = p.outbound_id AND o.kind = 'answer'
		WHERE p.appointment_id = $1 AND p.revision = $2`, a.id, a.revision)
	if err != nil {
		return nil, err
	}
	codes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, code := range codes {
		told = append(told, contract.PurposeOf(code))
	}
	for _, p := range told {
		if p != "" && !known[p] {
			known[p] = true
			list = append(list, contract.PendingNotice{Purpose: p, Revision: a.revision, At: s.now()})
		}
	}
	return list, nil
}
