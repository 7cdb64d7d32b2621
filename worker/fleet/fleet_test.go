package fleet

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneWorkerPerQueue(t *testing.T) {
	t.Parallel()
	c, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1"})
	require.NoError(t, err)
	defer c.Close()
	registered := 0
	register := func(worker.Registry) { registered++ }
	f, err := New(c, []Registration{{Queue: "a", Register: register}, {Queue: "b", Register: register, PerSecond: 5}, {Queue: "a", Register: register}}, slog.New(slog.DiscardHandler), func(error) {})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, f.Queues())
	require.Equal(t, 3, registered)
}

func TestNothingToDoIsAnError(t *testing.T) {
	t.Parallel()
	_, err := New(nil, nil, slog.New(slog.DiscardHandler), func(error) {})
	require.Error(t, err)
}

func TestStartErrorNamesTheQueue(t *testing.T) {
	t.Parallel()
	c, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", Logger: nil})
	require.NoError(t, err)
	defer c.Close()
	f, err := New(c, []Registration{{Queue: "helsebro", Register: func(worker.Registry) {}}}, slog.New(slog.DiscardHandler), func(error) {})
	require.NoError(t, err)
	require.ErrorContains(t, f.Start(t.Context()), "task queue helsebro")
}
