package helsenorge

import (
	"go.temporal.io/sdk/worker"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/worker/fleet"
)

// Module registers the group with the worker of its task queue.
var Module = fx.Module("activities.helsenorge",
	fx.Provide(
		fx.Private,
		func(s *pg.Store, t transport.Transport, sealer transport.Sealer, r registry.Registry, c config.Worker) *Activities {
			return New(s, t, sealer, r, Config{ReceiptDue: c.Transport.ReceiptDue, HelsenorgeHerID: c.Transport.HelsenorgeHerID})
		},
	),
	fx.Provide(fx.Annotate(func(a *Activities) fleet.Registration {
		return fleet.Registration{Queue: contract.QueueHelsenorge, Register: func(r worker.Registry) { r.RegisterActivity(a) }}
	}, fx.ResultTags(fleet.Group))),
)
