package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// DialogueFacts is what has happened to a dialogue beside what was written in it. Instants
// in UTC; nil where it has not happened.
type DialogueFacts struct {
	// Origin is helsenorge, clinic, portal or app: where the first message was written.
	Origin string `json:"origin"`
	// OwnerID is the staff member who has taken it, "" for nobody (A3).
	OwnerID string `json:"ownerId,omitempty"`
	// TurnedFrom is the renewal request whose answer it goes on from, TurnedInto the
	// dialogues that go on from this request (S68).
	TurnedFrom string   `json:"turnedFrom,omitempty"`
	TurnedInto []string `json:"turnedInto,omitempty"`
	// OneWay is true where the citizen cannot reply.
	OneWay      bool       `json:"oneWay,omitempty"`
	ClosedAt    *time.Time `json:"closedAt,omitempty"`
	ClosedBy    string     `json:"closedBy,omitempty"`
	ConvertedAt *time.Time `json:"convertedAt,omitempty"`
	ConvertedBy string     `json:"convertedBy,omitempty"`
	// FeeNoticeID is the message that tells the patient of the fee, FeeAsked whether it
	// asks; BillableAt is since when he knows: no fee may be taken before (F14).
	FeeNoticeID string     `json:"feeNoticeId,omitempty"`
	FeeAsked    bool       `json:"feeAsked,omitempty"`
	BillableAt  *time.Time `json:"billableAt,omitempty"`
	// OwedSince is the receipt of the first unanswered message, AnswerDue its limit (F13).
	OwedSince *time.Time `json:"owedSince,omitempty"`
	AnswerDue *time.Time `json:"answerDue,omitempty"`
	Escalated string     `json:"escalated,omitempty"`
	// UnreadAt is when Helsenorge said that the citizen has not read (VUS).
	UnreadAt *time.Time `json:"unreadAt,omitempty"`
}

func dialogueFacts(ctx context.Context, tx pgx.Tx, id string) (DialogueFacts, error) {
	var f DialogueFacts
	err := tx.QueryRow(ctx, `SELECT d.origin, coalesce(d.owner_id::text, ''), coalesce(d.turned_from::text, ''),
			ARRAY (SELECT t.id::text FROM dialogue t WHERE t.turned_from = d.id ORDER BY t.created_at, t.id), NOT d.reply_allowed, d.closed_at, d.closed_by,
			d.converted_at, d.converted_by, coalesce(d.fee_notice_id::text, ''), d.fee_asked, d.billable_at, d.owed_since, d.answer_due, d.escalated, d.unread_at
		FROM dialogue d WHERE d.id = $1`, id).
		Scan(&f.Origin, &f.OwnerID, &f.TurnedFrom, &f.TurnedInto, &f.OneWay, &f.ClosedAt, &f.ClosedBy, &f.ConvertedAt, &f.ConvertedBy, &f.FeeNoticeID, &f.FeeAsked,
			&f.BillableAt, &f.OwedSince, &f.AnswerDue, &f.Escalated, &f.UnreadAt)
	for _, at := range []*time.Time{f.ClosedAt, f.ConvertedAt, f.BillableAt, f.OwedSince, f.AnswerDue, f.UnreadAt} {
		if at != nil {
			*at = at.UTC()
		}
	}
	return f, err
}
