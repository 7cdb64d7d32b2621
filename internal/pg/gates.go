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
		WHERE o.clinic_id = $1 AND o.process = $3 AND (o.staff_id IS NULL OR o.staff_id = p.practitioner_id)
		ORDER BY o.staff_id IS NULL, o.her_id LIMIT 1`, clinicID, patientID, process).Scan(&herID)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return herID, err == nil, err
}
