package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

type Reachability struct {
	Reachable bool
	Reasons   []string
}

var onWire = map[contract.Process]string{
	contract.ProcessEContact:      codes.EKontakt,
	contract.ProcessEConsultation: codes.EKonsultasjon,
	contract.ProcessPrescription:  codes.Reseptfornyelse,
}

func (s *Store) reachability(context.Context, pgx.Tx, string, string, contract.Process) (Reachability, error) {
	return Reachability{Reachable: true}, nil
}

func (s *Store) offeringParty(ctx context.Context, q rower, clinicID, patientID, process string) (herID int, ok bool, err error) {
	err = q.QueryRow(ctx, `SELECT o.her_id FROM offered_service o JOIN party y ON y.her_id = o.her_id AND y.clinic_id = $1 JOIN patient p ON p.id = $2
		WHERE o.process = $3 AND (y.staff_id IS NULL OR y.staff_id = p.practitioner_id) ORDER BY y.staff_id IS NULL, o.her_id LIMIT 1`,
		clinicID, patientID, process).Scan(&herID)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return herID, err == nil, err
}
