package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	appointmentID = "0198c0de-0000-7000-8000-00000000a901"
	calendarID    = "0198c0de-0000-7000-8000-00000000ca1e"
	typeID        = "0198c0de-0000-7000-8000-0000000074be"
	slotID        = "0198c0de-0000-7000-8000-000000005107"
	patientID     = fileID // what path puts in
)

var start = time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)

// asked is what the fake service was asked: the ids of the path and the rest.
type asked struct {
	ids  string
	what any
}

func (s *service) change(ids string, what any) (client.Changed, error) {
	return client.Changed{AppointmentID: appointmentID, ChangeID: key, Revision: 2, Status: contract.StatusBooked}, s.call(asked{ids, what})
}

func (s *service) Settings(context.Context, identity.Principal, string) (pg.Settings, error) {
	return pg.Settings{OnlineBooking: true, Language: "nb"}, s.call(nil)
}

func (s *service) PutSettings(_ context.Context, _ identity.Principal, _ string, v pg.Settings) error {
	return s.call(v)
}

func (s *service) Calendars(context.Context, identity.Principal, string) ([]pg.CalendarState, error) {
	return []pg.CalendarState{{Calendar: pg.Calendar{ID: calendarID, Name: "Ola Lege"}, Reason: "owns-several-calendars", Owned: 2}}, s.call(nil)
}

func (s *service) PutCalendars(_ context.Context, _ identity.Principal, _ string, all []pg.Calendar) error {
	return s.call(all)
}

func (s *service) AppointmentTypes(context.Context, identity.Principal, string) ([]pg.AppointmentType, error) {
	return nil, s.call(nil)
}

func (s *service) PutAppointmentTypes(_ context.Context, _ identity.Principal, _ string, all []pg.AppointmentType) error {
	return s.call(all)
}

func (s *service) Slots(_ context.Context, _ identity.Principal, _, calendar string, from, to time.Time) ([]pg.Slot, error) {
	return nil, s.call(asked{calendar, [2]time.Time{from, to}})
}

func (s *service) PutSlots(_ context.Context, _ identity.Principal, _ string, all []pg.Slot) error {
	return s.call(all)
}

func (s *service) DeleteSlots(_ context.Context, _ identity.Principal, _ string, ids []string) error {
	return s.call(ids)
}

func (s *service) PutPatients(_ context.Context, _ identity.Principal, _ string, all []client.PatientRecord) ([]string, error) {
	return []string{"patient"}, s.call(all)
}

func (s *service) PutPatientStatus(_ context.Context, _ identity.Principal, _, id string, v pg.PatientStatus) error {
	return s.call(asked{id, v})
}

func (s *service) Contacts(_ context.Context, _ identity.Principal, _, id string) ([]pg.Contact, error) {
	return nil, s.call(id)
}

func (s *service) PutContacts(_ context.Context, _ identity.Principal, _, id string, all []pg.Contact) error {
	return s.call(asked{id, all})
}

func (s *service) Preference(_ context.Context, _ identity.Principal, _, id string) (pg.Preference, error) {
	return pg.Preference{Language: "nn"}, s.call(id)
}

func (s *service) PutPreference(_ context.Context, _ identity.Principal, _, id string, p pg.Preference) error {
	return s.call(asked{id, p})
}

func (s *service) PatientStatus(_ context.Context, _ identity.Principal, _, id string) (pg.PatientStanding, error) {
	return pg.PatientStanding{
		PatientStatus: pg.PatientStatus{Protected: true, BornOn: "1950-11-01"},
		Helsenorge:    &pg.KnownActivity{Active: true, Other: true, At: start, AgeSeconds: 60, Source: pg.ActivityCheck},
	}, s.call(id)
}

func (s *service) Representations(_ context.Context, _ identity.Principal, _, id string) ([]pg.Representation, error) {
	return nil, s.call(id)
}

func (s *service) PortalSlots(_ context.Context, _ identity.Principal, _, patient, viewer string, from, to time.Time) (pg.PortalOffer, error) {
	return pg.PortalOffer{Reason: "owns-several-calendars"}, s.call(asked{patient + " " + viewer, [2]time.Time{from, to}})
}

func (s *service) PutRepresentations(_ context.Context, _ identity.Principal, _, id string, all []pg.Representation) error {
	return s.call(asked{id, all})
}

func (s *service) CalendarEntries(_ context.Context, _ identity.Principal, _, calendar string, from, to time.Time) ([]pg.CalendarEntry, error) {
	return nil, s.call(asked{calendar, [2]time.Time{from, to}})
}

func (s *service) PatientAppointments(_ context.Context, _ identity.Principal, _, id string) ([]pg.CalendarEntry, error) {
	return nil, s.call(id)
}

func (s *service) Appointment(_ context.Context, _ identity.Principal, _, id string) (pg.Appointment, error) {
	return pg.Appointment{CalendarEntry: pg.CalendarEntry{ID: id, Status: contract.StatusBooked}}, s.call(id)
}

func (s *service) ExplainAppointment(_ context.Context, _ identity.Principal, _, id string) (client.AppointmentExplanation, error) {
	return client.AppointmentExplanation{AppointmentExplanation: pg.AppointmentExplanation{AppointmentID: id}}, s.call(id)
}

func (s *service) BookAppointment(_ context.Context, _ identity.Principal, _ string, b client.Booking) (client.Changed, error) {
	return s.change("", b)
}

func (s *service) AmendAppointment(_ context.Context, _ identity.Principal, _, id string, a client.Amendment) (client.Changed, error) {
	return s.change(id, a)
}

func (s *service) CancelAppointment(_ context.Context, _ identity.Principal, _, id string, v client.Step) (client.Changed, error) {
	return s.change("cancel "+id, v)
}

func (s *service) RestoreAppointment(_ context.Context, _ identity.Principal, _, id string, v client.Step) (client.Changed, error) {
	return s.change("restore "+id, v)
}

func (s *service) MissedAppointment(_ context.Context, _ identity.Principal, _, id string, v client.Step) (client.Changed, error) {
	return s.change("missed "+id, v)
}

func (s *service) AnswerWish(_ context.Context, _ identity.Principal, _, id string, a client.WishAnswer) (client.Changed, error) {
	return s.change(id, a)
}

func (s *service) PortalAppointments(_ context.Context, _ identity.Principal, _, patient, viewer string) ([]pg.PatientAppointment, error) {
	return nil, s.call(patient + " " + viewer)
}

func (s *service) PortalFeed(_ context.Context, _ identity.Principal, _, patient, viewer string) ([]pg.FeedItem, error) {
	return nil, s.call(patient + " " + viewer)
}

func (s *service) PortalBook(_ context.Context, _ identity.Principal, _, patient string, b client.PortalBooking) (client.Changed, error) {
	return s.change(patient, b)
}

func (s *service) PortalCancel(_ context.Context, _ identity.Principal, _, patient, id string, v client.PortalStep) (client.Changed, error) {
	return s.change(patient+" "+id, v)
}

func (s *service) DeliveryReported(_ context.Context, r client.DeliveryReport) error {
	return s.call(r)
}

func TestAppointmentRequests(t *testing.T) {
	t.Parallel()
	staff, admin, service, portal := "staff@"+clinicID, "clinic-administrator@"+clinicID, "service@"+clinicID, "portal@"+clinicID
	keyed := http.Header{"Idempotency-Key": {key}}
	const clinic = "/v1/clinics/{clinic}"
	stretch := [2]time.Time{start, start.Add(24 * time.Hour)}
	const between = "from=2026-11-23T09:00:00Z&to=2026-11-24T09:00:00Z"
	const changed = `{"appointmentId":"` + appointmentID + `","changeId":"` + key + `","revision":2,"status":"booked"}`
	place := ""
	for name, c := range map[string]struct {
		request
		status int
		last   any
		body   string
	}{
		"settings": {request{method: "GET", path: clinic + "/settings", token: staff}, 200, nil, `"onlineBooking":true`},
		"settings changed": {
			request{method: "PUT", path: clinic + "/settings", token: admin, body: `{"onlineBooking":true,"notify":false,"quietFrom":"22:00"}`},
			204, pg.Settings{OnlineBooking: true, QuietFrom: "22:00"}, "",
		},
		"calendars": {request{method: "GET", path: clinic + "/calendars", token: staff}, 200, nil, `"bookingOpen":false,"reason":"owns-several-calendars","owned":2`},
		"calendars written": {
			request{method: "PUT", path: clinic + "/calendars", token: service, body: `{"calendars":[{"id":"a","ownerId":"b","name":"c","notify":true}]}`},
			204, []pg.Calendar{{ID: "a", OwnerID: "b", Name: "c", Notify: true}}, "",
		},
		"calendar written": {
			request{method: "PUT", path: clinic + "/calendars/{calendar}", token: service, body: `{"id":"` + calendarID + `","ownerId":"b","name":"c"}`},
			204, []pg.Calendar{{ID: calendarID, OwnerID: "b", Name: "c"}}, "",
		},
		"types": {request{method: "GET", path: clinic + "/appointment-types", token: staff}, 200, nil, `{"items":[]}`},
		"types written": {
			request{method: "PUT", path: clinic + "/appointment-types", token: service, body: `{"types":[{"id":"a","name":"Skjult","hidden":true}]}`},
			204, []pg.AppointmentType{{ID: "a", Name: "Skjult", Hidden: true}}, "",
		},
		"type written": {
			request{method: "PUT", path: clinic + "/appointment-types/{type}", token: service, body: `{"id":"` + typeID + `","name":"Video","category":"Video"}`},
			204, []pg.AppointmentType{{ID: typeID, Name: "Video", Category: "Video"}}, "",
		},
		"slots": {request{method: "GET", path: clinic + "/slots?calendar={calendar}&" + between, token: staff}, 200, asked{calendarID, stretch}, `{"items":[]}`},
		"slots written": {
			request{method: "PUT", path: clinic + "/slots", token: service, body: `{"slots":[{"id":"a","calendarId":"b","typeId":"c","startsAt":"2026-11-23T09:00:00Z","endsAt":"2026-11-24T09:00:00Z","online":true}]}`},
			204, []pg.Slot{{ID: "a", CalendarID: "b", TypeID: "c", StartsAt: stretch[0], EndsAt: stretch[1], Online: true}}, "",
		},
		"slot written": {
			request{method: "PUT", path: clinic + "/slots/{slot}", token: service, body: `{"id":"` + slotID + `","calendarId":"b","typeId":"c","startsAt":"2026-11-23T09:00:00Z","endsAt":"2026-11-24T09:00:00Z"}`},
			204, []pg.Slot{{ID: slotID, CalendarID: "b", TypeID: "c", StartsAt: stretch[0], EndsAt: stretch[1]}}, "",
		},
		"slot deleted": {request{method: "DELETE", path: clinic + "/slots/{slot}", token: service}, 204, []string{slotID}, ""},
		"patients": {
			request{method: "PUT", path: clinic + "/patients/bulk", token: service, body: `{"patients":[{"givenName":"Kari","familyName":"Nordmann","nationalId":"` + nationalID + `","status":{"protected":true}}]}`},
			200, []client.PatientRecord{{Patient: client.Patient{GivenName: "Kari", FamilyName: "Nordmann", NationalID: nationalID}, Status: &pg.PatientStatus{Protected: true}}}, `{"patientIds":["patient"]}`,
		},
		"status": {
			request{method: "GET", path: clinic + "/patients/{patient}/status", token: staff}, 200, patientID,
			`{"protected":true,"bornOn":"1950-11-01","helsenorge":{"active":true,"self":false,"other":true,"at":"2026-11-23T09:00:00Z","ageSeconds":60,"source":"check"}}`,
		},
		"status written": {
			request{method: "PUT", path: clinic + "/patients/{patient}/status", token: service, body: `{"deceased":true}`},
			204, asked{patientID, pg.PatientStatus{Deceased: true}}, "",
		},
		"contacts": {request{method: "GET", path: clinic + "/patients/{patient}/contacts", token: staff}, 200, patientID, `{"items":[]}`},
		"contacts written": {
			request{method: "PUT", path: clinic + "/patients/{patient}/contacts", token: service, body: `{"contacts":[{"channel":"sms","address":"+4790000001"}]}`},
			204, asked{patientID, []pg.Contact{{Channel: contract.ChannelSMS, Address: "+4790000001"}}}, "",
		},
		"preference": {request{method: "GET", path: clinic + "/patients/{patient}/preference", token: staff}, 200, patientID, `"language":"nn"`},
		"preference written": {
			request{method: "PUT", path: clinic + "/patients/{patient}/preference", token: service, body: `{"channels":["sms"],"optedOut":["push"]}`},
			204, asked{patientID, pg.Preference{Channels: []contract.Channel{contract.ChannelSMS}, OptedOut: []contract.Channel{contract.ChannelPush}}}, "",
		},
		"representations": {request{method: "GET", path: clinic + "/patients/{patient}/representations", token: staff}, 200, patientID, `{"items":[]}`},
		"representations written": {
			request{method: "PUT", path: clinic + "/patients/{patient}/representations", token: service, body: `{"representations":[{"representativeId":"x","relation":"FO"}]}`},
			204, asked{patientID, []pg.Representation{{RepresentativeID: "x", Relation: "FO"}}}, "",
		},
		"overview": {request{method: "GET", path: clinic + "/patients/{patient}/appointments", token: staff}, 200, patientID, `{"items":[]}`},
		"entries":  {request{method: "GET", path: clinic + "/calendars/{calendar}/entries?" + between, token: staff}, 200, asked{calendarID, stretch}, `{"items":[]}`},
		"show":     {request{method: "GET", path: clinic + "/appointments/{appointment}", token: staff}, 200, appointmentID, `"status":"booked"`},
		"explain": {
			request{method: "GET", path: clinic + "/appointments/{appointment}/explain", token: "auditor@" + clinicID},
			200, appointmentID, `"published":[],"notices":[],"decisions":[],"lines":[]`,
		},
		"book": {
			request{method: "POST", path: clinic + "/appointments", token: staff, header: keyed, body: `{"patientId":"p","calendarId":"c","typeId":"t","startsAt":"2026-11-23T09:00:00Z","endsAt":"2026-11-24T09:00:00Z","comment":"Kne"}`},
			201, asked{"", client.Booking{ID: key, PatientID: "p", CalendarID: "c", TypeID: "t", StartsAt: stretch[0], EndsAt: stretch[1], Comment: "Kne"}}, changed,
		},
		"book without key": {
			request{method: "POST", path: clinic + "/appointments", token: service, body: `{"patientId":"p","slotId":"s"}`},
			201, asked{"", client.Booking{PatientID: "p", SlotID: "s"}}, changed,
		},
		"amend": {
			request{method: "PATCH", path: clinic + "/appointments/{appointment}", token: staff, header: keyed, body: `{"revision":3,"typeId":"t","place":"","acknowledged":true}`},
			200, asked{appointmentID, client.Amendment{ID: key, Revision: 3, TypeID: "t", Place: &place, Acknowledged: true}}, changed,
		},
		"cancel": {
			request{method: "POST", path: clinic + "/appointments/{appointment}/cancel", token: staff, header: keyed, body: `{"revision":3}`},
			200, asked{"cancel " + appointmentID, client.Step{ID: key, Revision: 3}}, changed,
		},
		"restore": {
			request{method: "POST", path: clinic + "/appointments/{appointment}/restore", token: staff, header: keyed, body: `{}`},
			200, asked{"restore " + appointmentID, client.Step{ID: key}}, changed,
		},
		"missed": {
			request{method: "POST", path: clinic + "/appointments/{appointment}/missed", token: staff, header: keyed, body: `{}`},
			200, asked{"missed " + appointmentID, client.Step{ID: key}}, changed,
		},
		"answer": {
			request{method: "POST", path: clinic + "/appointments/{appointment}/answer", token: staff, header: keyed, body: `{"code":"05","slotId":"s","text":"Velkommen"}`},
			200, asked{appointmentID, client.WishAnswer{ID: key, Code: "05", SlotID: "s", Text: "Velkommen"}}, changed,
		},
		"portal": {request{method: "GET", path: clinic + "/portal/patients/{patient}/appointments?viewer=v", token: portal}, 200, patientID + " v", `{"items":[]}`},
		"feed":   {request{method: "GET", path: clinic + "/portal/patients/{patient}/feed?viewer=v", token: portal}, 200, patientID + " v", `{"items":[]}`},
		"portal slots": {
			request{method: "GET", path: clinic + "/portal/patients/{patient}/slots?viewer=v&" + between, token: portal},
			200, asked{patientID + " v", stretch}, `{"items":[],"reason":"owns-several-calendars"}`,
		},
		"portal books": {
			request{method: "POST", path: clinic + "/portal/patients/{patient}/appointments", token: portal, header: keyed, body: `{"viewerId":"v","slotId":"s","app":true}`},
			201, asked{patientID, client.PortalBooking{ID: key, ViewerID: "v", SlotID: "s", App: true}}, changed,
		},
		"portal cancels": {
			request{method: "POST", path: clinic + "/portal/patients/{patient}/appointments/{appointment}/cancel", token: portal, header: keyed, body: `{"viewerId":"v"}`},
			200, asked{patientID + " " + appointmentID, client.PortalStep{ID: key, ViewerID: "v"}}, changed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup(t).answers(t, c.request, c.status, c.last, c.body)
		})
	}
}

// What was published before hiding reaches whoever asked to hide (D10), and every
// problem of a change names its fields as HTTP callers know them.
func TestProblemsOfChanges(t *testing.T) {
	t.Parallel()
	f := setup(t)
	amend := request{method: "PATCH", path: path("/v1/clinics/{clinic}/appointments/{appointment}"), token: "staff@" + clinicID, body: `{"typeId":"t"}`}
	f.service.err = &apperr.Error{
		Kind: apperr.Conflict, State: "booked", Message: "it has been published",
		Fields: []apperr.Field{{Path: "published", Rule: "05 to Helsenorge, 2026-11-20T09:05:00Z"}, {Path: "notices", Rule: "confirmation, delegated"}},
	}
	p := f.problem(t, amend, 409)
	require.Equal(t, "booked", p.State)
	require.Equal(t, []api.Invalid{{Path: "published", Rule: "05 to Helsenorge, 2026-11-20T09:05:00Z"}, {Path: "notices", Rule: "confirmation, delegated"}}, p.Errors)

	f.service.err = apperr.InvalidFields("the change has invalid fields", apperr.Field{Path: "id", Rule: "a UUID"}, apperr.Field{Path: "endsAt", Rule: "after startsAt"})
	require.Equal(t, []api.Invalid{{Path: "header.Idempotency-Key", Rule: "a UUID"}, {Path: "endsAt", Rule: "after startsAt"}}, f.problem(t, amend, 422).Errors)

	f.service.err = apperr.InvalidFields("the days cannot be read", apperr.Field{Path: "to", Rule: "after from"})
	entries := request{method: "GET", path: path("/v1/clinics/{clinic}/calendars/{calendar}/entries?from=2026-11-23T09:00:00Z&to=2026-11-23T09:00:00Z"), token: "staff@" + clinicID}
	require.Equal(t, []api.Invalid{{Path: "query.to", Rule: "after from"}}, f.problem(t, entries, 422).Errors)

	f.service.err = apperr.InvalidFields("a slot has invalid fields", apperr.Field{Path: "slots[0].endsAt", Rule: "after startsAt"})
	slot := request{
		method: "PUT", path: path("/v1/clinics/{clinic}/slots/{slot}"), token: "service@" + clinicID,
		body: `{"id":"` + slotID + `","calendarId":"b","typeId":"c","startsAt":"2026-11-23T09:00:00Z","endsAt":"2026-11-23T09:00:00Z"}`,
	}
	require.Equal(t, []api.Invalid{{Path: "endsAt", Rule: "after startsAt"}}, f.problem(t, slot, 422).Errors)

	f.service.err = nil
	before := f.service.calls
	slot.path = strings.Replace(slot.path, slotID, typeID, 1)
	require.Equal(t, []api.Invalid{{Path: "id", Rule: "the id of the path"}}, f.problem(t, slot, 422).Errors)
	require.Equal(t, before, f.service.calls)

	entries.path = path("/v1/clinics/{clinic}/calendars/{calendar}/entries?from=17858012345&to=2026-11-23T09:00:00Z")
	p = f.problem(t, entries, 422)
	require.Equal(t, "query.from", p.Errors[0].Path)
	require.NotContains(t, p.Errors[0].Rule, "17858012345", "no value of the request is echoed")
}

// The calendar does not show where an appointment was booked (S92): no type that it
// answers with has such a field.
func TestTheCalendarHasNoOrigin(t *testing.T) {
	t.Parallel()
	for _, v := range []any{pg.CalendarEntry{}, pg.Appointment{}, pg.PatientAppointment{}, client.Changed{}} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		for _, word := range []string{"origin", "source", "helsenorge", "channel"} {
			require.NotContains(t, strings.ToLower(string(b)), word, reflect.TypeOf(v))
		}
	}
	f := setup(t)
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]any
			}
		}
	}
	require.NoError(t, json.NewDecoder(f.do(t, request{method: "GET", path: "/openapi.json"}).Body).Decode(&doc))
	entry := doc.Components.Schemas["CalendarEntry"].Properties
	require.Contains(t, entry, "startsAt")
	require.NotContains(t, entry, "origin")
	require.NotContains(t, entry, "source")
}

// signature believes a body that begins with "signed ", whose rest is the event's id.
type signature struct{}

func (signature) Verify(header http.Header, body []byte) (client.DeliveryReport, error) {
	event, ok := strings.CutPrefix(string(body), "signed ")
	if !ok || header.Get("Helsebro-Signature") == "" {
		return client.DeliveryReport{}, apperr.New(apperr.Unauthenticated, "the report is not believed")
	}
	if event == "" {
		return client.DeliveryReport{}, apperr.InvalidFields("the report breaks a rule", apperr.Field{Path: "eventId", Rule: "required"})
	}
	return client.DeliveryReport{Channel: contract.ChannelSMS, EventID: event, State: contract.AttemptDelivered}, nil
}

func TestReportsOfTheGatewayAreBelievedByTheirSignature(t *testing.T) {
	t.Parallel()
	f := setup(t)
	call := request{method: "POST", path: "/v1/callbacks/sms", body: "signed e1", header: http.Header{"Helsebro-Signature": {"t=1"}}}
	res := f.do(t, call)
	require.Equal(t, 204, res.Code)
	require.Empty(t, res.Body.String())
	require.Equal(t, client.DeliveryReport{Channel: contract.ChannelSMS, EventID: "e1", State: contract.AttemptDelivered}, f.service.last)

	for name, c := range map[string]struct {
		request
		status int
	}{
		"no signature": {request{method: "POST", path: call.path, body: "signed e1"}, 401},
		"other body":   {request{method: "POST", path: call.path, body: "17858012345", header: call.header}, 401},
		"a token":      {request{method: "POST", path: call.path, body: "e1", token: "operator@"}, 401},
		"no sense":     {request{method: "POST", path: call.path, body: "signed ", header: call.header}, 422},
		"too large":    {request{method: "POST", path: call.path, body: "signed " + strings.Repeat("x", 16<<10), header: call.header}, 413},
		"another verb": {request{method: "GET", path: call.path}, 405},
	} {
		before := f.service.calls
		f.problem(t, c.request, c.status)
		require.Equal(t, before, f.service.calls, name)
	}
	require.NotContains(t, f.logs.String(), "17858012345")

	f.service.err = apperr.New(apperr.Unavailable, "the database does not answer")
	f.problem(t, call, 503)
	require.NotEmpty(t, f.do(t, call).Header().Get("Retry-After"), "the gateway reports again")
}

func TestWithoutAGatewayThereIsNoCallback(t *testing.T) {
	t.Parallel()
	f := fixture{API: api.New(&service{}, tokens{}, nil, slog.New(slog.DiscardHandler))}
	f.problem(t, request{method: "POST", path: "/v1/callbacks/sms", body: "signed e1"}, 404)
	for _, r := range f.Routes() {
		require.False(t, r.Signed)
	}
}
