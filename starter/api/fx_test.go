package api

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
)

func TestTheProcessIsComposed(t *testing.T) {
	t.Parallel()
	require.NoError(t, fx.ValidateApp(Options(config.Serve{}, slog.New(slog.DiscardHandler))))
}
