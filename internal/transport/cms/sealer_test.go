package cms

import (
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/testca"
	"github.com/helsebro/helsebro/internal/transport"
)

// authority is an authority whose list is served, and how often it was.
type authority struct {
	*testca.CA
	server *httptest.Server
	asked  atomic.Int32
	down   atomic.Bool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		if a.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		a.ServeHTTP(w, r)
	}))
	t.Cleanup(a.server.Close)
	var err error
	a.CA, err = testca.New("Fiktiv rot med liste", a.server.URL)
	require.NoError(t, err)
	return a
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	a, another := newAuthority(t), newAuthority(t)
	now := time.Now()
	issue := func(ca *testca.CA, usage x509.KeyUsage, from, until time.Duration) *x509.Certificate {
		c, err := ca.IssueFor("Foretak", usage, now.Add(from), now.Add(until))
		require.NoError(t, err)
		return c.Certificate
	}
	const year = 365 * 24 * time.Hour
	good := issue(a.CA, testca.Signing, -year, year)
	revoked := issue(a.CA, testca.Signing, -year, year)
	a.Revoke(revoked)
	revokedAndOld := issue(a.CA, testca.Signing, -2*year, -year)
	a.Revoke(revokedAndOld)
	silent, err := testca.New("Rot uten liste", "")
	require.NoError(t, err)
	misled, err := testca.New("Rot med en annens liste", another.server.URL)
	require.NoError(t, err)

	checker := NewChecker([]*x509.Certificate{a.Root, silent.Root, misled.Root}, NewRevocationLists(), time.Now)
	for name, c := range map[string]struct {
		cert      *x509.Certificate
		found     Findings
		condition transport.Condition
		said      string
	}{
		"good":              {good, 0, "", ""},
		"both usages":       {issue(a.CA, testca.Both, -year, year), 0, "", ""},
		"not yet":           {issue(a.CA, testca.Signing, time.Hour, year), NotYetValid, transport.ConditionExpiredCertificate, "Invalid start date"},
		"expired":           {issue(a.CA, testca.Signing, -year, -time.Hour), Expired, transport.ConditionExpiredCertificate, "Invalid end date"},
		"to encrypt with":   {issue(a.CA, testca.Encryption, -year, year), WrongUsage, transport.ConditionInvalidCertificate, "Invalid usage"},
		"revoked":           {revoked, Revoked, transport.ConditionRevokedCertificate, "Certificate has been revoked"},
		"two things":        {revokedAndOld, Revoked | Expired, transport.ConditionInvalidCertificate, "More than one error with certificate"},
		"no list":           {issue(silent, testca.Signing, -year, year), RevocationUnknown, transport.ConditionRevokedCertificate, "Unable to determine revocation status"},
		"a list of another": {issue(misled, testca.Signing, -year, year), RevocationUnknown, transport.ConditionRevokedCertificate, "Unable to determine revocation status"},
		"of nobody":         {issue(another.CA, testca.Signing, -year, year), Untrusted, transport.ConditionUnverifiedCertificate, "The certificate is not issued under a known root"},
	} {
		found := checker.Check(t.Context(), c.cert, ForSigning)
		require.Equal(t, c.found, found, name)
		if err := found.Fault(c.cert); c.condition == "" {
			require.NoError(t, err, name)
		} else {
			var fault *transport.Fault
			require.ErrorAs(t, err, &fault, name)
			require.Equal(t, c.condition, fault.Condition, name)
			require.Equal(t, c.said, fault.Description, name)
			require.Len(t, fault.Data, 2, name)
			require.Contains(t, fault.Data[0], "Subject: CN=Foretak")
			require.Contains(t, found.String(), map[bool]string{true: "Invalid end date, Certificate has been revoked", false: c.said}[name == "two things"])
		}
	}
	require.EqualValues(t, 1, a.asked.Load(), "a list is asked for once while it is right")
}

// A list that cannot be read is no fault of the sender's, and is asked for again.
func TestUnreachableListIsTemporary(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	c, err := a.Issue("Foretak", testca.Signing)
	require.NoError(t, err)
	now := time.Now()
	checker := NewChecker([]*x509.Certificate{a.Root}, NewRevocationLists(), func() time.Time { return now })
	a.down.Store(true)
	for range 3 {
		found := checker.Check(t.Context(), c.Certificate, ForSigning)
		require.Equal(t, RevocationUnreachable, found)
		require.True(t, apperr.Is(found.Fault(c.Certificate), apperr.Unavailable))
		require.Equal(t, "the list of revoked certificates cannot be read", found.String())
	}
	require.EqualValues(t, 1, a.asked.Load(), "it is not asked for with every message")
	found := checker.Check(t.Context(), c.Certificate, ForEncryption)
	require.Equal(t, transport.ConditionInvalidCertificate, transport.ConditionOf(found.Fault(c.Certificate)), "what is known to be wrong is told")

	a.down.Store(false)
	now = now.Add(listRetry)
	require.Zero(t, checker.Check(t.Context(), c.Certificate, ForSigning))
	a.Revoke(c.Certificate)
	require.Zero(t, checker.Check(t.Context(), c.Certificate, ForSigning), "the list is right for an hour")
	now = now.Add(30 * time.Minute)
	require.Zero(t, checker.Check(t.Context(), c.Certificate, ForSigning))
	now = time.Now().Add(61 * time.Minute)
	require.Equal(t, RevocationUnreachable, checker.Check(t.Context(), c.Certificate, ForSigning), "a list that is out of date already proves nothing")
}

// TestAListLeadsNowhereElse: the address of a list counts only in a certificate of a trusted
// issuer, and its server sends nobody on.
func TestAListLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	var within atomic.Int32
	home := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { within.Add(1) }))
	t.Cleanup(home.Close)
	sends := httptest.NewServer(http.RedirectHandler(home.URL, http.StatusFound))
	t.Cleanup(sends.Close)
	trusted, err := testca.New("Fiktiv rot som viser bort", sends.URL)
	require.NoError(t, err)
	stranger, err := testca.New("Fiktiv rot av en fremmed", home.URL)
	require.NoError(t, err)
	checker := NewChecker([]*x509.Certificate{trusted.Root}, NewRevocationLists(), time.Now)
	for ca, want := range map[*testca.CA]Findings{trusted: RevocationUnreachable, stranger: Untrusted} {
		c, err := ca.Issue("Foretak", testca.Signing)
		require.NoError(t, err)
		require.Equal(t, want, checker.Check(t.Context(), c.Certificate, ForSigning))
	}
	require.Zero(t, within.Load())
}

func TestIssuersBetween(t *testing.T) {
	t.Parallel()
	p := known(t)
	require.Zero(t, NewChecker([]*x509.Certificate{p.ca.Root}, nil, time.Now).Check(t.Context(), p.sender.Certificate, ForSigning))
	require.Equal(t, Untrusted, NewChecker([]*x509.Certificate{p.another.Certificate}, nil, time.Now).Check(t.Context(), p.sender.Certificate, ForSigning, p.ca.Root),
		"what comes along is trusted only under a root")
}

func TestKeyFiles(t *testing.T) {
	t.Parallel()
	p, dir := known(t), t.TempDir()
	write := func(c testca.Certificate, path ...string) {
		t.Helper()
		name := filepath.Join(append([]string{dir}, path...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, c.WriteFile(name, p.another.Certificate, p.ca.Root))
	}
	refused := func(contains string) {
		t.Helper()
		_, err := OpenFiles(dir, "hemmelig")
		require.True(t, apperr.Is(err, apperr.Invalid))
		require.ErrorContains(t, err, contains)
	}
	refused("has no keys: put signing.pem and decryption.pem")
	write(p.sender, "signing.pem")
	refused("1 signing and 0 decryption keys")
	write(p.receiver, "decryption.pem")
	old, err := p.ca.IssueFor("Mottaker", testca.Encryption, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, 9))
	require.NoError(t, err)
	pfx, err := pkcs12.Modern.Encode(old.Key, old.Certificate, []*x509.Certificate{p.ca.Root}, "hemmelig")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "decryption-2025.p12"), pfx, 0o600))
	write(p.another, "8143548", "signing.pem")
	write(p.another, "8143548", "decryption.pem")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "README"), []byte("?"), 0o644))

	f, err := OpenFiles(dir, "hemmelig")
	require.NoError(t, err)
	signing, err := f.Signing(1)
	require.NoError(t, err)
	require.Equal(t, p.sender.Raw, signing.Certificate.Raw)
	require.Len(t, signing.Chain, 1, "without the root")
	decryption, err := f.Decryption(1)
	require.NoError(t, err)
	require.Equal(t, [][]byte{p.receiver.Raw, old.Raw}, [][]byte{decryption[0].Certificate.Raw, decryption[1].Certificate.Raw}, "the newest first")
	signing, err = f.Signing(8143548)
	require.NoError(t, err)
	require.Equal(t, p.another.Raw, signing.Certificate.Raw)

	_, err = OpenFiles(dir, "feil")
	require.ErrorContains(t, err, "the password is another one")
	require.NoError(t, os.Chmod(filepath.Join(dir, "signing.pem"), 0o640))
	refused("can be read by others than its owner: chmod 600 it")
	require.NoError(t, os.Chmod(filepath.Join(dir, "signing.pem"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "decryption.pem"), testca.PEM(p.receiver.Certificate), 0o600))
	refused("it has no RSA key")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "decryption.pem"), []byte("-----BEGIN PRIVATE KEY-----\naGVtbWVsaWc=\n-----END PRIVATE KEY-----\n"), 0o600))
	refused("a private key in it cannot be read")
	dir = filepath.Join(dir, "none")
	refused("none cannot be read")

	onlyOne := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(onlyOne, "7"), 0o700))
	for _, use := range []string{"signing.pem", "decryption.pem"} {
		require.NoError(t, p.another.WriteFile(filepath.Join(onlyOne, "7", use)))
	}
	f, err = OpenFiles(onlyOne, "")
	require.NoError(t, err)
	_, err = f.Signing(8)
	require.True(t, apperr.Is(err, apperr.Unavailable))
	_, err = f.Decryption(8)
	require.True(t, apperr.Is(err, apperr.Unavailable))

	roots, err := LoadCertificates(filepath.Join(files(t), "root.pem"))
	require.NoError(t, err)
	require.Equal(t, p.ca.Root.Raw, roots[0].Raw)
	_, err = LoadCertificates(filepath.Join(dir, "..", "README"))
	require.ErrorContains(t, err, "holds no certificate in PEM")
}

// ownHerID and otherHerID are the parties of the sealers.
const ownHerID, otherHerID = 600201, 800001

// register is a register of agreements.
type register struct {
	counterparty Counterparty
	err          error
	asked        []any
}

func (r *register) Counterparty(_ context.Context, own, other int, function, cpaID string) (Counterparty, error) {
	r.asked = []any{own, other, function, cpaID}
	return r.counterparty, r.err
}

// held are keys in memory.
type held struct {
	signing    Key
	decryption []Key
}

func (h held) Signing(int) (Key, error)      { return h.signing, nil }
func (h held) Decryption(int) ([]Key, error) { return h.decryption, nil }

func TestSealer(t *testing.T) {
	t.Parallel()
	p := known(t)
	ours, err := p.ca.Issue("Legekontoret", testca.Both)
	require.NoError(t, err)
	theirs, err := p.ca.Issue("Helsenorge", testca.Both)
	require.NoError(t, err)
	expired, err := p.ca.IssueFor("Helsenorge", testca.Both, time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0))
	require.NoError(t, err)
	var log bytes.Buffer
	sealer := func(own testca.Certificate, r *register) *Sealer {
		return NewSealer(held{key(own), []Key{key(own)}}, r, NewChecker([]*x509.Certificate{p.ca.Root}, nil, time.Now), slog.New(slog.NewTextHandler(&log, nil)))
	}
	both := func(herID int, cpaID string, c ...testca.Certificate) *register {
		r := &register{counterparty: Counterparty{HerID: herID, CPAID: cpaID}}
		for _, c := range c {
			r.counterparty.Signing = append(r.counterparty.Signing, c.Certificate)
			r.counterparty.Encryption = append(r.counterparty.Encryption, c.Certificate)
		}
		return r
	}
	const function = "DIALOG_INNBYGGER_EKONTAKT"
	xml := content(3000)

	atTheirs := both(ownHerID, "cpa-1", ours)
	m := &transport.Message{FromHerID: otherHerID, ToHerID: ownHerID, Subject: function}
	require.NoError(t, sealer(theirs, atTheirs).Seal(t.Context(), m, xml))
	require.Equal(t, []any{otherHerID, ownHerID, function, ""}, atTheirs.asked)
	require.Equal(t, "cpa-1", m.CPAID)
	require.Equal(t, ContentType, m.ContentType)

	atOurs := both(otherHerID, "cpa-1", expired, theirs)
	got, err := sealer(ours, atOurs).Open(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, xml, got)
	require.Equal(t, []any{ownHerID, otherHerID, function, "cpa-1"}, atOurs.asked)

	for name, c := range map[string]struct {
		r         *register
		change    func(*transport.Message)
		condition transport.Condition
	}{
		"no content type":               {atOurs, func(m *transport.Message) { m.ContentType = "" }, transport.ConditionInvalidFieldValue},
		"plain text":                    {atOurs, func(m *transport.Message) { m.ContentType = transport.ContentTypePlain }, transport.ConditionUnsupportedMessage},
		"soap":                          {atOurs, func(m *transport.Message) { m.ContentType = "application/soap+xml" }, transport.ConditionUnsupportedMessage},
		"the agreement is another's":    {both(otherHerID+1, "cpa-1", theirs), nil, transport.ConditionSpoofing},
		"no certificate":                {both(otherHerID, "cpa-1"), nil, transport.ConditionMissingCertificate},
		"a certificate that is over":    {both(otherHerID, "cpa-1", expired), nil, transport.ConditionExpiredCertificate},
		"signed by another":             {both(otherHerID, "cpa-1", p.another), nil, transport.ConditionInvalidCertificate},
		"what cannot be decrypted":      {atOurs, func(m *transport.Message) { m.Body = []byte("?") }, transport.ConditionInvalidCertificate},
		"encrypted with another cipher": {atOurs, func(m *transport.Message) { m.Body = weak(t, p) }, transport.ConditionUnsupportedMessage},
	} {
		other := *m
		if c.change != nil {
			c.change(&other)
		}
		_, err := sealer(ours, c.r).Open(t.Context(), &other)
		require.Equal(t, c.condition, transport.ConditionOf(err), name)
		require.True(t, apperr.Is(err, apperr.Invalid), name)
	}
	require.Contains(t, log.String(), "not signed by the certificate that is the sender's", "why is for the own log")
	require.NotContains(t, unreadable.Description, "signed by")

	for _, kind := range []apperr.Kind{apperr.NotFound, apperr.Unavailable} {
		r := &register{err: apperr.New(kind, "the register")}
		_, err := sealer(ours, r).Open(t.Context(), m)
		require.True(t, apperr.Is(err, kind))
		require.True(t, apperr.Is(sealer(ours, r).Seal(t.Context(), m, xml), kind))
	}
	for name, s := range map[string]*Sealer{
		"party 600201 has no certificate to encrypt for": sealer(theirs, both(ownHerID, "")),
		"nothing can be encrypted for party 600201":      sealer(theirs, both(ownHerID, "", expired)),
		"party 800001 cannot sign with its certificate":  sealer(expired, both(ownHerID, "", ours)),
	} {
		m := &transport.Message{FromHerID: otherHerID, ToHerID: ownHerID, Subject: function}
		err := s.Seal(t.Context(), m, xml)
		require.True(t, apperr.Is(err, apperr.Unavailable), name)
		require.ErrorContains(t, err, name)
		require.Nil(t, m.Body)
	}
}

// weak is encrypted with Triple-DES.
func weak(t *testing.T, p parties) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "receiver.pem")
	require.NoError(t, p.receiver.WriteFile(path))
	return openssl(t, content(100), "cms", "-encrypt", "-binary", "-outform", "DER", "-des3", path)
}
