package pg

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
)

// keepReaders looks at every inbox and every routing rule of a clinic whose staff has
// changed (F12): an open dialogue that lies only where nobody works any more is shown to
// the leavers' deputies, else to the whole clinic; nobody has what a leaver had taken. It
// stays as read or unread as it was. A dialogue between colleagues stays theirs.
func (s *Store) keepReaders(ctx context.Context, tx pgx.Tx, clinicID string) error {
	roster, err := s.roster(ctx, tx, clinicID)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE dialogue SET owner_id = NULL WHERE clinic_id = $1 AND owner_id IN (SELECT id FROM staff WHERE clinic_id = $1 AND NOT active)", clinicID); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, "SELECT DISTINCT recipient_kind, recipient_id FROM inbox_item WHERE clinic_id = $1 AND left_at IS NULL ORDER BY 1, 2", clinicID)
	if err != nil {
		return err
	}
	boxes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[routing.Recipient])
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(boxes), roster.Staffed)
	for _, box := range left {
		if err := s.showInstead(ctx, tx, clinicID, box, roster.Cover(box), left); err != nil {
			return err
		}
	}
	if err := s.checkReaders(ctx, tx, clinicID, len(boxes) > 0 && !roster.Staffed(routing.WholeClinic), roster.Reaches(routing.WholeClinic)); err != nil {
		return err
	}
	return s.checkRules(ctx, tx, clinicID, roster)
}

// showInstead shows what lies in a left inbox, and in no other that anybody reads, in
// those that take its place.
func (s *Store) showInstead(ctx context.Context, tx pgx.Tx, clinicID string, box routing.Recipient, cover []routing.Place, left []routing.Recipient) error {
	to := make([]routing.Recipient, len(cover))
	for i, c := range cover {
		to[i] = c.Recipient
	}
	toKinds, toIDs := columns(to)
	leftKinds, leftIDs := columns(left)
	_, err := tx.Exec(ctx, `INSERT INTO inbox_item (id, clinic_id, dialogue_id, message_id, recipient_kind, recipient_id, placed_at, read_at, via)
		SELECT gen_random_uuid(), i.clinic_id, i.dialogue_id, i.message_id, c.kind, c.id, $8, i.read_at, $9
		FROM (SELECT DISTINCT ON (dialogue_id) * FROM inbox_item
			WHERE clinic_id = $1 AND recipient_kind = $2 AND recipient_id = $3 AND left_at IS NULL ORDER BY dialogue_id, placed_at DESC) i
		JOIN dialogue d ON d.id = i.dialogue_id AND d.patient_id IS NOT NULL
		JOIN dialogue_status st ON st.id = d.id AND st.status <> 'closed'
		CROSS JOIN unnest($4::text[], $5::text[]) c (kind, id)
		WHERE NOT EXISTS (SELECT FROM inbox_item o WHERE o.dialogue_id = i.dialogue_id AND o.left_at IS NULL
			AND (o.recipient_kind, o.recipient_id) NOT IN (SELECT * FROM unnest($6::text[], $7::text[])))
		ON CONFLICT (message_id, recipient_kind, recipient_id) DO UPDATE SET left_at = NULL, placed_at = $8, via = $9`,
		clinicID, box.Kind, box.ID, toKinds, toIDs, leftKinds, leftIDs, s.now(), routing.ViaLeaver)
	return err
}

// checkReaders opens one case for a clinic with messages and without anybody who works
// there, and resolves it, with those of single messages, once somebody is at work.
func (s *Store) checkReaders(ctx context.Context, tx pgx.Tx, clinicID string, nobody, somebody bool) error {
	if nobody {
		return s.reopenCase(ctx, tx, clinicID, clinicID, contract.CaseNobodyReads, string(routing.NobodyPresent))
	}
	if !somebody {
		return nil
	}
	_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $3 WHERE clinic_id = $1 AND kind = $2 AND resolved_at IS NULL", clinicID, contract.CaseNobodyReads, s.now())
	return err
}

// checkRules opens a case for each rule that reaches nobody any more, and resolves those
// of rules that do again.
func (s *Store) checkRules(ctx context.Context, tx pgx.Tx, clinicID string, roster routing.Roster) error {
	type row struct {
		Process contract.Process
		Rule    routing.Rule
	}
	rows, err := tx.Query(ctx, "SELECT process, rule FROM routing_rule WHERE clinic_id = $1 ORDER BY process", clinicID)
	if err != nil {
		return err
	}
	rules, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := s.checkRule(ctx, tx, clinicID, r.Process, r.Rule, roster); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkRule(ctx context.Context, tx pgx.Tx, clinicID string, p contract.Process, rule routing.Rule, roster routing.Roster) error {
	// There is one case per rule: it opens again.
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte("routing/"+clinicID+"/"+string(p))).String()
	if len(rule.Recipients) > 0 && !slices.ContainsFunc(rule.Recipients, roster.Staffed) {
		return s.reopenCase(ctx, tx, clinicID, id, contract.CaseRoutingReachesNobody, string(p))
	}
	_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $3 WHERE kind = $1 AND message_id = $2 AND resolved_at IS NULL",
		contract.CaseRoutingReachesNobody, id, s.now())
	return err
}

// reopenCase opens a case that is about the clinic and no dialogue, anew where it was
// resolved.
func (s *Store) reopenCase(ctx context.Context, tx pgx.Tx, clinicID, about string, kind contract.CaseKind, reason string) error {
	_, err := tx.Exec(ctx, `INSERT INTO operator_case (id, clinic_id, kind, message_id, reason, opened_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, message_id) DO UPDATE SET reason = $5, resolved_at = NULL,
			opened_at = CASE WHEN operator_case.resolved_at IS NULL THEN operator_case.opened_at ELSE $6 END`,
		newID(), clinicID, kind, about, reason, s.now())
	return err
}

// columns are recipients as SQL's arrays take them.
func columns(all []routing.Recipient) (kinds, ids []string) {
	kinds, ids = make([]string, len(all)), make([]string, len(all))
	for i, r := range all {
		kinds[i], ids[i] = string(r.Kind), r.ID
	}
	return kinds, ids
}
