package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/vault"
)

// Reachability tells whether a dialogue may be sent to a patient (S25-S29), and what
// is known of him that decides it.
type Reachability struct {
	Reachable bool `json:"reachable"`
	// Reasons are the closed gates in their order; the first is what to see to first.
	Reasons []reachability.Gate `json:"reasons"`
	// Consents tells whether he agrees to be contacted on Helsenorge (S26).
	Consents bool `json:"consents"`
	// Active tells whether he can be reached there, Self himself and Other through a
	// representative; all are false when KnownAt is zero: it was never known.
	Active bool `json:"active"`
	Self   bool `json:"self"`
	Other  bool `json:"other"`
	// KnownAt is when that was so, AgeSeconds how long ago, and By how it is known: check,
	// message, refused or record-system.
	KnownAt    time.Time `json:"knownAt,omitzero"`
	AgeSeconds int64     `json:"ageSeconds"`
	By         string    `json:"by,omitempty"`
	// Stale is true when Helsenorge should be asked anew: what is known is older than
	// Settings.ActivityHours, or nothing is.
	Stale bool `json:"-"`
}

// onWire are the codes of 8279 of the processes that a clinic may write in.
var onWire = map[contract.Process]string{
	contract.ProcessEContact:      codes.EKontakt,
	contract.ProcessEConsultation: codes.EKonsultasjon,
	contract.ProcessPrescription:  codes.Reseptfornyelse,
}

// reachability judges the gates of a dialogue of the process with what is stored about
// the patient: it asks nobody, so that it may be called in every transaction. patientID
// is empty for an e-dialogue between colleagues, which has no gate (A7). A patient who
// is erased is apperr.Erased, one of another clinic apperr.NotFound.
func (s *Store) reachability(ctx context.Context, tx pgx.Tx, clinicID, patientID string, p contract.Process) (Reachability, error) {
	return s.gates(ctx, tx, clinicID, patientID, p, 0)
}

// reachableIn is reachability in a dialogue that exists: the party that the citizen wrote
// to in it may write to him, whoever his practitioner is now.
func (s *Store) reachableIn(ctx context.Context, tx pgx.Tx, d dialogueRow, p contract.Process) (Reachability, error) {
	ours, _, err := writtenTo(ctx, tx, d.id)
	if err != nil {
		return Reachability{}, err
	}
	return s.gates(ctx, tx, d.clinicID, d.patientID, p, ours)
}

// gates looks at every gate. ours is a party that may write to the patient beside those
// that offer the process to him, 0 for none.
func (s *Store) gates(ctx context.Context, tx pgx.Tx, clinicID, patientID string, p contract.Process, ours int) (Reachability, error) {
	r := Reachability{Reasons: []reachability.Gate{}}
	process, wire := onWire[p]
	inHouse := p == contract.ProcessEDialogue
	if !wire && !inHouse {
		return r, apperr.New(apperr.Invalid, "no dialogue of the kind %q is sent to a patient", p)
	}
	if inHouse && patientID == "" {
		r.Reachable = true
		return r, nil
	}
	f := reachability.Facts{InHouse: inHouse}
	var self, other *bool
	var knownAt *time.Time
	err := tx.QueryRow(ctx, `SELECT p.deceased_at IS NOT NULL, p.consents, p.active_self, p.active_other, p.active_at, p.active_by,
			coalesce(c.status, 'not-activated'),
			CASE WHEN EXISTS (SELECT FROM party y WHERE y.clinic_id = p.clinic_id AND y.staff_id = p.practitioner_id) THEN coalesce(g.status, 'not-activated') ELSE '' END
		FROM patient p LEFT JOIN integration c ON c.clinic_id = p.clinic_id AND c.staff_id IS NULL
			LEFT JOIN integration g ON g.clinic_id = p.clinic_id AND g.staff_id = p.practitioner_id
		WHERE p.id = $1 AND p.clinic_id = $2`, patientID, clinicID).
		Scan(&f.Deceased, &f.Consents, &self, &other, &knownAt, &r.By, &f.Clinic, &f.Practitioner)
	if err != nil {
		return r, notFound(err, "the clinic has no such patient")
	}
	patient, err := s.openPatient(ctx, tx, patientID)
	if err != nil {
		return r, err
	}
	f.Number = s.numberGate(patient.NationalID)
	if wire {
		if _, f.Offered, err = s.offeringParty(ctx, tx, clinicID, patientID, process); err != nil {
			return r, err
		}
		if !f.Offered {
			if f.Offered, err = offers(ctx, tx, clinicID, ours, process); err != nil {
				return r, err
			}
		}
	}
	r.Consents, r.Self, r.Other = f.Consents, is(self), is(other)
	if r.Active = r.Self || r.Other; knownAt != nil {
		r.KnownAt, f.Active = knownAt.UTC(), &r.Active
		r.AgeSeconds = int64(s.now().Sub(r.KnownAt) / time.Second)
	}
	r.Reasons = append(r.Reasons, reachability.Closed(f)...)
	r.Reachable = len(r.Reasons) == 0
	return r, nil
}

// numberGate is the gate that a national id closes, "" for a birth number or a D number
// (S25). A number of a test register counts where the installation takes them.
func (s *Store) numberGate(number string) reachability.Gate {
	if number == "" {
		return reachability.NumberMissing
	}
	id, err := nationalid.Parse(number, nationalid.Options{Synthetic: s.synthetic})
	switch {
	case err == nil && (id.Form == nationalid.FNR || id.Form == nationalid.DNR):
		return ""
	case err == nil:
		return reachability.HelpNumber
	}
	if _, err := nationalid.Parse(number, nationalid.Options{Synthetic: nationalid.AllMarks}); err == nil {
		return reachability.SyntheticNumber
	}
	return reachability.NumberInvalid
}

// offeringParty is the party of the clinic that offers the process (8279) to the
// patient now: his practitioner's own, else a service of the clinic. ok is false when
// there is none.
func (s *Store) offeringParty(ctx context.Context, q rower, clinicID, patientID, process string) (herID int, ok bool, err error) {
	err = q.QueryRow(ctx, `SELECT o.her_id FROM offering o JOIN patient p ON p.id = $2 AND p.clinic_id = o.clinic_id
		WHERE o.clinic_id = $1 AND o.process = $3 AND (o.staff_id IS NULL OR o.staff_id = coalesce(p.practitioner_id,
			(SELECT y.staff_id FROM dialogue d JOIN inbound_message m ON m.dialogue_id = d.id JOIN party y ON y.her_id = m.to_her_id AND y.clinic_id = p.clinic_id
				WHERE d.patient_id = p.id AND m.verdict = 'taken' ORDER BY m.received_at DESC, m.id DESC LIMIT 1)))
		ORDER BY o.staff_id IS NULL, o.her_id LIMIT 1`, clinicID, patientID, process).Scan(&herID)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return herID, err == nil, err
}

// offers tells whether the party of the clinic offers the process (8279) now.
func offers(ctx context.Context, q rower, clinicID string, herID int, process string) (ok bool, err error) {
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM offering WHERE clinic_id = $1 AND her_id = $2 AND process = $3)", clinicID, herID, process).Scan(&ok)
	return ok, err
}

// writtenTo is our party that the citizen last wrote to in the dialogue, and his
// counterpart; 0 where he has not written by Helsenorge.
func writtenTo(ctx context.Context, q rower, dialogueID string) (ours, theirs int, err error) {
	err = q.QueryRow(ctx, `SELECT m.to_her_id, m.from_her_id FROM inbound_message m
		WHERE m.dialogue_id = $1 AND m.verdict = 'taken' AND m.from_her_id > 0 ORDER BY m.received_at DESC, m.id DESC LIMIT 1`, dialogueID).Scan(&ours, &theirs)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, nil
	}
	return ours, theirs, err
}

// mayAnswer refuses an answer to a citizen's message while the integration of the clinic,
// or of the GP to whom he wrote, is not active: nothing is sent then. A service that is
// no longer offered is no reason: he asked while it was. What did not come from
// Helsenorge has no such gate, and an answer that is stored already is its lifecycle's to
// take.
func (s *Store) mayAnswer(ctx context.Context, tx pgx.Tx, answerID, inReplyTo string) error {
	var herID int
	var process string
	err := tx.QueryRow(ctx, `SELECT to_her_id, process FROM inbound_message
		WHERE id = $1 AND to_her_id > 0 AND NOT EXISTS (SELECT FROM outbound_message WHERE id = $2)`, nullable(inReplyTo), nullable(answerID)).Scan(&herID, &process)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	closed, err := s.closedTo(ctx, tx, herID, process)
	if err == nil && (closed == reachability.NotActivated || closed == reachability.Suspended) {
		err = apperr.InState(string(closed), "nothing is sent while the integration with Helsenorge is not active: ask the operator (clinic status)")
	}
	return err
}

// Reachability tells whether a dialogue of the process may be sent to the patient now,
// by what is stored about him. It is for who starts one (S28).
func (s *Store) Reachability(ctx context.Context, by identity.Principal, clinicID, patientID string, p contract.Process) (Reachability, error) {
	var r Reachability
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if r, err = s.reachability(ctx, tx, clinicID, patientID, p); err != nil {
			return err
		}
		settings, err := s.settings(ctx, tx, clinicID)
		if err != nil {
			return err
		}
		_, wire := onWire[p]
		r.Stale = wire && (r.KnownAt.IsZero() || s.now().Sub(r.KnownAt) > settings.activityAge())
		return s.audit(ctx, tx, by, clinicID, "patient.reachability", "patient/"+patientID, patientID)
	})
	return r, err
}

// activityAge is how old what is known of a patient's activity may be, of settings with
// their defaults.
func (v Settings) activityAge() time.Duration { return time.Duration(v.ActivityHours) * time.Hour }

// PatientActivity is what Helsenorge said of a patient. NationalID is what he is asked
// about by: it goes there and nowhere else.
type PatientActivity struct {
	PatientID, NationalID string
	// Self and Other are the answer.
	Self, Other bool
}

// ActivityQuestion is whom Helsenorge may be asked about: one patient. ok is false when
// he has no number that it could know.
func (s *Store) ActivityQuestion(ctx context.Context, clinicID, patientID string) (q PatientActivity, ok bool, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := s.cardOf(ctx, tx, clinicID, patientID); err != nil {
			return err
		}
		p, err := s.openPatient(ctx, tx, patientID)
		q, ok = PatientActivity{PatientID: patientID, NationalID: p.NationalID}, s.numberGate(p.NationalID) == ""
		return err
	})
	return q, ok, err
}

// ActivityQuestions lists patients of the clinic of whom nothing is known that is newer
// than Settings.ActivityHours, at most limit by id after the one named; next names the
// last that was looked at, "" at the end. Who is dead or has no number that Helsenorge
// could know is not among them.
func (s *Store) ActivityQuestions(ctx context.Context, by identity.Principal, clinicID, after string, limit int) (all []PatientActivity, next string, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		all, next = nil, ""
		settings, err := s.settings(ctx, tx, clinicID)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT p.id, p.identity, k.kek, k.wrapped FROM patient p JOIN data_key k ON k.id = p.key_id
			WHERE p.clinic_id = $1 AND p.erased_at IS NULL AND p.deceased_at IS NULL
				AND (p.active_at IS NULL OR p.active_at < $2) AND ($3::uuid IS NULL OR p.id > $3) ORDER BY p.id LIMIT $4`,
			clinicID, s.now().Add(-settings.activityAge()), nullable(after), limit)
		if err != nil {
			return err
		}
		var id string
		var sealed []byte
		var w vault.Wrapped
		tag, err := pgx.ForEachRow(rows, []any{&id, &sealed, &w.KEK, &w.Bytes}, func() error {
			key, err := s.vault.Unwrap(w)
			if err != nil {
				return err
			}
			var p Patient
			if err := (sealingKey{DataKey: key}).open("patient.identity", id, sealed, &p); err != nil {
				return err
			}
			if s.numberGate(p.NationalID) == "" {
				all = append(all, PatientActivity{PatientID: id, NationalID: p.NationalID})
			}
			return nil
		})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == int64(limit) {
			next = id
		}
		return s.audit(ctx, tx, by, clinicID, "patient.refresh-activity", "", "")
	})
	return all, next, err
}

// RecordActivities keeps what Helsenorge said of the clinic's patients at the instant.
// Older knowledge does not replace newer; who has been erased since is left out.
func (s *Store) RecordActivities(ctx context.Context, clinicID string, all []PatientActivity, at time.Time) error {
	ids, self, other := make([]string, len(all)), make([]bool, len(all)), make([]bool, len(all))
	for i, a := range all {
		ids[i], self[i], other[i] = a.PatientID, a.Self, a.Other
	}
	_, err := s.pool.Exec(ctx, `UPDATE patient p SET active_self = v.self, active_other = v.other, active_at = $5, active_by = $6
		FROM unnest($2::uuid[], $3::boolean[], $4::boolean[]) AS v (id, self, other)
		WHERE p.id = v.id AND p.clinic_id = $1 AND p.erased_at IS NULL AND (p.active_at IS NULL OR p.active_at <= $5)`,
		clinicID, ids, self, other, at, ActivityCheck)
	return failure(err)
}
