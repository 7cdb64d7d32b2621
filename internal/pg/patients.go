package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
)

// Patient is who a patient is. It leaves this package only for people and
// messages, never for Temporal or a log.
type Patient struct {
	GivenName  string `json:"givenName"`
	MiddleName string `json:"middleName,omitempty"`
	FamilyName string `json:"familyName"`
	// NationalID is a birth number or D number, eleven digits.
	NationalID string `json:"nationalId"`
	// IDType is FNR or DNR (8116).
	IDType string `json:"idType"`
	Phone  string `json:"phone,omitempty"`
}

// Name is the patient's full name.
func (p Patient) Name() string {
	return strings.Join(strings.Fields(p.GivenName+" "+p.MiddleName+" "+p.FamilyName), " ")
}

// nationalIDIndex is the purpose of the blind index over national ids.
const nationalIDIndex = "national-id"

// patient finds the clinic's patient by national id, or takes a new one in.
func (s *Store) patient(ctx context.Context, tx pgx.Tx, clinicID string, p Patient) (id string, blocked bool, key sealingKey, err error) {
	index := s.vault.BlindIndex(nationalIDIndex, clinicID, p.NationalID)
	var keyID string
	const read = "SELECT id, blocked, key_id FROM patient WHERE clinic_id = $1 AND national_id_index = $2"
	err = tx.QueryRow(ctx, read, clinicID, index).Scan(&id, &blocked, &keyID)
	if err == nil {
		key, err = s.key(ctx, tx, keyID)
		return id, blocked, key, err
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return "", false, key, err
	}
	id = newID()
	if key, err = s.newKey(ctx, tx, clinicID, id); err != nil {
		return "", false, key, err
	}
	sealed, err := key.seal("patient.identity", id, p)
	if err != nil {
		return "", false, key, err
	}
	tag, err := tx.Exec(ctx, `INSERT INTO patient (id, clinic_id, national_id_index, key_id, identity, created_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (clinic_id, national_id_index) DO NOTHING`,
		id, clinicID, index, key.id, sealed, s.now())
	if err != nil || tag.RowsAffected() == 1 {
		return id, false, key, err
	}
	// Another message of the same patient was first: its row and key stand.
	if _, err := tx.Exec(ctx, "DELETE FROM data_key WHERE id = $1", key.id); err != nil {
		return "", false, key, err
	}
	if err := tx.QueryRow(ctx, read, clinicID, index).Scan(&id, &blocked, &keyID); err != nil {
		return "", false, key, err
	}
	key, err = s.key(ctx, tx, keyID)
	return id, blocked, key, err
}

// PutPatient is PutPatients for one patient of whom nothing else is written. It
// returns the patient's id.
func (s *Store) PutPatient(ctx context.Context, by identity.Principal, clinicID string, p Patient, practitionerID string, blocked bool) (string, error) {
	ids, err := s.PutPatients(ctx, by, clinicID, []PatientRecord{{Patient: p, PractitionerID: practitionerID, Blocked: blocked}})
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// PatientRecord is a patient as the clinic's record system writes him. What is nil
// stays as it is.
type PatientRecord struct {
	Patient
	// PractitionerID is the staff id of his own practitioner, or "".
	PractitionerID string `json:"practitionerId,omitempty"`
	// Blocked patients are answered with 30.
	Blocked         bool              `json:"blocked,omitempty"`
	Status          *PatientStatus    `json:"status,omitempty"`
	Contacts        *[]Contact        `json:"contacts,omitempty"`
	Preference      *Preference       `json:"preference,omitempty"`
	Representations *[]Representation `json:"representations,omitempty"`
}

// PutPatients writes patients of the clinic's record system, at most MaxBulk. All or
// none, idempotent by clinic and national id. It returns the patients' ids in the
// order of the records.
func (s *Store) PutPatients(ctx context.Context, by identity.Principal, clinicID string, records []PatientRecord) ([]string, error) {
	var f fields
	for i, r := range records {
		f.patient(fmt.Sprintf("patients[%d].", i), r, s.now())
	}
	if err := bulk(len(records), f, "a patient has invalid fields"); err != nil {
		return nil, err
	}
	ids := make([]string, len(records))
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		for i, r := range records {
			if ids[i], err = s.putPatient(ctx, tx, by, clinicID, r); err != nil {
				return err
			}
		}
		return nil
	})
	return ids, err
}

func (s *Store) putPatient(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string, r PatientRecord) (string, error) {
	id, _, key, err := s.patient(ctx, tx, clinicID, r.Patient)
	if err != nil {
		return "", err
	}
	sealed, err := key.seal("patient.identity", id, r.Patient)
	if err != nil {
		return "", err
	}
	if r.PractitionerID != "" {
		if err := s.staffOf(ctx, tx, clinicID, r.PractitionerID); err != nil {
			return "", err
		}
	}
	if _, err := tx.Exec(ctx, "UPDATE patient SET identity = $2, practitioner_id = $3, blocked = $4 WHERE id = $1",
		id, sealed, nullable(r.PractitionerID), r.Blocked); err != nil {
		return "", err
	}
	card := card{clinicID, id, key}
	if r.Status != nil {
		if err := s.putStatus(ctx, tx, card, *r.Status); err != nil {
			return "", err
		}
	}
	if r.Contacts != nil {
		if err := s.putContacts(ctx, tx, card, *r.Contacts); err != nil {
			return "", err
		}
	}
	if r.Preference != nil {
		if err := s.putPreference(ctx, tx, card, *r.Preference); err != nil {
			return "", err
		}
	}
	if r.Representations != nil {
		if err := s.putRepresentations(ctx, tx, card, *r.Representations); err != nil {
			return "", err
		}
	}
	return id, s.audit(ctx, tx, by, clinicID, "patient.put", "patient/"+id, id)
}

// PatientByNationalID finds a patient's id without reading who he is. A search that
// finds nobody is in the audit too.
func (s *Store) PatientByNationalID(ctx context.Context, by identity.Principal, clinicID, nationalID string) (string, error) {
	var id string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT id FROM patient WHERE clinic_id = $1 AND national_id_index = $2",
			clinicID, s.vault.BlindIndex(nationalIDIndex, clinicID, nationalID)).Scan(&id)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "patient.find", "patient/"+id, id)
	})
	if err == nil && id == "" {
		err = apperr.New(apperr.NotFound, "the clinic has no patient with that national id")
	}
	return id, err
}

// ErasePatient destroys the patient's key: identity, messages, answers, files,
// titles, journal entries, contacts, comments and notices become unreadable at once,
// in every copy of the database that is made from now on. Idempotent. The ledger, the
// audit, the codes and the times of appointments stay, since they name nobody.
func (s *Store) ErasePatient(ctx context.Context, by identity.Principal, clinicID, patientID string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var index []byte
		if err := tx.QueryRow(ctx, "SELECT national_id_index FROM patient WHERE id = $1 AND clinic_id = $2 FOR UPDATE", patientID, clinicID).Scan(&index); err != nil {
			return notFound(err, "the clinic has no such patient")
		}
		for _, statement := range []string{
			// What was never filed under the patient is under the clinic's key: it is
			// overwritten, since that key must stay.
			"DELETE FROM attachment WHERE message_id IN (SELECT id FROM inbound_message WHERE patient_index = $1)",
			"UPDATE outbound_message SET wire = '' WHERE in_reply_to IN (SELECT id FROM inbound_message WHERE patient_index = $1)",
			"UPDATE inbound_message SET raw = '', content = NULL, patient_index = NULL WHERE patient_index = $1",
			`UPDATE operator_case SET resolved_at = coalesce(resolved_at, now()) WHERE message_id IN (SELECT id FROM quarantine WHERE patient_index = $1)`,
			`UPDATE quarantine SET raw = '', patient_index = NULL, wanted = '', note = CASE state WHEN 'kept' THEN 'the patient was erased' ELSE note END,
				state = CASE state WHEN 'kept' THEN 'discarded' ELSE state END WHERE patient_index = $1`,
			// A list of people says no more than what was taken from it.
			`UPDATE inbound_message SET raw = '', content = NULL WHERE verdict = 'told' AND patient_index IS NULL
				AND clinic_id = (SELECT clinic_id FROM patient WHERE national_id_index = $1)`,
		} {
			if _, err := tx.Exec(ctx, statement, index); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE patient SET national_id_index = NULL, identity = NULL, born_on = NULL, active_self = NULL, active_other = NULL,
			active_at = NULL, active_by = '', erased_at = coalesce(erased_at, $2) WHERE id = $1`, patientID, s.now()); err != nil {
			return err
		}
		for _, statement := range []string{
			"DELETE FROM contact WHERE patient_id = $1",
			"DELETE FROM notice_preference WHERE patient_id = $1",
			"DELETE FROM representation WHERE patient_id = $1 OR representative_id = $1",
			"DELETE FROM data_key WHERE patient_id = $1",
		} {
			if _, err := tx.Exec(ctx, statement, patientID); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, by, clinicID, "patient.erase", "patient/"+patientID, patientID)
	})
}

// openPatient reads who a patient is.
func (s *Store) openPatient(ctx context.Context, q rower, id string) (Patient, error) {
	var keyID string
	var sealed []byte
	if err := q.QueryRow(ctx, "SELECT key_id, identity FROM patient WHERE id = $1", id).Scan(&keyID, &sealed); err != nil {
		return Patient{}, err
	}
	key, err := s.key(ctx, q, keyID)
	if err != nil {
		return Patient{}, err
	}
	var p Patient
	return p, key.open("patient.identity", id, sealed, &p)
}
