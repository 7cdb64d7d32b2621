// Package api is the HTTP API: what a record system and the CLI call.
//
// Every route but the few open ones needs an access token with the right that the
// route declares, for the clinic in its path; see secured, and package identity for
// what a token is. What a provider of text
// messages reports is proven by its signature instead; see signed. Errors are
// application/problem+json (RFC 9457): 400 for a token in the URL or two of them, 401 without a valid token, 403 naming the
// missing right, 404 for what does not exist or is another clinic's, 409 with the
// state that stands in the way, 410 for what is erased, 413, 422 naming the first
// hundred invalid fields, 503 with Retry-After. GET /openapi.json describes it all
// for programs, GET /docs for people.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/health"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/tracing"
	"github.com/helsebro/helsebro/starter/client"
)

// MaxBodyBytes bounds the body of every request.
const MaxBodyBytes = 1 << 20

// Service is what the API offers over HTTP; see client.Client.
type Service interface {
	Dialogue(ctx context.Context, by identity.Principal, clinicID, dialogueID string) (pg.Dialogue, error)
	Answer(ctx context.Context, by identity.Principal, clinicID, dialogueID string, a client.Answer) (contract.AnswerAccepted, error)
	Explain(ctx context.Context, by identity.Principal, clinicID, dialogueID string) (client.Explanation, error)
	ExplainMessage(ctx context.Context, by identity.Principal, clinicID, messageID string) (client.MessageExplanation, error)
	Routing(ctx context.Context, by identity.Principal, clinicID string) (map[contract.Process]routing.Rule, error)
	PutRouting(ctx context.Context, by identity.Principal, clinicID string, process contract.Process, rule routing.Rule) error
	PutClinic(ctx context.Context, by identity.Principal, clinic pg.Clinic) error
	PutPatient(ctx context.Context, by identity.Principal, clinicID string, p client.Patient) (string, error)
	FindPatient(ctx context.Context, by identity.Principal, clinicID, nationalID string) (string, error)
	ErasePatient(ctx context.Context, by identity.Principal, clinicID, patientID string) error
	Audit(ctx context.Context, by identity.Principal, clinicID string, q pg.AuditQuery) (pg.Page[pg.AuditRow], error)
	VerifyAudit(ctx context.Context, by identity.Principal, clinicID string, number int64, hash string) (pg.AuditVerdict, error)
	Quarantine(ctx context.Context, by identity.Principal, clinicID string, q pg.QuarantineQuery) (pg.Page[pg.Quarantine], error)
	QuarantinedMessage(ctx context.Context, by identity.Principal, clinicID, id string) (pg.Quarantine, error)
	DecideQuarantine(ctx context.Context, by identity.Principal, clinicID, id string, d pg.QuarantineDecision, note string) (pg.Quarantine, error)
	DeliveryReported(ctx context.Context, r client.DeliveryReport) error
	Refused(ctx context.Context, by identity.Principal, what string) error
	HoldKey(ctx context.Context, by identity.Principal, clinicID, key string) error
	Alone(ctx context.Context, name string, do func()) error
	Attachments
	Lists
	Dialogues
	Calendars
	Patients
	Appointments
	PortalDialogues
	Integrations
}

var _ Service = (*client.Client)(nil)

// API serves the routes. It is safe for concurrent use.
type API struct {
	handler  http.Handler
	mux      *recordingMux
	huma     huma.API
	verifier identity.Verifier
	refused  func(ctx context.Context, by identity.Principal, what string) error
	holdKey  func(ctx context.Context, by identity.Principal, clinicID, key string) error
	meter    Meter
	traces   *tracing.Traces
	logger   *slog.Logger
	routes   []Route
	// edited are the paths of what is read whole: true for what is written there, too.
	edited map[string]bool
	alone  func(ctx context.Context, name string, do func()) error
	limit  *limit
}

// Route is one entry of the route table.
type Route struct {
	Method string
	// Path has its parameters in braces.
	Path string
	// Right is what a caller must have; "" for an open or signed route.
	Right identity.Right
	// Signed is true for a route that is proven by a signature over its body.
	Signed bool
}

// New makes the API. checks are what /readyz asks, by name.
func New(service Service, verifier identity.Verifier, checks map[string]health.Check, logger *slog.Logger, options ...Option) *API {
	config := huma.DefaultConfig("Helsebro", "1")
	config.Info.Description = "Digital dialogue and appointments between a clinic, its patients and Helsenorge."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token in HelseID's profile. One that is bound to a key is sent with the scheme DPoP and a proof in the header DPoP (RFC 9449)."},
	}
	// huma's documentation page loads scripts from the internet; description and page are
	// served below, once, and nothing links to schemas of their own.
	config.OpenAPIPath, config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", "", nil
	config.RejectUnknownQueryParameters = true
	a := &API{mux: &recordingMux{ServeMux: http.NewServeMux()}, verifier: verifier, refused: service.Refused, holdKey: service.HoldKey, alone: service.Alone, edited: map[string]bool{}, meter: unmetered{}, logger: logger}
	a.huma = humago.New(a.mux, config)
	a.registerDialogues(service)
	a.registerDialogueCommands(service)
	a.registerAttachments(service)
	a.registerLists(service)
	a.registerQuarantine(service)
	a.registerCalendars(service)
	a.registerPatients(service)
	a.registerAppointments(service)
	a.registerPortalDialogues(service)
	a.registerIntegrations(service)
	for _, add := range options {
		add(a, service)
	}
	a.open("/healthz", health.Handler(checks))
	a.open("/readyz", health.Handler(checks))
	a.open("/openapi.json", a.description())
	a.open("/docs", a.docs())
	a.handler = a.observed(problems(a.mux.ServeMux))
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Routes returns the route table, in the order of registration.
func (a *API) Routes() []Route { return append([]Route(nil), a.routes...) }

// InClinic is the part of every secured request that names the clinic.
type InClinic struct {
	Clinic string `path:"clinic" doc:"The clinic's id"`
}

// caller is who calls, for which clinic.
type caller struct {
	identity.Principal
	clinic string
}

// secured registers a route that only callers with the right may use, for the
// clinic in its path. It is the one way to register a route with an operation:
// right and authentication cannot be left out.
func secured[I, O any](a *API, right identity.Right, op huma.Operation, do func(context.Context, caller, *I) (*O, error)) {
	if right == "" || !strings.HasPrefix(op.Path, "/v1/clinics/{clinic}") {
		panic("route " + op.Path + " has no right or no clinic")
	}
	op.MaxBodyBytes = MaxBodyBytes
	op.Errors = append(op.Errors, refusals(op)...)
	op.Security = []map[string][]string{{"token": {}}}
	op.Description = strings.TrimSpace(op.Description + "\n\nNeeds the right `" + string(right) + "`.")
	op.Extensions = map[string]any{"x-helsebro-right": right}
	op.Middlewares = huma.Middlewares{oneForm(op.Path), a.authenticate(right, op.OperationID)}
	if op.RequestBody == nil {
		op.Middlewares = append(op.Middlewares, a.refuseOversize)
	}
	switch op.Method {
	case http.MethodGet:
		if !asksFor(reflect.TypeFor[I]()) {
			a.reading(&op)
		}
	case http.MethodPut:
		a.writing(&op)
	}
	a.routes = append(a.routes, Route{Method: op.Method, Path: op.Path, Right: right})
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		c, ok := ctx.Value(callerKey{}).(caller)
		if !ok {
			return nil, a.failed(ctx, apperr.New(apperr.Internal, "a secured route was reached without a principal"))
		}
		if k, keyed := any(in).(interface{ key() string }); keyed && k.key() != "" {
			if err := a.holdKey(ctx, c.Principal, c.clinic, k.key()); err != nil {
				return nil, a.failed(ctx, err)
			}
		}
		out, err := do(ctx, c, in)
		if err != nil {
			return nil, a.failed(ctx, err)
		}
		return out, nil
	})
}

// refusals are the statuses of the problems that any operation of its kind may answer
// with; huma adds 422 and 500.
func refusals(op huma.Operation) []int {
	statuses := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	if op.Method != http.MethodGet {
		statuses = append(statuses, http.StatusConflict)
	}
	if op.Method != http.MethodGet && op.Method != http.MethodDelete {
		statuses = append(statuses, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if ofPatient.MatchString(op.Path) {
		statuses = append(statuses, http.StatusGone)
	}
	return statuses
}

// ofPatient are the paths of what is kept of one patient, which may be erased.
var ofPatient = regexp.MustCompile(`/(patients|dialogues|appointments|messages|attachments)(/|$)`)

// open registers a route that needs no token. It must tell nothing about anybody.
func (a *API) open(path string, h http.Handler) {
	a.mux.Handle("GET "+path, h)
	a.routes = append(a.routes, Route{Method: http.MethodGet, Path: path})
}

// parameter is a part of a path that names something below the clinic.
var parameter = regexp.MustCompile(`\{(\w+)\}`)

// oneForm gives every id of the path the form in which Helsebro writes it. PostgreSQL
// takes capitals and missing hyphens for the same id, but what is sealed under an id, and
// the workflow that has its name, are found by the one form only.
func oneForm(path string) func(huma.Context, func(huma.Context)) {
	names := parameter.FindAllStringSubmatch(strings.TrimPrefix(path, "/v1/clinics/{clinic}"), -1)
	return func(hc huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(hc)
		for _, name := range names {
			if id, err := uuid.Parse(r.PathValue(name[1])); err == nil {
				r.SetPathValue(name[1], id.String())
			}
		}
		next(hc)
	}
}

type callerKey struct{}

// authenticate lets who has the right for the clinic in the path through. Who lacks the
// right in his own clinic is in the audit: nobody tries doors unseen.
func (a *API) authenticate(right identity.Right, operation string) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		if _, ok := hc.Context().Value(callerKey{}).(caller); ok {
			next(hc) // what he writes is read first, in the same request
			return
		}
		r, w := humago.Unwrap(hc)
		p, err := a.principal(r)
		clinic := hc.Param("clinic")
		if err == nil {
			if err = p.Require(right); err != nil && p.RequireClinic(clinic) == nil {
				if failed := a.refused(hc.Context(), p, operation); failed != nil {
					_ = a.failed(hc.Context(), failed) // it is logged, and refused all the same
				}
			}
		}
		if err == nil {
			err = p.RequireClinic(clinic)
		}
		if err != nil {
			write(w, a.failed(hc.Context(), err))
			return
		}
		next(huma.WithContext(hc, context.WithValue(hc.Context(), callerKey{}, caller{p, clinic})))
	}
}

func (a *API) principal(r *http.Request) (identity.Principal, error) {
	credentials, err := identity.ReadCredentials(r)
	if err != nil {
		return identity.Principal{}, err
	}
	p, err := a.verifier.Verify(r.Context(), credentials)
	if err != nil {
		return p, err
	}
	noteSubject(r.Context(), p.Subject)
	return p, a.limit.take(p)
}

// refuseOversize refuses a body that says itself that it is too large, before any of it is
// read. A file has a limit of its own; see client.Upload.
func (a *API) refuseOversize(hc huma.Context, next func(huma.Context)) {
	if r, w := humago.Unwrap(hc); r.ContentLength > MaxBodyBytes {
		write(w, a.failed(hc.Context(), apperr.New(apperr.TooLarge, "a request has at most %d bytes: send less at a time", MaxBodyBytes)))
		return
	}
	next(hc)
}

// failed makes the problem of an error, and logs the fault that the caller is not
// told. Only an *apperr.Error is known to name no patient; of others the log has
// the type.
func (a *API) failed(ctx context.Context, err error) *Problem {
	p := problem(err)
	if p.Status == http.StatusInternalServerError {
		attr := slog.String("error", fmt.Sprintf("%T", err))
		if known, ok := err.(*apperr.Error); ok { //nolint:errorlint // a wrapping error may hold more than the one it wraps
			attr = slog.String("error", known.Error())
		}
		a.logger.LogAttrs(ctx, slog.LevelError, "a request failed", attr)
	}
	return p
}

// write answers with a problem outside of huma's own way.
func write(w http.ResponseWriter, p *Problem) {
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may have hung up
}

// description serves the OpenAPI document of all that is registered.
func (a *API) description() http.Handler {
	doc, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic(err) // the routes are fixed: a test has seen this succeed
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(doc) // the caller may have hung up
	})
}

// recordingMux remembers what is registered, which http.ServeMux does not tell:
// the test of the route table reads it.
type recordingMux struct {
	*http.ServeMux
	patterns []string
}

// Handle implements the registration of http.ServeMux.
func (m *recordingMux) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.Handle(pattern, h)
}

// HandleFunc implements humago.Mux.
func (m *recordingMux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}
