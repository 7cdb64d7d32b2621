package listen

import (
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/testca"
	"github.com/helsebro/helsebro/internal/testsize"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// held are keys in memory.
type held struct{ signing, decryption cms.Key }

func (h held) Signing(int) (cms.Key, error)      { return h.signing, nil }
func (h held) Decryption(int) ([]cms.Key, error) { return []cms.Key{h.decryption}, nil }

// certified are the certificates of parties.
type certified map[int]*x509.Certificate

func (c certified) Counterparty(_ context.Context, _, other int, _, _ string) (cms.Counterparty, error) {
	return cms.CounterpartyOf(other, []*x509.Certificate{c[other]}), nil
}

// TestPoison: damaged messages, sealed and not, each get a verdict, nothing of them is taken
// for what it was not, and memory does not grow (F15).
func TestPoison(t *testing.T) {
	ca, err := testca.New("Fiktiv rot", "")
	require.NoError(t, err)
	key := func(name string) cms.Key {
		c, err := ca.Issue(name, testca.Both)
		require.NoError(t, err)
		return cms.Key{Certificate: c.Certificate, Private: c.Key}
	}
	theirs, ours := key("Helsenorge"), key("Solvik")
	known := certified{asker: theirs.Certificate, gp: ours.Certificate}
	checker := cms.NewChecker([]*x509.Certificate{ca.Root}, nil, time.Now)
	discard := slog.New(slog.DiscardHandler)
	sender := cms.NewSealer(held{theirs, theirs}, known, checker, discard)
	l := New(nil, nil, nil, cms.NewSealer(held{ours, ours}, known, checker, discard), nil, nil, discard)

	good, err := helsenorge.WriteMessage(enquiry())
	require.NoError(t, err)
	sealed := func(xml []byte) *transport.Message {
		m := &transport.Message{ID: "id", Subject: codes.EKontakt, FromHerID: asker, ToHerID: gp, SentAt: time.Now()}
		require.NoError(t, sender.Seal(t.Context(), m, xml))
		return m
	}
	verdict := func(m *transport.Message) pg.Verdict {
		a, err := l.read(t.Context(), envelope(m, false), m)
		require.NoError(t, err)
		return a.Verdict
	}
	require.Equal(t, pg.Taken, verdict(sealed(good)))

	r := rand.New(rand.NewPCG(testsize.Seed(t), 15))
	n := testsize.Scaled(100_000, 2000)
	whole := sealed(good)
	counts := map[pg.Verdict]int{}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		m := *whole
		switch i % 4 {
		case 0, 1: // the sealed body
			m.Body = damaged(r, whole.Body)
		case 2: // what is sealed
			m = *sealed(damaged(r, good))
		case 3: // the envelope
			switch r.IntN(6) {
			case 0:
				m.Subject = string(damaged(r, []byte(m.Subject)))
			case 1:
				m.ContentType = string(damaged(r, []byte(m.ContentType)))
			case 2:
				m.FromHerID = gp
			case 3:
				m.ToHerID = asker
			case 4:
				m.SentAt = time.Time{}
			case 5:
				m.ID = string(damaged(r, []byte("id\x00")))
			}
		}
		counts[verdict(&m)]++
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%v", counts)
	require.Greater(t, counts[pg.Reported], n/3)
	require.Positive(t, counts[pg.Rejected])
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(8<<20), "memory does not grow")
}

// damaged is b with something wrong: octets changed, left out, doubled or made up.
func damaged(r *rand.Rand, b []byte) []byte {
	out := bytes.Clone(b)
	for range 1 + r.IntN(3) {
		if len(out) == 0 {
			return out
		}
		at := r.IntN(len(out))
		end := min(len(out), at+1+r.IntN(40))
		switch r.IntN(4) {
		case 0:
			out[at] ^= byte(1 + r.IntN(255))
		case 1:
			out = append(out[:at:at], out[end:]...)
		case 2:
			out = append(out[:end:end], out[at:]...)
		case 3:
			out = out[:at]
		}
	}
	return out
}

// enquiry is one of a citizen's to the GP.
func enquiry() *helsenorge.Message {
	m := request(codes.EKontakt, codes.Enquiry)
	m.Dialog.Request.Subject, m.Dialog.Request.Text.Plain = "Attest", "Jeg trenger en attest."
	m.Head.WantsReceipt = true
	return m
}
