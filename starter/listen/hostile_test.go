package listen

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// TestBrokenRequestsHarmNobody spoils requests at random, body and envelope: each gets
// one answer, one report or nothing, on a queue of a party that is registered, none
// panics, and none is named in the log.
func TestBrokenRequestsHarmNobody(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(15, 33))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	good := [][]byte{
		enveloped(t, slots(7)).Body, enveloped(t, request(codes.Behandleroversikt, codes.PractitionersRequest)).Body,
		enveloped(t, request(codes.Test, codes.TestRequest)).Body, enveloped(t, request(codes.Timereservasjon, codes.PlannedRequest)).Body,
	}
	answered := map[int]int{}
	for range 1000 {
		w := newWorld(t)
		w.says(pg.Offers{Code: pick("03", "04", "26", "99", "")}, nil)
		m := enveloped(t, slots(1))
		m.Body = bytes.Clone(good[random.IntN(len(good))])
		for range random.IntN(4) {
			at := random.IntN(len(m.Body))
			switch random.IntN(6) {
			case 0: // a byte
				m.Body[at] = byte(random.IntN(256))
			case 1: // cut short
				m.Body = m.Body[:at+1]
			case 2: // a piece is gone
				m.Body = slices.Delete(m.Body, at, min(len(m.Body), at+random.IntN(60)))
				m.Body = append(m.Body, ' ')
			case 3: // a piece is there twice
				m.Body = slices.Insert(m.Body, at, m.Body[at:min(len(m.Body), at+random.IntN(200))]...)
			case 4: // a date, a code or a number is another
				old := pick("2026-11-23", `V="HLT"`, national, "900001", "800001", "MsgHead", `V="N"`)
				m.Body = []byte(strings.Replace(string(m.Body), old, pick("", "9999-12-31", "0000-00-00", `V="RT"`, "99999999999999999999", "-1", "\u202e", "<x/>", "&amp;", "]]>"), 1))
			case 5: // the envelope
				m.ReplyTo = pick("", "/", "hn_syncreply/", "x/hn_syncreply", "hn_syncreply\n", strings.Repeat("x", 9000))
				m.CorrelationID = pick("", "\x00", strings.Repeat("c", 9000))
				m.Subject = pick("", codes.Timereservasjon, "\xff")
				m.SentAt = []time.Time{{}, time.Now(), time.Now().Add(time.Hour), time.Unix(-1<<40, 0), time.Unix(1<<40, 0)}[random.IntN(5)]
				m.FromHerID = []int{asker, asker, 0, -1, 800002, gp, 1 << 40}[random.IntN(7)]
			}
			if len(m.Body) == 0 {
				m.Body = []byte{0}
			}
		}
		sent := w.ask(t, m)
		answered[len(sent)]++
		require.LessOrEqual(t, len(sent), 1)
		for _, s := range sent {
			require.Contains(t, []string{"hn_syncreply", "hn_error", "else_error", "gp_error"}, s.To)
			if s.To != "hn_syncreply" {
				_, err := transport.ErrorReportOf(&s)
				require.NoError(t, err)
			}
		}
		require.NotContains(t, w.log.String(), "panicked", "%q", m.Body)
		require.NotContains(t, w.log.String(), national)
	}
	require.Greater(t, answered[1], 300)
}
