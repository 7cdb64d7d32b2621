package vault

import "go.uber.org/fx"

// Module provides the vault.
var Module = fx.Module("vault", fx.Provide(Open))
