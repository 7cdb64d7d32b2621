package client

import (
	"context"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Audit lists who did what in the clinic, newest first; with a patient, who has had to do
// with what is kept of him, which is his to know (pasientjournalloven §18). Limit is in
// rows; 0 means DefaultLimit. To read the audit is in the audit, too.
func (c *Client) Audit(ctx context.Context, by identity.Principal, clinicID string, q pg.AuditQuery) (pg.Page[pg.AuditRow], error) {
	if err := allow(by, identity.RightAuditRead, clinicID); err != nil {
		return pg.Page[pg.AuditRow]{}, err
	}
	var wrong []apperr.Field
	if q.PatientID != "" && uuid.Validate(q.PatientID) != nil {
		wrong = append(wrong, apperr.Field{Path: "patient", Rule: "the id of a patient, not a national id: helsebro patient find"})
	}
	if !q.From.IsZero() && !q.Until.IsZero() && !q.From.Before(q.Until) {
		wrong = append(wrong, apperr.Field{Path: "until", Rule: "later than from"})
	}
	if len(wrong) > 0 {
		return pg.Page[pg.AuditRow]{}, apperr.InvalidFields("the audit cannot be searched so", wrong...)
	}
	q.Limit = bounded(q.Limit)
	return c.store.Audit(ctx, by, clinicID, q)
}

// VerifyAudit holds the audit of the whole installation against its seals. number and hash
// are a seal that was kept elsewhere, 0 and "" for none.
func (c *Client) VerifyAudit(ctx context.Context, by identity.Principal, clinicID string, number int64, hash string) (pg.AuditVerdict, error) {
	if err := allow(by, identity.RightAuditRead, clinicID); err != nil {
		return pg.AuditVerdict{}, err
	}
	if (number == 0) != (hash == "") || number < 0 {
		return pg.AuditVerdict{}, apperr.InvalidFields("the seal is not named wholly", apperr.Field{Path: "seal, hash", Rule: "both, or neither"})
	}
	return c.store.VerifyAudit(ctx, by, clinicID, number, hash)
}
