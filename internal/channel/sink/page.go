package sink

import (
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/transport/loopback/jsoncall"
)

const maxCall = 64 << 10

// handler serves everything but mail:
//
//	GET    /                          the page
//	GET    /messages                  every attempt, ?way= and ?to= choose
//	POST   /faults                    Faults
//	POST   /sms                       the gateway of package sms
//	POST   /sms/reports               {"key", "state"}: report that now → {"status"}
//	POST   /push/subscriptions        {"serverKey"} → a subscription
//	DELETE /push/subscriptions/{id}   the browser is gone
//	POST   /push/{id}                 the push service
//	GET    /healthz
//
// It is for the loopback of a development machine: it knows no callers.
func (s *Sink) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.Handle("GET /messages", jsoncall.Handle(maxCall, func(r *http.Request, _ jsoncall.None) ([]Message, error) {
		way, to := r.FormValue("way"), r.FormValue("to")
		return slices.DeleteFunc(s.Messages(), func(m Message) bool {
			return (way != "" && way != string(m.Way)) || (to != "" && to != m.To)
		}), nil
	}))
	mux.Handle("POST /faults", jsoncall.Handle(maxCall, func(_ *http.Request, f Faults) (Faults, error) {
		s.SetFaults(f)
		return f, nil
	}))
	mux.HandleFunc("POST /sms", s.takeSMS)
	mux.Handle("POST /sms/reports", jsoncall.Handle(maxCall, s.reportNow))
	mux.Handle("POST /push/subscriptions", jsoncall.Handle(maxCall, func(_ *http.Request, in subscribe) (json.RawMessage, error) {
		made, err := s.Subscribe(in.ServerKey)
		return json.RawMessage(made.String()), err
	}))
	mux.Handle("DELETE /push/subscriptions/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.Unsubscribe(r.PathValue("id")); err != nil {
			jsoncall.Fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	mux.HandleFunc("POST /push/{id}", s.takePush)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	// A page in a browser on the same machine could reach the sink too.
	return http.NewCrossOriginProtection().Handler(mux)
}

type subscribe struct {
	ServerKey string `json:"serverKey"`
}

type report struct {
	Key   string        `json:"key"`
	State channel.State `json:"state"`
}

type reported struct {
	Status int `json:"status"`
}

func (s *Sink) reportNow(r *http.Request, in report) (reported, error) {
	// A report that nobody takes is tried for longer than a caller may wait.
	ctx, cancel := context.WithTimeout(r.Context(), s.client.Timeout)
	defer cancel()
	status, err := s.Report(ctx, in.Key, in.State)
	if err == nil && status == 0 {
		err = apperr.New(apperr.Unavailable, "nobody answers at the callback")
	}
	return reported{status}, err
}

//go:embed page.html
var pages embed.FS

var page = template.Must(template.ParseFS(pages, "page.html"))

// page lists what arrived, newest first. Whatever it says is text: html/template
// escapes it, and the policy runs no script.
func (s *Sink) page(w http.ResponseWriter, _ *http.Request) {
	messages := s.Messages()
	slices.Reverse(messages)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
	w.Header().Set("Cache-Control", "no-store")
	_ = page.Execute(w, messages) // whoever asked has gone
}
