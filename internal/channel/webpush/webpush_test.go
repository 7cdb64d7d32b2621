package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/once"
	"github.com/helsebro/helsebro/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The keys of RFC 8291, appendix A.
const (
	rfcPlain     = "When I grow up, I want to be a watermelon"
	rfcPrivate   = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
	rfcPublic    = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
	rfcUAPublic  = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	rfcAuth      = "BTBZMqHH6r4Tts7J_aSIgg"
	rfcSalt      = "DGv6ra1nlYgDCS1FRnbzlw"
	rfcEncrypted = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)

func unbase(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	require.NoError(t, err)
	return raw
}

func TestEncryptionIsThatOfTheStandard(t *testing.T) {
	t.Parallel()
	own, err := ecdh.P256().NewPrivateKey(unbase(t, rfcPrivate))
	require.NoError(t, err)
	require.Equal(t, unbase(t, rfcPublic), own.PublicKey().Bytes())
	to := Subscription{P256dh: unbase(t, rfcUAPublic), Auth: unbase(t, rfcAuth)}
	got, err := seal([]byte(rfcPlain), to, own, unbase(t, rfcSalt))
	require.NoError(t, err)
	require.Equal(t, rfcEncrypted, base64.RawURLEncoding.EncodeToString(got))
}

func TestEncryptionUsesAKeyAndASaltOnce(t *testing.T) {
	t.Parallel()
	to := Subscription{P256dh: unbase(t, rfcUAPublic), Auth: unbase(t, rfcAuth)}
	a, err := encrypt(make([]byte, maxPlain), to)
	require.NoError(t, err)
	require.Len(t, a, recordBytes, "the longest text fills what a push service must take")
	b, err := encrypt(make([]byte, maxPlain), to)
	require.NoError(t, err)
	require.NotEqual(t, a[:saltBytes], b[:saltBytes])
	require.NotEqual(t, a[saltBytes+5:overhead], b[saltBytes+5:overhead])
}

func rfcSubscription(endpoint string) string {
	return Subscription{Endpoint: endpoint, P256dh: []byte(mustUnbase(rfcUAPublic)), Auth: mustUnbase(rfcAuth)}.String()
}

func mustUnbase(s string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return raw
}

func settings(t *testing.T) config.WebPush {
	t.Helper()
	key, err := GenerateKey()
	require.NoError(t, err)
	return config.WebPush{Key: key, Subject: "mailto:drift@lege.example", Timeout: 10 * time.Second}
}

func TestGeneratedKeyIsAValidSetting(t *testing.T) {
	t.Parallel()
	cfg := config.Channels{WebPush: settings(t)}
	require.NoError(t, cfg.Validate())
	s, err := New(cfg.WebPush, false)
	require.NoError(t, err)
	public := unbase(t, s.PublicKey())
	require.Len(t, public, 65)
	_, err = ecdh.P256().NewPublicKey(public)
	require.NoError(t, err)
}

func TestNewRefusesAKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"", "?", "AAAA", base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
		base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 32))), // above the order
	} {
		_, err := New(config.WebPush{Key: key, Subject: "mailto:a@lege.example", Timeout: time.Second}, false)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), key)
		require.ErrorContains(t, err, "HELSEBRO_VAPID_KEY")
	}
}

func TestSubscriptionIsReadAsBrowsersWriteIt(t *testing.T) {
	t.Parallel()
	raw := fmt.Sprintf(`{"endpoint":"https://push.example/x?a=1&b=2","expirationTime":null,"keys":{"p256dh":%q,"auth":%q}}`, rfcUAPublic+"=", rfcAuth+"==")
	s, err := ParseSubscription(raw, false)
	require.NoError(t, err)
	require.Equal(t, "https://push.example/x?a=1&b=2", s.Endpoint)
	require.Equal(t, unbase(t, rfcAuth), s.Auth)
	again, err := ParseSubscription(s.String(), false)
	require.NoError(t, err)
	require.Equal(t, s, again)
}

func TestSubscriptionIsBelievedInNothing(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		"", "push.example", "http://push.example/x", "ftp://push.example", "https://", "https://u:p@push.example/x", "https://push.example/#x",
		"https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.1/x", "https://169.254.169.254/latest/meta-data",
		"https://[::ffff:192.168.0.1]/x", "https://[fe80::1%25eth0]/x", "https://[fd00::1]:8443/x", "https://0.0.0.0/",
	} {
		_, err := ParseSubscription(rfcSubscription(endpoint), false)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), endpoint)
		var e *apperr.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []apperr.Field{{Path: "endpoint", Rule: "an https URL of a push service on the internet"}}, e.Fields)
	}
	for _, endpoint := range []string{"http://127.0.0.1:8238/push/1", "https://10.0.0.1/x", "http://sink:8238/push/1"} {
		_, err := ParseSubscription(rfcSubscription(endpoint), true)
		require.NoError(t, err, "on a development machine")
	}
	for _, raw := range []string{
		"", "{", "[]", `"x"`, strings.Repeat(" ", 5000),
		fmt.Sprintf(`{"endpoint":"https://push.example","keys":{"p256dh":%q,"auth":"AA"}}`, rfcUAPublic),
		fmt.Sprintf(`{"endpoint":"https://push.example","keys":{"p256dh":"BAAA","auth":%q}}`, rfcAuth),
		// 65 bytes that are no point of the curve.
		fmt.Sprintf(`{"endpoint":"https://push.example","keys":{"p256dh":"B%s","auth":%q}}`, strings.Repeat("A", 86), rfcAuth),
	} {
		_, err := ParseSubscription(raw, false)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), raw)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false, "::7f00:1": false,
		"10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fd00::1": false, "fc00::1": false,
		"169.254.169.254": false, "fe80::1": false, "fec0::1": false, "100.64.0.1": false, "100.127.255.255": false, "192.0.0.1": false,
		"198.18.0.1": false, "198.19.255.255": false, "224.0.0.1": false, "ff02::1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::ffff:10.0.0.1": false, "64:ff9b::10.0.0.1": false, "2002:0a00:0001::1": false, "2001:db8::1": false, "2001::1": false,
		"203.0.113.9": false, "192.88.99.1": false,
	} {
		require.Equal(t, want, public(netip.MustParseAddr(address)), address)
		err := publicOnly("tcp", netip.AddrPortFrom(netip.MustParseAddr(address), 443).String(), nil)
		require.Equal(t, want, err == nil, address)
	}
	require.Error(t, publicOnly("tcp", "push.example:443", nil), "it is asked about resolved addresses only")
}

func message(to string) channel.Message {
	return channel.Message{Key: "notice/3f2a/push", To: to, Subject: "Time hos legen", Body: "Mandag 09.30", ExpiresAt: time.Now().Add(time.Hour)}
}

// A name that leads into our own network is refused when it is connected to, whatever
// it was when it was checked.
func TestNameThatLeadsHome(t *testing.T) {
	t.Parallel()
	home := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("our own network has got a request") }))
	t.Cleanup(home.Close)
	_, port, ok := strings.Cut(strings.TrimPrefix(home.URL, "https://"), ":")
	require.True(t, ok)
	s, err := New(settings(t), false)
	require.NoError(t, err)
	_, err = s.Send(t.Context(), message(rfcSubscription("https://localhost:"+port+"/push/kari")))
	var refused *channel.Refused
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Permanent)
	require.Equal(t, channel.CodeAddress, refused.Code)
	require.NotContains(t, err.Error(), "kari")
}

func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		after  string
		want   error
	}{
		{201, "", nil},
		{202, "", nil},
		{200, "", nil},
		{400, "", &channel.Refused{Permanent: true, Code: "http 400"}},
		{401, "", &channel.Refused{Code: "http 401"}},
		{403, "", &channel.Refused{Permanent: true, Code: "http 403"}},
		{404, "", &channel.Refused{Permanent: true, Gone: true, Code: "http 404"}},
		{410, "", &channel.Refused{Permanent: true, Gone: true, Code: "http 410"}},
		{413, "", &channel.Refused{Permanent: true, Code: "http 413"}},
		{429, "30", &channel.Refused{Code: "http 429", After: 30 * time.Second}},
		{500, "", &channel.Refused{Code: "http 500"}},
		{503, "60", &channel.Refused{Code: "http 503", After: time.Minute}},
		{307, "", &channel.Refused{Permanent: true, Code: "http 307"}},
	} {
		t.Run(strconv.Itoa(c.status), func(t *testing.T) {
			t.Parallel()
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(c.status)
			}))
			defer service.Close()
			s, err := New(settings(t), true)
			require.NoError(t, err)
			got, err := s.Send(t.Context(), message(rfcSubscription(service.URL+"/push/kari")))
			if c.want == nil {
				require.NoError(t, err)
				require.Equal(t, channel.Result{State: channel.Accepted}, got)
				return
			}
			require.Equal(t, c.want, err)
			require.NotContains(t, err.Error(), "kari")
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	asked := make(chan http.Header, 2)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		w.WriteHeader(http.StatusCreated)
	}))
	defer service.Close()
	s, err := New(settings(t), true)
	require.NoError(t, err)
	now := time.Now()
	s.now = func() time.Time { return now }
	m := message(rfcSubscription(service.URL))
	m.ExpiresAt = now.Add(90*time.Minute + time.Millisecond)
	_, err = s.Send(t.Context(), m)
	require.NoError(t, err)
	h := <-asked
	require.Equal(t, "5400", h.Get("TTL"))
	require.Equal(t, "normal", h.Get("Urgency"))
	require.Equal(t, "aes128gcm", h.Get("Content-Encoding"))
	require.Regexp(t, `^[A-Za-z0-9_-]{32}$`, h.Get("Topic"))

	m.ExpiresAt = now.Add(365 * 24 * time.Hour)
	_, err = s.Send(t.Context(), m)
	require.NoError(t, err)
	again := <-asked
	require.Equal(t, strconv.Itoa(28*24*3600), again.Get("TTL"))
	require.Equal(t, h.Get("Topic"), again.Get("Topic"), "the same key replaces")
}

func TestWhatNoPushServiceSees(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it has got a request") }))
	defer service.Close()
	s, err := New(settings(t), true)
	require.NoError(t, err)
	for name, change := range map[string]func(*channel.Message){
		"expired":  func(m *channel.Message) { m.ExpiresAt = time.Now() },
		"address":  func(m *channel.Message) { m.To = "kari@pasient.example" },
		"too long": func(m *channel.Message) { m.Body = strings.Repeat("a", maxPlain) },
	} {
		m := message(rfcSubscription(service.URL))
		change(&m)
		_, err := s.Send(t.Context(), m)
		var refused *channel.Refused
		require.ErrorAs(t, err, &refused, name)
		require.True(t, refused.Permanent, name)
		require.False(t, refused.Gone, name)
	}
}

func TestLongestTextFits(t *testing.T) {
	t.Parallel()
	size := make(chan int64, 1)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size <- r.ContentLength
		w.WriteHeader(http.StatusCreated)
	}))
	defer service.Close()
	s, err := New(settings(t), true)
	require.NoError(t, err)
	m := message(rfcSubscription(service.URL))
	frame, err := json.Marshal(Payload{ID: m.Key, Title: m.Subject})
	require.NoError(t, err)
	m.Body = strings.Repeat("a", maxPlain-len(frame))
	_, err = s.Send(t.Context(), m)
	require.NoError(t, err)
	require.EqualValues(t, recordBytes, <-size)
}

// Whatever a push service answers is one of the outcomes that callers know.
func FuzzResult(f *testing.F) {
	f.Add(201, "")
	f.Add(410, "soon")
	f.Add(429, "99999999999")
	f.Add(503, "Mon, 04 May 2026 09:10:00 GMT")
	f.Add(0, "-1")
	f.Add(999, "0x1")
	f.Fuzz(func(t *testing.T, status int, after string) {
		got, err := result(once.Answer{Status: status, Header: http.Header{"Retry-After": {after}}}, time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))
		switch e := err.(type) { //nolint:errorlint // the outermost type is what callers branch on
		case nil:
			require.Equal(t, channel.Accepted, got.State)
			require.Equal(t, 2, status/100)
		case *channel.Refused:
			require.Empty(t, got)
			require.GreaterOrEqual(t, e.After, time.Duration(0))
			require.LessOrEqual(t, e.After, 24*time.Hour)
			require.True(t, e.Permanent || !e.Gone)
		case *channel.Unknown:
			require.Empty(t, got)
		default:
			t.Fatalf("%T", err)
		}
	})
}

// A subscription that is taken can be encrypted for, and reads back as it was.
func FuzzParseSubscription(f *testing.F) {
	f.Add(rfcSubscription("https://push.example/x"), false)
	f.Add(rfcSubscription("http://127.0.0.1/x"), true)
	f.Add(`{"endpoint":"https://[::ffff:10.0.0.1]/","keys":{}}`, false)
	f.Add(`{}`, false)
	f.Fuzz(func(t *testing.T, raw string, local bool) {
		s, err := ParseSubscription(raw, local)
		if err != nil {
			require.Equal(t, apperr.Invalid, apperr.KindOf(err))
			return
		}
		again, err := ParseSubscription(s.String(), local)
		require.NoError(t, err)
		require.Equal(t, s, again)
		_, err = encrypt([]byte("text"), s)
		require.NoError(t, err)
	})
}
