package stack

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/helsebro/helsebro/internal/devstack/rabbitmq"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport/connect"
)

// startBroker starts RabbitMQ with the queues of everybody.
func (s *Stack) startBroker(ctx context.Context) error {
	parties, err := registry.Open(s.path("registry.yaml"))
	if err != nil {
		return err
	}
	if s.Broker, err = rabbitmq.Start(ctx, rabbitmq.Config{
		Dir: s.path("rabbitmq"), Port: s.Ports.Broker, Queues: registry.Queues(parties.Parties()), Progress: s.steps,
	}); err != nil {
		return err
	}
	ended := s.Broker.Ended()
	go func() { <-ended; s.fail("RabbitMQ") }()
	s.onStop("RabbitMQ", func(ctx context.Context) error {
		if !s.Durable { // nothing of it is read again, and an orderly stop takes seconds
			return errors.Join(s.Broker.Kill(), s.Broker.Stop(ctx))
		}
		return s.Broker.Stop(ctx)
	})
	return nil
}

// startSimulator starts Helsenorge's side, with the queues of both unless a broker has them.
func (s *Stack) startSimulator(context.Context) error {
	parties, err := registry.Open(s.path("registry.yaml"))
	if err != nil {
		return err
	}
	cfg := simulator.ServerConfig{Dir: s.path("helsenorge"), Parties: parties, PKI: s.pki, Logger: s.Logger}
	if s.Transport == AMQP {
		if cfg.Transport, err = connect.Transport(s.transport(), s.Logger); err != nil {
			return err
		}
		s.onStop("Helsenorge's connection", cfg.Transport.Close)
	}
	server, err := simulator.Start(cfg)
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
