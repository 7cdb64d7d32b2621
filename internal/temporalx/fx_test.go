package temporalx

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/metrics"
	"github.com/helsebro/helsebro/internal/tracing"
)

func TestModuleProvidesAClientWithoutConnecting(t *testing.T) {
	temporalEnv(t, nil)
	var c client.Client
	app := fx.New(fx.NopLogger, fx.Supply(config.Temporal{CodecKeys: ring("k1", 'a')}, slog.New(slog.DiscardHandler), metrics.New(), &tracing.Traces{}), Module, fx.Populate(&c))
	require.NoError(t, app.Err())
	require.NotNil(t, c)
	c.Close()
}
