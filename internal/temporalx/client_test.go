package temporalx

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/observ"
)

// temporalEnv takes Temporal's own configuration of the machine out of the test.
func temporalEnv(t *testing.T, env map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, name := range []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"} {
		t.Setenv(name, "")
	}
	t.Setenv("TEMPORAL_CONFIG_FILE", file)
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestClientOptions(t *testing.T) {
	temporalEnv(t, map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_NAMESPACE": "helsebro", "TEMPORAL_TLS": "true"})
	cfg := config.Temporal{CodecKeys: ring("k1", 'a')}
	var logs bytes.Buffer
	opts, err := ClientOptions(cfg, observ.New(&logs, "info"))
	require.NoError(t, err)
	require.Equal(t, "temporal.example:7233", opts.HostPort)
	require.Equal(t, "helsebro", opts.Namespace)
	require.Equal(t, contract.MaxPayloadBytes, opts.PayloadLimits.PayloadSizeWarning)

	p, err := opts.DataConverter.ToPayload(secret)
	require.NoError(t, err)
	var out string
	require.NoError(t, DataConverter(keysOf(t, cfg.CodecKeys), "helsebro").FromPayload(p, &out), "sealed for the configured namespace")
	require.Equal(t, "Encoded failure", opts.FailureConverter.ErrorToFailure(apperr.New(apperr.Internal, secret)).Message)
	opts.Logger.Info("hello", "k", 1)
	require.Contains(t, logs.String(), `"msg":"hello","k":1`)

	c, err := NewLazyClient(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err, "nothing answers at that address, and nothing is asked")
	c.Close()
}

func TestClientOptionsHaveANamespace(t *testing.T) {
	temporalEnv(t, nil)
	opts, err := ClientOptions(config.Temporal{CodecKeys: ring("k1", 'a')}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, client.DefaultNamespace, opts.Namespace)
}

func TestClientOptionsRefuse(t *testing.T) {
	temporalEnv(t, map[string]string{"TEMPORAL_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "TEMPORAL_PROFILE": "other"})
	_, err := ClientOptions(config.Temporal{CodecKeys: "k1"}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "HELSEBRO_CODEC_KEYS")
	_, err = NewLazyClient(config.Temporal{CodecKeys: ring("k1", 'a')}, slog.New(slog.DiscardHandler))
	require.True(t, apperr.Is(err, apperr.Invalid), err)
	require.ErrorContains(t, err, "TEMPORAL_*")
}

// TestAWayWithoutTLSIsChosen: plaintext leaves the machine only where somebody has said so,
// and no certificate is taken unseen.
func TestAWayWithoutTLSIsChosen(t *testing.T) {
	for name, c := range map[string]struct {
		env     map[string]string
		refused string
	}{
		"nothing is said":            {map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233"}, "TEMPORAL_TLS=true"},
		"an address of a network":    {map[string]string{"TEMPORAL_ADDRESS": "10.0.0.7:7233"}, "TEMPORAL_TLS=true"},
		"a name that begins alike":   {map[string]string{"TEMPORAL_ADDRESS": "localhost.example:7233"}, "TEMPORAL_TLS=true"},
		"any certificate":            {map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_TLS": "true", "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION": "true"}, "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION"},
		"TLS":                        {map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_TLS": "true"}, ""},
		"a key, which TLS goes with": {map[string]string{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_API_KEY": "key"}, ""},
		"plaintext is chosen":        {map[string]string{"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_TLS": "false"}, ""},
		"this machine":               {map[string]string{"TEMPORAL_ADDRESS": "127.0.0.1:7233"}, ""},
		"this machine's other name":  {map[string]string{"TEMPORAL_ADDRESS": "[::1]:7233"}, ""},
		"nothing at all":             {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			temporalEnv(t, c.env)
			_, err := ClientOptions(config.Temporal{CodecKeys: ring("k1", 'a')}, slog.New(slog.DiscardHandler))
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, apperr.Is(err, apperr.Invalid), err)
			require.ErrorContains(t, err, c.refused)
		})
	}
}
