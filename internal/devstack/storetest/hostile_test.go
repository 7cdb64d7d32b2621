package storetest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// anybody takes a token for a role of the demonstration clinic, or of the one after @.
type anybody struct{}

func (anybody) Verify(_ context.Context, c identity.Credentials) (identity.Principal, error) {
	role, clinic, _ := strings.Cut(c.Token, "@")
	return identity.Principal{Subject: c.Token, ClinicID: cmp.Or(clinic, demo.ClinicID), Role: identity.Role(role)}, nil
}

// whoMay is a role that has the right.
func whoMay(t *testing.T, right identity.Right) string {
	t.Helper()
	for _, g := range identity.Rights() {
		if g.Right == right {
			return string(g.Roles[0])
		}
	}
	require.FailNow(t, "nobody has the right")
	return ""
}

// call makes one request as who has the right.
func call(t *testing.T, server *httptest.Server, role, method, path, body string) (int, http.Header, string) {
	t.Helper()
	return callAs(t, server, uuid.NewString(), role, method, path, body)
}

func callAs(t *testing.T, server *httptest.Server, key, role, method, path, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+role)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // it has been read
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(answer)
}

// nobody is a Helsenorge where nobody is active.
type nobody struct{}

func (nobody) Check(_ context.Context, ids []string) (map[string]registry.Activity, error) {
	said := make(map[string]registry.Activity, len(ids))
	for _, id := range ids {
		said[id] = registry.Activity{}
	}
	return said, nil
}

// serving is the API over the real store; what it logs is returned too.
func serving(t *testing.T, s *pg.Store) (*api.API, *httptest.Server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	a := api.New(client.New(s, &applies{store: s}, client.WithActivity(nobody{})), anybody{}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server, &log
}

const marked = "Ola-Marked-Testperson"

// odd are values that nobody should send.
var odd = []any{
	"", "a", nil, -1, 0, 1e300, true, []any{}, map[string]any{}, marked, "\u0000", "a\u0000b", "\r\nBcc: x@example.invalid", "\ufffe", "\u202e",
	"0001-01-01T00:00:00Z", "0000-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-10-25T02:30:00+02:00",
	"00000000-0000-0000-0000-000000000000", "urn:uuid:019ab000-0000-7000-8000-0000000000c1", "{019ab000-0000-7000-8000-0000000000c1}",
	"019AB000-0000-7000-8000-0000000000C1", "019ab000-0000-7000-8000-0000000000c1", otherID, strings.Repeat("x", 5000), "'; DROP TABLE appointment; --",
	"-9999999999999999999999", "2147483648", 2147483648, -2147483649, 9007199254740993, "nb", "sms", "FO",
}

// TestNothingOddIsAnInternalError sends odd paths, queries and bodies to every route of
// appointments, as somebody who may: each is refused or taken, never a fault of ours,
// and no answer and no log line repeats what was sent.
func TestNothingOddIsAnInternalError(t *testing.T) {
	_, s := setupCalendar(t)
	patientID, err := s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	a, server, log := serving(t, s)
	random := rand.New(rand.NewPCG(3, 94))
	ids := map[string][]string{
		"{clinic}": {demo.ClinicID}, "{patient}": {patientID, patientID, patientID}, "{calendar}": {calendarID}, "{type}": {typeID},
		"{slot}": {uuid.NewString()}, "{appointment}": {uuid.NewString()}, "{dialogue}": {uuid.NewString()}, "{file}": {uuid.NewString()}, "{process}": {"e-contact"},
	}
	good := func() any {
		return []any{patientID, calendarID, typeID, demo.GPID, now.Format(time.RFC3339), now.Add(20 * time.Minute).Format(time.RFC3339), "sms", "+4790000001", "Rom 2"}[random.IntN(9)]
	}
	value := func() any {
		if random.IntN(3) == 0 {
			return good()
		}
		return odd[random.IntN(len(odd))]
	}
	names := []string{
		"id", "ownerId", "name", "notify", "calendarId", "typeId", "slotId", "startsAt", "endsAt", "place", "comment", "replaces", "revision", "code", "text", "viewerId",
		"patientId", "appointmentId", "availableAt", "online", "mustCall", "channel", "address", "relation", "confirmedAt", "representativeId", "until", "bornOn", "channels",
		"language", "noticeName", "phone", "quietFrom", "visibleDays", "graceMinutes", "category", "summary", "hidden", "givenName", "familyName", "nationalId", "acknowledged",
		"deputyId", "absentFrom", "absentUntil", "officeOpens", "officeCloses", "answerClock", "kind", "staffId", "to", "note",
	}
	object := func() map[string]any {
		o := map[string]any{}
		for range random.IntN(12) {
			o[names[random.IntN(len(names))]] = value()
		}
		return o
	}
	// Bodies that are right, of which a part is then made odd.
	at := func(h int) string { return now.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
	right := func(path string) map[string]any {
		switch {
		case strings.HasSuffix(path, "/calendars"):
			return map[string]any{"calendars": []any{map[string]any{"id": uuid.NewString(), "ownerId": demo.GPID, "name": "K", "inactive": true}}}
		case strings.HasSuffix(path, "/appointment-types"):
			return map[string]any{"types": []any{map[string]any{"id": uuid.NewString(), "name": "T"}}}
		case strings.HasSuffix(path, "/slots"):
			return map[string]any{"slots": []any{map[string]any{"id": uuid.NewString(), "calendarId": calendarID, "typeId": typeID, "startsAt": at(random.IntN(9000)), "endsAt": at(9001)}}}
		case strings.HasSuffix(path, "/appointments") && strings.Contains(path, "portal"):
			return map[string]any{"viewerId": patientID, "slotId": uuid.NewString(), "comment": "c"}
		case strings.HasSuffix(path, "/appointments"):
			h := random.IntN(9000)
			return map[string]any{"patientId": patientID, "calendarId": calendarID, "typeId": typeID, "startsAt": at(h), "endsAt": at(h + 1), "place": "Rom", "comment": "c"}
		case strings.HasSuffix(path, "/contacts"):
			return map[string]any{"contacts": []any{map[string]any{"id": uuid.NewString(), "channel": "sms", "address": "+4790000001", "confirmedAt": at(-9)}}}
		case strings.HasSuffix(path, "/representations"):
			return map[string]any{"representations": []any{map[string]any{"representativeId": patientID, "relation": "FO", "until": at(9)}}}
		case strings.HasSuffix(path, "/preference"):
			return map[string]any{"channels": []any{"sms"}, "optedOut": []any{"e-mail"}, "language": "nb"}
		case strings.HasSuffix(path, "/status"):
			return map[string]any{"bornOn": "1980-01-01", "protected": true}
		case strings.HasSuffix(path, "/settings"):
			return map[string]any{
				"noticeName": "Senteret", "phone": "22000000", "quietFrom": "21:00", "visibleDays": 3, "graceMinutes": 3,
				"officeOpens": "09:00", "answerClock": map[string]any{"e-contact": map[string]any{"warn": 1, "overdue": 2}},
			}
		case strings.HasSuffix(path, "/changes"):
			return map[string]any{"kind": "forward", "to": []any{map[string]any{"kind": "group", "id": "desk"}}, "note": "n"}
		case strings.HasSuffix(path, "/bulk"):
			return map[string]any{"patients": []any{map[string]any{"givenName": "A", "familyName": "B", "nationalId": line.NationalID, "phone": "41234567"}}}
		}
		return object()
	}
	spoil := func(body map[string]any) {
		for _, v := range body {
			if list, ok := v.([]any); ok && len(list) > 0 && random.IntN(6) > 0 {
				if o, ok := list[0].(map[string]any); ok {
					body = o
				}
			}
		}
		for range 1 + random.IntN(2) {
			keys := slices.Sorted(maps.Keys(body))
			if len(keys) > 0 {
				body[keys[random.IntN(len(keys))]] = value()
			}
		}
	}
	said := map[int]int{}
	for round := range 40 {
		for _, route := range a.Routes() {
			if route.Right == "" {
				continue
			}
			path := route.Path
			for name, good := range ids {
				v := good[random.IntN(len(good))]
				if name != "{clinic}" && random.IntN(4) == 0 {
					v = fmt.Sprint(odd[random.IntN(len(odd))])
				}
				if v == "" || v == "." {
					v = "\xff"
				}
				path = strings.ReplaceAll(path, name, url.PathEscape(v))
			}
			query := url.Values{}
			if route.Method == http.MethodGet {
				var takes []string
				switch {
				case strings.HasSuffix(route.Path, "/portal/patients/{patient}/slots"):
					takes = []string{"viewer", "from", "to"}
				case strings.Contains(route.Path, "/portal/"):
					takes = []string{"viewer"}
				case strings.HasSuffix(route.Path, "/slots"):
					takes = []string{"calendar", "from", "to"}
				case strings.HasSuffix(route.Path, "/entries"):
					takes = []string{"from", "to"}
				case strings.HasSuffix(route.Path, "/inbox"):
					takes = []string{"owner", "recipient", "cursor"}
				case strings.HasSuffix(route.Path, "/dialogues"):
					takes = []string{"owner", "patient", "cursor"}
				case strings.HasSuffix(route.Path, "/cases"):
					takes = []string{"kind", "cursor"}
				}
				for _, k := range takes {
					if v := fmt.Sprint(value()); k != "cursor" || round%2 == 0 {
						query.Set(k, v)
					}
				}
				if slices.Contains(takes, "from") && round%2 == 0 {
					query.Set("from", at(0))
					query.Set("to", at(1))
				}
			}
			content := right(route.Path)
			if round > 0 {
				spoil(content)
			}
			sent, err := json.Marshal(content)
			require.NoError(t, err)
			full := path
			if len(query) > 0 {
				full += "?" + query.Encode()
			}
			log.Reset()
			status, header, answer := call(t, server, whoMay(t, route.Right), route.Method, full, string(sent))
			said[status/100]++
			if status >= 500 {
				t.Errorf("%s %s %s: %d %s %s", route.Method, full, sent, status, answer, log.String())
			}
			if status >= 400 {
				require.Equal(t, "application/problem+json", header.Get("Content-Type"))
				require.NotContains(t, answer, marked)
			}
			require.NotContains(t, log.String(), marked)
			require.NotContains(t, log.String(), line.NationalID)
		}
	}
	require.Greater(t, said[2], 50)
	t.Log(said)
}

// TestTimesHaveBounds: nothing is stored that cannot be written again as JSON, and no
// appointment blocks a calendar for years.
func TestTimesHaveBounds(t *testing.T) {
	_, s := setupCalendar(t)
	patientID, err := s.PutPatient(t.Context(), demo.Service, demo.ClinicID, line, demo.GPID, false)
	require.NoError(t, err)
	_, server, _ := serving(t, s)
	path := "/v1/clinics/" + demo.ClinicID
	for name, c := range map[string][2]string{
		"year 10000":     {"9999-12-31T23:00:00-12:00", "9999-12-31T23:20:00-12:00"},
		"before year 0":  {"0000-01-01T00:00:00+14:00", "0000-01-01T00:20:00+14:00"},
		"far ahead":      {"2057-01-01T08:00:00Z", "2057-01-01T08:20:00Z"},
		"long ago":       {"1999-12-31T08:00:00Z", "1999-12-31T08:20:00Z"},
		"a whole year":   {"2026-12-01T08:00:00Z", "2027-12-01T08:20:00Z"},
		"start is end":   {"2026-12-01T08:00:00Z", "2026-12-01T08:00:00Z"},
		"end is earlier": {"2026-12-01T08:00:00Z", "2026-12-01T07:00:00Z"},
	} {
		times := fmt.Sprintf(`"startsAt": %q, "endsAt": %q`, c[0], c[1])
		where := fmt.Sprintf(`"calendarId": %q, "typeId": %q, `, calendarID, typeID)
		status, _, answer := call(t, server, "service", http.MethodPut, path+"/slots", fmt.Sprintf(`{"slots": [{"id": %q, %s %s}]}`, uuid.NewString(), where, times))
		require.Equal(t, http.StatusUnprocessableEntity, status, name+answer)
		status, _, answer = call(t, server, "staff", http.MethodPost, path+"/appointments", fmt.Sprintf(`{"patientId": %q, %s %s}`, patientID, where, times))
		require.Equal(t, http.StatusUnprocessableEntity, status, name+answer)
		require.Contains(t, answer, "sAt", "the field is named")
	}
	status, _, answer := call(t, server, "service", http.MethodPut, path+"/patients/"+patientID+"/representations",
		fmt.Sprintf(`{"representations": [{"representativeId": %q, "relation": "FO", "until": "9999-12-31T23:59:59-12:00"}]}`, uuid.NewString()))
	require.Equal(t, http.StatusUnprocessableEntity, status, answer)
	status, _, answer = call(t, server, "service", http.MethodPut, path+"/patients/"+patientID+"/contacts",
		`{"contacts": [{"channel": "sms", "address": "+4790000001", "confirmedAt": "0000-01-01T00:00:00+14:00"}]}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, answer)
	status, _, answer = call(t, server, "staff", http.MethodGet, path+"/patients/"+patientID+"/appointments", "")
	require.Equal(t, http.StatusOK, status, answer)
	require.JSONEq(t, `{"items": []}`, answer)
}

// TestARefusalIsShort: a body of a megabyte that is wrong everywhere is not answered by
// many times as much.
func TestARefusalIsShort(t *testing.T) {
	_, s := setupCalendar(t)
	_, server, _ := serving(t, s)
	for _, c := range [][2]string{{"/slots", "slots"}, {"/patients/bulk", "patients"}} {
		for _, item := range []string{`{},`, `{"id": "a"},`, `{"id": "a", "name": "", "ownerId": "b", "calendarId": "c", "typeId": "d", "startsAt": "2026-11-02T08:00:00Z", "endsAt": "2026-11-02T08:00:00Z"},`} {
			list := strings.TrimSuffix(strings.Repeat(item, 1000_000/len(item)), ",")
			status, _, answer := call(t, server, "service", http.MethodPut, "/v1/clinics/"+demo.ClinicID+c[0], fmt.Sprintf(`{%q: [%s]}`, c[1], list))
			require.Contains(t, []int{http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge}, status)
			require.Less(t, len(answer), 64<<10, "%s %s: %d", c[0], item, status)
		}
	}
}

// TestAnotherClinicsThingsAreNowhere names another clinic's things in paths, queries and
// bodies: they do not exist, and nothing of the other clinic changes.
func TestAnotherClinicsThingsAreNowhere(t *testing.T) {
	k := newDesk(t)
	ctx := t.Context()
	_, server, _ := serving(t, k.s)
	otherGP, otherCal, otherType, otherSlot := uuid.NewString(), uuid.NewString(), uuid.NewString(), uuid.NewString()
	require.NoError(t, k.s.PutClinic(ctx, otherService, pg.Clinic{
		ID: otherID, Name: "Other", HerID: 910000, Staff: []pg.Staff{{ID: otherGP, Subject: "x", Name: "x", Role: identity.RolePractitioner, HPR: "1234567"}},
		Parties: []pg.Party{{HerID: 910001, Name: "x", StaffID: otherGP}},
	}))
	require.NoError(t, k.s.PutCalendars(ctx, otherService, otherID, []pg.Calendar{{ID: otherCal, OwnerID: otherGP, Name: "x"}}))
	require.NoError(t, k.s.PutAppointmentTypes(ctx, otherService, otherID, []pg.AppointmentType{{ID: otherType, Name: "x"}}))
	start := now.Add(96 * time.Hour)
	require.NoError(t, k.s.PutSlots(ctx, otherService, otherID, []pg.Slot{{ID: otherSlot, CalendarID: otherCal, TypeID: otherType, StartsAt: start, EndsAt: start.Add(time.Hour), Online: true}}))
	theirs, err := k.s.PutPatient(ctx, otherService, otherID, line, otherGP, false)
	require.NoError(t, err)
	var booked client.Changed
	at := fmt.Sprintf(`"startsAt": %q, "endsAt": %q`, start.Add(2*time.Hour).Format(time.RFC3339), start.Add(3*time.Hour).Format(time.RFC3339))
	status, _, answer := call(t, server, "staff@"+otherID, http.MethodPost, "/v1/clinics/"+otherID+"/appointments",
		fmt.Sprintf(`{"patientId": %q, "calendarId": %q, "typeId": %q, %s}`, theirs, otherCal, otherType, at))
	require.Equal(t, http.StatusCreated, status, answer)
	require.NoError(t, json.Unmarshal([]byte(answer), &booked))
	mine := k.booked(now.Add(72 * time.Hour))
	mySlot := k.offer(now.Add(80 * time.Hour)).ID
	before := k.sql("SELECT md5(string_agg(x::text, '|' ORDER BY x::text)) FROM (SELECT t::text FROM appointment t WHERE clinic_id = '%[1]s' UNION ALL SELECT t::text FROM slot t WHERE clinic_id = '%[1]s' "+
		"UNION ALL SELECT t::text FROM calendar t WHERE clinic_id = '%[1]s' UNION ALL SELECT t::text FROM representation t) x", otherID)
	whole := func(patient, calendar, kind string) string {
		return fmt.Sprintf(`{"patientId": %q, "calendarId": %q, "typeId": %q, %s}`, patient, calendar, kind, at)
	}
	stretch := "from=" + now.Format(time.RFC3339) + "&to=" + now.Add(time.Hour).Format(time.RFC3339)
	for name, c := range map[string]struct {
		role, method, path, body string
		want                     int
	}{
		"book their patient":    {"staff", "POST", "/appointments", whole(theirs, calendarID, typeID), 404},
		"book their calendar":   {"staff", "POST", "/appointments", whole(k.patientID, otherCal, typeID), 404},
		"book their type":       {"staff", "POST", "/appointments", whole(k.patientID, calendarID, otherType), 404},
		"book their slot":       {"staff", "POST", "/appointments", fmt.Sprintf(`{"patientId": %q, "slotId": %q}`, k.patientID, otherSlot), 404},
		"replace theirs":        {"staff", "POST", "/appointments", strings.Replace(whole(k.patientID, calendarID, typeID), "{", fmt.Sprintf(`{"replaces": %q,`, booked.AppointmentID), 1), 404},
		"take their id":         {"staff", "POST", "/appointments", strings.Replace(whole(k.patientID, calendarID, typeID), "{", fmt.Sprintf(`{"appointmentId": %q,`, booked.AppointmentID), 1), 409},
		"move theirs":           {"staff", "PATCH", "/appointments/" + booked.AppointmentID, `{"place": "x"}`, 404},
		"move to their slot":    {"staff", "PATCH", "/appointments/" + mine, fmt.Sprintf(`{"slotId": %q}`, otherSlot), 404},
		"move to their type":    {"staff", "PATCH", "/appointments/" + mine, fmt.Sprintf(`{"typeId": %q}`, otherType), 404},
		"cancel theirs":         {"staff", "POST", "/appointments/" + booked.AppointmentID + "/cancel", `{}`, 404},
		"restore theirs":        {"staff", "POST", "/appointments/" + booked.AppointmentID + "/restore", `{}`, 404},
		"missed theirs":         {"staff", "POST", "/appointments/" + booked.AppointmentID + "/missed", `{}`, 404},
		"answer theirs":         {"staff", "POST", "/appointments/" + booked.AppointmentID + "/answer", `{"code": "06"}`, 404},
		"read theirs":           {"staff", "GET", "/appointments/" + booked.AppointmentID, "", 404},
		"explain theirs":        {"staff", "GET", "/appointments/" + booked.AppointmentID + "/explain", "", 404},
		"list their patient":    {"staff", "GET", "/patients/" + theirs + "/appointments", "", 404},
		"list their calendar":   {"staff", "GET", "/calendars/" + otherCal + "/entries?" + stretch, "", 404},
		"list their slots":      {"staff", "GET", "/slots?calendar=" + otherCal + "&" + stretch, "", 404},
		"read their contacts":   {"staff", "GET", "/patients/" + theirs + "/contacts", "", 404},
		"read their status":     {"staff", "GET", "/patients/" + theirs + "/status", "", 404},
		"read their preference": {"staff", "GET", "/patients/" + theirs + "/preference", "", 404},
		"represent theirs":      {"service", "PUT", "/patients/" + theirs + "/representations", `{"representations": []}`, 404},
		"be represented":        {"service", "PUT", "/patients/" + k.patientID + "/representations", fmt.Sprintf(`{"representations": [{"representativeId": %q, "relation": "FU"}]}`, theirs), 404},
		"their owner":           {"service", "PUT", "/calendars", fmt.Sprintf(`{"calendars": [{"id": %q, "ownerId": %q, "name": "x"}]}`, uuid.NewString(), otherGP), 404},
		"their calendar":        {"service", "PUT", "/calendars", fmt.Sprintf(`{"calendars": [{"id": %q, "ownerId": %q, "name": "x"}]}`, otherCal, demo.GPID), 409},
		"delete their slot":     {"service", "DELETE", "/slots/" + otherSlot, "", 204},
		"portal, theirs":        {"portal", "GET", "/portal/patients/" + theirs + "/appointments?viewer=" + theirs, "", 404},
		"portal, their viewer":  {"portal", "GET", "/portal/patients/" + k.patientID + "/appointments?viewer=" + theirs, "", 403},
		"portal, their feed":    {"portal", "GET", "/portal/patients/" + theirs + "/feed?viewer=" + theirs, "", 404},
		"portal, their slots":   {"portal", "GET", "/portal/patients/" + theirs + "/slots?viewer=" + theirs + "&" + stretch, "", 404},
		"portal books theirs":   {"portal", "POST", "/portal/patients/" + k.patientID + "/appointments", fmt.Sprintf(`{"viewerId": %q, "slotId": %q}`, k.patientID, otherSlot), 409},
		"portal books as them":  {"portal", "POST", "/portal/patients/" + k.patientID + "/appointments", fmt.Sprintf(`{"viewerId": %q, "slotId": %q}`, theirs, mySlot), 403},
		"portal cancels theirs": {"portal", "POST", "/portal/patients/" + k.patientID + "/appointments/" + booked.AppointmentID + "/cancel", fmt.Sprintf(`{"viewerId": %q}`, k.patientID), 404},
		"portal, other patient": {"portal", "POST", "/portal/patients/" + theirs + "/appointments/" + mine + "/cancel", fmt.Sprintf(`{"viewerId": %q}`, k.patientID), 404},
	} {
		status, _, answer := call(t, server, c.role, c.method, "/v1/clinics/"+demo.ClinicID+c.path, c.body)
		require.Equal(t, c.want, status, "%s: %s", name, answer)
		status, _, _ = call(t, server, c.role, c.method, "/v1/clinics/"+otherID+c.path, c.body)
		require.Equal(t, http.StatusNotFound, status, name)
	}
	require.Equal(t, before, k.sql("SELECT md5(string_agg(x::text, '|' ORDER BY x::text)) FROM (SELECT t::text FROM appointment t WHERE clinic_id = '%[1]s' UNION ALL SELECT t::text FROM slot t WHERE clinic_id = '%[1]s' "+
		"UNION ALL SELECT t::text FROM calendar t WHERE clinic_id = '%[1]s' UNION ALL SELECT t::text FROM representation t) x", otherID))

	// One key: the same again, something else, and another clinic's.
	key, body := uuid.NewString(), strings.Replace(whole(k.patientID, calendarID, typeID), "{", `{"comment": "a",`, 1)
	path := "/v1/clinics/" + demo.ClinicID + "/appointments"
	status, _, first := callAs(t, server, key, "staff", http.MethodPost, path, body)
	require.Equal(t, http.StatusCreated, status, first)
	status, _, again := callAs(t, server, strings.ToUpper(key), "staff", http.MethodPost, path, body)
	require.Equal(t, http.StatusCreated, status, again)
	require.JSONEq(t, first, again)
	status, _, answer = callAs(t, server, key, "staff", http.MethodPost, path, strings.Replace(body, `"a"`, `"b"`, 1))
	require.Equal(t, http.StatusConflict, status, answer)
	require.Contains(t, answer, "problems/duplicate")
	status, _, answer = callAs(t, server, key, "practitioner", http.MethodPost, path, body)
	require.Equal(t, http.StatusConflict, status, "somebody else's change is not his: %s", answer)
	status, _, answer = callAs(t, server, key, "staff@"+otherID, http.MethodPost, "/v1/clinics/"+otherID+"/appointments", whole(theirs, otherCal, otherType))
	require.Equal(t, http.StatusConflict, status, answer)
	require.NotContains(t, answer, k.patientID)
}

// TestASlotCanBeBookedAsItIsShown: Helsenorge has whole seconds and years of four digits.
func TestASlotCanBeBookedAsItIsShown(t *testing.T) {
	_, s := setupCalendar(t)
	for path, change := range map[string]func(*pg.Slot){
		"slots[0].startsAt":    func(n *pg.Slot) { n.StartsAt = n.StartsAt.Add(time.Millisecond) },
		"slots[0].endsAt":      func(n *pg.Slot) { n.EndsAt = n.EndsAt.Add(time.Nanosecond) },
		"slots[0].availableAt": func(n *pg.Slot) { n.AvailableAt = time.Date(500, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		n := slot(now.Add(time.Hour))
		change(&n)
		require.Equal(t, []string{path}, paths(t, s.PutSlots(t.Context(), demo.Service, demo.ClinicID, []pg.Slot{n})))
	}
}

// TestWhatCitizensSeeFitsXML: one character that XML does not have would keep the whole
// list of free times from everybody.
func TestWhatCitizensSeeFitsXML(t *testing.T) {
	_, s := setupCalendar(t)
	for _, bad := range []string{"Rom \ufffe", "Rom \uffff", "Rom \x01", "Rom \x7f", "Rom \xff"} {
		n := slot(now.Add(time.Hour))
		n.Place = bad
		require.Equal(t, []string{"slots[0].place"}, paths(t, s.PutSlots(t.Context(), demo.Service, demo.ClinicID, []pg.Slot{n})), "%q", bad)
		kind := pg.AppointmentType{ID: typeID, Name: bad, Summary: bad}
		require.Equal(t, []string{"types[0].name", "types[0].summary"}, paths(t, s.PutAppointmentTypes(t.Context(), demo.Service, demo.ClinicID, []pg.AppointmentType{kind})), "%q", bad)
	}
}
