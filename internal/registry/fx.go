package registry

import (
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
)

// Module provides the registry of the configured file, and the client of the
// configured digitally-active check.
var Module = fx.Module("registry",
	fx.Provide(
		func(cfg config.Transport) (Registry, error) { return Open(cfg.RegistryFile) },
		func(cfg config.Transport) *ActivityClient { return NewActivityClient(cfg.Activity.URL) },
	),
)
