package e2e_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/vault"
)

func TestSmoke(t *testing.T) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	s, err := stack.Start(t.Context(), stack.Config{Dir: t.TempDir(), Progress: os.Stderr, Logger: log})
	require.NoError(t, err)
	defer s.Stop(t.Context())
	v, err := vault.Open(s.Worker().Vault)
	require.NoError(t, err)
	store, err := pg.Open(s.Worker().Database, v)
	require.NoError(t, err)
	require.NoError(t, store.PutClinic(t.Context(), demo.Service, demo.Clinic()))
	w, err := s.StartWorker(t.Context())
	require.NoError(t, err)
	defer w.Stop(t.Context())
	l, err := s.StartListener(t.Context())
	require.NoError(t, err)
	defer l.Stop(t.Context())
	sent, err := s.Simulator.Act(t.Context(), simulator.Action{Kind: simulator.EConsultation, To: demo.GPHerID})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		b, err := s.Simulator.Book(t.Context())
		require.NoError(t, err)
		return len(b.Receipts) == 1 && b.Receipts[0].Original == sent.MsgID
	}, 30*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		i, err := store.Inbox(t.Context(), demo.GP, demo.ClinicID, 50)
		require.NoError(t, err)
		return len(i) == 1
	}, 30*time.Second, 50*time.Millisecond)
}
