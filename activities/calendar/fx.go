package calendar

import (
	"go.temporal.io/sdk/worker"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/worker/fleet"
)

// Module registers the group with the worker of its task queue.
var Module = fx.Module("activities.calendar",
	fx.Provide(
		fx.Private,
		func(s *pg.Store, c config.Worker, active *registry.ActivityClient, channels pg.Channels) *Activities {
			return New(s, active, Config{HelsenorgeHerID: c.Transport.HelsenorgeHerID, Channels: channels})
		},
	),
	fx.Provide(fx.Annotate(func(a *Activities) fleet.Registration {
		return fleet.Registration{Queue: contract.QueueLifecycle, Register: func(r worker.Registry) { r.RegisterActivity(a) }}
	}, fx.ResultTags(fleet.Group))),
)
