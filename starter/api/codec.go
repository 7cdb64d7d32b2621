package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/temporalx"
)

// PayloadAudit writes down who has read payloads in the Temporal UI.
type PayloadAudit interface {
	PayloadsRead(ctx context.Context, by identity.Principal, what string) error
}

// AdmitToPayloads admits the operators of the installation to the codec server, by the
// rules of the API's tokens: payloads are every clinic's. With withoutLogin a request
// without credentials is the operator of a Temporal UI that knows nobody.
func (a *API) AdmitToPayloads(audit PayloadAudit, withoutLogin bool) temporalx.Admit {
	return func(w http.ResponseWriter, r *http.Request) temporalx.Record {
		p, err := identity.Principal{Subject: "temporal-ui", Role: identity.RoleOperator}, error(nil)
		if !withoutLogin || len(r.Header.Values("Authorization")) > 0 {
			p, err = a.mayReadPayloads(r)
		}
		if err != nil {
			write(w, a.failed(r.Context(), err))
			return nil
		}
		return func(operation, namespace string, payloads int) error {
			return audit.PayloadsRead(r.Context(), p, fmt.Sprintf("%s/%d of %s", operation, payloads, namespace))
		}
	}
}

func (a *API) mayReadPayloads(r *http.Request) (identity.Principal, error) {
	p, err := a.principal(r)
	if err != nil {
		return p, err
	}
	if err = p.Require(identity.RightPayloadRead); err == nil && p.ClinicID != "" {
		err = apperr.New(apperr.Forbidden, "payloads are of every clinic: they are read by an operator whose token names none")
	}
	if err != nil {
		if failed := a.refused(r.Context(), p, "read-payloads"); failed != nil {
			_ = a.failed(r.Context(), failed) // it is logged, and refused all the same
		}
	}
	return p, err
}
