// Package calendar decides about appointments: what a citizen's message does to the
// calendar, what staff change, what Helsenorge is told, when the patient is reminded
// and who tells him (S69-S90).
package calendar

import (
	"context"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/pg"
)

// Store is what the group needs of the database.
type Store interface {
	TakeBookingMessage(context.Context, contract.TakeBookingMessageInput) (contract.TakeBookingMessageOutput, error)
	ApplyChange(context.Context, contract.ApplyChangeInput) (contract.ApplyChangeOutput, error)
	LoadAppointment(context.Context, contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error)
	Publish(ctx context.Context, in contract.PublishInput, counterpart int) (contract.PublishOutput, error)
	PlanReminder(context.Context, contract.PlanReminderInput) (contract.PlanReminderOutput, error)
	ActivitySubject(ctx context.Context, clinicID, appointmentID string) (nationalID string, err error)
	DecideNotice(context.Context, contract.DecideNoticeInput, pg.ActivityReading, pg.Channels) (contract.DecideNoticeOutput, error)
}

// Activity tells whether somebody is active on Helsenorge, himself or through a
// representative.
type Activity interface {
	Active(ctx context.Context, nationalID string) (self, other bool, err error)
}

// checkTimeout bounds the look at whether a patient is active: a notice does not wait
// for it, there is the last known status.
const checkTimeout = 5 * time.Second

// Config is what the group is told of the installation.
type Config struct {
	// HelsenorgeHerID is the party that appointments are told to; 0 tells nobody.
	HelsenorgeHerID int
	// Channels are those that the clinic's own notices can take.
	Channels pg.Channels
}

// Activities implements contract.AppointmentActivities.
type Activities struct {
	store    Store
	activity Activity
	cfg      Config
	now      func() time.Time
}

var _ contract.AppointmentActivities = (*Activities)(nil)

// New makes the group. activity may be nil: then nobody is asked, and what is known
// from receipts, messages and the record system decides.
func New(store Store, activity Activity, cfg Config) *Activities {
	return &Activities{store: store, activity: activity, cfg: cfg, now: time.Now}
}

// TakeBookingMessage implements contract.AppointmentActivities.
func (a *Activities) TakeBookingMessage(ctx context.Context, in contract.TakeBookingMessageInput) (contract.TakeBookingMessageOutput, error) {
	out, err := a.store.TakeBookingMessage(ctx, in)
	failpoint.Hit(failpoint.BookingTaken)
	return out, apperr.ToTemporal(err)
}

// ApplyChange implements contract.AppointmentActivities.
func (a *Activities) ApplyChange(ctx context.Context, in contract.ApplyChangeInput) (contract.ApplyChangeOutput, error) {
	out, err := a.store.ApplyChange(ctx, in)
	failpoint.Hit(failpoint.ChangeApplied)
	return out, apperr.ToTemporal(err)
}

// LoadAppointment implements contract.AppointmentActivities.
func (a *Activities) LoadAppointment(ctx context.Context, in contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error) {
	out, err := a.store.LoadAppointment(ctx, in)
	return out, apperr.ToTemporal(err)
}

// Publish implements contract.AppointmentActivities.
func (a *Activities) Publish(ctx context.Context, in contract.PublishInput) (contract.PublishOutput, error) {
	out, err := a.store.Publish(ctx, in, a.cfg.HelsenorgeHerID)
	failpoint.Hit(failpoint.PublicationDecided)
	return out, apperr.ToTemporal(err)
}

// PlanReminder implements contract.AppointmentActivities.
func (a *Activities) PlanReminder(ctx context.Context, in contract.PlanReminderInput) (contract.PlanReminderOutput, error) {
	out, err := a.store.PlanReminder(ctx, in)
	failpoint.Hit(failpoint.ReminderPlanned)
	return out, apperr.ToTemporal(err)
}

// DecideNotice implements contract.AppointmentActivities.
func (a *Activities) DecideNotice(ctx context.Context, in contract.DecideNoticeInput) (contract.DecideNoticeOutput, error) {
	reading, err := a.look(ctx, in)
	if err != nil {
		return contract.DecideNoticeOutput{}, apperr.ToTemporal(err)
	}
	out, err := a.store.DecideNotice(ctx, in, reading, a.cfg.Channels)
	failpoint.Hit(failpoint.NoticeDecided)
	return out, apperr.ToTemporal(err)
}

// look asks whether the patient is active now (F2). No answer is an answer: the last
// known status decides, and the decision says so. Who is erased is not asked about.
func (a *Activities) look(ctx context.Context, in contract.DecideNoticeInput) (pg.ActivityReading, error) {
	if a.activity == nil {
		return pg.ActivityReading{}, nil
	}
	nationalID, err := a.store.ActivitySubject(ctx, in.ClinicID, in.AppointmentID)
	if apperr.Is(err, apperr.Erased) {
		return pg.ActivityReading{}, nil
	}
	if err != nil {
		return pg.ActivityReading{}, err
	}
	// What changes while the check is under way is newer than its answer.
	at := a.now().UTC()
	if in.Now.After(at) { // the lifecycle's time may be ahead of this machine's
		at = in.Now.UTC()
	}
	asked, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	self, other, err := a.activity.Active(asked, nationalID)
	reading := pg.ActivityReading{At: at, Self: self, Other: other}
	if err != nil {
		reading.Failure = string(apperr.KindOf(err))
	}
	return reading, ctx.Err()
}
