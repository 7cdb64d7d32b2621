package client

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// maxNote bounds why a message is discarded, in characters.
const maxNote = 500

// Quarantine lists the messages that were kept aside, newest first: those that could not be
// taken in, and those that the broker gave up on. Limit is in rows; 0 means DefaultLimit.
func (c *Client) Quarantine(ctx context.Context, by identity.Principal, clinicID string, q pg.QuarantineQuery) (pg.Page[pg.Quarantine], error) {
	if err := allow(by, identity.RightQuarantineRead, clinicID); err != nil {
		return pg.Page[pg.Quarantine]{}, err
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	return c.store.Quarantined(ctx, by, clinicID, q)
}

// QuarantinedMessage is what is known of one of them beside its content, which is shown to
// nobody: it may be anybody's.
func (c *Client) QuarantinedMessage(ctx context.Context, by identity.Principal, clinicID, id string) (pg.Quarantine, error) {
	if err := allow(by, identity.RightQuarantineRead, clinicID); err != nil {
		return pg.Quarantine{}, err
	}
	if uuid.Validate(id) != nil {
		return pg.Quarantine{}, apperr.New(apperr.NotFound, "the clinic has no such message in quarantine")
	}
	return c.store.QuarantinedMessage(ctx, by, clinicID, id)
}

// DecideQuarantine decides about a message that is kept aside: the listener tries to take it
// in again (retry), or puts it back on the queue that it came from (release); or it is
// discarded, for which note says why, without naming anybody. The decision is audited.
// Idempotent: the same decision again changes nothing, and another one is Conflict.
func (c *Client) DecideQuarantine(ctx context.Context, by identity.Principal, clinicID, id string, d pg.QuarantineDecision, note string) (pg.Quarantine, error) {
	if err := allow(by, identity.RightQuarantineDecide, clinicID); err != nil {
		return pg.Quarantine{}, err
	}
	if uuid.Validate(id) != nil {
		return pg.Quarantine{}, apperr.New(apperr.NotFound, "the clinic has no such message in quarantine")
	}
	var wrong []apperr.Field
	switch note = strings.TrimSpace(note); d {
	case pg.QuarantineRetry, pg.QuarantineRelease:
		if note != "" {
			wrong = append(wrong, apperr.Field{Path: "note", Rule: "only what is discarded has a reason"})
		}
	case pg.QuarantineDiscard:
		if note == "" || len([]rune(note)) > maxNote {
			wrong = append(wrong, apperr.Field{Path: "note", Rule: "why it is discarded, in at most 500 characters, without naming anybody"})
		}
	default:
		wrong = append(wrong, apperr.Field{Path: "decision", Rule: "retry, release or discard"})
	}
	if len(wrong) > 0 {
		return pg.Quarantine{}, apperr.InvalidFields("nothing can be decided so", wrong...)
	}
	return c.store.DecideQuarantine(ctx, by, clinicID, id, d, note)
}
