package storetest_test

import (
	"bytes"
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
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

// anybody takes a token for a role of the demonstration clinic.
type anybody struct{}

func (anybody) Verify(_ context.Context, token string) (identity.Principal, error) {
	return identity.Principal{Subject: token, ClinicID: demo.ClinicID, Role: identity.Role(token)}, nil
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
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+role)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", uuid.NewString())
	res, err := server.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // it has been read
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, res.Header, string(answer)
}

// serving is the API over the real store; what it logs is returned too.
func serving(t *testing.T, s *pg.Store) (*api.API, *httptest.Server, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	a := api.New(client.New(s, &applies{store: s}), anybody{}, nil, slog.New(slog.NewTextHandler(&log, nil)))
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
	random := rand.New(rand.NewPCG(3, 94)) //nolint:gosec // a test repeats itself
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
			return map[string]any{"noticeName": "Senteret", "phone": "22000000", "quietFrom": "21:00", "visibleDays": 3, "graceMinutes": 3}
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
				}
				for _, k := range takes {
					query.Set(k, fmt.Sprint(value()))
				}
				if len(takes) > 1 && round%2 == 0 {
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
