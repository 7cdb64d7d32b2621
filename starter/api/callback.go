package api

import (
	"context"
	"io"
	"net/http"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/starter/client"
)

// maxReportBytes bounds a provider's report.
const maxReportBytes = sms.MaxReportBytes

// SMSReports verifies what the gateway for text messages reports.
type SMSReports interface {
	// Verify returns the report that a request holds. Unauthenticated: nothing proves
	// whom it is from; invalid: it is from the gateway and makes no sense.
	Verify(header http.Header, body []byte) (client.DeliveryReport, error)
}

// Option adds to an API what not every installation has.
type Option func(*API, Service)

// WithSMSReports serves POST /v1/callbacks/sms, where the gateway for text messages
// reports what became of them. Its proof is the signature: the gateway has no token.
func WithSMSReports(v SMSReports) Option {
	return func(a *API, s Service) {
		a.signed("/v1/callbacks/sms", func(ctx context.Context, header http.Header, body []byte) error {
			report, err := v.Verify(header, body)
			if err != nil {
				return err
			}
			return s.DeliveryReported(ctx, report)
		})
	}
}

// signed registers a route that is proven by a signature over its body: it has
// neither token nor clinic, and do must believe nothing before it has verified the
// signature. A request that is taken is answered 204, whether or not it had an effect,
// so that nobody learns what is known here.
func (a *API) signed(path string, do func(ctx context.Context, header http.Header, body []byte) error) {
	a.mux.Handle("POST "+path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxReportBytes+1))
		switch {
		case err != nil:
			err = apperr.New(apperr.Invalid, "the body cannot be read")
		case len(body) > maxReportBytes:
			err = apperr.New(apperr.TooLarge, "a report has at most %d bytes", maxReportBytes)
		default:
			err = do(r.Context(), r.Header, body)
		}
		if err != nil {
			write(w, a.failed(r.Context(), err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	a.routes = append(a.routes, Route{Method: http.MethodPost, Path: path, Signed: true})
}
