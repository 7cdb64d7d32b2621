// Package health answers whether a process lives and whether what it depends on
// does.
package health

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Check tells whether one dependency answers.
type Check func(context.Context) error

// timeout bounds one check: who asks wants to know now.
const timeout = 2 * time.Second

// Handler serves /healthz, which says that the process lives, and /readyz, which
// asks every dependency and answers 503 while one does not answer. Errors are not
// quoted: anybody may ask.
func Handler(checks map[string]Check) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"process": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { ready(r.Context(), w, checks) })
	return mux
}

func ready(ctx context.Context, w http.ResponseWriter, checks map[string]Check) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	status, answer := http.StatusOK, map[string]string{}
	for name, check := range checks {
		wg.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			answer[name] = "ok"
			if err != nil {
				answer[name], status = "does not answer", http.StatusServiceUnavailable
			}
		})
	}
	wg.Wait()
	reply(w, status, answer)
}

func reply(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked has gone
}
