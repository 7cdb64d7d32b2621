package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Times and sizes of one HTTP server. Writing is bounded above the slowest answer:
// an update that waits for a worker.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// server is one HTTP server that starts and stops with its process.
type server struct {
	name   string
	addr   string
	http   *http.Server
	logger *slog.Logger
	// failed runs when it cannot go on.
	failed func()
}

func newServer(name, addr string, h http.Handler, logger *slog.Logger, failed func()) *server {
	return &server{name: name, addr: addr, logger: logger, failed: failed, http: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// What net/http logs by itself quotes peers, and handshakes of port scans.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
}

// start listens before it returns, so that an address in use is an error of the
// start and not of a goroutine.
func (s *server) start(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("%s cannot listen: %w", s.name, err)
	}
	s.logger.Info("serving", "what", s.name, "addr", l.Addr().String())
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("a server cannot go on", "what", s.name, "error", err)
			s.failed()
		}
	}()
	return nil
}

// stop takes no more requests and waits for those that run.
func (s *server) stop(ctx context.Context) error { return s.http.Shutdown(ctx) }
