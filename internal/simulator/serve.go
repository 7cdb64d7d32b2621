package simulator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// Server is a simulated Helsenorge with the queues of everybody: the whole other
// side of a development installation.
type Server struct {
	broker     *loopback.Broker
	helsenorge *Helsenorge
	handler    http.Handler
	stop       context.CancelFunc
	running    sync.WaitGroup
}

// Start opens queues and book in dir, declares the queues of every party of the
// registry's file, and begins to receive. The caller serves Handler and calls
// Close at the end.
func Start(dir string, parties *registry.File, logger *slog.Logger) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	broker, err := loopback.Open(loopback.Config{Path: filepath.Join(dir, "queues.jsonl"), Queues: registry.Queues(parties.Parties())})
	if err != nil {
		return nil, err
	}
	s := &Server{broker: broker}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	if s.helsenorge, err = Open(Config{Dir: dir, Transport: broker, Sealer: transport.Plain{}, Registry: parties, Logger: logger}); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	mux := http.NewServeMux()
	mux.Handle("/simulator/", s.helsenorge.Handler())
	mux.Handle("/digitaltaktiv/", s.helsenorge.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("/", loopback.NewServer(broker))
	s.handler = mux
	s.running.Go(func() {
		if err := s.helsenorge.Run(ctx); err != nil && ctx.Err() == nil {
			logger.Error("the simulator receives no more", "error", err)
		}
	})
	return s, nil
}

// Handler serves the queues, the controls and /healthz.
func (s *Server) Handler() http.Handler { return s.handler }

// Close stops receiving and closes queues and book.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	s.running.Wait()
	err := s.broker.Close(ctx)
	if s.helsenorge != nil {
		err = errors.Join(err, s.helsenorge.Close())
	}
	return err
}
