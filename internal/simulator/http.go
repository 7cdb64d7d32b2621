package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// maxRequest bounds a request: a message may have 20 MB, in base64.
const maxRequest = 30 << 20

// Handler serves the simulator's controls:
//
//	POST /simulator/actions  Action → Sent
//	POST /simulator/raw      Raw → {"transportId"}
//	POST /simulator/faults   Faults
//	GET  /simulator/faults   Faults
//	POST /simulator/questions Question → Answer
//	POST /simulator/activity Activity
//	GET  /simulator/book     Book
//	GET  /simulator/answers/{msgId}  Received: waits until the clinic has answered
//	GET  /simulator/citizens/{citizen}/appointments  []Appointment
//	GET  /simulator/citizens/{citizen}/threads  []Thread
//
// and, as Helsenorge itself does, the digitally-active check:
//
//	POST /digitaltaktiv/helsenorgeaktivsjekken/v1
//
// It is for the loopback of a development machine: it knows no callers.
func (h *Helsenorge) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /simulator/actions", handle(func(ctx context.Context, a Action) (any, error) { return h.Act(ctx, a) }))
	mux.HandleFunc("POST /simulator/raw", handle(func(ctx context.Context, r Raw) (any, error) {
		id, err := h.SendRaw(ctx, r)
		return rawSent{id}, err
	}))
	mux.HandleFunc("POST /simulator/faults", handle(func(ctx context.Context, f Faults) (any, error) { return f, h.SetFaults(ctx, f) }))
	mux.HandleFunc("GET /simulator/faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, h.Faults()) })
	mux.HandleFunc("POST /simulator/questions", handle(func(ctx context.Context, q Question) (any, error) { return h.Ask(ctx, q) }))
	mux.HandleFunc("POST /simulator/activity", handle(func(ctx context.Context, a Activity) (any, error) { return a, h.SetActivity(ctx, a) }))
	mux.HandleFunc("GET /simulator/citizens/{citizen}/appointments", sees(func(citizen int) any { return h.Appointments(citizen) }))
	mux.HandleFunc("GET /simulator/citizens/{citizen}/threads", sees(func(citizen int) any { return h.Threads(citizen) }))
	mux.HandleFunc("POST /digitaltaktiv/helsenorgeaktivsjekken/v1", h.checkActivity)
	mux.HandleFunc("GET /simulator/answers/{msgId}", func(w http.ResponseWriter, r *http.Request) {
		if received, err := h.Await(r.Context(), r.PathValue("msgId")); err == nil { // else whoever asked has gone
			answer(w, http.StatusOK, received)
		}
	})
	mux.HandleFunc("GET /simulator/book", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, h.Book()) })
	// A page in a browser on the same machine could reach the simulator too.
	return http.NewCrossOriginProtection().Handler(mux)
}

// sees shows what a citizen sees.
func sees(what func(citizen int) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		citizen, err := strconv.Atoi(r.PathValue("citizen"))
		if err != nil {
			answer(w, http.StatusNotFound, problem{Kind: apperr.NotFound, Message: "citizens are numbers"})
			return
		}
		answer(w, http.StatusOK, what(citizen))
	}
}

type rawSent struct {
	TransportID string `json:"transportId"`
}

func handle[I any](do func(context.Context, I) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in I
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			answer(w, http.StatusBadRequest, problem{Kind: apperr.Invalid, Message: "the body is not what this call takes"})
			return
		}
		out, err := do(r.Context(), in)
		if err != nil {
			status := http.StatusInternalServerError
			switch kind := apperr.KindOf(err); kind {
			case apperr.Invalid, apperr.Unsupported, apperr.TooLarge:
				status = http.StatusUnprocessableEntity
			case apperr.NotFound:
				status = http.StatusNotFound
			case apperr.Unavailable:
				status = http.StatusServiceUnavailable
			default:
			}
			p := problem{Kind: apperr.KindOf(err), Message: err.Error()}
			var e *apperr.Error
			if errors.As(err, &e) {
				p.Fields = e.Fields
			}
			answer(w, status, p)
			return
		}
		answer(w, http.StatusOK, out)
	}
}

type problem struct {
	Kind    apperr.Kind    `json:"kind"`
	Message string         `json:"message"`
	Fields  []apperr.Field `json:"fields,omitempty"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
}

// Client controls a simulator over HTTP.
type Client struct {
	url  string
	http *http.Client
}

// NewClient makes a client of the simulator at url, such as http://127.0.0.1:8236.
func NewClient(url string) *Client {
	return &Client{url: url, http: &http.Client{Timeout: 30 * time.Second}}
}

// Act does what a citizen does.
func (c *Client) Act(ctx context.Context, a Action) (Sent, error) {
	var s Sent
	return s, c.call(ctx, http.MethodPost, "actions", a, &s)
}

// SendRaw puts bytes on the clinic's queue and returns their transport id.
func (c *Client) SendRaw(ctx context.Context, r Raw) (string, error) {
	var s rawSent
	err := c.call(ctx, http.MethodPost, "raw", r, &s)
	return s.TransportID, err
}

// Ask asks a party and waits for its answer; see Helsenorge.Ask.
func (c *Client) Ask(ctx context.Context, q Question) (Answer, error) {
	var a Answer
	return a, c.call(ctx, http.MethodPost, "questions", q, &a)
}

// SetActivity says from now on how a citizen can be reached, and tells a party of it.
func (c *Client) SetActivity(ctx context.Context, a Activity) error {
	return c.call(ctx, http.MethodPost, "activity", a, &a)
}

// Appointments returns what a citizen sees under Timeavtaler, by start.
func (c *Client) Appointments(ctx context.Context, citizen int) ([]Appointment, error) {
	var all []Appointment
	return all, c.call(ctx, http.MethodGet, "citizens/"+strconv.Itoa(citizen)+"/appointments", nil, &all)
}

// Threads returns a citizen's conversations, the one that was last written in first.
func (c *Client) Threads(ctx context.Context, citizen int) ([]Thread, error) {
	var all []Thread
	return all, c.call(ctx, http.MethodGet, "citizens/"+strconv.Itoa(citizen)+"/threads", nil, &all)
}

// SetFaults changes what goes wrong from now on.
func (c *Client) SetFaults(ctx context.Context, f Faults) error {
	return c.call(ctx, http.MethodPost, "faults", f, &f)
}

// Faults returns what goes wrong now.
func (c *Client) Faults(ctx context.Context) (Faults, error) {
	var f Faults
	return f, c.call(ctx, http.MethodGet, "faults", nil, &f)
}

// Await waits for the clinic's answer to a message, at most half a minute; see
// Helsenorge.Await.
func (c *Client) Await(ctx context.Context, msgID string) (Received, error) {
	var r Received
	return r, c.call(ctx, http.MethodGet, "answers/"+msgID, nil, &r)
}

// Book returns all that was sent and received.
func (c *Client) Book(ctx context.Context) (Book, error) {
	var b Book
	return b, c.call(ctx, http.MethodGet, "book", nil, &b)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+"/simulator/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return apperr.New(apperr.Unavailable, "the simulator at %s does not answer: is it running?", c.url)
	}
	defer res.Body.Close() //nolint:errcheck // it is read to its end
	if res.StatusCode != http.StatusOK {
		var p problem
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
			return fmt.Errorf("the simulator answered %s", res.Status)
		}
		return &apperr.Error{Kind: p.Kind, Message: p.Message, Fields: p.Fields}
	}
	return json.NewDecoder(res.Body).Decode(out)
}
