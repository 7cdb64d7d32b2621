package api

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/scan"
)

func TestTheProcessIsComposed(t *testing.T) {
	t.Parallel()
	require.NoError(t, fx.ValidateApp(Options(config.Serve{}, slog.New(slog.DiscardHandler))))
}

func TestItIsSaidWhetherFilesAreScanned(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	require.Equal(t, scan.Off{}, scanner(config.Serve{}, logger))
	require.Contains(t, log.String(), "HELSEBRO_CLAMAV_ADDR")
	log.Reset()
	clamd, ok := scanner(config.Serve{Scan: config.Scan{ClamAVAddr: "127.0.0.1:3310"}}, logger).(*scan.Clamd)
	require.True(t, ok)
	require.Equal(t, "127.0.0.1:3310", clamd.Addr)
	require.Contains(t, log.String(), "127.0.0.1:3310")
}
