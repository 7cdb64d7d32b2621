package pg

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
)

// Place resolves the clinic's routing rule for the message and puts it in each
// recipient's inbox, in one transaction with its ledger line. Idempotent by
// message: a second call returns the first decision.
func (s *Store) Place(ctx context.Context, in contract.DeliverToInboxInput) (contract.DeliverToInboxOutput, error) {
	var out contract.DeliverToInboxOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.DeliverToInboxOutput{}
		line := EffectInbox + "/" + in.MessageID
		var decided placement
		err := tx.QueryRow(ctx, "SELECT result FROM ledger WHERE key = $1 AND outcome = 'done'", line).Scan(&decided)
		if err == nil {
			out = decided.output()
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var process contract.Process
		var practitioner, party *string
		err = tx.QueryRow(ctx, `SELECT d.process, gp.id, own.id FROM dialogue d
				JOIN inbound_message m ON m.id = $3 AND m.dialogue_id = d.id
				JOIN patient p ON p.id = d.patient_id
				LEFT JOIN staff gp ON gp.id = p.practitioner_id AND gp.active AND gp.clinic_id = d.clinic_id
				LEFT JOIN party ON party.her_id = m.to_her_id
				LEFT JOIN staff own ON own.id = party.staff_id AND own.active AND own.clinic_id = d.clinic_id
			WHERE d.id = $2 AND d.clinic_id = $1`, in.ClinicID, in.DialogueID, in.MessageID).Scan(&process, &practitioner, &party)
		if err != nil {
			return notFound(err, "the clinic has no such message")
		}
		rule := routing.Default(string(process))
		err = tx.QueryRow(ctx, "SELECT rule FROM routing_rule WHERE clinic_id = $1 AND process = $2", in.ClinicID, process).Scan(&rule)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		// A patient whom the clinic has not registered is the practitioner's whose
		// HER-id Helsenorge chose: it sends to the one on the list today.
		live := routing.Live{PractitionerID: deref(practitioner), Active: map[routing.Recipient]int{}}
		if live.PractitionerID == "" {
			live.PractitionerID = deref(party)
		}
		for _, r := range append(rule.Recipients, routing.WholeClinic) {
			if live.Active[r], err = s.active(ctx, tx, in.ClinicID, r); err != nil {
				return err
			}
		}
		places, fallback := routing.Resolve(rule, live)
		decided = placement{Rule: rule, Fallback: fallback, Places: places}
		out = decided.output()
		for _, r := range places {
			if _, err := tx.Exec(ctx, `INSERT INTO inbox_item (id, clinic_id, dialogue_id, message_id, recipient_kind, recipient_id, placed_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (message_id, recipient_kind, recipient_id) DO NOTHING`,
				newID(), in.ClinicID, in.DialogueID, in.MessageID, r.Kind, r.ID, s.now()); err != nil {
				return err
			}
		}
		outcome := contract.OutcomeDone
		if len(places) == 0 {
			out.CaseOpened, outcome = true, contract.OutcomeFailed
			if err := s.openCase(ctx, tx, in.ClinicID, in.DialogueID, in.MessageID, contract.CaseNobodyReads, string(fallback)); err != nil {
				return err
			}
		}
		return s.ledgerOutcome(ctx, tx, line, outcome, decided)
	})
	return out, err
}

// placement is the ledger's result of a message's routing.
type placement struct {
	Rule     routing.Rule        `json:"rule"`
	Fallback routing.Fallback    `json:"fallback"`
	Places   []routing.Recipient `json:"places"`
}

func (p placement) output() contract.DeliverToInboxOutput {
	return contract.DeliverToInboxOutput{Places: len(p.Places), Rule: string(p.Rule.Format), Fallback: string(p.Fallback)}
}

// active counts the active staff behind a recipient.
func (s *Store) active(ctx context.Context, tx pgx.Tx, clinicID string, r routing.Recipient) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM staff s WHERE s.clinic_id = $1 AND s.active AND CASE $2
			WHEN 'position' THEN s.position = $3
			WHEN 'role' THEN s.role = $3
			WHEN 'unit' THEN $3 = 'clinic' OR s.unit = $3
			WHEN 'group' THEN EXISTS (SELECT FROM staff_group_member g WHERE g.clinic_id = $1 AND g.group_id = $3 AND g.staff_id = s.id)
			ELSE s.id::text = $3 END`, clinicID, string(r.Kind), r.ID).Scan(&n)
	return n, err
}

// InboxItem is a dialogue as an inbox shows it.
type InboxItem struct {
	DialogueID string           `json:"dialogueId"`
	Process    contract.Process `json:"process"`
	// Title carries helsenorge.no where a citizen began on Helsenorge (S94); "(erased)"
	// when the patient is.
	Title string `json:"title"`
	// Patient is empty for a dialogue between colleagues, which has Participants instead.
	Patient      string              `json:"patient"`
	Participants []routing.Recipient `json:"participants,omitempty"`
	Status       contract.Status     `json:"status"`
	// Recipient is the inbox that shows it to the caller.
	Recipient string    `json:"recipient"`
	Unread    bool      `json:"unread"`
	LatestAt  time.Time `json:"latestAt"`
}

// Erased stands where a destroyed key makes content unreadable.
const Erased = "(erased)"

// Inbox lists the dialogues that the caller's inboxes show, latest first: his own
// and those of his position, role, unit and groups. A clinic administrator sees
// every inbox of the clinic.
func (s *Store) Inbox(ctx context.Context, by identity.Principal, clinicID string, limit int) ([]InboxItem, error) {
	var items []InboxItem
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		items = items[:0]
		// The caller's own inboxes first, then the newest dialogues in them, and only
		// for those what they wait for.
		rows, err := tx.Query(ctx, `WITH me AS (SELECT * FROM staff WHERE clinic_id = $1 AND subject = $2 AND active),
			mine (kind, id) AS (
				SELECT 'practitioner', id::text FROM me UNION ALL SELECT 'position', position FROM me UNION ALL SELECT 'role', role FROM me
				UNION ALL SELECT 'unit', unit FROM me UNION ALL SELECT 'unit', 'clinic' FROM me
				UNION ALL SELECT 'group', g.group_id FROM me JOIN staff_group_member g ON g.staff_id = me.id AND g.clinic_id = $1),
			newest AS (
				SELECT DISTINCT ON (d.latest_at, d.id) d.id, d.process, d.title, d.key_id, d.patient_id, d.latest_at,
					i.recipient_kind || ':' || i.recipient_id AS recipient, i.read_at IS NULL AS unread
				FROM inbox_item i JOIN dialogue d ON d.id = i.dialogue_id
				WHERE i.clinic_id = $1 AND ($3 OR (i.recipient_kind, i.recipient_id) IN (SELECT kind, id FROM mine))
				ORDER BY d.latest_at DESC, d.id DESC, i.placed_at DESC LIMIT $4)
			SELECT n.id, n.process, n.title, n.key_id, coalesce(n.patient_id::text, ''), st.status, n.recipient, n.unread, n.latest_at
			FROM newest n JOIN dialogue_status st ON st.id = n.id ORDER BY n.latest_at DESC, n.id DESC`,
			clinicID, by.Subject, by.Role == identity.RoleClinicAdministrator, limit)
		if err != nil {
			return err
		}
		type sealedItem struct {
			InboxItem
			title            []byte
			keyID, patientID string
		}
		found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (sealedItem, error) {
			var i sealedItem
			err := row.Scan(&i.DialogueID, &i.Process, &i.title, &i.keyID, &i.patientID, &i.Status, &i.Recipient, &i.Unread, &i.LatestAt)
			return i, err
		})
		if err != nil {
			return err
		}
		for _, i := range found {
			if i.Title, i.Patient, err = s.titleAndName(ctx, tx, i.DialogueID, i.keyID, i.patientID, i.title); err != nil {
				return err
			}
			if i.patientID == "" {
				if i.Participants, err = s.participantsOf(ctx, tx, i.DialogueID); err != nil {
					return err
				}
			}
			items = append(items, i.InboxItem)
		}
		return s.audit(ctx, tx, by, clinicID, "inbox.read", "", "")
	})
	return items, err
}

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
