package pg

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
)

// escalated is the ledger's result of a step of the answer clock.
type escalated struct {
	// To are the inboxes that show the dialogue since, and did not before.
	To         []string `json:"to"`
	Places     int      `json:"places"`
	CaseOpened bool     `json:"caseOpened,omitempty"`
}

func (e escalated) output() contract.EscalateOutput {
	return contract.EscalateOutput{Places: e.Places, CaseOpened: e.CaseOpened}
}

// Escalate does one step of the answer clock, in one transaction with its line on the
// ledger (F13). Idempotent by message and step. When the answer is given meanwhile, it
// does nothing and says so.
func (s *Store) Escalate(ctx context.Context, in contract.EscalateInput) (contract.EscalateOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.EscalateOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.EscalateOutput{}
		if err := s.lockRouting(ctx, tx, in.ClinicID); err != nil {
			return err
		}
		d, err := s.lockDialogue(ctx, tx, in.ClinicID, in.DialogueID)
		if err != nil {
			return err
		}
		line := EffectEscalation + "/" + in.MessageID + "/" + string(in.Step)
		var done escalated
		err = tx.QueryRow(ctx, "SELECT result FROM ledger WHERE key = $1", line).Scan(&done)
		if err == nil {
			out = done.output()
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		// What is owed since a later message is the affair of that message's clock.
		var owed bool
		if err := tx.QueryRow(ctx, "SELECT m.received_at >= d.owed_since FROM inbound_message m JOIN dialogue d ON d.id = m.dialogue_id WHERE m.id = $1 AND d.id = $2 AND d.owed_since IS NOT NULL",
			in.MessageID, d.id).Scan(&owed); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if out.Moot = !owed; out.Moot {
			return nil
		}
		if done, err = s.escalate(ctx, tx, d, in); err != nil {
			return err
		}
		out = done.output()
		if _, err := tx.Exec(ctx, "UPDATE dialogue SET escalated = $2 WHERE id = $1", d.id, in.Step); err != nil {
			return err
		}
		why := map[string]any{"step": in.Step, "owedSince": d.owedSince, "due": d.answerDue}
		if err := s.ledgerLine(ctx, tx, line, in.ClinicID, EffectEscalation, d.id, in.MessageID, why); err != nil {
			return err
		}
		return s.ledgerOutcome(ctx, tx, line, contract.OutcomeDone, done)
	})
	return out, err
}

// escalate does what the step says.
func (s *Store) escalate(ctx context.Context, tx pgx.Tx, d dialogueRow, in contract.EscalateInput) (escalated, error) {
	done := escalated{To: []string{}}
	places, err := s.livePlaces(ctx, tx, d.id)
	if err != nil {
		return done, err
	}
	roster, err := s.roster(ctx, tx, in.ClinicID)
	if err != nil {
		return done, err
	}
	var show []routing.Recipient
	switch in.Step {
	case contract.StepWarn: // the mark is the dialogue's own
	case contract.StepDeputy:
		for _, id := range holders(d, places) {
			if deputy := roster.StandIn(id); deputy != "" {
				show = append(show, ownInbox(deputy))
			}
		}
	case contract.StepAdministrator:
		show = []routing.Recipient{{Kind: routing.Role, ID: string(identity.RoleClinicAdministrator)}}
		if !roster.Reaches(show[0]) {
			show[0] = routing.WholeClinic
		}
	case contract.StepOverdue:
		done.CaseOpened = true
		if err := s.openCase(ctx, tx, in.ClinicID, d.id, in.MessageID, contract.CaseAnswerOverdue, string(d.process)); err != nil {
			return done, err
		}
	}
	for _, r := range show {
		if !slices.ContainsFunc(places, func(p routing.Place) bool { return p.Recipient == r }) {
			places = append(places, routing.Place{Recipient: r, Via: routing.ViaEscalation})
			done.To = append(done.To, r.String())
			if err := s.placeNewest(ctx, tx, d, places[len(places)-1:]); err != nil {
				return done, err
			}
		}
	}
	done.Places = len(places)
	return done, nil
}

// holders are those who have the dialogue: whoever has taken it, else those in whose own
// inboxes it lies.
func holders(d dialogueRow, places []routing.Place) []string {
	if d.ownerID != "" {
		return []string{d.ownerID}
	}
	var ids []string
	for _, p := range places {
		if p.Kind == routing.Personal {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
