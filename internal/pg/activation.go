package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/identity"
)

// ActivationKind is what people ask of an integration.
type ActivationKind string

// The commands.
const (
	// ActivateIntegration: from now on the integration is active, if every precondition
	// holds. An operator alone may (S9).
	ActivateIntegration ActivationKind = "activate"
	// SuspendIntegration: nothing is offered or sent until it is resumed.
	SuspendIntegration ActivationKind = "suspend"
	// ResumeIntegration: a suspended integration is active again, if every precondition holds.
	ResumeIntegration ActivationKind = "resume"
	// SignOffPrecondition: the caller says that the precondition Key holds (S13, A1).
	SignOffPrecondition ActivationKind = "sign-off"
	// CheckIntegration: look at the preconditions now.
	CheckIntegration ActivationKind = "check"
)

// ActivationChange is a stored command on an integration. ID is the caller's: the same
// id again is the same command.
type ActivationChange struct {
	ID string
	// StaffID is the GP whose integration it is; empty for the clinic's.
	StaffID string
	Kind    ActivationKind
	// Key is the precondition of a sign-off.
	Key activation.Key
	// Reason is why, for people; it names no patient.
	Reason string
}

// DraftedActivation is a stored command.
type DraftedActivation struct {
	// Applied is true when it was applied before.
	Applied bool
	// Attempt counts how often it was stored: DropActivation drops no later one.
	Attempt int
}

// Integration is how the integration of a clinic, or of one of its GPs, stands (S1).
type Integration struct {
	// StaffID is empty for the clinic's own.
	StaffID string `json:"staffId,omitempty"`
	// Name is the clinic's or the GP's.
	Name   string          `json:"name"`
	Status contract.Status `json:"status"`
	// Since, By (a subject) and Reason are of the last change of status; zero before the
	// first.
	Since  time.Time `json:"since,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	// CheckedAt is the last look at the preconditions; zero before the first.
	CheckedAt time.Time `json:"checkedAt,omitzero"`
	// Preconditions is the checklist as last looked at.
	Preconditions []Precondition `json:"preconditions"`
}

// Precondition is one line of an integration's checklist.
type Precondition struct {
	activation.Item
	CheckedAt time.Time `json:"checkedAt"`
	// Staff are the people of About, by name.
	Staff []StaffName `json:"staff,omitempty"`
	// SignedBy (a subject) and SignedAt are of the sign-off.
	SignedBy string    `json:"signedBy,omitempty"`
	SignedAt time.Time `json:"signedAt,omitzero"`
}

// StaffName is one of the clinic's staff.
type StaffName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// LookedAt is an integration with what its preconditions depend on in the clinic's own
// data, and the digest of what the last look saw, nil before the first.
type LookedAt struct {
	ClinicID, StaffID string
	Facts             activation.Facts
	Seen              []byte
}

// Answers is what the address registry said of each HER-id that it was asked about; nil
// for one that it does not know.
type Answers map[int]*activation.Registered

// put takes the answers into the facts. It tells whether every HER-id was asked about.
func (a Answers) put(f *activation.Facts) bool {
	f.Registry = make(map[int]activation.Registered, len(a))
	for _, id := range f.HerIDs() {
		said, ok := a[id]
		if !ok {
			return false
		}
		if said != nil {
			f.Registry[id] = *said
		}
	}
	return true
}

// Stale tells whether what the preconditions depend on is another than at the last look,
// and its digest.
func (l LookedAt) Stale(a Answers) (digest []byte, stale bool) {
	if !a.put(&l.Facts) {
		return nil, false // nobody was asked about all of it
	}
	digest = l.Facts.Digest()
	return digest, !bytes.Equal(digest, l.Seen)
}

// Integrations lists every integration of the installation with what it depends on: of
// each clinic, and of each of its active staff who has a party of his own. It is for the
// look at the registry, reads no patient and leaves no audit row.
func (s *Store) Integrations(ctx context.Context) ([]LookedAt, error) {
	var all []LookedAt
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		all, err = s.integrations(ctx, tx, "", "")
		return err
	})
	return all, err
}

// ActivationFacts is what the preconditions of one integration depend on in the clinic's
// own data.
func (s *Store) ActivationFacts(ctx context.Context, clinicID, staffID string) (activation.Facts, error) {
	var f activation.Facts
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		f, err = s.activationFacts(ctx, tx, clinicID, staffID)
		return err
	})
	return f, err
}

func (s *Store) activationFacts(ctx context.Context, tx pgx.Tx, clinicID, staffID string) (activation.Facts, error) {
	all, err := s.integrations(ctx, tx, clinicID, staffID)
	if err != nil {
		return activation.Facts{}, err
	}
	for _, one := range all {
		if strings.EqualFold(one.StaffID, staffID) {
			return one.Facts, nil
		}
	}
	return activation.Facts{}, noIntegration(staffID)
}

func noIntegration(staffID string) error {
	if staffID == "" {
		return apperr.New(apperr.NotFound, "no such clinic: write it first")
	}
	return apperr.New(apperr.NotFound, "nobody of that id works at the clinic: write the clinic with its staff first")
}

// integrations reads the facts of every clinic and its GPs, or of one clinic; staffID
// adds somebody of it who has no party.
func (s *Store) integrations(ctx context.Context, tx pgx.Tx, clinicID, staffID string) ([]LookedAt, error) {
	staff, err := s.employees(ctx, tx, clinicID)
	if err != nil {
		return nil, err
	}
	parties, err := s.wishes(ctx, tx, clinicID)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT c.id, c.her_id, coalesce(i.status, 'not-activated') = 'active', i.seen
		FROM clinic c LEFT JOIN integration i ON i.clinic_id = c.id AND i.staff_id IS NULL WHERE $1::uuid IS NULL OR c.id = $1 ORDER BY c.id`, nullable(clinicID))
	if err != nil {
		return nil, err
	}
	var all []LookedAt
	var l LookedAt
	var active bool
	_, err = pgx.ForEachRow(rows, []any{&l.ClinicID, &l.Facts.HerID, &active, &l.Seen}, func() error {
		clinic := l
		clinic.Facts.Parties = parties[l.ClinicID]
		var gps []LookedAt
		for _, e := range staff[l.ClinicID] {
			if e.active {
				clinic.Facts.Staff = append(clinic.Facts.Staff, activation.Employee{ID: e.id, HerID: e.herID})
			}
			gp := LookedAt{ClinicID: l.ClinicID, StaffID: e.id, Seen: e.seen, Facts: activation.Facts{
				HerID: l.Facts.HerID, GP: &activation.GP{ID: e.id, Practitioner: e.active && e.role == identity.RolePractitioner, HPR: e.hpr, ClinicActive: active},
			}}
			for _, p := range parties[l.ClinicID] {
				if p.StaffID == e.id {
					gp.Facts.Parties = append(gp.Facts.Parties, p)
				}
			}
			if len(gp.Facts.Parties) > 0 || strings.EqualFold(e.id, staffID) {
				gps = append(gps, gp)
			}
		}
		all = append(append(all, clinic), gps...)
		l.Seen = nil
		return nil
	})
	return all, err
}

// employee is one of the staff with how his own integration was last seen.
type employee struct {
	id     string
	herID  int
	role   identity.Role
	hpr    string
	active bool
	seen   []byte
}

func (s *Store) employees(ctx context.Context, tx pgx.Tx, clinicID string) (map[string][]employee, error) {
	rows, err := tx.Query(ctx, `SELECT s.clinic_id, s.id, s.her_id, s.role, s.hpr, s.active, i.seen
		FROM staff s LEFT JOIN integration i ON i.clinic_id = s.clinic_id AND i.staff_id = s.id
		WHERE $1::uuid IS NULL OR s.clinic_id = $1 ORDER BY s.id`, nullable(clinicID))
	if err != nil {
		return nil, err
	}
	found := map[string][]employee{}
	var clinic string
	var e employee
	_, err = pgx.ForEachRow(rows, []any{&clinic, &e.id, &e.herID, &e.role, &e.hpr, &e.active, &e.seen}, func() error {
		found[clinic] = append(found[clinic], e)
		e.seen = nil
		return nil
	})
	return found, err
}

func (s *Store) wishes(ctx context.Context, tx pgx.Tx, clinicID string) (map[string][]activation.Party, error) {
	rows, err := tx.Query(ctx, `SELECT p.clinic_id, p.her_id, coalesce(p.staff_id::text, ''),
			array(SELECT o.process FROM offered_service o WHERE o.her_id = p.her_id ORDER BY o.process)
		FROM party p WHERE $1::uuid IS NULL OR p.clinic_id = $1 ORDER BY p.her_id`, nullable(clinicID))
	if err != nil {
		return nil, err
	}
	found := map[string][]activation.Party{}
	var clinic string
	var p activation.Party
	_, err = pgx.ForEachRow(rows, []any{&clinic, &p.HerID, &p.StaffID, &p.Processes}, func() error {
		found[clinic] = append(found[clinic], p)
		p.Processes = nil
		return nil
	})
	return found, err
}

// signedOff lists the preconditions of an integration that somebody has signed off.
func (s *Store) signedOff(ctx context.Context, tx pgx.Tx, clinicID, staffID string) ([]activation.Key, error) {
	rows, err := tx.Query(ctx, "SELECT key FROM precondition WHERE clinic_id = $1 AND staff_id IS NOT DISTINCT FROM $2 AND signed_at IS NOT NULL ORDER BY key",
		clinicID, nullable(staffID))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[activation.Key])
}

// lockIntegration reads how an integration stands, after whoever changes it or the
// clinic's data now. One that nobody has looked at yet is made.
func (s *Store) lockIntegration(ctx context.Context, tx pgx.Tx, clinicID, staffID string) (contract.Status, error) {
	tag, err := tx.Exec(ctx, "SELECT FROM clinic WHERE id = $1 FOR NO KEY UPDATE", clinicID)
	if err != nil {
		return "", err
	}
	if tag.RowsAffected() == 0 {
		return "", noIntegration("")
	}
	if staffID != "" {
		if err := s.staffOf(ctx, tx, clinicID, staffID); err != nil {
			return "", err
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO integration (clinic_id, staff_id, status, since, by_subject) VALUES ($1, $2, $3, $4, '') ON CONFLICT DO NOTHING`,
		clinicID, nullable(staffID), contract.StatusNotActivated, s.now()); err != nil {
		return "", err
	}
	var status contract.Status
	err = tx.QueryRow(ctx, "SELECT status FROM integration WHERE clinic_id = $1 AND staff_id IS NOT DISTINCT FROM $2", clinicID, nullable(staffID)).Scan(&status)
	return status, err
}

// look judges the preconditions with what the registry says and writes them down: the
// checklist, and what is registered for each party from now on (S12).
func (s *Store) look(ctx context.Context, tx pgx.Tx, clinicID, staffID string, said Answers) ([]string, error) {
	f, err := s.activationFacts(ctx, tx, clinicID, staffID)
	if err != nil {
		return nil, err
	}
	if !said.put(&f) {
		return nil, apperr.New(apperr.Unavailable, "the clinic's staff or parties have changed since the registry was asked: it is asked again")
	}
	if f.SignedOff, err = s.signedOff(ctx, tx, clinicID, staffID); err != nil {
		return nil, err
	}
	for _, p := range f.Parties {
		if p.StaffID != staffID {
			continue // its GP's own look
		}
		if _, err := tx.Exec(ctx, "UPDATE party SET registered = $2, registered_at = $3 WHERE her_id = $1",
			p.HerID, nonNil(f.Registry[p.HerID].Processes), s.now()); err != nil {
			return nil, err
		}
	}
	items := activation.Checklist(f, s.now(), s.now().Add(contract.RecheckEvery))
	for _, i := range items {
		if _, err := tx.Exec(ctx, `INSERT INTO precondition (clinic_id, staff_id, key, owner, ok, reason, about, checked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (clinic_id, coalesce(staff_id, '00000000-0000-0000-0000-000000000000'), key)
			DO UPDATE SET owner = $4, ok = $5, reason = $6, about = $7, checked_at = $8`,
			clinicID, nullable(staffID), i.Key, i.Owner, i.OK, i.Reason, nonNil(i.About), s.now()); err != nil {
			return nil, err
		}
	}
	if _, err := tx.Exec(ctx, "UPDATE integration SET checked_at = $3, seen = $4 WHERE clinic_id = $1 AND staff_id IS NOT DISTINCT FROM $2",
		clinicID, nullable(staffID), s.now(), f.Digest()); err != nil {
		return nil, err
	}
	var failing []string
	for _, key := range activation.Failing(items) {
		failing = append(failing, string(key))
	}
	return failing, nil
}

// CheckPreconditions writes down a look at an integration's preconditions, with what the
// registry said. An active integration that has lost one gets an operator case, which
// the look that finds all of them again resolves. apperr.Unavailable when the clinic has
// changed since the registry was asked.
func (s *Store) CheckPreconditions(ctx context.Context, in contract.CheckPreconditionsInput, said Answers) (contract.CheckPreconditionsOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.CheckPreconditionsOutput
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		out = contract.CheckPreconditionsOutput{}
		if out.Status, err = s.lockIntegration(ctx, tx, in.ClinicID, in.StaffID); err != nil {
			return err
		}
		if out.Failing, err = s.look(ctx, tx, in.ClinicID, in.StaffID, said); err != nil {
			return err
		}
		if out.CaseOpened, err = s.preconditionCase(ctx, tx, in.ClinicID, in.StaffID, out.Status, out.Failing); err != nil {
			return err
		}
		return s.guardCases(ctx, tx, in.ClinicID)
	})
	return out, err
}

// preconditionCase opens the case of an active integration that has lost a precondition,
// of which there is one that opens again, and resolves that of one which has them all or
// is not active.
func (s *Store) preconditionCase(ctx context.Context, tx pgx.Tx, clinicID, staffID string, status contract.Status, failing []string) (opened bool, err error) {
	about := staffID
	if about == "" {
		about = clinicID
	}
	if status != contract.StatusActive || len(failing) == 0 {
		_, err = tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $3 WHERE kind = $1 AND message_id = $2 AND resolved_at IS NULL",
			contract.CasePreconditionLost, about, s.now())
		return false, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO operator_case AS c (id, clinic_id, kind, message_id, reason, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, message_id) DO UPDATE SET reason = $5, resolved_at = NULL,
			opened_at = CASE WHEN c.resolved_at IS NULL THEN c.opened_at ELSE $6 END
		RETURNING opened_at = $6`, newID(), clinicID, contract.CasePreconditionLost, about, failing[0], s.now()).Scan(&opened)
	return opened, err
}

// DraftActivation stores a command on an integration before it is given; nothing happens
// by it. Idempotent by id; the same id with other content is a duplicate.
func (s *Store) DraftActivation(ctx context.Context, by identity.Principal, clinicID string, c ActivationChange) (DraftedActivation, error) {
	if err := c.check(); err != nil {
		return DraftedActivation{}, err
	}
	out := DraftedActivation{Attempt: 1}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if c.StaffID != "" {
			if err := s.staffOf(ctx, tx, clinicID, c.StaffID); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, `INSERT INTO activation_command (id, clinic_id, staff_id, kind, key, reason, author, role, created_at)
			SELECT $1, id, $3, $4, $5, $6, $7, $8, $9 FROM clinic WHERE id = $2 ON CONFLICT (id) DO NOTHING`,
			c.ID, clinicID, nullable(c.StaffID), c.Kind, c.Key, c.Reason, by.Subject, string(by.Role), s.now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			var same bool
			err := tx.QueryRow(ctx, `UPDATE activation_command SET attempt = attempt + 1 WHERE id = $1 AND clinic_id = $2
				RETURNING attempt, applied_at IS NOT NULL, staff_id IS NOT DISTINCT FROM $3::uuid AND kind = $4 AND key = $5 AND reason = $6 AND author = $7`,
				c.ID, clinicID, nullable(c.StaffID), c.Kind, c.Key, c.Reason, by.Subject).Scan(&out.Attempt, &out.Applied, &same)
			if err != nil {
				return notFound(err, "no such clinic, or the command's id is taken")
			}
			if !same {
				return apperr.New(apperr.Duplicate, "a command with this id and other content exists: choose a new id")
			}
		}
		return s.audit(ctx, tx, by, clinicID, "integration."+string(c.Kind), integrationObject(clinicID, c.StaffID), "")
	})
	return out, err
}

// integrationObject is how the audit names an integration.
func integrationObject(clinicID, staffID string) string {
	return strings.TrimSuffix("integration/"+clinicID+"/"+staffID, "/")
}

// maxActivationReason bounds a reason, in runes.
const maxActivationReason = 500

// check refuses a command that says too little.
func (c ActivationChange) check() error {
	var f fields
	f.refuse(uuid.Validate(c.ID) != nil, "id", "a UUID, the caller's own")
	f.refuse(c.StaffID != "" && uuid.Validate(c.StaffID) != nil, "staffId", "the id of one of the clinic's staff, or nothing for the clinic itself")
	kinds := []ActivationKind{ActivateIntegration, SuspendIntegration, ResumeIntegration, SignOffPrecondition, CheckIntegration}
	f.refuse(!slices.Contains(kinds, c.Kind), "kind", "activate, suspend, resume, sign-off or check")
	signs := c.Kind == SignOffPrecondition
	f.refuse(signs && (!activation.SignedOff(c.Key) || c.StaffID != ""), "key",
		"of the clinic's own: "+string(activation.DigitalDialogueOrdered)+" or "+string(activation.RegistrationSignedOff)+"; the others are looked up")
	f.refuse(!signs && c.Key != "", "key", "only a sign-off names a precondition")
	f.refuse(c.Kind == SuspendIntegration && strings.TrimSpace(c.Reason) == "", "reason", "required: the clinic is told why")
	f.refuse(!oneLine(c.Reason, maxActivationReason), "reason", "one line of at most 500 characters")
	return f.err("the command has invalid fields")
}

// DropActivation removes a command that was not applied, unless it was stored again
// since. Idempotent.
func (s *Store) DropActivation(ctx context.Context, clinicID, id string, attempt int) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM activation_command WHERE id = $1 AND clinic_id = $2 AND applied_at IS NULL AND attempt = $3", id, clinicID, attempt)
	return failure(err)
}

// ApplyActivation applies a stored command, after a look at the preconditions with what
// the registry said. Idempotent by command: a repetition returns what came of the first.
// apperr.Conflict names the preconditions that fail, or the status that stands in the
// way; the look stays, so that the checklist says why.
func (s *Store) ApplyActivation(ctx context.Context, in contract.ApplyActivationInput, said Answers) (contract.ApplyActivationOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.ApplyActivationOutput
	var refusal error
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out, refusal = contract.ApplyActivationOutput{}, nil
		status, err := s.lockIntegration(ctx, tx, in.ClinicID, in.StaffID)
		if err != nil {
			return err
		}
		var c ActivationChange
		var by identity.Principal
		var output []byte
		if err := tx.QueryRow(ctx, `SELECT kind, key, reason, author, role, output FROM activation_command
			WHERE id = $1 AND clinic_id = $2 AND staff_id IS NOT DISTINCT FROM $3 FOR UPDATE`, in.CommandID, in.ClinicID, nullable(in.StaffID)).
			Scan(&c.Kind, &c.Key, &c.Reason, &by.Subject, &by.Role, &output); err != nil {
			return notFound(err, "the integration has no such command: it was withdrawn")
		}
		if output != nil {
			return json.Unmarshal(output, &out)
		}
		if c.Kind == SignOffPrecondition {
			if err := s.signOff(ctx, tx, in.ClinicID, c.Key, by.Subject); err != nil {
				return err
			}
		}
		if out.Failing, err = s.look(ctx, tx, in.ClinicID, in.StaffID, said); err != nil {
			return err
		}
		out.Status, refusal = step(status, c.Kind, out.Failing)
		if out.Status != status {
			if _, err := tx.Exec(ctx, `UPDATE integration SET status = $3, since = $4, by_subject = $5, reason = $6
				WHERE clinic_id = $1 AND staff_id IS NOT DISTINCT FROM $2`, in.ClinicID, nullable(in.StaffID), out.Status, s.now(), by.Subject, c.Reason); err != nil {
				return err
			}
			if err := s.audit(ctx, tx, by, in.ClinicID, "integration.became-"+string(out.Status), integrationObject(in.ClinicID, in.StaffID), ""); err != nil {
				return err
			}
		}
		if _, err := s.preconditionCase(ctx, tx, in.ClinicID, in.StaffID, out.Status, out.Failing); err != nil {
			return err
		}
		if err := s.guardCases(ctx, tx, in.ClinicID); err != nil || refusal != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE activation_command SET applied_at = $2, output = $3 WHERE id = $1", in.CommandID, s.now(), out)
		return err
	})
	if err == nil {
		err = refusal
	}
	return out, err
}

// step is the status after a command, or why there is none.
func step(from contract.Status, kind ActivationKind, failing []string) (contract.Status, error) {
	to := from
	switch kind {
	case SignOffPrecondition, CheckIntegration:
		return from, nil
	case ActivateIntegration:
		if from == contract.StatusActive {
			return from, apperr.InState(string(from), "the integration is active already")
		}
		if from == contract.StatusSuspended {
			return from, apperr.InState(string(from), "the integration is suspended: resume it")
		}
		to = contract.StatusActive
	case SuspendIntegration:
		if from != contract.StatusActive {
			return from, apperr.InState(string(from), "only an active integration is suspended")
		}
		return contract.StatusSuspended, nil
	case ResumeIntegration:
		if from != contract.StatusSuspended {
			return from, apperr.InState(string(from), "only a suspended integration is resumed")
		}
		to = contract.StatusActive
	}
	if len(failing) > 0 {
		return from, apperr.InState(string(from), "not every precondition holds: %s; see the checklist (clinic status)", strings.Join(failing, ", "))
	}
	return to, nil
}

// signOff keeps who says since when that a precondition holds.
func (s *Store) signOff(ctx context.Context, tx pgx.Tx, clinicID string, key activation.Key, by string) error {
	_, err := tx.Exec(ctx, `INSERT INTO precondition (clinic_id, key, owner, ok, checked_at, signed_by, signed_at) VALUES ($1, $2, '', false, $4, $3, $4)
		ON CONFLICT (clinic_id, coalesce(staff_id, '00000000-0000-0000-0000-000000000000'), key) DO UPDATE SET signed_by = $3, signed_at = $4`,
		clinicID, key, by, s.now())
	return err
}

// ClinicStatus reads how the integrations of a clinic stand: the clinic's own first, and
// then those of its GPs, or of the GP named.
func (s *Store) ClinicStatus(ctx context.Context, by identity.Principal, clinicID, staffID string) ([]Integration, error) {
	var all []Integration
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if all, err = s.clinicStatus(ctx, tx, clinicID, staffID); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "integration.read", integrationObject(clinicID, staffID), "")
	})
	return all, err
}

func (s *Store) clinicStatus(ctx context.Context, tx pgx.Tx, clinicID, staffID string) ([]Integration, error) {
	rows, err := tx.Query(ctx, `SELECT coalesce(w.staff_id::text, ''), w.name, coalesce(i.status, 'not-activated'), i.since, coalesce(i.by_subject, ''),
			coalesce(i.reason, ''), i.checked_at
		FROM (SELECT NULL::uuid AS staff_id, name FROM clinic WHERE id = $1
			UNION ALL SELECT s.id, s.name FROM staff s WHERE s.clinic_id = $1 AND (s.id = $2 OR EXISTS (SELECT FROM party p WHERE p.staff_id = s.id AND p.clinic_id = $1))) w
		LEFT JOIN integration i ON i.clinic_id = $1 AND i.staff_id IS NOT DISTINCT FROM w.staff_id
		WHERE $2::uuid IS NULL OR w.staff_id = $2 ORDER BY w.staff_id NULLS FIRST`, clinicID, nullable(staffID))
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Integration, error) {
		i := Integration{Preconditions: []Precondition{}}
		var since, checked *time.Time
		err := row.Scan(&i.StaffID, &i.Name, &i.Status, &since, &i.By, &i.Reason, &checked)
		if i.CheckedAt = derefTime(checked); i.By != "" {
			i.Since = derefTime(since)
		}
		return i, err
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, noIntegration(staffID)
	}
	for i := range all {
		if all[i].Preconditions, err = s.preconditions(ctx, tx, clinicID, all[i].StaffID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// preconditions reads the checklist of one integration, in its order.
func (s *Store) preconditions(ctx context.Context, tx pgx.Tx, clinicID, staffID string) ([]Precondition, error) {
	rows, err := tx.Query(ctx, `SELECT p.key, p.owner, p.ok, p.reason, p.about, p.checked_at, p.signed_by, p.signed_at,
			array(SELECT s.id::text FROM staff s WHERE s.clinic_id = p.clinic_id AND s.id::text = ANY (p.about) ORDER BY s.name, s.id),
			array(SELECT s.name FROM staff s WHERE s.clinic_id = p.clinic_id AND s.id::text = ANY (p.about) ORDER BY s.name, s.id)
		FROM precondition p WHERE p.clinic_id = $1 AND p.staff_id IS NOT DISTINCT FROM $2`, clinicID, nullable(staffID))
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Precondition, error) {
		var p Precondition
		var signed *time.Time
		var ids, names []string
		err := row.Scan(&p.Key, &p.Owner, &p.OK, &p.Reason, &p.About, &p.CheckedAt, &p.SignedBy, &signed, &ids, &names)
		p.CheckedAt, p.SignedAt = p.CheckedAt.UTC(), derefTime(signed)
		for i := range ids {
			p.Staff = append(p.Staff, StaffName{ids[i], names[i]})
		}
		return p, err
	})
	order := activation.Keys()
	slices.SortFunc(found, func(a, b Precondition) int { return slices.Index(order, a.Key) - slices.Index(order, b.Key) })
	return nonNil(found), err
}

// closedTo tells why the party does not offer the process (8279) now, "" when it
// does. A HER-id that is no party offers nothing.
func (s *Store) closedTo(ctx context.Context, q rower, herID int, process string) (reachability.Gate, error) {
	var why reachability.Gate
	err := q.QueryRow(ctx, `SELECT CASE
			WHEN EXISTS (SELECT FROM offering o WHERE o.her_id = p.her_id AND o.process = $2) THEN ''
			WHEN coalesce(c.status, 'not-activated') <> 'active' THEN 'integration-' || coalesce(c.status, 'not-activated')
			WHEN p.staff_id IS NOT NULL AND coalesce(g.status, 'not-activated') <> 'active' THEN 'integration-' || coalesce(g.status, 'not-activated')
			ELSE 'service-not-offered' END
		FROM party p LEFT JOIN integration c ON c.clinic_id = p.clinic_id AND c.staff_id IS NULL
			LEFT JOIN integration g ON g.clinic_id = p.clinic_id AND g.staff_id = p.staff_id WHERE p.her_id = $1`, herID, process).Scan(&why)
	if errors.Is(err, pgx.ErrNoRows) {
		return reachability.NotOffered, nil
	}
	return why, err
}
