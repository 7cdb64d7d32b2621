package api

import (
	"context"
	"time"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

func (a *API) registerAudit(s Service) {
	secured(a, identity.RightAuditRead, get("/audit", "read-audit", "Who did what, newest first, in pages"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			InPage
			Patient string    `query:"patient" format:"uuid" doc:"Only what was done with what is kept of a patient: his own log"`
			Subject string    `query:"subject" maxLength:"200" doc:"Only what one did"`
			Action  string    `query:"action" maxLength:"100" doc:"Only one kind, such as dialogue.read"`
			From    time.Time `query:"from" doc:"Instant, inclusive"`
			Until   time.Time `query:"until" doc:"Instant, exclusive"`
		}) (*listOut[pg.AuditRow], error) {
			return pages(s.Audit(ctx, c.Principal, c.clinic, pg.AuditQuery{
				PatientID: in.Patient, Subject: in.Subject, Action: in.Action, From: in.From, Until: in.Until, Limit: in.Limit, Cursor: in.Cursor,
			}))
		})
	secured(a, identity.RightAuditRead, get("/audit/verification", "verify-audit", "Hold the whole audit, of all clinics, against its seals"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Seal int64  `query:"seal" minimum:"1" doc:"The number of a seal that was kept elsewhere"`
			Hash string `query:"hash" pattern:"^[0-9a-f]{64}$" doc:"Its hash"`
		}) (*bodyOut[pg.AuditVerdict], error) {
			return body(s.VerifyAudit(ctx, c.Principal, c.clinic, in.Seal, in.Hash))
		})
}
