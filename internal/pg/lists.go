package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/vault"
)

// Sort is the order of a list of dialogues.
type Sort string

// The orders.
const (
	// SortLatest: the latest message first.
	SortLatest Sort = "latest"
	// SortOldest: the one that has waited longest since its last message first.
	SortOldest Sort = "oldest"
	// SortDue: those whose answer is owed, the nearest limit first, and no others.
	SortDue Sort = "due"
)

// DialogueQuery selects dialogues; what is empty selects all.
type DialogueQuery struct {
	Process contract.Process
	Status  contract.Status
	// Origin is helsenorge, clinic, portal or app: where it began.
	Origin    string
	PatientID string
	// OwnerID is a staff id, or OwnerMe, or OwnerNobody.
	OwnerID string
	// Unread and Recipient are for an inbox: what nobody has opened, and one inbox of the
	// caller's.
	Unread    bool
	Recipient routing.Recipient
	// Sort is SortLatest when empty. Limit is in rows, 1 when less. Cursor is the Next of
	// the page before.
	Sort   Sort
	Limit  int
	Cursor string
}

// Owners that are no staff id.
const (
	OwnerMe     = "me"
	OwnerNobody = "nobody"
)

// Handling is how the clinic handles a dialogue of a list.
type Handling struct {
	// Origin is helsenorge, clinic, portal or app: where it began.
	Origin string `json:"origin,omitempty"`
	// OwnerID is the staff member who has taken it, Owner his name (A3).
	OwnerID string `json:"ownerId,omitempty"`
	Owner   string `json:"owner,omitempty"`
	// OwedSince is the receipt of the first message without an answer, AnswerDue the limit
	// of its answer, and Escalated the last step that was done because of it (F13).
	OwedSince *time.Time              `json:"owedSince,omitempty"`
	AnswerDue *time.Time              `json:"answerDue,omitempty"`
	Escalated contract.EscalationStep `json:"escalated,omitempty"`
	// ConvertedAt is when the e-contact became an e-consultation (F14).
	ConvertedAt *time.Time `json:"convertedAt,omitempty"`
	// UnreadAt is when Helsenorge said that the citizen had not read the answer (VUS).
	UnreadAt *time.Time `json:"unreadAt,omitempty"`
}

// handlingColumns are those of Handling, of the dialogue d and its owner w.
const handlingColumns = `d.origin, coalesce(d.owner_id::text, ''), coalesce(w.name, ''), d.owed_since, d.answer_due, d.escalated, d.converted_at, d.unread_at`

func (h *Handling) columns() []any {
	return []any{&h.Origin, &h.OwnerID, &h.Owner, &h.OwedSince, &h.AnswerDue, &h.Escalated, &h.ConvertedAt, &h.UnreadAt}
}

// DialogueItem is a dialogue in a list.
type DialogueItem struct {
	DialogueID string           `json:"dialogueId"`
	Process    contract.Process `json:"process"`
	// Title carries helsenorge.no where a citizen began on Helsenorge (S94); Erased when
	// the patient is.
	Title string `json:"title"`
	// PatientID and Patient are empty for a dialogue between colleagues, which has
	// Participants instead.
	PatientID    string              `json:"patientId,omitempty"`
	Patient      string              `json:"patient"`
	Participants []routing.Recipient `json:"participants,omitempty"`
	Status       contract.Status     `json:"status"`
	Handling
	// Inboxes are those in which it lies.
	Inboxes   []string  `json:"inboxes,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	LatestAt  time.Time `json:"latestAt"`
}

// InboxItem is a dialogue as an inbox shows it.
type InboxItem struct {
	DialogueItem
	// Recipient is the inbox that shows it to the caller, a person's own before others, and
	// Via why it lies there.
	Recipient string      `json:"recipient"`
	Via       routing.Via `json:"via,omitempty"`
	// Unread is true until anybody opens it: it is one dialogue, wherever it lies (A3).
	Unread bool `json:"unread"`
}

// mailbox is what inboxes show themselves to a caller.
type mailbox struct {
	staffID string
	// all shows every inbox of the clinic.
	all          bool
	own, covered []routing.Recipient
	roster       routing.Roster
}

// mailboxOf reads the caller's inboxes: his own, and those that he covers for colleagues
// who are away (F12). A clinic administrator and the record system see all of them.
func (s *Store) mailboxOf(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID string) (mailbox, error) {
	b := mailbox{all: by.Role == identity.RoleClinicAdministrator || by.Role == identity.RoleService}
	var err error
	if b.roster, err = s.roster(ctx, tx, clinicID); err != nil {
		return b, err
	}
	err = tx.QueryRow(ctx, "SELECT id FROM staff WHERE clinic_id = $1 AND subject = $2 AND active", clinicID, by.Subject).Scan(&b.staffID)
	if errors.Is(err, pgx.ErrNoRows) {
		return b, nil
	}
	b.own, b.covered = b.roster.Inboxes(b.staffID)
	return b, err
}

// Inbox lists the dialogues that the caller's inboxes show: his own, those of his
// position, role, unit and groups, and those of colleagues who are away where he stands in
// for them. A clinic administrator and the record system see every inbox of the clinic,
// without what colleagues write to each other.
func (s *Store) Inbox(ctx context.Context, by identity.Principal, clinicID string, q DialogueQuery) (Page[InboxItem], error) {
	var found Page[InboxItem]
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		box, err := s.mailboxOf(ctx, tx, by, clinicID)
		if err != nil {
			return err
		}
		if found, err = s.listDialogues(ctx, tx, clinicID, q, box, true); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "inbox.read", "", "")
	})
	return found, err
}

// Dialogues lists the clinic's dialogues with patients, in whatever inbox they lie. The
// threads of appointments are among them only when their process is asked for.
func (s *Store) Dialogues(ctx context.Context, by identity.Principal, clinicID string, q DialogueQuery) (Page[DialogueItem], error) {
	var found Page[DialogueItem]
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		box, err := s.mailboxOf(ctx, tx, by, clinicID)
		if err != nil {
			return err
		}
		all, err := s.listDialogues(ctx, tx, clinicID, q, box, false)
		if err != nil {
			return err
		}
		found = Page[DialogueItem]{Items: make([]DialogueItem, len(all.Items)), Next: all.Next}
		for i := range all.Items {
			found.Items[i] = all.Items[i].DialogueItem
		}
		return s.audit(ctx, tx, by, clinicID, "dialogue.list", "", q.PatientID)
	})
	return found, err
}

// listDialogues reads one page, in one query.
func (s *Store) listDialogues(ctx context.Context, tx pgx.Tx, clinicID string, q DialogueQuery, box mailbox, inbox bool) (Page[InboxItem], error) {
	if q.Sort == "" {
		q.Sort = SortLatest
	}
	q.Limit = max(q.Limit, 1)
	from, err := readCursor(q.Cursor, string(q.Sort))
	if err != nil {
		return Page[InboxItem]{}, err
	}
	sql, args := q.statement(clinicID, box, inbox, from)
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return Page[InboxItem]{}, err
	}
	type sealedItem struct {
		InboxItem
		title, identity, wrapped []byte
		keyID, kek, patientKeyID string
	}
	sealed, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (sealedItem, error) {
		var i sealedItem
		err := row.Scan(append([]any{
			&i.DialogueID, &i.Process, &i.title, &i.keyID, &i.kek, &i.wrapped, &i.PatientID, &i.patientKeyID, &i.identity, &i.Participants,
			&i.Status, &i.CreatedAt, &i.LatestAt, &i.Recipient, &i.Via, &i.Unread, &i.Inboxes,
		}, i.columns()...)...)
		return i, err
	})
	if err != nil {
		return Page[InboxItem]{}, err
	}
	items := make([]InboxItem, len(sealed))
	keys := map[string]sealingKey{}
	for n, i := range sealed {
		i.CreatedAt, i.LatestAt = i.CreatedAt.UTC(), i.LatestAt.UTC()
		for _, at := range []**time.Time{&i.OwedSince, &i.AnswerDue, &i.ConvertedAt, &i.UnreadAt} {
			if *at != nil {
				utc := (*at).UTC()
				*at = &utc
			}
		}
		items[n] = i.InboxItem
		if i.wrapped == nil {
			items[n].Title, items[n].Patient = Erased, Erased
			continue
		}
		key, ok := keys[i.keyID]
		if !ok {
			opened, err := s.vault.Unwrap(vault.Wrapped{KEK: i.kek, Bytes: i.wrapped})
			if err != nil {
				return Page[InboxItem]{}, err
			}
			key = sealingKey{id: i.keyID, DataKey: opened}
			keys[i.keyID] = key
		}
		if err := key.open("dialogue.title", i.DialogueID, i.title, &items[n].Title); err != nil {
			return Page[InboxItem]{}, err
		}
		var p Patient
		switch {
		case i.PatientID == "":
		case i.patientKeyID == i.keyID:
			err = key.open("patient.identity", i.PatientID, i.identity, &p)
		default:
			p, err = s.openPatient(ctx, tx, i.PatientID)
		}
		if err != nil && !apperr.Is(err, apperr.Erased) {
			return Page[InboxItem]{}, err
		}
		items[n].Patient = p.Name()
	}
	return page(items, q.Limit, func(i InboxItem) cursor {
		at := i.LatestAt
		if q.Sort == SortDue {
			at = *i.AnswerDue
		}
		return cursor{Sort: string(q.Sort), At: at, ID: i.DialogueID}
	}), nil
}

// statusOf is what the dialogue d waits for, worked out for it alone: a join could work it
// out for every dialogue first.
const statusOf = "(SELECT st.status FROM dialogue_status st WHERE st.id = d.id)"

// orders are the sort keys, each with an index on dialogue.
var orders = map[Sort]struct{ column, direction, after string }{
	SortLatest: {"d.latest_at", "DESC", "<"},
	SortOldest: {"d.latest_at", "ASC", ">"},
	SortDue:    {"d.answer_due", "ASC", ">"},
}

// statement is the query of a page, with one row too many. Dialogues are walked in the
// order of their index, and each is looked up in the inboxes.
func (q DialogueQuery) statement(clinicID string, box mailbox, inbox bool, from *cursor) (string, []any) {
	args := []any{clinicID}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	where := []string{"d.clinic_id = $1"}
	if q.Process != "" {
		where = append(where, "d.process = "+arg(q.Process))
	} else if !inbox {
		where = append(where, "d.process <> 'appointment'")
	}
	if q.Status != "" {
		where = append(where, statusOf+" = "+arg(q.Status))
	}
	if q.Origin != "" {
		where = append(where, "d.origin = "+arg(q.Origin))
	}
	if q.PatientID != "" {
		where = append(where, "d.patient_id = "+arg(q.PatientID))
	}
	switch q.OwnerID {
	case "":
	case OwnerNobody:
		where = append(where, "d.owner_id IS NULL")
	case OwnerMe:
		where = append(where, "d.owner_id = "+arg(nullable(box.staffID)))
	default:
		where = append(where, "d.owner_id = "+arg(q.OwnerID))
	}
	order := orders[q.Sort]
	if q.Sort == SortDue {
		where = append(where, "d.answer_due IS NOT NULL")
	}
	if from != nil {
		where = append(where, fmt.Sprintf("(%s, d.id) %s (%s, %s::uuid)", order.column, order.after, arg(from.At), arg(from.ID)))
	}
	lies := ""
	if inbox {
		lies = `JOIN LATERAL (SELECT (array_agg(i.recipient_kind || ':' || i.recipient_id ORDER BY i.recipient_kind = 'practitioner' DESC, i.placed_at DESC, i.id))[1] AS recipient,
				(array_agg(i.via ORDER BY i.recipient_kind = 'practitioner' DESC, i.placed_at DESC, i.id))[1] AS via, bool_or(i.read_at IS NULL) AS unread
			FROM inbox_item i WHERE i.dialogue_id = d.id AND i.left_at IS NULL AND (` + box.shows(arg) + ")"
		if q.Recipient != (routing.Recipient{}) {
			lies += " AND i.recipient_kind = " + arg(q.Recipient.Kind) + " AND i.recipient_id = " + arg(q.Recipient.ID)
		}
		lies += " HAVING count(*) > 0"
		if q.Unread {
			lies += " AND bool_or(i.read_at IS NULL)"
		}
		lies += ") box ON true"
	} else {
		where = append(where, "d.patient_id IS NOT NULL")
		lies = "CROSS JOIN (SELECT '' AS recipient, '' AS via, false AS unread) box"
	}
	return `SELECT d.id, d.process, d.title, d.key_id, coalesce(k.kek, ''), k.wrapped, coalesce(d.patient_id::text, ''), coalesce(p.key_id::text, ''), p.identity,
			CASE WHEN d.patient_id IS NULL THEN (SELECT jsonb_agg(jsonb_build_object('kind', t.recipient_kind, 'id', t.recipient_id) ORDER BY t.recipient_kind, t.recipient_id)
				FROM dialogue_participant t WHERE t.dialogue_id = d.id) END,
			` + statusOf + `, d.created_at, d.latest_at, box.recipient, box.via, box.unread,
			ARRAY(SELECT DISTINCT i.recipient_kind || ':' || i.recipient_id FROM inbox_item i WHERE i.dialogue_id = d.id AND i.left_at IS NULL ORDER BY 1), ` + handlingColumns + `
		FROM dialogue d ` + lies + `
			LEFT JOIN data_key k ON k.id = d.key_id LEFT JOIN patient p ON p.id = d.patient_id LEFT JOIN staff w ON w.id = d.owner_id
		WHERE ` + strings.Join(where, " AND ") + fmt.Sprintf(" ORDER BY %s %s, d.id %s LIMIT %d", order.column, order.direction, order.direction, q.Limit+1), args
}

// shows is the condition that an inbox item i of the dialogue d shows itself to the caller.
// What colleagues write to each other is shown in a caller's own inboxes only (S20).
func (b mailbox) shows(arg func(any) string) string {
	in := func(all []routing.Recipient) string {
		kinds, ids := columns(all)
		return "(i.recipient_kind, i.recipient_id) IN (SELECT * FROM unnest(" + arg(kinds) + "::text[], " + arg(ids) + "::text[]))"
	}
	others := "false"
	switch {
	case b.all:
		others = "true"
	case len(b.covered) > 0:
		others = in(b.covered)
	}
	return in(b.own) + " OR d.patient_id IS NOT NULL AND " + others
}

// InboxCount is an inbox of the caller with what lies in it.
type InboxCount struct {
	// Recipient is kind:id, Name the staff member's whose own inbox it is.
	Recipient string `json:"recipient"`
	Name      string `json:"name,omitempty"`
	// Covered is true for an inbox that shows itself because its members are away.
	Covered bool `json:"covered,omitempty"`
	// Total counts the dialogues that lie in it, Unread those that nobody has opened, and
	// Owed those whose answer is owed.
	Total  int `json:"total"`
	Unread int `json:"unread"`
	Owed   int `json:"owed"`
}

// Inboxes lists the caller's inboxes, his own first, with their counts. Who sees every
// inbox sees those that anybody has.
func (s *Store) Inboxes(ctx context.Context, by identity.Principal, clinicID string) ([]InboxCount, error) {
	var counts []InboxCount
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		box, err := s.mailboxOf(ctx, tx, by, clinicID)
		if err != nil {
			return err
		}
		all := slices.Concat(box.own, box.covered)
		if box.all {
			for _, r := range box.roster.All() {
				if !slices.Contains(all, r) {
					all = append(all, r)
				}
			}
		}
		kinds, ids := columns(all)
		rows, err := tx.Query(ctx, `SELECT b.kind || ':' || b.id, coalesce(w.name, ''), b.n > $4, count(DISTINCT i.dialogue_id),
				count(DISTINCT i.dialogue_id) FILTER (WHERE i.read_at IS NULL), count(DISTINCT o.id)
			FROM unnest($2::text[], $3::text[]) WITH ORDINALITY b (kind, id, n)
				LEFT JOIN inbox_item i ON i.clinic_id = $1 AND i.recipient_kind = b.kind AND i.recipient_id = b.id AND i.left_at IS NULL
					AND (b.n <= $4 OR EXISTS (SELECT FROM dialogue d WHERE d.id = i.dialogue_id AND d.patient_id IS NOT NULL))
				LEFT JOIN dialogue o ON o.id = i.dialogue_id AND o.clinic_id = $1 AND o.owed_since IS NOT NULL
				LEFT JOIN staff w ON b.kind = 'practitioner' AND w.clinic_id = $1 AND w.id::text = b.id
			GROUP BY b.kind, b.id, b.n, w.name ORDER BY b.n`, clinicID, kinds, ids, len(box.own))
		if err != nil {
			return err
		}
		counts, err = pgx.AppendRows([]InboxCount{}, rows, func(row pgx.CollectableRow) (InboxCount, error) {
			var c InboxCount
			err := row.Scan(&c.Recipient, &c.Name, &c.Covered, &c.Total, &c.Unread, &c.Owed)
			return c, err
		})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "inbox.count", "", "")
	})
	return counts, err
}
