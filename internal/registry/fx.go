package registry

import (
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
)

// Module provides the registry of the configured file.
var Module = fx.Module("registry", fx.Provide(func(cfg config.Transport) (Registry, error) { return Open(cfg.RegistryFile) }))
