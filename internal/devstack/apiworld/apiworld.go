// Package apiworld is a clinic with one of everything that has an id, and a request for
// every route of the HTTP API that the clinic takes: what the tests that walk the routes
// walk them with.
package apiworld

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
)

// Clinic has one of everything that has an id.
type Clinic struct {
	pg.Clinic
	// IDs are by the names of path parameters, and by words of place.
	IDs map[string]string
}

// Who is somebody of the clinic with the role.
func (c Clinic) Who(role identity.Role) identity.Principal {
	p := identity.Principal{Subject: string(role), ClinicID: c.ID, Role: role}
	if role == identity.RolePractitioner {
		p.HPR = "9144889"
	}
	return p
}

// Found writes clinic n, with what it has beginning at now. No two clinics of an
// installation have the same number.
func Found(t *testing.T, s *pg.Store, n int, now time.Time) Clinic {
	t.Helper()
	ctx := t.Context()
	c := Clinic{Clinic: demo.Clinic(), IDs: map[string]string{"process": "e-contact"}}
	c.ID, c.Name, c.HerID = uuid.NewString(), fmt.Sprintf("Senter %d", n), c.HerID+1000*n
	for i, role := range []identity.Role{identity.RolePractitioner, identity.RoleStaff, identity.RoleClinicAdministrator} {
		c.Staff[i].ID, c.Staff[i].Subject = uuid.NewString(), string(role)
		if c.Staff[i].HerID != 0 {
			c.Staff[i].HerID += 1000 * n
		}
	}
	gp := c.Staff[0].ID
	c.Parties = c.Parties[:1]
	c.Parties[0].HerID, c.Parties[0].StaffID = c.Parties[0].HerID+1000*n, gp
	service, portal, doctor := c.Who(identity.RoleService), c.Who(identity.RolePortal), c.Who(identity.RolePractitioner)
	require.NoError(t, s.PutClinic(ctx, service, c.Clinic))
	storetest.Activate(t, s, c.Clinic)
	id := func(name string) string {
		c.IDs[name] = uuid.NewString()
		return c.IDs[name]
	}
	var err error
	c.IDs["gp"] = gp
	c.IDs["patient"], err = s.PutPatient(ctx, service, c.ID, pg.Patient{GivenName: "Line", FamilyName: "Testperson", NationalID: "10915596784", IDType: "FNR", Phone: "41234567"}, gp, false)
	require.NoError(t, err)
	c.IDs["erased"], err = s.PutPatient(ctx, service, c.ID, pg.Patient{GivenName: "Mor", FamilyName: "Testperson", NationalID: "12815597099", IDType: "FNR"}, gp, false)
	require.NoError(t, err)

	require.NoError(t, s.PutCalendars(ctx, service, c.ID, []pg.Calendar{{ID: id("calendar"), OwnerID: gp, Name: "Frida"}}))
	require.NoError(t, s.PutAppointmentTypes(ctx, service, c.ID, []pg.AppointmentType{{ID: id("type"), Name: "Vanlig time"}}))
	require.NoError(t, s.PutSettings(ctx, c.Who(identity.RoleClinicAdministrator), c.ID, pg.Settings{OnlineBooking: true}))
	at := now.Add(72 * time.Hour)
	require.NoError(t, s.PutSlots(ctx, service, c.ID, []pg.Slot{
		{ID: id("slot"), CalendarID: c.IDs["calendar"], TypeID: c.IDs["type"], StartsAt: at, EndsAt: at.Add(20 * time.Minute), Online: true},
		{ID: id("deleted"), CalendarID: c.IDs["calendar"], TypeID: c.IDs["type"], StartsAt: at.Add(time.Hour), EndsAt: at.Add(2 * time.Hour)},
	}))
	for name, starts := range map[string]time.Time{"appointment": at.Add(24 * time.Hour), "begun": now.Add(-24 * time.Hour)} {
		booking := pg.Change{
			ID: uuid.NewString(), Kind: pg.ChangeBook, AppointmentID: id(name), PatientID: c.IDs["patient"],
			CalendarID: c.IDs["calendar"], TypeID: c.IDs["type"], StartsAt: starts, EndsAt: starts.Add(time.Hour),
		}
		_, err = s.DraftChange(ctx, doctor, c.ID, booking)
		require.NoError(t, err)
		_, err = s.ApplyChange(ctx, contract.ApplyChangeInput{ClinicID: c.ID, AppointmentID: booking.AppointmentID, CommandID: booking.ID})
		require.NoError(t, err)
	}

	file, err := s.StoreFile(ctx, portal, c.ID, pg.NewFile{PatientID: c.IDs["patient"], ViewerID: c.IDs["patient"], MIME: "image/png", Description: "kne.png"},
		strings.NewReader("a picture"), func(func() (io.Reader, error)) error { return nil })
	require.NoError(t, err)
	written, err := s.StorePortalMessage(ctx, portal, c.ID, pg.WrittenInPortal{
		ID: uuid.NewString(), PatientID: c.IDs["patient"], ViewerID: c.IDs["patient"], Text: "Hei", Attachments: []string{file.ID},
	})
	require.NoError(t, err)
	_, err = s.Place(ctx, contract.DeliverToInboxInput{ClinicID: c.ID, DialogueID: written.DialogueID, MessageID: written.ID})
	require.NoError(t, err)
	c.IDs["file"], c.IDs["dialogue"], c.IDs["message"] = file.ID, written.DialogueID, written.ID
	_, err = s.DraftAnswer(ctx, doctor, c.ID, written.DialogueID, pg.Draft{ID: id("answer"), Text: "Hei"})
	require.NoError(t, err)
	_, err = s.PublishMessage(ctx, contract.PublishMessageInput{ClinicID: c.ID, DialogueID: written.DialogueID, OutboundID: c.IDs["answer"], Now: now})
	require.NoError(t, err)
	renewal := pg.Arrival{
		TransportID: uuid.NewString(), Subject: "DIALOG_INNBYGGER_RESEPTFORNYELSE", FromHerID: 800001, ToHerID: c.Parties[0].HerID, Raw: []byte("<raw/>"), Verdict: pg.Taken,
		ProcessCode: "DIALOG_INNBYGGER_RESEPTFORNYELSE", Function: "RF", MsgID: uuid.NewString(), Process: contract.ProcessPrescription,
		Patient: &pg.Patient{GivenName: "Line", FamilyName: "Testperson", NationalID: "10915596784", IDType: "FNR"},
		Content: pg.Content{Subject: "Medisin", Text: "Hei", DeliveryMode: "AP"},
	}
	request, err := s.StoreArrival(ctx, renewal)
	require.NoError(t, err)
	renewal.Raw = []byte("<other/>")
	forged, err := s.StoreArrival(ctx, renewal)
	require.NoError(t, err)
	require.Equal(t, pg.Quarantined, forged.Verdict)
	c.IDs["request"], c.IDs["quarantined"] = request.DialogueID, forged.ID
	c.IDs["case"], err = s.OpenCase(ctx, contract.OpenCaseInput{ClinicID: c.ID, DialogueID: written.DialogueID, MessageID: written.ID, Kind: contract.CaseAnswerOverdue})
	require.NoError(t, err)
	return c
}

// parameter is a part of a path that names something.
var parameter = regexp.MustCompile(`\{(\w+)\}`)

// Named is the id that a parameter of a route stands for: what a route takes away is there
// for that alone.
func Named(route api.Route, name string) string {
	switch {
	case route.Method == http.MethodDelete && name == "patient":
		return "erased"
	case route.Method == http.MethodDelete && name == "slot":
		return "deleted"
	case strings.HasSuffix(route.Path, "/resend") && name == "message":
		return "answer"
	case strings.HasSuffix(route.Path, "/missed") && name == "appointment":
		return "begun"
	case strings.HasSuffix(route.Path, "/turn") && name == "dialogue":
		return "request"
	case strings.Contains(route.Path, "/quarantine/"):
		return "quarantined"
	}
	return name
}

// Request is the path, query and body of a request that a route takes at that time, with
// these ids.
func Request(t *testing.T, route api.Route, c Clinic, ids map[string]string, now time.Time) (target, body string) {
	t.Helper()
	path := parameter.ReplaceAllStringFunc(route.Path, func(p string) string {
		if p == "{clinic}" {
			return c.ID
		}
		value := ids[Named(route, p[1:len(p)-1])]
		require.NotEmpty(t, value, "%s: the test has no %s", route.Path, p)
		return value
	})
	at := func(hours int) string { return now.Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	query := url.Values{}
	if route.Method == http.MethodGet {
		if strings.HasSuffix(route.Path, "/slots") || strings.HasSuffix(route.Path, "/entries") {
			query.Set("from", at(0))
			query.Set("to", at(200))
		}
		if strings.HasSuffix(route.Path, "{clinic}/slots") {
			query.Set("calendar", ids["calendar"])
		}
		if strings.HasSuffix(route.Path, "/reachability") {
			query.Set("kind", "e-dialogue")
		}
	}
	if strings.Contains(route.Path, "/portal/") && (route.Method == http.MethodGet || strings.HasSuffix(route.Path, "/attachments")) {
		query.Set("viewer", c.IDs["patient"])
	}
	type object map[string]any
	calendar := object{"id": ids["calendar"], "ownerId": c.IDs["gp"], "name": "Frida"}
	kind := object{"id": ids["type"], "name": "Vanlig time"}
	slot := object{"id": ids["slot"], "calendarId": c.IDs["calendar"], "typeId": c.IDs["type"], "startsAt": at(72), "endsAt": at(73), "online": true}
	patient := object{"givenName": "Line", "familyName": "Testperson", "nationalId": "10915596784", "phone": "41234567"}
	bodies := map[string]any{
		"POST /dialogues/{dialogue}/answers":           object{"text": "Hei", "followUp": true},
		"PUT /routing/{process}":                       object{"format": "practitioner"},
		"PUT ":                                         c.Clinic,
		"PUT /patients":                                patient,
		"POST /patients/find":                          object{"nationalId": "10915596784"},
		"POST /dialogues":                              object{"kind": "e-dialogue", "patientId": c.IDs["patient"], "text": "Hei"},
		"POST /dialogues/{dialogue}/changes":           object{"kind": "take"},
		"POST /dialogues/{dialogue}/turn":              object{"kind": "e-contact", "subject": "Svar", "text": "Hei"},
		"PUT /settings":                                pg.Settings{OnlineBooking: true},
		"PUT /calendars":                               object{"calendars": []object{calendar}},
		"PUT /calendars/{calendar}":                    calendar,
		"PUT /appointment-types":                       object{"types": []object{kind}},
		"PUT /appointment-types/{type}":                kind,
		"PUT /slots":                                   object{"slots": []object{slot}},
		"PUT /slots/{slot}":                            slot,
		"PUT /patients/bulk":                           object{"patients": []object{patient}},
		"PUT /patients/{patient}/status":               object{"bornOn": "1980-01-01"},
		"PUT /patients/{patient}/contacts":             object{"contacts": []object{}},
		"PUT /patients/{patient}/preference":           object{"channels": []string{"sms"}},
		"PUT /patients/{patient}/representations":      object{"representations": []object{}},
		"POST /appointments":                           object{"patientId": c.IDs["patient"], "calendarId": c.IDs["calendar"], "typeId": c.IDs["type"], "startsAt": at(150), "endsAt": at(151)},
		"PATCH /appointments/{appointment}":            object{"place": "Rom 2"},
		"POST /appointments/{appointment}/answer":      object{"code": "06"},
		"POST /portal/patients/{patient}/appointments": object{"viewerId": c.IDs["patient"], "slotId": c.IDs["slot"]},
		"POST /portal/patients/{patient}/dialogues":    object{"viewerId": c.IDs["patient"], "text": "Hei"},
		"POST /portal/patients/{patient}/dialogues/{dialogue}/messages":     object{"viewerId": c.IDs["patient"], "text": "Hei"},
		"POST /portal/patients/{patient}/appointments/{appointment}/cancel": object{"viewerId": c.IDs["patient"]},
		"POST /quarantine/{message}/decisions":                              object{"decision": "retry"},
		"POST /integration/suspend":                                         object{"reason": "Ferie"},
		"POST /integration/sign-off":                                        object{"key": "digital-dialogue-ordered"},
	}
	switch content, ok := bodies[route.Method+" "+strings.TrimPrefix(route.Path, "/v1/clinics/{clinic}")]; {
	case strings.HasSuffix(route.Path, "/attachments"):
		body = "%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
	case ok:
		raw, err := json.Marshal(content)
		require.NoError(t, err)
		body = string(raw)
	case route.Method == http.MethodPost && !strings.HasSuffix(route.Path, "/resend") && !strings.HasSuffix(route.Path, "/resolve") && !strings.HasSuffix(route.Path, "/activity"):
		body = "{}"
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, body
}
