package apicontract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/testsize"
)

const (
	// fuzzTime is how long the API is asked nonsense, in seconds at full size.
	fuzzTime = 300
	// lives is how many requests a pair of clinics is for: what is erased, cancelled and
	// suspended in one must not be all there is.
	lives = 1500
	// canary marks the values that callers make up: no problem quotes them. It does name the
	// fields that there are not.
	canary, noField = "zq7kanari", "aFieldThatThereIsNot"
)

// callers ask at once.
const callers = 4

// TestNoRequestBreaksTheAPI asks every route nonsense, as every role of two clinics, for a
// bounded time: nothing but a truthful 503 is a fault of the server's, every answer is one
// of the document's, and no problem tells what it must not.
func TestNoRequestBreaksTheAPI(t *testing.T) {
	seed := testsize.Seed(t)
	until := time.Now().Add(time.Duration(testsize.Scaled(fuzzTime, 5)) * time.Second)
	said := map[int]int{}
	for round := uint64(0); time.Now().Before(until) && !t.Failed(); round++ {
		a, b := newClinic(t), newClinic(t)
		var together sync.WaitGroup
		counted := make([]map[int]int, callers)
		for i := range callers {
			f := newFuzzer(t, rand.New(rand.NewPCG(seed, round*callers+uint64(i))), a, b)
			counted[i] = f.said
			together.Go(func() {
				for n := 0; n < lives/callers && time.Now().Before(until) && !t.Failed(); n++ {
					f.ask()
				}
			})
		}
		together.Wait()
		for _, one := range counted {
			for status, n := range one {
				said[status] += n
			}
		}
	}
	total := 0
	for _, n := range said {
		total += n
	}
	require.Greater(t, total, 200)
	require.Greater(t, said[200]+said[201]+said[202]+said[204], total/20, "requests are refused before they reach anything: %v", said)
	require.Less(t, said[503], 1+total/100, "everything runs: %v\n%s", said, installation.log.faults())
	t.Logf("%d requests: %v", total, said)
}

// fuzzer asks nonsense that begins with sense.
type fuzzer struct {
	*testing.T
	r          *rand.Rand
	a, b       apiworld.Clinic
	operations []Operation
	tokens     []string
	valid      map[string]call
	bodies     map[string]string
	said       map[int]int
	// seen are ids and cursors of answers: what is made can be asked for.
	seen, cursors []string
}

func newFuzzer(t *testing.T, r *rand.Rand, a, b apiworld.Clinic) *fuzzer {
	t.Helper()
	f := &fuzzer{T: t, r: r, a: a, b: b, operations: installation.document.Operations(), valid: map[string]call{}, bodies: map[string]string{}, said: map[int]int{}}
	for _, role := range []identity.Role{
		identity.RoleClinicAdministrator, identity.RolePractitioner, identity.RoleStaff, identity.RolePortal,
		identity.RoleOperator, identity.RoleAuditor, identity.RoleService,
	} {
		f.tokens = append(f.tokens, as(t, a.Who(role)), as(t, b.Who(role)))
	}
	for _, op := range f.operations {
		asked := valid(t, a, op)
		body, err := io.ReadAll(asked.body)
		require.NoError(t, err)
		f.valid[op.ID], f.bodies[op.ID] = asked, string(body)
	}
	f.seen = slices.Sorted(maps.Values(a.IDs))
	return f
}

// one in so many.
func (f *fuzzer) one(in int) bool { return f.r.IntN(in) == 0 }

func pick[T any](f *fuzzer, of []T) T { return of[f.r.IntN(len(of))] }

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// ask sends one request and judges the answer.
func (f *fuzzer) ask() {
	op := pick(f, f.operations)
	asked := f.valid[op.ID]
	asked.header = asked.header.Clone()
	asked.header.Set("Idempotency-Key", uuid.NewString())
	described := true
	path, query, _ := strings.Cut(asked.target, "?")
	if f.one(3) {
		path, described = f.path(op, path)
	}
	values, err := url.ParseQuery(query)
	require.NoError(f, err)
	for _, p := range op.Parameters {
		if p.In == "query" && f.one(3) {
			values[p.Name] = []string{f.word(p.Schema)}
			if p.Name == "cursor" && len(f.cursors) > 0 {
				values.Set("cursor", f.bent(pick(f, f.cursors)))
			}
			if f.one(8) {
				values.Add(p.Name, f.word(p.Schema))
			}
		}
	}
	if f.one(20) {
		values.Set(pick(f, []string{"limit", noField, "cursor", "viewer", "from"}), f.nasty())
	}
	if asked.target = path; len(values) > 0 {
		asked.target += "?" + values.Encode()
	}
	if f.one(4) {
		asked.header.Set("Authorization", pick(f, f.tokens))
	}
	if f.one(100) {
		asked.header.Del("Authorization")
	}
	f.headers(asked.header)
	body := f.body(op)
	asked.body = strings.NewReader(body)
	if f.one(50) {
		asked.method, described = pick(f, []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}), false
	}
	f.judge(op, asked, body, described)
}

// judge sends a request, and fails the test if the answer is not one that it may have.
func (f *fuzzer) judge(op Operation, asked call, body string, described bool) {
	req, err := http.NewRequestWithContext(f.Context(), asked.method, installation.APIURL()+asked.target, asked.body)
	if err != nil {
		return // no client can send this
	}
	req.Header = asked.header
	res, err := http.DefaultClient.Do(req)
	about := func() string {
		h := asked.header.Clone()
		h.Del("Authorization")
		return fmt.Sprintf("%s %s\n%q\n%.3000q", asked.method, asked.target, h, body)
	}
	if err != nil {
		f.Errorf("no answer: %v\n%s", err, about())
		return
	}
	defer res.Body.Close() //nolint:errcheck // it is read whole
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		f.Errorf("the answer breaks off: %v\n%s", err, about())
		return
	}
	a := Answer{res.StatusCode, res.Header, raw}
	f.said[a.Status]++
	if a.Status >= 500 && (a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "") {
		f.Errorf("%d %s\n%s\n%s", a.Status, raw, about(), installation.log.faults())
		return
	}
	if a.Status >= 400 && asked.method != http.MethodHead {
		var p struct{ Type, Title, Detail string }
		if err := json.Unmarshal(raw, &p); err != nil || p.Type == "" || p.Title == "" || p.Detail == "" {
			f.Errorf("%d is no problem: %s\n%s", a.Status, raw, about())
		}
		if bytes.Contains(raw, []byte(canary)) {
			f.Errorf("%d quotes the request: %s\n%s", a.Status, raw, about())
		}
		if err := discreet(a); err != nil {
			f.Errorf("%d: %v\n%s", a.Status, err, about())
		}
	}
	if described {
		if err := installation.document.Keeps(op, a); err != nil {
			f.Errorf("%d is not as documented: %v\n%.2000s\n%s", a.Status, err, raw, about())
		}
	}
	if a.Status < 300 && len(f.seen) < 500 {
		f.seen = append(f.seen, ids.FindAllString(string(raw), 5)...)
		var page struct{ NextCursor string }
		if json.Unmarshal(raw, &page) == nil && page.NextCursor != "" {
			f.cursors = append(f.cursors, page.NextCursor)
		}
	}
}

// path puts other ids in the path, or what is none; described says whether the route is
// still the operation's.
func (f *fuzzer) path(op Operation, path string) (other string, described bool) {
	parts, names := strings.Split(path, "/"), strings.Split(op.Path, "/")
	var at []int
	for i, name := range names {
		if strings.HasPrefix(name, "{") {
			at = append(at, i)
		}
	}
	i := pick(f, at)
	described = true
	switch f.r.IntN(6) {
	case 0:
		parts[i] = pick(f, slices.Sorted(maps.Values(f.b.IDs)))
	case 1:
		parts[i] = pick(f, f.seen)
	case 2:
		parts[i] = strings.ToUpper(parts[i])
	case 3:
		parts[i] = strings.ReplaceAll(parts[i], "-", "")
	case 4:
		parts[i] = "urn:uuid:" + parts[i]
	default:
		parts[i], described = url.PathEscape(f.nasty()), false
	}
	return strings.Join(parts, "/"), described
}

// headers adds what may go wrong with headers.
func (f *fuzzer) headers(h http.Header) {
	set := func(name string, values ...string) {
		if f.one(25) {
			h[name] = []string{pick(f, values)}
		}
	}
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, f.nasty())
	set("Idempotency-Key", pick(f, f.seen), line, "", strings.ToUpper(pick(f, f.seen)))
	set("If-Match", `"`+line+`"`, "*", `W/"a"`, line)
	set("If-None-Match", "*", `"x"`, line)
	set("Content-Type", "application/json; charset=utf-16", "text/plain", "application/"+line, "", "application/json;;", "application/cbor", "multipart/form-data")
	set("Content-Disposition", `attachment; filename="`+line+`"`, "attachment; filename*=UTF-8''%zz", "attachment; filename*=UTF-8''"+url.PathEscape(f.nasty()), line)
	set("Accept", "text/html", "application/cbor", "*/*;q=0", line)
	set("Content-Encoding", "gzip", line)
	set("Range", "bytes=0-1", "bytes=-1", line)
	set("X-Http-Method-Override", "DELETE")
	set("Prefer", line)
}

// body is what the operation takes, bent somewhere, or what nothing takes.
func (f *fuzzer) body(op Operation) string {
	valid := f.bodies[op.ID]
	if op.RequestBody == nil {
		if f.one(20) {
			return f.nasty()
		}
		return valid
	}
	media, described := op.RequestBody.Content["application/json"]
	switch n := f.r.IntN(24); {
	case n == 0:
		return f.broken(valid)
	case n == 1:
		return f.nasty()
	case n < 8 || !described:
		return valid
	case n < 14:
		return f.text(f.value(media.Schema, 0))
	}
	var v any
	if json.Unmarshal([]byte(valid), &v) != nil {
		return valid
	}
	for range 1 + f.r.IntN(3) {
		v = f.bend(media.Schema, v)
	}
	return f.text(v)
}

// text is JSON, now and then with a name that is there twice.
func (f *fuzzer) text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	if s := string(b); f.one(20) && strings.HasPrefix(s, `{"`) {
		name, _, _ := strings.Cut(s[2:], `"`)
		return `{"` + name + `": ` + pick(f, []string{"null", "1", `"` + canary + `"`, "{}"}) + `,` + s[1:]
	}
	return string(b)
}

// bend changes something of a value that the schema describes.
func (f *fuzzer) bend(s *Schema, v any) any {
	if s = installation.document.Resolve(s); s == nil || f.one(6) {
		return f.value(s, 0)
	}
	switch of := v.(type) {
	case map[string]any:
		if len(s.Properties) == 0 {
			return v
		}
		name := pick(f, slices.Sorted(maps.Keys(s.Properties)))
		switch {
		case f.one(8):
			delete(of, name)
		case of[name] == nil || f.one(4):
			of[name] = f.value(s.Properties[name], 0)
		default:
			of[name] = f.bend(s.Properties[name], of[name])
		}
	case []any:
		switch {
		case len(of) == 0 || f.one(4):
			return append(of, f.value(s.Items, 0))
		case f.one(4):
			return append(of, of...)
		default:
			i := f.r.IntN(len(of))
			of[i] = f.bend(s.Items, of[i])
		}
	default:
		return f.value(s, 0)
	}
	return v
}

// value is mostly what the schema says, and what it does not otherwise.
func (f *fuzzer) value(s *Schema, depth int) any {
	s = installation.document.Resolve(s)
	if s == nil || f.one(12) {
		return pick(f, []any{
			nil, true, "", f.nasty(), 0, -1, 1.5, json.Number("1e400"), json.Number("-1e-400"), json.Number("9223372036854775808"), json.Number("99999999999999999999999999"),
			[]any{}, map[string]any{}, map[string]any{noField: canary}, []any{nil, []any{nil}}, strings.Repeat("x", 70_000),
		})
	}
	kind := "object"
	if len(s.Type) > 0 {
		kind = pick(f, s.Type)
	}
	if len(s.Enum) > 0 {
		return pick(f, s.Enum)
	}
	switch kind {
	case "object":
		v := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if depth < 4 && (slices.Contains(s.Required, name) || f.one(2)) {
				v[name] = f.value(s.Properties[name], depth+1)
			}
		}
		if len(s.Properties) == 0 {
			v[pick(f, []string{"e-contact", "prescription", noField})] = f.nasty()
		}
		return v
	case "array":
		v := []any{}
		for range f.r.IntN(4) {
			v = append(v, f.value(s.Items, depth+1))
		}
		return v
	case "integer", "number":
		return pick(f, []any{0, 1, 2, 20, 2147483647, 2147483648, -1, 600, json.Number("9007199254740993")})
	case "boolean":
		return f.one(2)
	case "null":
		return nil
	}
	return f.word(s)
}

// word is a text that the schema may take.
func (f *fuzzer) word(s *Schema) string {
	if s = installation.document.Resolve(s); s != nil && len(s.Enum) > 0 && !f.one(6) {
		return fmt.Sprint(pick(f, s.Enum))
	}
	if s != nil && s.Format == "date-time" && !f.one(4) {
		return pick(f, []string{
			today.Add(time.Duration(f.r.IntN(800)-400) * time.Hour).Format(time.RFC3339), "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+14:00",
			"2026-02-30T00:00:00Z", "2026-11-02T08:00:00.123456789Z", "2026-11-02T24:00:00Z", "2026-11-02 08:00:00Z", "1900-01-01T00:00:00-23:59", "-2026-11-02T08:00:00Z", "2016-12-31T23:59:60Z",
		})
	}
	switch f.r.IntN(5) {
	case 0, 1:
		return pick(f, f.seen)
	case 2:
		return pick(f, []string{"1", "20", "true", "false", "e-contact", "e-consultation", "nobody", "me", "group:nurses", "06", "12", "14", "sms", "10915596784", "+4741234567", "2026-11-02", "08:00"})
	}
	return f.nasty()
}

// nasty is a text that has broken something somewhere.
func (f *fuzzer) nasty() string {
	return pick(f, []string{
		"", " ", "\x00", "a\x00b", "\xff\xfe", "\xed\xa0\x80", "\uFEFF", "\u202E" + canary, "\uFFFF", "e\u0301", "👩‍⚕️", "İ", "ﷺ", canary, "'" + canary, `"` + canary, "';DROP TABLE clinic;--" + canary,
		"../../etc/passwd", "..%2f..", "/", "//", ".", "..", "{}", "{clinic}", "%", "%00", "%s%n", "${jndi:ldap://" + canary + "}", "<script>" + canary + "</script>", "\r\nX-" + canary + ": 1",
		"null", "undefined", "NaN", "Infinity", "-1", "0", "1e9", "0x10", "9223372036854775808", "99999999999999999999", "1.0", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		strings.Repeat("A", 600), strings.Repeat("æ", 5000), strings.Repeat("[", 3000), strings.Repeat("%2e", 200), strings.Repeat(canary, 40),
	})
}

// broken is a text that is nearly what it was.
func (f *fuzzer) broken(s string) string {
	switch b := []byte(s); f.r.IntN(6) {
	case 0:
		return strings.Repeat(`{"text":`, 1+f.r.IntN(40_000))
	case 1:
		return strings.Repeat(`[`, 1+f.r.IntN(100_000))
	case 2:
		return s + f.nasty()
	case 3:
		return strings.ReplaceAll(s, `"`, "\"\xc3\x28")
	default:
		if len(b) == 0 {
			return f.nasty()
		}
		if f.one(2) {
			return s[:f.r.IntN(len(s))]
		}
		b[f.r.IntN(len(b))] = byte(f.r.IntN(256))
		return string(b)
	}
}

// bent is a cursor that was given out, or nearly.
func (f *fuzzer) bent(s string) string {
	switch f.r.IntN(4) {
	case 0:
		return s
	case 1:
		return s[:f.r.IntN(len(s))]
	case 2:
		return s + "A"
	}
	b := []byte(s)
	b[f.r.IntN(len(b))] ^= byte(1 << f.r.IntN(7))
	return string(b)
}
