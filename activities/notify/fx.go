package notify

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/worker"
	"go.uber.org/fx"

	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sms"
	"github.com/helsebro/helsebro/internal/channel/smtp"
	"github.com/helsebro/helsebro/internal/channel/webpush"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/worker/fleet"
)

// Module registers the group with the workers of its task queues: the lifecycles', and
// one per channel that is configured.
var Module = fx.Module("activities.notify",
	fx.Provide(
		fx.Private,
		senders,
		func(s *pg.Store, senders Senders, channels pg.Channels) *Activities { return New(s, senders, channels) },
	),
	fx.Provide(fx.Annotate(func(a *Activities, cfg config.Channels) []fleet.Registration {
		perSecond := map[string]float64{
			contract.QueueEmail: cfg.SMTP.PerSecond, contract.QueueSMS: cfg.SMS.PerSecond, contract.QueuePush: cfg.WebPush.PerSecond,
		}
		queues := []string{contract.QueueLifecycle}
		for c := range a.senders {
			queues = append(queues, c.Queue())
		}
		slices.Sort(queues)
		var registrations []fleet.Registration
		for _, q := range queues {
			registrations = append(registrations, fleet.Registration{
				Queue: q, Register: func(r worker.Registry) { r.RegisterActivity(a) }, PerSecond: perSecond[q],
			})
		}
		return registrations
	}, fx.ResultTags(`group:"registrations,flatten"`))),
)

// senders makes the sender of each channel that is configured.
func senders(cfg config.Channels) (Senders, error) {
	all := Senders{}
	var errs []error
	add := func(c contract.Channel, sender channel.Sender, err error) {
		all[c] = sender
		errs = append(errs, err)
	}
	if cfg.SMTP.Offered() {
		sender, err := smtp.New(cfg.SMTP)
		add(contract.ChannelEmail, sender, err)
	}
	if cfg.SMS.Offered() {
		sender, err := sms.New(cfg.SMS)
		add(contract.ChannelSMS, sender, err)
	}
	if cfg.WebPush.Offered() {
		sender, err := webpush.New(cfg.WebPush, cfg.Local)
		add(contract.ChannelPush, sender, err)
	}
	return all, errors.Join(errs...)
}
