package pg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
)

// Clinic is a clinic's master data, written by its record system. Ids are the
// writer's: the same ids again change what they name.
type Clinic struct {
	ID                 string  `json:"id" yaml:"id"`
	Name               string  `json:"name" yaml:"name"`
	OrganisationNumber string  `json:"organisationNumber,omitempty" yaml:"organisationNumber"`
	HerID              int     `json:"herId" yaml:"herId"`
	Staff              []Staff `json:"staff" yaml:"staff"`
	Parties            []Party `json:"parties" yaml:"parties"`
}

// Staff is a person who works at the clinic.
type Staff struct {
	ID string `json:"id" yaml:"id"`
	// Subject is the person's subject in tokens.
	Subject  string        `json:"subject" yaml:"subject"`
	Name     string        `json:"name" yaml:"name"`
	Role     identity.Role `json:"role" yaml:"role"`
	Position string        `json:"position,omitempty" yaml:"position"`
	Unit     string        `json:"unit,omitempty" yaml:"unit"`
	Groups   []string      `json:"groups,omitempty" yaml:"groups"`
	HPR      string        `json:"hpr,omitempty" yaml:"hpr"`
	// DeputyID is the staff member who reads while this one is away, or has left.
	DeputyID string `json:"deputyId,omitempty" yaml:"deputyId"`
	// AbsentFrom and AbsentUntil are when the person is away; without an end until
	// further notice.
	AbsentFrom  time.Time `json:"absentFrom,omitzero" yaml:"absentFrom"`
	AbsentUntil time.Time `json:"absentUntil,omitzero" yaml:"absentUntil"`
	// HerID is the person's own in the address registry (S11); 0 where there is none, or
	// where it is that of a party of his.
	HerID    int  `json:"herId,omitempty" yaml:"herId,omitempty"`
	Inactive bool `json:"inactive,omitempty" yaml:"inactive"`
}

// Party is one of the clinic's communication parties with what it wishes to offer: it is
// offered while it is registered and the integration active (S12).
type Party struct {
	HerID int    `json:"herId" yaml:"herId"`
	Name  string `json:"name" yaml:"name"`
	// StaffID is the GP whose own party it is; empty for a service of the clinic.
	StaffID string `json:"staffId,omitempty" yaml:"staffId"`
	// Processes are the codes of 8279 that it wishes to offer.
	Processes []string `json:"processes" yaml:"processes"`
}

// PutClinic writes a clinic with its staff and parties. Idempotent. Staff that the
// clinic no longer names stay, inactive: their answers have an author; so do its
// parties, which then offer what they offered. What belongs to another clinic is a
// conflict. A practitioner who can no longer be booked gets an operator case (F16). What
// only leavers read is shown to others in the same transaction, and a routing rule that
// reaches nobody any more opens a case (F12).
func (s *Store) PutClinic(ctx context.Context, by identity.Principal, c Clinic) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.lockStaff(ctx, tx, c.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO clinic (id, name, organisation_number, her_id, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET name = $2, organisation_number = $3, her_id = $4`,
			c.ID, c.Name, c.OrganisationNumber, c.HerID, s.now()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE staff SET active = false WHERE clinic_id = $1", c.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM staff_group_member WHERE clinic_id = $1", c.ID); err != nil {
			return err
		}
		for _, p := range c.Staff {
			if err := owned(tx.Exec(ctx, `INSERT INTO staff (id, clinic_id, subject, name, role, position, unit, hpr, active)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (id) DO UPDATE SET subject = $3, name = $4, role = $5, position = $6, unit = $7, hpr = $8, active = $9
				WHERE staff.clinic_id = $2`,
				p.ID, c.ID, p.Subject, p.Name, string(p.Role), p.Position, p.Unit, p.HPR, !p.Inactive)); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "UPDATE staff SET her_id = $2 WHERE id = $1", p.ID, p.HerID); err != nil {
				return err
			}
			for _, g := range p.Groups {
				if _, err := tx.Exec(ctx, "INSERT INTO staff_group_member (clinic_id, group_id, staff_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", c.ID, g, p.ID); err != nil {
					return err
				}
			}
		}
		if err := s.putAbsences(ctx, tx, c); err != nil {
			return err
		}
		for _, p := range c.Parties {
			if err := owned(tx.Exec(ctx, `INSERT INTO party (her_id, clinic_id, staff_id, name)
				SELECT $1, $2, $3, $4 WHERE $3::uuid IS NULL OR EXISTS (SELECT FROM staff WHERE id = $3 AND clinic_id = $2)
				ON CONFLICT (her_id) DO UPDATE SET staff_id = $3, name = $4 WHERE party.clinic_id = $2`, p.HerID, c.ID, nullable(p.StaffID), p.Name)); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "DELETE FROM offered_service WHERE her_id = $1", p.HerID); err != nil {
				return err
			}
			for _, process := range p.Processes {
				if _, err := tx.Exec(ctx, "INSERT INTO offered_service (her_id, process) VALUES ($1, $2) ON CONFLICT DO NOTHING", p.HerID, process); err != nil {
					return err
				}
			}
		}
		if err := s.guardCases(ctx, tx, c.ID); err != nil {
			return err
		}
		if err := s.keepReaders(ctx, tx, c.ID); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, c.ID, "clinic.put", "clinic/"+c.ID, "")
	})
}

// owned refuses to change what belongs to another clinic.
func owned(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return apperr.New(apperr.Conflict, "an id or a HER-id belongs to another clinic: choose another")
	}
	return err
}

// Parties lists the HER-ids of every clinic: the listener's own.
func (s *Store) Parties(ctx context.Context) ([]int, error) {
	rows, err := s.pool.Query(ctx, "SELECT her_id FROM party ORDER BY her_id")
	if err != nil {
		return nil, failure(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	return ids, failure(err)
}

// Routing reads the clinic's rules, with the defaults where it has changed nothing.
func (s *Store) Routing(ctx context.Context, by identity.Principal, clinicID string) (map[contract.Process]routing.Rule, error) {
	rules := map[contract.Process]routing.Rule{}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		for _, p := range []contract.Process{contract.ProcessEConsultation, contract.ProcessEContact, contract.ProcessPrescription} {
			rules[p] = routing.Default(string(p))
		}
		rows, err := tx.Query(ctx, "SELECT process, rule FROM routing_rule WHERE clinic_id = $1", clinicID)
		if err != nil {
			return err
		}
		var process contract.Process
		var rule routing.Rule
		if _, err := pgx.ForEachRow(rows, []any{&process, &rule}, func() error {
			rules[process] = rule
			rule = routing.Rule{}
			return nil
		}); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "routing.read", "", "")
	})
	return rules, err
}

// PutRouting changes the clinic's rule for one process. A rule that names anybody behind
// whom nobody at work is, nor a deputy, is refused (F12).
func (s *Store) PutRouting(ctx context.Context, by identity.Principal, clinicID string, process contract.Process, rule routing.Rule) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		if err := s.lockRouting(ctx, tx, clinicID); err != nil {
			return err
		}
		roster, err := s.roster(ctx, tx, clinicID)
		if err != nil {
			return err
		}
		for i, r := range rule.Recipients {
			if !roster.Reaches(r) {
				return reachesNobody(fmt.Sprintf("recipients[%d]", i), r)
			}
		}
		if _, err := tx.Exec(ctx, `INSERT INTO routing_rule (clinic_id, process, rule, changed_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (clinic_id, process) DO UPDATE SET rule = $3, changed_at = $4`, clinicID, process, rule, s.now()); err != nil {
			return err
		}
		if err := s.checkRule(ctx, tx, clinicID, process, rule, roster); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "routing.put", "routing/"+string(process), "")
	})
}
