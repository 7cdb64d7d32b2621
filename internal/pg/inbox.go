package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
)

// Place resolves the clinic's routing rule for the message and puts it in each
// recipient's inbox, in one transaction with its ledger line, and notes since when an
// answer is owed (F13). Idempotent by message: a second call returns the first decision.
func (s *Store) Place(ctx context.Context, in contract.DeliverToInboxInput) (contract.DeliverToInboxOutput, error) {
	var out contract.DeliverToInboxOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.DeliverToInboxOutput{}
		if err := s.lockRouting(ctx, tx, in.ClinicID); err != nil {
			return err
		}
		m, err := s.arrivedMessage(ctx, tx, in)
		if err != nil {
			return err
		}
		line := EffectInbox + "/" + in.MessageID
		decided, read, again, err := s.placedBefore(ctx, tx, line, in, m)
		if err != nil || again {
			out = decided.output()
			return err
		}
		if decided, err = s.route(ctx, tx, in, m, read); err != nil {
			return err
		}
		if err := s.putInInboxes(ctx, tx, in.ClinicID, in.DialogueID, in.MessageID, decided.Places); err != nil {
			return err
		}
		if decided.Nobody {
			if err := s.openCase(ctx, tx, in.ClinicID, in.DialogueID, in.MessageID, contract.CaseNobodyReads, string(decided.Fallback)); err != nil {
				return err
			}
		}
		if decided.NothingOwed = !m.owes; m.owes {
			settings, err := s.settings(ctx, tx, in.ClinicID)
			if err != nil {
				return err
			}
			var due time.Time
			decided.Clock, due = settings.clock(m.process, m.receivedAt)
			if err := s.owes(ctx, tx, in.DialogueID, m.receivedAt, due); err != nil {
				return err
			}
		}
		out = decided.output()
		return s.ledgerOutcome(ctx, tx, line, contract.OutcomeDone, decided)
	})
	return out, err
}

// arrivedMessage is a stored message with what its dialogue says about who reads it.
type arrivedMessage struct {
	process    contract.Process
	toHerID    int
	receivedAt time.Time
	ownerID    string
	// owes is true for a message that asks for an answer which is still to be given.
	owes bool
}

// arrivedMessage reads the message to be placed and locks its dialogue.
func (s *Store) arrivedMessage(ctx context.Context, tx pgx.Tx, in contract.DeliverToInboxInput) (arrivedMessage, error) {
	var m arrivedMessage
	// A renewal request is answered once, whatever comes after. An answer to a later message,
	// or a close after it, is one to what it overtook on its way here.
	err := tx.QueryRow(ctx, `SELECT d.process, m.to_her_id, m.received_at, coalesce(d.owner_id::text, ''),
			m.function <> $4 AND d.process <> $5 AND NOT (d.process = $6 AND EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND `+accepted+`
				AND coalesce(o.outcome, '') NOT IN ('rejected', 'failed', 'error-queue')))
			AND NOT (d.closed_at IS NOT NULL AND d.latest_at > m.received_at)
			AND NOT EXISTS (SELECT FROM outbound_message o JOIN inbound_message later ON later.id = o.in_reply_to
				WHERE o.dialogue_id = d.id AND later.received_at > m.received_at AND `+accepted+`)
		FROM dialogue d JOIN inbound_message m ON m.id = $3 AND m.dialogue_id = d.id
		WHERE d.id = $2 AND d.clinic_id = $1 FOR NO KEY UPDATE OF d`,
		in.ClinicID, in.DialogueID, in.MessageID, contract.FunctionUnread, contract.ProcessAppointment, contract.ProcessPrescription).
		Scan(&m.process, &m.toHerID, &m.receivedAt, &m.ownerID, &m.owes)
	m.receivedAt = m.receivedAt.UTC()
	return m, notFound(err, "the clinic has no such message")
}

// reader is what is known, when a message is received, about who should read it. It is
// kept with the message's line on the ledger: whose patient he becomes later does not
// change where it went (D20).
type reader struct {
	// PractitionerID is the patient's own; of somebody whom the clinic has not registered
	// the one whose HER-id Helsenorge chose: it sends to who is on the list today.
	PractitionerID string `json:"practitionerId,omitempty"`
	// WishedHPR is the practitioner whom the citizen named (role 23).
	WishedHPR string `json:"wishedHpr,omitempty"`
}

// readerOf reads who is the patient's own practitioner now. One who has left is named
// only where there is no other: his deputy reads for him (D8).
func (s *Store) readerOf(ctx context.Context, tx pgx.Tx, clinicID, dialogueID string, toHerID int) (reader, error) {
	var r reader
	var id *string
	err := tx.QueryRow(ctx, `SELECT coalesce(CASE WHEN gp.active THEN gp.id END, CASE WHEN own.active THEN own.id END, gp.id, own.id)::text
		FROM dialogue d LEFT JOIN patient p ON p.id = d.patient_id
			LEFT JOIN staff gp ON gp.id = p.practitioner_id AND gp.clinic_id = d.clinic_id
			LEFT JOIN party ON party.her_id = $3 AND party.clinic_id = d.clinic_id
			LEFT JOIN staff own ON own.id = party.staff_id
		WHERE d.id = $2 AND d.clinic_id = $1`, clinicID, dialogueID, toHerID).Scan(&id)
	r.PractitionerID = deref(id)
	return r, notFound(err, "the clinic has no such dialogue")
}

// placedBefore reads what was decided before, and else what was known of its reader when
// the message came.
func (s *Store) placedBefore(ctx context.Context, tx pgx.Tx, line string, in contract.DeliverToInboxInput, m arrivedMessage) (p placement, r reader, again bool, err error) {
	const read = "SELECT coalesce(outcome, '') = 'done', why, result FROM ledger WHERE key = $1"
	err = tx.QueryRow(ctx, read, line).Scan(&again, &r, &p)
	if !errors.Is(err, pgx.ErrNoRows) {
		return p, r, again, err
	}
	if r, err = s.readerOf(ctx, tx, in.ClinicID, in.DialogueID, m.toHerID); err != nil {
		return p, r, false, err
	}
	return p, r, false, s.ledgerLine(ctx, tx, line, in.ClinicID, EffectInbox, in.DialogueID, in.MessageID, r)
}

// route decides where the message goes.
func (s *Store) route(ctx context.Context, tx pgx.Tx, in contract.DeliverToInboxInput, m arrivedMessage, read reader) (placement, error) {
	var p placement
	roster, err := s.roster(ctx, tx, in.ClinicID)
	if err != nil {
		return p, err
	}
	if p.Rule, err = s.routingRule(ctx, tx, in.ClinicID, m.process); err != nil {
		return p, err
	}
	asked := routing.Asked{
		PractitionerID: read.PractitionerID, OwnerID: m.ownerID, Wished: read.WishedHPR != "", WishedID: roster.ByHPR(read.WishedHPR),
	}
	// A conversion makes it another matter: its rule holds again.
	rows, err := tx.Query(ctx, `SELECT DISTINCT i.recipient_kind, i.recipient_id FROM inbox_item i JOIN dialogue d ON d.id = i.dialogue_id
		WHERE i.dialogue_id = $1 AND i.left_at IS NULL AND i.via = $2 AND (d.converted_at IS NULL OR i.placed_at > d.converted_at) ORDER BY 1, 2`,
		in.DialogueID, routing.ViaForward)
	if err != nil {
		return p, err
	}
	if asked.Forwarded, err = pgx.CollectRows(rows, pgx.RowToStructByPos[routing.Recipient]); err != nil {
		return p, err
	}
	decided := routing.Resolve(p.Rule, asked, roster)
	p.Places, p.Fallback, p.Nobody = decided.Places, decided.Fallback, decided.Nobody
	return p, nil
}

// routingRule is the clinic's rule for a process.
func (s *Store) routingRule(ctx context.Context, tx pgx.Tx, clinicID string, p contract.Process) (routing.Rule, error) {
	rule := routing.Default(string(ruled(p)))
	var chosen routing.Rule
	err := tx.QueryRow(ctx, "SELECT rule FROM routing_rule WHERE clinic_id = $1 AND process = $2", clinicID, ruled(p)).Scan(&chosen)
	if errors.Is(err, pgx.ErrNoRows) {
		return rule, nil
	}
	return chosen, err
}

// putInInboxes shows a message in inboxes, unread. Where it lay before, and was forwarded
// from, it lies again. Idempotent.
func (s *Store) putInInboxes(ctx context.Context, tx pgx.Tx, clinicID, dialogueID, messageID string, places []routing.Place) error {
	for _, p := range places {
		if _, err := tx.Exec(ctx, `INSERT INTO inbox_item (id, clinic_id, dialogue_id, message_id, recipient_kind, recipient_id, placed_at, via)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (message_id, recipient_kind, recipient_id) DO UPDATE SET left_at = NULL, read_at = NULL, placed_at = $7, via = $8`,
			newID(), clinicID, dialogueID, messageID, p.Kind, p.ID, s.now(), p.Via); err != nil {
			return err
		}
	}
	return nil
}

// placement is the ledger's result of a message's routing.
type placement struct {
	Rule     routing.Rule          `json:"rule"`
	Fallback routing.Fallback      `json:"fallback"`
	Places   []routing.Place       `json:"places"`
	Nobody   bool                  `json:"nobody,omitempty"`
	Clock    []contract.Escalation `json:"clock,omitempty"`
	// NothingOwed is true when no answer was owed for the message.
	NothingOwed bool `json:"nothingOwed,omitempty"`
}

func (p placement) output() contract.DeliverToInboxOutput {
	return contract.DeliverToInboxOutput{
		Places: len(p.Places), Rule: string(p.Rule.Format), Fallback: string(p.Fallback), CaseOpened: p.Nobody, Clock: p.Clock, NothingOwed: p.NothingOwed,
	}
}

// Erased stands where a destroyed key makes content unreadable.
const Erased = "(erased)"

func (s *Store) titleAndName(ctx context.Context, tx pgx.Tx, dialogueID, keyID, patientID string, sealed []byte) (title, name string, err error) {
	key, err := s.key(ctx, tx, keyID)
	if apperr.Is(err, apperr.Erased) {
		return Erased, Erased, nil
	}
	if err != nil {
		return "", "", err
	}
	if err := key.open("dialogue.title", dialogueID, sealed, &title); err != nil || patientID == "" {
		return title, "", err
	}
	p, err := s.openPatient(ctx, tx, patientID)
	return title, p.Name(), err
}
