package stack

import (
	"context"
	"net/http"
	"strings"

	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
)

// startSimulator starts Helsenorge's side with the queues of both.
func (s *Stack) startSimulator(context.Context) error {
	parties, err := registry.Open(s.path("registry.yaml"))
	if err != nil {
		return err
	}
	server, err := simulator.Start(s.path("helsenorge"), parties, s.Logger)
	if err != nil {
		return err
	}
	s.onStop("Helsenorge's simulator", server.Close)
	s.Simulator = simulator.NewClient(s.SimulatorURL())
	handler := server.Handler()
	return s.serve("the queues of Helsenorge's simulator", s.Ports.Simulator, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cut.Load() && !strings.HasPrefix(r.URL.Path, "/simulator/") {
			http.Error(w, "Helsenorge is down", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
}

// CutHelsenorge takes Helsenorge from the clinic, or gives it back: meanwhile no queue
// takes a message and no check is answered. What tests tell the simulator gets through,
// and so does what comes on links that are open.
func (s *Stack) CutHelsenorge(cut bool) { s.cut.Store(cut) }
