package stack

import (
	"context"

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
	return s.serve("the queues of Helsenorge's simulator", s.Ports.Simulator, server.Handler())
}
