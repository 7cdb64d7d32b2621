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
	"github.com/helsebro/helsebro/internal/transport/connect"
	"github.com/helsebro/helsebro/internal/transport/loopback"
)

// ServerConfig is what a Server needs.
type ServerConfig struct {
	// Dir keeps its book, and the queues when they are its own.
	Dir string
	// Parties is the address registry.
	Parties *registry.File
	// Transport is the broker that everybody uses; nil has the queues of the loopback
	// transport in this server. The server does not close it.
	Transport transport.Transport
	// PKI has the keys; nil seals nothing.
	PKI    *PKI
	Logger *slog.Logger
}

// Server is a simulated Helsenorge, with the queues of everybody unless they are a
// broker's: the whole other side of a development installation.
type Server struct {
	broker     *loopback.Broker // nil when the queues are elsewhere
	helsenorge *Helsenorge
	handler    http.Handler
	stop       context.CancelFunc
	running    sync.WaitGroup
}

// Start opens queues and book, declares the queues of every party of the registry's file,
// and begins to receive. The caller serves Handler and calls Close at the end.
func Start(sc ServerConfig) (*Server, error) {
	if err := os.MkdirAll(sc.Dir, 0o700); err != nil {
		return nil, err
	}
	cfg := Config{Dir: sc.Dir, Transport: sc.Transport, Sealer: transport.Plain{}, Registry: sc.Parties, Logger: sc.Logger}
	s, logger := &Server{}, sc.Logger
	var err error
	if cfg.Transport == nil {
		if s.broker, err = loopback.Open(loopback.Config{Path: filepath.Join(sc.Dir, "queues.jsonl"), Queues: registry.Queues(sc.Parties.Parties())}); err != nil {
			return nil, err
		}
		cfg.Transport = s.broker
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	mux := http.NewServeMux()
	if sc.PKI != nil {
		if cfg.Sealer, cfg.Broken, err = sc.PKI.Sealers(connect.Profiles{Registry: sc.Parties}, logger); err != nil {
			return nil, errors.Join(err, s.Close(ctx))
		}
		mux.Handle("GET "+revocationPath, sc.PKI)
	}
	if s.helsenorge, err = Open(cfg); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	mux.Handle("/simulator/", s.helsenorge.Handler())
	mux.Handle("/digitaltaktiv/", s.helsenorge.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	if s.broker != nil {
		mux.Handle("/", loopback.NewServer(s.broker))
	}
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
	var err error
	if s.broker != nil {
		err = s.broker.Close(ctx)
	}
	if s.helsenorge != nil {
		err = errors.Join(err, s.helsenorge.Close())
	}
	return err
}
