package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// DialogueHandled is a change that staff have made to a dialogue, with their word to
// colleagues. Whoever may read the messages may read it.
type DialogueHandled struct {
	ID string `json:"id"`
	DialogueChange
	// Author is the name of who asked for it, At when it was done, in UTC.
	Author string    `json:"author"`
	At     time.Time `json:"at"`
}

// dialogueHandled lists the changes that were applied, oldest first.
func dialogueHandled(ctx context.Context, tx pgx.Tx, key sealingKey, dialogueID string) ([]DialogueHandled, error) {
	rows, err := tx.Query(ctx, `SELECT c.id, coalesce(s.name, c.author), c.applied_at, c.content
		FROM dialogue_command c LEFT JOIN staff s ON s.clinic_id = c.clinic_id AND s.subject = c.author
		WHERE c.dialogue_id = $1 AND c.applied_at IS NOT NULL ORDER BY c.applied_at, c.id`, dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (DialogueHandled, error) {
		var h DialogueHandled
		var sealed []byte
		if err := row.Scan(&h.ID, &h.Author, &h.At, &sealed); err != nil {
			return h, err
		}
		h.At = h.At.UTC()
		return h, key.open("dialogue_command.content", h.ID, sealed, &h.DialogueChange)
	})
}
