package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	appointmentID = "0198c0de-0000-7000-8000-00000000a901"
	patientID     = "0198c0de-0000-7000-8000-000000009a71"
	parentID      = "0198c0de-0000-7000-8000-000000009a72"
	calendarID    = "0198c0de-0000-7000-8000-00000000ca1e"
	typeID        = "0198c0de-0000-7000-8000-0000000074be"
	slotID        = "0198c0de-0000-7000-8000-000000005107"
)

var start = time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)

// fakeCalendar keeps changes as the database does, and records what else is asked of
// it with fakeStore.called.
type fakeCalendar struct {
	changes map[string]pg.Change
	// applied answers a repetition of the change, once its lifecycle has applied it.
	applied     *contract.ChangeAccepted
	notices     map[string]contract.NoticeInput
	reported    []string
	explanation pg.AppointmentExplanation
	records     []pg.PatientRecord
}

func (s *fakeStore) DraftChange(_ context.Context, _ identity.Principal, _ string, ch pg.Change) (pg.DraftedChange, error) {
	s.called("DraftChange")
	first, known := s.changes[ch.ID]
	if known && first.Kind != ch.Kind {
		return pg.DraftedChange{}, apperr.New(apperr.Duplicate, "a change with this id and other content exists: choose a new id")
	}
	s.changes[ch.ID] = ch
	drafted := pg.DraftedChange{AppointmentID: ch.AppointmentID, New: ch.Kind == pg.ChangeBook, Attempt: 1}
	if drafted.AppointmentID == "" {
		drafted.AppointmentID = appointmentID
	}
	if s.applied != nil {
		drafted.Applied, drafted.Accepted = true, *s.applied
	}
	return drafted, nil
}

func (s *fakeStore) DropChange(_ context.Context, _, id string, _ int) error {
	s.called("DropChange")
	delete(s.changes, id)
	return nil
}

func (s *fakeStore) Appointment(context.Context, identity.Principal, string, string) (pg.Appointment, error) {
	s.called("Appointment")
	return pg.Appointment{}, nil
}

func (s *fakeStore) ExplainAppointment(context.Context, identity.Principal, string, string) (pg.AppointmentExplanation, error) {
	s.called("ExplainAppointment")
	return s.explanation, nil
}

func (s *fakeStore) RecordDeliveryReport(_ context.Context, _ contract.Channel, key, eventID string, _ contract.AttemptState, _ time.Time) (contract.NoticeInput, bool, error) {
	s.called("RecordDeliveryReport")
	notice, ok := s.notices[key]
	if !ok {
		return notice, false, apperr.New(apperr.NotFound, "no such notice")
	}
	s.reported = append(s.reported, eventID)
	return notice, len(s.reported) == 1, nil
}

func (s *fakeStore) Settings(context.Context, identity.Principal, string) (pg.Settings, error) {
	s.called("Settings")
	return pg.Settings{}, nil
}

func (s *fakeStore) PutSettings(context.Context, identity.Principal, string, pg.Settings) error {
	s.called("PutSettings")
	return nil
}

func (s *fakeStore) Calendars(context.Context, identity.Principal, string) ([]pg.CalendarState, error) {
	s.called("Calendars")
	return nil, nil
}

func (s *fakeStore) PutCalendars(context.Context, identity.Principal, string, []pg.Calendar) error {
	s.called("PutCalendars")
	return nil
}

func (s *fakeStore) AppointmentTypes(context.Context, identity.Principal, string) ([]pg.AppointmentType, error) {
	s.called("AppointmentTypes")
	return nil, nil
}

func (s *fakeStore) PutAppointmentTypes(context.Context, identity.Principal, string, []pg.AppointmentType) error {
	s.called("PutAppointmentTypes")
	return nil
}

func (s *fakeStore) Slots(context.Context, identity.Principal, string, string, time.Time, time.Time) ([]pg.Slot, error) {
	s.called("Slots")
	return nil, nil
}

func (s *fakeStore) PutSlots(context.Context, identity.Principal, string, []pg.Slot) error {
	s.called("PutSlots")
	return nil
}

func (s *fakeStore) DeleteSlots(context.Context, identity.Principal, string, []string) error {
	s.called("DeleteSlots")
	return nil
}

func (s *fakeStore) PutPatients(_ context.Context, _ identity.Principal, _ string, all []pg.PatientRecord) ([]string, error) {
	s.called("PutPatients")
	s.records = all
	return make([]string, len(all)), nil
}

func (s *fakeStore) PutPatientStatus(context.Context, identity.Principal, string, string, pg.PatientStatus) error {
	s.called("PutPatientStatus")
	return nil
}

func (s *fakeStore) PatientStatus(context.Context, identity.Principal, string, string) (pg.PatientStanding, error) {
	s.called("PatientStatus")
	return pg.PatientStanding{}, nil
}

func (s *fakeStore) Representations(context.Context, identity.Principal, string, string) ([]pg.Representation, error) {
	s.called("Representations")
	return nil, nil
}

func (s *fakeStore) PortalSlots(context.Context, identity.Principal, string, string, string, time.Time, time.Time) (pg.PortalOffer, error) {
	s.called("PortalSlots")
	return pg.PortalOffer{}, nil
}

func (s *fakeStore) Contacts(context.Context, identity.Principal, string, string) ([]pg.Contact, error) {
	s.called("Contacts")
	return nil, nil
}

func (s *fakeStore) PutContacts(context.Context, identity.Principal, string, string, []pg.Contact) error {
	s.called("PutContacts")
	return nil
}

func (s *fakeStore) Preference(context.Context, identity.Principal, string, string) (pg.Preference, error) {
	s.called("Preference")
	return pg.Preference{}, nil
}

func (s *fakeStore) PutPreference(context.Context, identity.Principal, string, string, pg.Preference) error {
	s.called("PutPreference")
	return nil
}

func (s *fakeStore) PutRepresentations(context.Context, identity.Principal, string, string, []pg.Representation) error {
	s.called("PutRepresentations")
	return nil
}

func (s *fakeStore) CalendarEntries(context.Context, identity.Principal, string, string, time.Time, time.Time) ([]pg.CalendarEntry, error) {
	s.called("CalendarEntries")
	return nil, nil
}

func (s *fakeStore) PatientAppointments(context.Context, identity.Principal, string, string) ([]pg.CalendarEntry, error) {
	s.called("PatientAppointments")
	return nil, nil
}

func (s *fakeStore) PortalAppointments(context.Context, identity.Principal, string, string, string) ([]pg.PatientAppointment, error) {
	s.called("PortalAppointments")
	return nil, nil
}

func (s *fakeStore) PortalFeed(context.Context, identity.Principal, string, string, string) ([]pg.FeedItem, error) {
	s.called("PortalFeed")
	return nil, nil
}

// appointmentMethods are the methods about calendars and appointments, for
// TestEveryMethodChecksRightAndClinic.
func appointmentMethods(ctx context.Context) map[string]method {
	only := func(_ any, err error) error { return err }
	step := client.Step{}
	return map[string]method{
		"Settings": {identity.RightSettingsRead, func(c *client.Client, p identity.Principal) error { return only(c.Settings(ctx, p, clinicID)) }},
		"PutSettings": {identity.RightSettingsWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutSettings(ctx, p, clinicID, pg.Settings{})
		}},
		"Calendars":    {identity.RightCalendarRead, func(c *client.Client, p identity.Principal) error { return only(c.Calendars(ctx, p, clinicID)) }},
		"PutCalendars": {identity.RightCalendarWrite, func(c *client.Client, p identity.Principal) error { return c.PutCalendars(ctx, p, clinicID, nil) }},
		"AppointmentTypes": {identity.RightCalendarRead, func(c *client.Client, p identity.Principal) error {
			return only(c.AppointmentTypes(ctx, p, clinicID))
		}},
		"PutAppointmentTypes": {identity.RightCalendarWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutAppointmentTypes(ctx, p, clinicID, nil)
		}},
		"Slots": {identity.RightCalendarRead, func(c *client.Client, p identity.Principal) error {
			return only(c.Slots(ctx, p, clinicID, calendarID, start, start.Add(time.Hour)))
		}},
		"PutSlots":    {identity.RightCalendarWrite, func(c *client.Client, p identity.Principal) error { return c.PutSlots(ctx, p, clinicID, nil) }},
		"DeleteSlots": {identity.RightCalendarWrite, func(c *client.Client, p identity.Principal) error { return c.DeleteSlots(ctx, p, clinicID, nil) }},
		"PutPatients": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error { return only(c.PutPatients(ctx, p, clinicID, nil)) }},
		"PutPatientStatus": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutPatientStatus(ctx, p, clinicID, patientID, pg.PatientStatus{})
		}},
		"PatientStatus": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.PatientStatus(ctx, p, clinicID, patientID))
		}},
		"Representations": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.Representations(ctx, p, clinicID, patientID))
		}},
		"Contacts": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.Contacts(ctx, p, clinicID, patientID))
		}},
		"PutContacts": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutContacts(ctx, p, clinicID, patientID, nil)
		}},
		"Preference": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.Preference(ctx, p, clinicID, patientID))
		}},
		"PutPreference": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutPreference(ctx, p, clinicID, patientID, pg.Preference{})
		}},
		"PutRepresentations": {identity.RightPatientWrite, func(c *client.Client, p identity.Principal) error {
			return c.PutRepresentations(ctx, p, clinicID, patientID, nil)
		}},
		"CalendarEntries": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.CalendarEntries(ctx, p, clinicID, calendarID, start, start.Add(time.Hour)))
		}},
		"PatientAppointments": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.PatientAppointments(ctx, p, clinicID, patientID))
		}},
		"Appointment": {identity.RightAppointmentRead, func(c *client.Client, p identity.Principal) error {
			return only(c.Appointment(ctx, p, clinicID, appointmentID))
		}},
		"ExplainAppointment": {identity.RightLedgerRead, func(c *client.Client, p identity.Principal) error {
			return only(c.ExplainAppointment(ctx, p, clinicID, appointmentID))
		}},
		"BookAppointment": {identity.RightAppointmentWrite, func(c *client.Client, p identity.Principal) error {
			return only(c.BookAppointment(ctx, p, clinicID, client.Booking{PatientID: patientID, SlotID: slotID}))
		}},
		"AmendAppointment": {identity.RightAppointmentWrite, func(c *client.Client, p identity.Principal) error {
			return only(c.AmendAppointment(ctx, p, clinicID, appointmentID, client.Amendment{TypeID: typeID}))
		}},
		"CancelAppointment": {identity.RightAppointmentWrite, func(c *client.Client, p identity.Principal) error {
			return only(c.CancelAppointment(ctx, p, clinicID, appointmentID, step))
		}},
		"RestoreAppointment": {identity.RightAppointmentWrite, func(c *client.Client, p identity.Principal) error {
			return only(c.RestoreAppointment(ctx, p, clinicID, appointmentID, step))
		}},
		"MissedAppointment": {identity.RightAppointmentWrite, func(c *client.Client, p identity.Principal) error {
			return only(c.MissedAppointment(ctx, p, clinicID, appointmentID, step))
		}},
		"AnswerWish": {identity.RightAppointmentWrite, func(c *client.Client, p identity.Principal) error {
			return only(c.AnswerWish(ctx, p, clinicID, appointmentID, client.WishAnswer{Code: contract.AppointmentNotAvailable}))
		}},
		"PortalAppointments": {identity.RightPortalRead, func(c *client.Client, p identity.Principal) error {
			return only(c.PortalAppointments(ctx, p, clinicID, patientID, parentID))
		}},
		"PortalFeed": {identity.RightPortalRead, func(c *client.Client, p identity.Principal) error {
			return only(c.PortalFeed(ctx, p, clinicID, patientID, parentID))
		}},
		"PortalSlots": {identity.RightPortalRead, func(c *client.Client, p identity.Principal) error {
			return only(c.PortalSlots(ctx, p, clinicID, patientID, parentID, start, start.Add(time.Hour)))
		}},
		"PortalBook": {identity.RightPortalBook, func(c *client.Client, p identity.Principal) error {
			return only(c.PortalBook(ctx, p, clinicID, patientID, client.PortalBooking{ViewerID: parentID, SlotID: slotID}))
		}},
		"PortalCancel": {identity.RightPortalBook, func(c *client.Client, p identity.Principal) error {
			return only(c.PortalCancel(ctx, p, clinicID, patientID, appointmentID, client.PortalStep{ViewerID: parentID}))
		}},
	}
}

// desk is who changes appointments.
func desk() identity.Principal { return as(identity.RoleStaff) }

func TestAChangeIsStoredThenGiven(t *testing.T) {
	t.Parallel()
	place := "Rom 4"
	oslo := time.FixedZone("CET", 3600)
	for name, c := range map[string]struct {
		do     func(*client.Client, string) (client.Changed, error)
		change pg.Change
		resume bool
	}{
		"book": {func(c *client.Client, id string) (client.Changed, error) {
			return c.BookAppointment(t.Context(), desk(), clinicID, client.Booking{
				ID: strings.ToUpper(id), AppointmentID: strings.ToUpper(appointmentID), PatientID: patientID, CalendarID: calendarID, TypeID: typeID,
				StartsAt: start.In(oslo), EndsAt: start.Add(20 * time.Minute).In(oslo), Place: " Rom 4 ", Comment: " Kne\r\nog rygg ", Replaces: messageID,
			})
		}, pg.Change{
			Kind: pg.ChangeBook, AppointmentID: appointmentID, PatientID: patientID, CalendarID: calendarID, TypeID: typeID,
			StartsAt: start, EndsAt: start.Add(20 * time.Minute), Place: &place, Comment: "Kne\nog rygg", Replaces: messageID, Source: "clinic",
		}, false},
		"book a slot": {func(c *client.Client, id string) (client.Changed, error) {
			return c.BookAppointment(t.Context(), desk(), clinicID, client.Booking{ID: id, PatientID: patientID, SlotID: slotID})
		}, pg.Change{Kind: pg.ChangeBook, PatientID: patientID, SlotID: slotID, Source: "clinic"}, false},
		"amend": {func(c *client.Client, id string) (client.Changed, error) {
			return c.AmendAppointment(t.Context(), desk(), clinicID, appointmentID, client.Amendment{ID: id, Revision: 3, TypeID: typeID, Place: new(string), Acknowledged: true})
		}, pg.Change{Kind: pg.ChangeAmend, AppointmentID: appointmentID, Revision: 3, TypeID: typeID, Place: new(string), Acknowledged: true, Source: "clinic"}, true},
		"cancel": {func(c *client.Client, id string) (client.Changed, error) {
			return c.CancelAppointment(t.Context(), desk(), clinicID, appointmentID, client.Step{ID: id, Revision: 1})
		}, pg.Change{Kind: pg.ChangeCancel, AppointmentID: appointmentID, Revision: 1, Source: "clinic"}, true},
		"restore": {func(c *client.Client, id string) (client.Changed, error) {
			return c.RestoreAppointment(t.Context(), desk(), clinicID, appointmentID, client.Step{ID: id})
		}, pg.Change{Kind: pg.ChangeRestore, AppointmentID: appointmentID, Source: "clinic"}, true},
		"missed": {func(c *client.Client, id string) (client.Changed, error) {
			return c.MissedAppointment(t.Context(), desk(), clinicID, appointmentID, client.Step{ID: id})
		}, pg.Change{Kind: pg.ChangeMissed, AppointmentID: appointmentID, Source: "clinic"}, true},
		"answer": {func(c *client.Client, id string) (client.Changed, error) {
			return c.AnswerWish(t.Context(), desk(), clinicID, appointmentID, client.WishAnswer{ID: id, Code: contract.AppointmentConfirmed, SlotID: slotID, Text: "Velkommen"})
		}, pg.Change{Kind: pg.ChangeAnswer, AppointmentID: appointmentID, Code: "05", SlotID: slotID, Text: "Velkommen", Source: "clinic"}, true},
		"portal": {func(c *client.Client, id string) (client.Changed, error) {
			return c.PortalBook(t.Context(), as(identity.RolePortal), clinicID, patientID, client.PortalBooking{ID: id, ViewerID: parentID, SlotID: slotID, Comment: "Kne"})
		}, pg.Change{Kind: pg.ChangeBook, PatientID: patientID, SlotID: slotID, ViewerID: parentID, Comment: "Kne", Source: "portal"}, false},
		"app": {func(c *client.Client, id string) (client.Changed, error) {
			return c.PortalCancel(t.Context(), as(identity.RolePortal), clinicID, patientID, appointmentID, client.PortalStep{ID: id, ViewerID: patientID, App: true})
		}, pg.Change{Kind: pg.ChangeCancel, AppointmentID: appointmentID, PatientID: patientID, ViewerID: patientID, Source: "app"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, temporal := newStore(""), &fakeTemporal{}
			id := uuid.NewString()
			got, err := c.do(client.New(store, temporal), id)
			require.NoError(t, err)
			require.Equal(t, client.Changed{AppointmentID: appointmentID, ChangeID: id, Revision: 2, Status: contract.StatusBooked}, got)
			c.change.ID = id
			require.Equal(t, c.change, store.changes[id])

			require.Equal(t, contract.AppointmentInput{ClinicID: clinicID, AppointmentID: appointmentID, Resume: c.resume}, temporal.input)
			require.Equal(t, contract.AppointmentWorkflowID(appointmentID), temporal.start.ID)
			require.Equal(t, contract.QueueLifecycle, temporal.start.TaskQueue)
			require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, temporal.start.WorkflowIDConflictPolicy)
			require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, temporal.start.WorkflowIDReusePolicy)
			process, ok := temporal.start.TypedSearchAttributes.GetKeyword(contract.AttrProcess)
			require.True(t, ok)
			require.Equal(t, string(contract.ProcessAppointment), process)
			require.Equal(t, id, temporal.update.UpdateID)
			require.Equal(t, contract.UpdateChange, temporal.update.UpdateName)
			require.Equal(t, sdkclient.WorkflowUpdateStageCompleted, temporal.update.WaitForStage)
			require.Equal(t, []any{contract.ChangeCommand{CommandID: id}}, temporal.update.Args, "what is asked stays in PostgreSQL")
			require.Positive(t, temporal.deadline)
		})
	}
}

func TestAChangeThatWasAppliedBeforeIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(""), &fakeTemporal{}
	store.applied = &contract.ChangeAccepted{Revision: 5, Status: contract.StatusCancelled}
	id := uuid.NewString()
	got, err := client.New(store, temporal).CancelAppointment(t.Context(), desk(), clinicID, appointmentID, client.Step{ID: id})
	require.NoError(t, err)
	require.Equal(t, client.Changed{AppointmentID: appointmentID, ChangeID: id, Revision: 5, Status: contract.StatusCancelled}, got)
	require.Zero(t, temporal.updates)
}

func TestARefusedChangeIsDroppedAndSaysWhatWasPublished(t *testing.T) {
	t.Parallel()
	seen := apperr.Field{Path: "published", Rule: "05 to Helsenorge, 2026-11-20T09:05:00Z"}
	refusal := apperr.ToTemporal(&apperr.Error{Kind: apperr.Conflict, State: "booked", Message: "it has been published", Fields: []apperr.Field{seen}})
	for name, temporal := range map[string]*fakeTemporal{"by the call": {callErr: refusal}, "by the outcome": {outcome: refusal}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore("")
			_, err := client.New(store, temporal).AmendAppointment(t.Context(), desk(), clinicID, appointmentID, client.Amendment{TypeID: typeID})
			var e *apperr.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, apperr.Conflict, e.Kind)
			require.Equal(t, "booked", e.State)
			require.Equal(t, []apperr.Field{seen}, e.Fields)
			require.Empty(t, store.changes)
		})
	}
}

func TestAChangeOfUnknownFateIsTakenUpByTheSameID(t *testing.T) {
	t.Parallel()
	store, temporal := newStore(""), &fakeTemporal{callErr: serviceerror.NewUnavailable("down")}
	service := client.New(store, temporal)
	step := client.Step{ID: uuid.NewString()}
	_, err := service.CancelAppointment(t.Context(), desk(), clinicID, appointmentID, step)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.Contains(t, store.changes, step.ID)
	_, err = service.RestoreAppointment(t.Context(), desk(), clinicID, appointmentID, step)
	require.Equal(t, apperr.Duplicate, apperr.KindOf(err), "the id is another change's")

	temporal.callErr = nil
	got, err := service.CancelAppointment(t.Context(), desk(), clinicID, appointmentID, step)
	require.NoError(t, err)
	require.Equal(t, step.ID, got.ChangeID)
}

func TestAChangeNamesEveryInvalidField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ø", client.MaxTextRunes+1)
	line := "a\nb"
	booking := func(ch pg.Change) pg.Change { ch.Kind = pg.ChangeBook; return ch }
	for name, c := range map[string]struct {
		change pg.Change
		paths  []string
	}{
		"nothing": {pg.Change{}, []string{"appointmentId", "kind"}},
		"no kind": {pg.Change{AppointmentID: appointmentID, Kind: "sell"}, []string{"kind"}},
		"ids": {
			booking(pg.Change{ID: "1", AppointmentID: "2", PatientID: "3", CalendarID: "4", TypeID: "5", SlotID: "6", Replaces: "7", Revision: -1}),
			[]string{"id", "appointmentId", "revision", "patientId", "calendarId", "typeId", "slotId", "replaces"},
		},
		"book nothing": {booking(pg.Change{}), []string{"patientId", "calendarId", "typeId", "startsAt", "endsAt"}},
		"only an end":  {booking(pg.Change{PatientID: patientID, CalendarID: calendarID, TypeID: typeID, EndsAt: start}), []string{"startsAt"}},
		"ends as it begins": {
			booking(pg.Change{PatientID: patientID, CalendarID: calendarID, TypeID: typeID, StartsAt: start, EndsAt: start}), []string{"endsAt"},
		},
		"words": {
			booking(pg.Change{PatientID: patientID, SlotID: slotID, Place: &line, Comment: long, Text: "a\x00"}),
			[]string{"place", "comment", "text"},
		},
		"long place":        {booking(pg.Change{PatientID: patientID, SlotID: slotID, Place: &long}), []string{"place"}},
		"amend nothing":     {pg.Change{Kind: pg.ChangeAmend, AppointmentID: appointmentID}, []string{"startsAt"}},
		"answer nothing":    {pg.Change{Kind: pg.ChangeAnswer, AppointmentID: appointmentID}, []string{"code"}},
		"answer a dialogue": {pg.Change{Kind: pg.ChangeAnswer, AppointmentID: appointmentID, Code: "12"}, []string{"code"}},
		"booked nothing":    {pg.Change{Kind: pg.ChangeAnswer, AppointmentID: appointmentID, Code: "10"}, []string{"calendarId", "typeId", "startsAt", "endsAt"}},
		"not the portal":    {pg.Change{Kind: pg.ChangeCancel, AppointmentID: appointmentID, Source: "portal", ViewerID: parentID}, []string{"source", "viewerId"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, temporal := newStore(""), &fakeTemporal{}
			_, err := client.New(store, temporal).Change(t.Context(), desk(), clinicID, c.change)
			require.Equal(t, c.paths, paths(t, err))
			require.Empty(t, store.calls)
			require.Zero(t, temporal.updates)
		})
	}
	portal := as(identity.RolePortal)
	service := client.New(newStore(""), &fakeTemporal{})
	_, err := service.PortalBook(t.Context(), portal, clinicID, patientID, client.PortalBooking{})
	require.Equal(t, []string{"calendarId", "typeId", "startsAt", "endsAt", "viewerId", "slotId"}, paths(t, err))
}

func TestMasterDataNamesIDsThatAreNone(t *testing.T) {
	t.Parallel()
	service := client.New(newStore(""), &fakeTemporal{})
	err := service.PutCalendars(t.Context(), as(identity.RoleService), clinicID, []pg.Calendar{{ID: calendarID, OwnerID: "gp"}, {ID: calendarID, OwnerID: staffID}, {OwnerID: staffID}})
	require.Equal(t, []string{"calendars[1].id", "calendars[2].id", "calendars[0].ownerId"}, paths(t, err))
	err = service.PutAppointmentTypes(t.Context(), as(identity.RoleService), clinicID, []pg.AppointmentType{{ID: "x"}})
	require.Equal(t, []string{"types[0].id"}, paths(t, err))
	err = service.PutSlots(t.Context(), as(identity.RoleService), clinicID, []pg.Slot{{ID: slotID}})
	require.Equal(t, []string{"slots[0].calendarId", "slots[0].typeId"}, paths(t, err))
}

func TestPutPatientsChecksEachAndKeepsTheirOrder(t *testing.T) {
	t.Parallel()
	store := newStore("")
	service := client.New(store, &fakeTemporal{})
	contacts := &[]pg.Contact{{Channel: contract.ChannelSMS, Address: "+4799999999"}}
	ids, err := service.PutPatients(t.Context(), as(identity.RoleService), clinicID, []client.PatientRecord{{Patient: patient(), Contacts: contacts}})
	require.NoError(t, err)
	require.Len(t, ids, 1)
	require.Equal(t, "FNR", store.records[0].IDType)
	require.Equal(t, contacts, store.records[0].Contacts)

	bad := patient()
	bad.NationalID = "12345678901"
	_, err = service.PutPatients(t.Context(), as(identity.RoleService), clinicID, []client.PatientRecord{{Patient: patient()}, {Patient: bad}})
	require.Equal(t, []string{"patients[1].nationalId"}, paths(t, err))
	require.NotContains(t, err.Error(), "12345678901")
}

func TestExplainAppointmentSaysWhatTemporalKnows(t *testing.T) {
	t.Parallel()
	store := newStore("")
	store.explanation = pg.AppointmentExplanation{AppointmentID: appointmentID, Revision: 2}
	id := contract.AppointmentWorkflowID(appointmentID)
	for name, c := range map[string]struct {
		queries map[string]queried
		status  client.LifecycleStatus
	}{
		"running":       {map[string]queried{id: {state: contract.AppointmentState{Status: contract.StatusBooked, Told: 1}}}, client.LifecycleRunning},
		"closed":        {map[string]queried{id: {closed: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED}}, client.LifecycleEnded},
		"no such":       {nil, client.LifecycleUnknown},
		"Temporal down": {map[string]queried{id: {err: serviceerror.NewUnavailable("down")}}, client.LifecycleUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := client.New(store, &fakeTemporal{queries: c.queries}).ExplainAppointment(t.Context(), desk(), clinicID, appointmentID)
			require.NoError(t, err)
			require.Equal(t, 2, got.Revision, "PostgreSQL's part stands")
			require.Equal(t, c.status, got.Lifecycle.Status)
			require.Equal(t, name == "running", got.Lifecycle.Appointment != nil)
			if got.Lifecycle.Appointment != nil {
				require.Equal(t, 1, got.Lifecycle.Appointment.Told)
			}
		})
	}
}

func TestAReportIsStoredAndToldToItsNotice(t *testing.T) {
	t.Parallel()
	const noticeID, key = "0198c0de-0000-7000-8000-000000007071", "0198c0de-0000-7000-8000-000000007071/sms"
	report := client.DeliveryReport{Channel: contract.ChannelSMS, Key: key, EventID: "e1", State: contract.AttemptDelivered, At: start}
	told := signalled{contract.NoticeWorkflowID(noticeID), contract.SignalDeliveryReported, contract.DeliveryReported{Channel: contract.ChannelSMS, State: contract.AttemptDelivered, At: start}}
	for name, c := range map[string]struct {
		key     string
		err     error
		kind    apperr.Kind
		signals []signalled
	}{
		"told":          {key, nil, "", []signalled{told, told}},
		"over":          {key, serviceerror.NewNotFound("workflow execution already completed"), "", []signalled{told, told}},
		"nobody's":      {"someone/else", nil, "", nil},
		"Temporal down": {key, serviceerror.NewUnavailable("down"), apperr.Unavailable, []signalled{told, told}},
		"a fault":       {key, errors.New("boom"), apperr.Unavailable, []signalled{told, told}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, temporal := newStore(""), &fakeTemporal{callErr: c.err}
			store.notices = map[string]contract.NoticeInput{key: {ClinicID: clinicID, NoticeID: noticeID}}
			r := report
			r.Key = c.key
			service := client.New(store, temporal)
			require.Equal(t, c.kind, apperr.KindOf(service.DeliveryReported(t.Context(), r)))
			require.Equal(t, c.kind, apperr.KindOf(service.DeliveryReported(t.Context(), r)), "a repetition tells again: the first may have died between")
			require.Equal(t, c.signals, temporal.signals)
		})
	}
}
