package nhn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"

	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/registry/helseid"
	"github.com/helsebro/helsebro/internal/registry/registrytest"
	"github.com/helsebro/helsebro/internal/testca"
)

// world are the registries with a clinic, its GP and Helsenorge in them.
type world struct {
	*registrytest.NHN
	soap *SOAP
	rest *REST
	cppa *CPPA
}

const (
	clinic     = 8141703
	gp         = 8141791
	helsenorge = 93238
	unknown    = 7
	agreement  = "51795e2c-9d39-44e0-9168-5bee38f20819"
)

// certified are certificates, made once.
var certified = sync.OnceValues(func() (out [3]*x509.Certificate, err error) {
	ca, err := testca.New("Fiktiv rot", "")
	if err != nil {
		return out, err
	}
	for i, usage := range []x509.KeyUsage{testca.Signing, testca.Encryption, testca.Both} {
		c, err := ca.Issue("Foretak", usage)
		if err != nil {
			return out, err
		}
		out[i] = c.Certificate
	}
	return out, nil
})

func newWorld(t *testing.T) *world {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key := jose.JSONWebKey{Key: private, KeyID: "k", Algorithm: string(jose.ES256)}
	w := &world{NHN: registrytest.New(t, key.Public())}
	w.Bound, w.WantNonce = true, true
	certs, err := certified()
	require.NoError(t, err)
	for _, p := range []registry.Party{
		{HerID: clinic, Name: "Testsenteret", X509: certs[:2]},
		{HerID: gp, Name: "Live Lege", ParentHerID: clinic, HPR: "8346208", AsyncQueue: "8141703_async", SyncQueue: "8141703_sync", SyncReplyQueue: "8141703_syncreply", ErrorQueue: "8141703_error", X509: certs[2:], Processes: []string{codes.EKontakt, codes.EKonsultasjon}},
		{HerID: helsenorge, Name: "Digitale innbyggertjenester", ParentHerID: 93237, AsyncQueue: "93238_async", ErrorQueue: "93238_error", X509: certs[:2], Processes: []string{codes.EKontakt}},
	} {
		w.Parties[p.HerID] = p
	}
	id, err := helseid.New(helseid.Config{TokenURL: w.TokenURL(), ClientID: "helsebro", Key: key, Scope: "nhn:x", DPoP: true})
	require.NoError(t, err)
	w.soap, err = NewSOAP(w.URL+"/ar", registrytest.User, registrytest.Password)
	require.NoError(t, err)
	w.rest, err = NewREST(w.URL+"/cp", id.Transport(nil))
	require.NoError(t, err)
	w.cppa, err = NewCPPA(w.URL+"/cppa/", id.Transport(nil))
	require.NoError(t, err)
	return w
}

func (w *world) registries() map[string]registry.Registry {
	return map[string]registry.Registry{"SOAP": w.soap, "REST": w.rest}
}

func TestParties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, r := range w.registries() {
		p, err := r.Party(t.Context(), gp)
		require.NoError(t, err, name)
		want := w.Parties[gp]
		require.Equal(t, []any{want.Name, clinic, "8346208", "8141703_async", "8141703_sync", "8141703_syncreply", "8141703_error", false},
			[]any{p.Name, p.ParentHerID, p.HPR, p.AsyncQueue, p.SyncQueue, p.SyncReplyQueue, p.ErrorQueue, p.Member}, name)
		organisation, err := r.Party(t.Context(), clinic)
		require.NoError(t, err, name)
		require.Equal(t, []any{0, true, ""}, []any{organisation.ParentHerID, organisation.Member, organisation.AsyncQueue}, name)
		_, err = r.Party(t.Context(), unknown)
		require.True(t, apperr.Is(err, apperr.NotFound), name)
	}
	p, err := w.soap.Party(t.Context(), clinic)
	require.NoError(t, err)
	require.Len(t, p.X509, 2, "one to encrypt for, one that signs")
	require.ElementsMatch(t, []string{activation.UseEncryption, activation.UseSigning}, []string{p.Certificates[0].Use, p.Certificates[1].Use})
	p, err = w.soap.Party(t.Context(), gp)
	require.NoError(t, err)
	require.Len(t, p.X509, 1, "the same for both")
	require.Len(t, p.Certificates, 2)
	require.NoError(t, w.soap.Ping(t.Context()))
	w.Invalid = map[int]bool{gp: true}
	for name, r := range w.registries() {
		_, err := r.Party(t.Context(), gp)
		require.True(t, apperr.Is(err, apperr.NotFound), "%s: it is no communication party any more", name)
	}
}

// Whatever is wrong with a registry, it never says that somebody or something does not
// exist.
func TestFaultsAreTemporary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, fault := range []registrytest.Fault{registrytest.Down, registrytest.Broken, registrytest.Refusing, registrytest.Garbage, registrytest.Huge, registrytest.Redirecting, registrytest.Silent, registrytest.Cut} {
		w.Lock() // a handler may still be at the one before
		w.Fault = fault
		w.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		if fault == registrytest.Silent {
			ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
		}
		for name, r := range w.registries() {
			_, err := r.Party(ctx, gp)
			require.True(t, apperr.Is(err, apperr.Unavailable), "%s %s: %v", name, fault, err)
			require.NotContains(t, err.Error(), registrytest.Password)
		}
		_, err := w.cppa.Profile(ctx, helsenorge)
		require.True(t, apperr.Is(err, apperr.Unavailable), "%s: %v", fault, err)
		require.Error(t, w.soap.Ping(ctx), "a page that says so is no answer")
		cancel()
	}
	w.Lock()
	w.Fault, w.TokenFault = registrytest.None, "invalid_client"
	w.Unlock()
	w.Forget()
	_, err := w.cppa.AgreementBetween(t.Context(), gp, helsenorge)
	require.True(t, apperr.Is(err, apperr.Unavailable), "no token is no missing agreement")

	stranger, err := NewSOAP(w.URL+"/ar", "en annen", "feil")
	require.NoError(t, err)
	_, err = stranger.Party(t.Context(), gp)
	require.True(t, apperr.Is(err, apperr.Unavailable))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.soap.Party(ctx, gp)
	require.True(t, apperr.Is(err, apperr.Unavailable))
	for _, url := range []string{"http://ws-web.test.nhn.no/v1/AR/Basic", "ftp://x", ":", ""} {
		_, err := NewSOAP(url, "u", "p")
		require.True(t, apperr.Is(err, apperr.Invalid), url)
		require.ErrorContains(t, err, "HELSEBRO_REGISTRY_URL")
	}
}

func TestProfilesAndAgreements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	certs, err := certified()
	require.NoError(t, err)
	w.Documents["Profiles/93238"] = registrytest.Document(t, "", w.Parties[helsenorge])
	w.Documents["Agreements/"+agreement] = registrytest.Document(t, agreement, w.Parties[gp], w.Parties[helsenorge])
	p, err := w.cppa.Profile(t.Context(), helsenorge)
	require.NoError(t, err)
	other := p.Other(gp)
	require.Equal(t, []any{"", helsenorge, "Digitale innbyggertjenester"}, []any{p.AgreementID, other.HerID, other.Name})
	require.Equal(t, []string{codes.EKontakt}, other.Processes())
	require.Equal(t, certs[0].Raw, other.Certificates[0].Raw)
	require.Equal(t, Action{Name: codes.EKontakt, Package: "package_" + codes.EKontakt}, other.Roles[0].Receive[0])
	for function, receives := range map[string]bool{
		codes.EKontakt: true, "dialog_innbygger_ekontakt": true, "APPREC": true, codes.EKonsultasjon: false, "": false,
	} {
		require.Equal(t, receives, other.Receives(function), function)
	}
	a, err := w.cppa.Agreement(t.Context(), agreement)
	require.NoError(t, err)
	require.Equal(t, agreement, a.AgreementID)
	require.Equal(t, helsenorge, a.Other(gp).HerID)
	require.Equal(t, gp, a.Other(helsenorge).HerID)
	require.Nil(t, a.Other(unknown), "whoever has no part in it")
	for _, id := range []string{uuid.NewString(), "../Profiles/93238", ""} {
		_, err := w.cppa.Agreement(t.Context(), id)
		require.True(t, apperr.Is(err, apperr.NotFound), id)
	}
	for _, raw := range []string{"", "<a/>", `<CollaborationProtocolProfile/>`, `<t:X xmlns:t="http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"/>`,
		`<t:X xmlns:t="http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"><t:PartyInfo><t:Certificate><KeyInfo><X509Data><X509Certificate>?</X509Certificate></X509Data></KeyInfo></t:Certificate></t:PartyInfo></t:X>`} {
		_, err := ReadProfile([]byte(raw))
		require.True(t, apperr.Is(err, apperr.Invalid), raw)
	}
	full, err := WithProfiles{w.rest, w.cppa}.Party(t.Context(), helsenorge)
	require.NoError(t, err)
	require.Equal(t, []string{codes.EKontakt}, full.Processes)
	require.Len(t, full.X509, 2)
	without, err := WithProfiles{w.rest, w.cppa}.Party(t.Context(), gp)
	require.NoError(t, err)
	require.Empty(t, without.Processes, "a party without a profile")
}

// The agreement counts, else the profile, else what the address registry has.
func TestCounterparties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	fresh := func(required bool, exempt ...string) *Agreements {
		return NewAgreements(w.cppa, w.soap, exempt, required, time.Hour, 24*time.Hour)
	}
	c, err := fresh(false).Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.NoError(t, err)
	require.Equal(t, []any{helsenorge, "", 1, 1}, []any{c.HerID, c.CPAID, len(c.Signing), len(c.Encryption)})
	require.Nil(t, c.Receives, "made up: it takes everything")
	_, err = fresh(true).Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.True(t, apperr.Is(err, apperr.NotFound), "a profile is required")
	_, err = fresh(false).Counterparty(ctx, gp, unknown, codes.EKontakt, "")
	require.True(t, apperr.Is(err, apperr.NotFound))

	w.Documents["Profiles/93238"] = registrytest.Document(t, "", w.Parties[helsenorge])
	c, err = fresh(true).Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.NoError(t, err)
	require.Equal(t, []any{helsenorge, "", true, false}, []any{c.HerID, c.CPAID, c.Receives(codes.EKontakt), c.Receives(codes.EKonsultasjon)})

	w.Documents["Agreements/HerIds/8141791/93238"] = registrytest.Document(t, agreement, w.Parties[gp], w.Parties[helsenorge])
	w.Documents["Agreements/"+agreement] = w.Documents["Agreements/HerIds/8141791/93238"]
	for _, id := range []string{"", agreement, uuid.NewString()} {
		c, err = fresh(true).Counterparty(ctx, gp, helsenorge, codes.EKontakt, id)
		require.NoError(t, err)
		require.Equal(t, []any{helsenorge, agreement}, []any{c.HerID, c.CPAID}, "one that is not found by its id is found by the parties")
	}
	c, err = fresh(true, "dialog_innbygger_ekontakt").Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.NoError(t, err)
	require.Empty(t, c.CPAID, "the function is exempt")

	// An agreement that is over, or has not begun, is none; one that ends is looked up anew.
	whole := w.Documents["Agreements/"+agreement]
	between := func(period string) {
		text := strings.Replace(whole, "<tns:PartyInfo", period+"<tns:PartyInfo", 1)
		w.Documents["Agreements/"+agreement], w.Documents["Agreements/HerIds/8141791/93238"] = text, text
	}
	for period, cpa := range map[string]string{
		"<tns:Start>2014-01-01T00:00:00</tns:Start><tns:End>2030-01-01T00:00:00Z</tns:End>": agreement,
		"<tns:End>2025-01-01T00:00:00Z</tns:End>":                                           "",
		"<tns:Start>2030-01-01T01:00:00+01:00</tns:Start>":                                  "",
	} {
		between(period)
		for _, id := range []string{"", agreement} {
			c, err = fresh(true).Counterparty(ctx, gp, helsenorge, codes.EKontakt, id)
			require.NoError(t, err)
			require.Equal(t, cpa, c.CPAID, period)
		}
	}
	ending := fresh(true)
	now := time.Now()
	ending.found.now = func() time.Time { return now }
	between("<tns:End>" + now.Add(time.Minute).UTC().Format(time.RFC3339) + "</tns:End>")
	asked := w.Asked["/cppa/Agreements/HerIds/8141791/93238"]
	for range 3 {
		c, err = ending.Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
		require.NoError(t, err)
		require.Equal(t, agreement, c.CPAID)
		now = now.Add(20 * time.Second)
	}
	require.Equal(t, asked+1, w.Asked["/cppa/Agreements/HerIds/8141791/93238"])
	now = now.Add(time.Minute)
	_, err = ending.Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.NoError(t, err)
	require.Equal(t, asked+2, w.Asked["/cppa/Agreements/HerIds/8141791/93238"])
	between("<tns:End>tomorrow</tns:End>")
	_, err = fresh(true).Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.True(t, apperr.Is(err, apperr.Unavailable), "what cannot be read is not taken for anything")
	between("")

	// A registry that answers about somebody else would have us encrypt for him.
	w.Documents["Agreements/HerIds/8141791/8141703"] = w.Documents["Agreements/"+agreement]
	_, err = fresh(true).Counterparty(ctx, gp, clinic, codes.EKontakt, "")
	require.True(t, apperr.Is(err, apperr.Unavailable))
	_, err = fresh(true, codes.EKonsultasjon).Counterparty(ctx, gp, unknown, "APPREC", "")
	require.True(t, apperr.Is(err, apperr.NotFound), "nobody knows him")
	delete(w.Documents, "Agreements/HerIds/8141791/8141703")
	c, err = fresh(true, codes.EKonsultasjon).Counterparty(ctx, gp, clinic, "APPREC", "no id")
	require.NoError(t, err, "a receipt may be for what is exempt")
	require.Equal(t, clinic, c.HerID)

	// Somebody names an agreement of ours with another.
	c, err = fresh(true).Counterparty(ctx, gp, clinic, codes.EKontakt, agreement)
	require.NoError(t, err)
	require.Equal(t, helsenorge, c.HerID, "not who says so: the sealer calls that a forgery")
	require.Empty(t, c.Signing)
	c, err = fresh(true).Counterparty(ctx, clinic, helsenorge, codes.EKontakt, agreement)
	require.NoError(t, err)
	require.Zero(t, c.HerID, "we have no part in it")

	w.Fault = registrytest.Refusing
	_, err = fresh(false).Counterparty(ctx, gp, helsenorge, codes.EKontakt, "")
	require.True(t, apperr.Is(err, apperr.Unavailable), "a refused token is no missing agreement")
}

func TestCache(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	answer, fail := 1, error(nil)
	c := NewCache(time.Hour, 24*time.Hour, func(context.Context, string) (int, error) {
		asked.Add(1)
		return answer, fail
	})
	now := time.Now()
	c.now = func() time.Time { return now }
	get := func() (int, error) { return c.Get(t.Context(), "k") }
	is := func(want, times int) {
		t.Helper()
		got, err := get()
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.EqualValues(t, times, asked.Load())
	}
	_, known := c.Age("k")
	require.False(t, known)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _ = get() })
	}
	all.Wait()
	is(1, 1)
	answer = 2
	now = now.Add(59 * time.Minute)
	is(1, 1)
	age, known := c.Age("k")
	require.True(t, known)
	require.Equal(t, 59*time.Minute, age)
	got, err := c.Refresh(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, 2, got)
	now = now.Add(time.Hour)
	answer, fail = 3, apperr.New(apperr.Unavailable, "down")
	is(2, 3) // asked, and what was known still counts
	now = now.Add(23 * time.Hour)
	_, err = get()
	require.True(t, apperr.Is(err, apperr.Unavailable), "but not for ever")

	_, err = get()
	require.True(t, apperr.Is(err, apperr.Unavailable))
	require.EqualValues(t, 4, asked.Load(), "who has just not answered is left alone for a moment")
	now = now.Add(failedFor)
	fail = apperr.New(apperr.NotFound, "none")
	for range 3 {
		_, err = get()
		require.True(t, apperr.Is(err, apperr.NotFound))
	}
	require.EqualValues(t, 5, asked.Load(), "that there is none counts for a minute")
	now = now.Add(time.Minute)
	fail = nil
	is(3, 6)
	c.good = func(int, time.Time) bool { return false }
	is(3, 7)
	c.good = nil

	// Whoever waits does so no longer than he wants, and does not end the question of others.
	slow := make(chan struct{})
	waits := NewCache(time.Hour, time.Hour, func(context.Context, string) (int, error) { <-slow; return 7, nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = waits.Get(ctx, "k")
	require.True(t, apperr.Is(err, apperr.Unavailable))
	close(slow)
	got, err = waits.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, 7, got)

	for i := range maxEntries + 10 {
		_, err := c.Get(t.Context(), uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)}).String())
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(c.entries), maxEntries)

	w := newWorld(t)
	cached := NewCached(w.soap, time.Hour, time.Hour)
	for range 3 {
		_, err := cached.Party(t.Context(), gp)
		require.NoError(t, err)
	}
	require.Equal(t, 3, w.Asked["/ar"], "details and two certificates, once")
}
