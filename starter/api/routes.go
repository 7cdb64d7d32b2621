package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// The shapes of requests and responses. Types of the stored things themselves are
// the service's.
type (
	// List is rows, never null; NextCursor is where a list that is read in pages goes on.
	List[T any] struct {
		Items      []T    `json:"items"`
		NextCursor string `json:"nextCursor,omitempty" doc:"Give it as cursor to read on; missing after the last page"`
	}
	listOut[T any] struct{ Body List[T] }
	bodyOut[T any] struct{ Body T }
	noContent      struct{}

	// InDialogue is the input of every operation on a dialogue. It is exported,
	// since fields of an embedded unexported type would not be filled.
	InDialogue struct {
		InClinic
		Dialogue string `path:"dialogue" doc:"The dialogue's id"`
	}
	// InProcess is the input of every operation on the rule of a process.
	InProcess struct {
		InClinic
		Process contract.Process `path:"process" doc:"e-consultation, e-contact or prescription"`
	}
)

// AnswerRequest is staff's answer.
type AnswerRequest struct {
	Code      string `json:"code,omitempty" doc:"Code of kodeverk 7602, as the process allows; a renewal request's decisions tell it, and an e-dialogue has none" example:"12"`
	Subject   string `json:"subject,omitempty" doc:"At most 50 characters on one line"`
	Text      string `json:"text" doc:"What the citizen reads, at most 1000 characters"`
	InReplyTo string `json:"inReplyTo,omitempty" doc:"The message that was read; without it the latest"`
	FollowUp  bool   `json:"followUp,omitempty" doc:"Adds to an answer already given"`
	Close     bool   `json:"close,omitempty" doc:"The dialogue ends with it; the citizen may write again"`
	// Attachments and Items are of the processes that have them.
	Attachments []string          `json:"attachments,omitempty" doc:"Ids of uploaded files, in the order in which they are shown"`
	Items       []pg.ItemDecision `json:"items,omitempty" doc:"What is decided on each prescription of a renewal request; without it the code holds for all"`
}

// PatientRequest is a patient of the clinic's record system.
type PatientRequest = client.Patient

// FindPatientRequest finds a patient. It is a body, because URLs end up in logs.
type FindPatientRequest struct {
	NationalID string `json:"nationalId" doc:"Birth number or D number, eleven digits"`
}

// PatientID names a patient.
type PatientID struct {
	PatientID string `json:"patientId"`
}

// Rules is the routing rule of each process.
type Rules struct {
	Rules map[contract.Process]routing.Rule `json:"rules"`
}

type answerIn struct {
	InDialogue
	Keyed
	Body AnswerRequest
}

// op is an operation below a clinic.
func op(method, path, id, summary string, status int) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/v1/clinics/{clinic}" + path, Summary: summary, DefaultStatus: status}
}

func get(path, id, summary string) huma.Operation {
	return op(http.MethodGet, path, id, summary, http.StatusOK)
}

func put(path, id, summary string) huma.Operation {
	return op(http.MethodPut, path, id, summary, http.StatusNoContent)
}

func (a *API) registerDialogues(s Service) {
	secured(a, identity.RightMessageRead, get("/dialogues/{dialogue}", "read-dialogue", "A dialogue with messages and answers; marks it read"),
		func(ctx context.Context, c caller, in *InDialogue) (*bodyOut[pg.Dialogue], error) {
			return body(s.Dialogue(ctx, c.Principal, c.clinic, in.Dialogue))
		})
	secured(a, identity.RightDialogueAnswer, op(http.MethodPost, "/dialogues/{dialogue}/answers", "answer", "Answer a dialogue; it is durable when accepted, and sent then", http.StatusAccepted),
		func(ctx context.Context, c caller, in *answerIn) (*bodyOut[contract.AnswerAccepted], error) {
			accepted, err := s.Answer(ctx, c.Principal, c.clinic, in.Dialogue, client.Answer{
				ID: in.Key, Code: in.Body.Code, Subject: in.Body.Subject, Text: in.Body.Text,
				InReplyTo: in.Body.InReplyTo, FollowUp: in.Body.FollowUp, Close: in.Body.Close, Attachments: in.Body.Attachments, Items: in.Body.Items,
			})
			return body(accepted, renamed(err, "id", "header.Idempotency-Key"))
		})
	secured(a, identity.RightLedgerRead, get("/dialogues/{dialogue}/explain", "explain", "What was intended for a dialogue, what became of it and why"),
		func(ctx context.Context, c caller, in *InDialogue) (*bodyOut[client.Explanation], error) {
			e, err := s.Explain(ctx, c.Principal, c.clinic, in.Dialogue)
			e.Lines = nonNil(e.Lines)
			return body(e, err)
		})
	secured(a, identity.RightLedgerRead, get("/messages/{message}/explain", "explain-message", "What was intended for a message, of a citizen or of the clinic, what became of it and why"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Message string `path:"message" doc:"The message's id"`
		}) (*bodyOut[client.MessageExplanation], error) {
			return body(s.ExplainMessage(ctx, c.Principal, c.clinic, in.Message))
		})
	secured(a, identity.RightRoutingRead, get("/routing", "read-routing", "The routing rule of every process"),
		func(ctx context.Context, c caller, _ *InClinic) (*bodyOut[Rules], error) {
			rules, err := s.Routing(ctx, c.Principal, c.clinic)
			return body(Rules{rules}, err)
		})
	secured(a, identity.RightRoutingRead, get("/routing/{process}", "read-routing-rule", "The routing rule of one process"),
		func(ctx context.Context, c caller, in *InProcess) (*bodyOut[routing.Rule], error) {
			rules, err := s.Routing(ctx, c.Principal, c.clinic)
			rule, ok := rules[in.Process]
			if err == nil && !ok {
				err = apperr.New(apperr.NotFound, "there is no such process: e-consultation, e-contact or prescription")
			}
			return body(rule, err)
		})
	secured(a, identity.RightRoutingWrite, put("/routing/{process}", "write-routing-rule", "Change the routing rule of one process"),
		func(ctx context.Context, c caller, in *struct {
			InProcess
			Body routing.Rule
		}) (*noContent, error) {
			return done(s.PutRouting(ctx, c.Principal, c.clinic, in.Process, in.Body))
		})
	secured(a, identity.RightClinicWrite, put("", "write-clinic", "Write a clinic's master data with staff and parties, the whole of it"),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Body pg.Clinic
		}) (*noContent, error) {
			if in.Body.ID != c.clinic {
				return nil, apperr.InvalidFields("the body names another clinic", apperr.Field{Path: "id", Rule: "the clinic of the path"})
			}
			return done(s.PutClinic(ctx, c.Principal, in.Body))
		})
	secured(a, identity.RightPatientWrite, op(http.MethodPut, "/patients", "write-patient", "Write a patient, known by the national id", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Body PatientRequest
		}) (*bodyOut[PatientID], error) {
			id, err := s.PutPatient(ctx, c.Principal, c.clinic, in.Body)
			return body(PatientID{id}, err)
		})
	secured(a, identity.RightPatientRead, op(http.MethodPost, "/patients/find", "find-patient", "The id of the patient with a national id", http.StatusOK),
		func(ctx context.Context, c caller, in *struct {
			InClinic
			Body FindPatientRequest
		}) (*bodyOut[PatientID], error) {
			id, err := s.FindPatient(ctx, c.Principal, c.clinic, in.Body.NationalID)
			return body(PatientID{id}, err)
		})
	secured(a, identity.RightPatientErase, op(http.MethodDelete, "/patients/{patient}", "erase-patient", "Make everything of a patient unreadable, for good", http.StatusNoContent),
		func(ctx context.Context, c caller, in *InPatient) (*noContent, error) {
			return done(s.ErasePatient(ctx, c.Principal, c.clinic, in.Patient))
		})
	a.registerAudit(s)
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func list[T any](items []T, err error) (*listOut[T], error) {
	if err != nil {
		return nil, err
	}
	return &listOut[T]{List[T]{Items: nonNil(items)}}, nil
}

func body[T any](v T, err error) (*bodyOut[T], error) {
	if err != nil {
		return nil, err
	}
	return &bodyOut[T]{v}, nil
}

func done(err error) (*noContent, error) {
	if err != nil {
		return nil, err
	}
	return &noContent{}, nil
}
