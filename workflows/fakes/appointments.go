package fakes

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/contract"
)

// Appointments is what the calendar and the rules of a test say. What it does not
// name is answered by the zero value.
type Appointments struct {
	// Messages are keyed by message id, Commands by command id.
	Messages map[string]contract.TakeBookingMessageOutput
	Commands map[string]contract.ApplyChangeOutput
	// Refused are the commands that the calendar refuses.
	Refused map[string]error
	// Stands is what LoadAppointment answers.
	Stands contract.LoadAppointmentOutput
	// Publications and Plans are keyed by revision. Without a plan there is no reminder.
	Publications map[int]contract.PublishOutput
	Plans        map[int]contract.PlanReminderOutput
	// Owners are the answers on a notice in order, the last one for good. The default
	// is Helsenorge.
	Owners map[contract.Purpose][]contract.DecideNoticeOutput
	// Superseded are the messages that a later one makes needless.
	Superseded []string
	// Hops are the answers of NextHop in order, the last one for good. The default is
	// delivered.
	Hops []contract.NextHopOutput
	// Attempts is what each channel's provider makes of a notice.
	Attempts map[contract.Channel]contract.AttemptState
}

var (
	_ contract.AppointmentActivities = (*Activities)(nil)
	_ contract.NoticeActivities      = (*Activities)(nil)
)

// Set changes what the calendar and the rules say, while the activities may run.
func Set(a *Activities, change func(*Appointments)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.appointments)
}

// TakeBookingMessage implements contract.AppointmentActivities.
func (a *Activities) TakeBookingMessage(_ context.Context, in contract.TakeBookingMessageInput) (contract.TakeBookingMessageOutput, error) {
	err := a.called("TakeBookingMessage", in.MessageID)
	return answer(a, func(s *Appointments) contract.TakeBookingMessageOutput { return s.Messages[in.MessageID] }), err
}

// ApplyChange implements contract.AppointmentActivities.
func (a *Activities) ApplyChange(_ context.Context, in contract.ApplyChangeInput) (contract.ApplyChangeOutput, error) {
	if err := a.called("ApplyChange", in.CommandID); err != nil {
		return contract.ApplyChangeOutput{}, err
	}
	return answer(a, func(s *Appointments) contract.ApplyChangeOutput { return s.Commands[in.CommandID] }),
		answer(a, func(s *Appointments) error { return s.Refused[in.CommandID] })
}

// LoadAppointment implements contract.AppointmentActivities.
func (a *Activities) LoadAppointment(_ context.Context, in contract.LoadAppointmentInput) (contract.LoadAppointmentOutput, error) {
	return answer(a, func(s *Appointments) contract.LoadAppointmentOutput { return s.Stands }), a.called("LoadAppointment", in.AppointmentID)
}

// Publish implements contract.AppointmentActivities.
func (a *Activities) Publish(_ context.Context, in contract.PublishInput) (contract.PublishOutput, error) {
	return answer(a, func(s *Appointments) contract.PublishOutput { return s.Publications[in.Revision] }),
		a.called("Publish", fmt.Sprint(in.Revision))
}

// PlanReminder implements contract.AppointmentActivities.
func (a *Activities) PlanReminder(_ context.Context, in contract.PlanReminderInput) (contract.PlanReminderOutput, error) {
	return answer(a, func(s *Appointments) contract.PlanReminderOutput {
		if p, ok := s.Plans[in.Revision]; ok {
			return p
		}
		return contract.PlanReminderOutput{Skip: true, Rule: "too-late"}
	}), a.called("PlanReminder", fmt.Sprint(in.Revision))
}

// DecideNotice implements contract.AppointmentActivities.
func (a *Activities) DecideNotice(_ context.Context, in contract.DecideNoticeInput) (contract.DecideNoticeOutput, error) {
	return answer(a, func(s *Appointments) contract.DecideNoticeOutput {
		if owners := s.Owners[in.Purpose]; len(owners) > 0 {
			s.Owners[in.Purpose] = rest(owners)
			return owners[0]
		}
		return contract.DecideNoticeOutput{NoticeID: "notice", Owner: contract.OwnerHelsenorge, Reason: "active"}
	}), a.called("DecideNotice", fmt.Sprintf("%s %d", in.Purpose, in.Revision))
}

// NextHop implements contract.NoticeActivities.
func (a *Activities) NextHop(_ context.Context, in contract.NextHopInput) (contract.NextHopOutput, error) {
	return answer(a, func(s *Appointments) contract.NextHopOutput {
		if len(s.Hops) > 0 {
			hop := s.Hops[0]
			s.Hops = rest(s.Hops)
			return hop
		}
		return contract.NextHopOutput{Done: true, Outcome: contract.OutcomeDelivered, Reason: "done"}
	}), a.called("NextHop", in.NoticeID)
}

// SendNotice implements contract.NoticeActivities.
func (a *Activities) SendNotice(_ context.Context, in contract.SendNoticeInput) (contract.SendNoticeOutput, error) {
	return answer(a, func(s *Appointments) contract.SendNoticeOutput {
		return contract.SendNoticeOutput{State: s.Attempts[in.Channel]}
	}), a.called("SendNotice", string(in.Channel))
}

// superseded answers for SendMessage.
func (a *Activities) superseded(outboundID string) bool {
	return answer(a, func(s *Appointments) bool { return slices.Contains(s.Superseded, outboundID) })
}

func answer[O any](a *Activities, of func(*Appointments) O) O {
	a.mu.Lock()
	defer a.mu.Unlock()
	return of(&a.appointments)
}

// rest is all but the first, and the last for good.
func rest[T any](answers []T) []T { return answers[min(1, len(answers)-1):] }

// Booked is how a booked appointment stands: 20 minutes from starts.
func Booked(revision int, starts time.Time) contract.AppointmentFacts {
	return contract.AppointmentFacts{Status: contract.StatusBooked, Revision: revision, StartsAt: starts, EndsAt: starts.Add(20 * time.Minute)}
}
