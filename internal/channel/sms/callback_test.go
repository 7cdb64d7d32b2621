package sms_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sms"
)

var (
	old, young = bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("y"), 32)
	now        = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
)

const report = `{"eventId":"e1","id":"notice/3f2a/sms","providerId":"p1","state":"delivered","at":"2026-05-04T11:00:00+02:00"}`

func header(value string) http.Header { return http.Header{sms.SignatureHeader: {value}} }

func TestSignatureIsAsDocumented(t *testing.T) {
	t.Parallel()
	mac := hmac.New(sha256.New, old)
	mac.Write([]byte("1777885200." + report))
	by := "t=1777885200,v1=" + hex.EncodeToString(mac.Sum(nil))
	require.Equal(t, by, sms.Keys{old}.Sign(now, []byte(report)))
	got, err := sms.VerifyCallback(header(by), []byte(report), now, sms.Keys{old})
	require.NoError(t, err)
	require.Equal(t, sms.Report{EventID: "e1", Key: "notice/3f2a/sms", ProviderID: "p1", State: channel.Delivered, At: now}, got)
}

func TestKeysAreExchangedWithoutAPause(t *testing.T) {
	t.Parallel()
	for _, signing := range []sms.Keys{{old}, {young}, {old, young}} {
		_, err := sms.VerifyCallback(header(signing.Sign(now, []byte(report))), []byte(report), now, sms.Keys{young, old})
		require.NoError(t, err)
	}
	_, err := sms.VerifyCallback(header(sms.Keys{old}.Sign(now, []byte(report))), []byte(report), now, sms.Keys{young})
	require.Equal(t, apperr.Unauthenticated, apperr.KindOf(err))
}

func TestReportsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	good := sms.Keys{old}.Sign(now, []byte(report))
	at, signature, _ := strings.Cut(good, ",")
	for name, h := range map[string]http.Header{
		"none":               {},
		"empty":              header(""),
		"twice":              {sms.SignatureHeader: {good, good}},
		"no time":            header(signature),
		"no signature":       header(at),
		"two times":          header(at + "," + good),
		"no hex":             header(at + ",v1=" + strings.Repeat("x", 64)),
		"short":              header(good[:len(good)-2]),
		"wrong":              header(at + ",v1=" + strings.Repeat("0", 64)),
		"other scheme":       header(strings.Replace(good, "v1=", "v0=", 1)),
		"time is not signed": header(strings.Replace(good, "t=1777885200", "t=1777885201", 1)),
		"time is a word":     header(strings.Replace(good, "t=1777885200", "t=now", 1)),
		"many":               header(at + strings.Repeat(","+signature, 9)),
	} {
		_, err := sms.VerifyCallback(h, []byte(report), now, sms.Keys{old})
		require.Equal(t, apperr.Unauthenticated, apperr.KindOf(err), name)
		require.NotContains(t, err.Error(), "3f2a", name)
	}
	for name, body := range map[string]string{"changed": strings.Replace(report, "delivered", "failed", 1), "empty": ""} {
		_, err := sms.VerifyCallback(header(good), []byte(body), now, sms.Keys{old})
		require.Equal(t, apperr.Unauthenticated, apperr.KindOf(err), name)
	}
	for _, keys := range []sms.Keys{nil, {}} {
		_, err := sms.VerifyCallback(header(good), []byte(report), now, keys)
		require.Equal(t, apperr.Unauthenticated, apperr.KindOf(err), "no key, no trust")
	}
	_, err := sms.VerifyCallback(header(good), make([]byte, sms.MaxReportBytes+1), now, sms.Keys{old})
	require.Equal(t, apperr.TooLarge, apperr.KindOf(err))
}

func TestReportIsBelievedForFiveMinutes(t *testing.T) {
	t.Parallel()
	good := header(sms.Keys{old}.Sign(now, []byte(report)))
	for age, believed := range map[time.Duration]bool{
		-5*time.Minute - time.Second: false, -5 * time.Minute: true, 0: true, 5 * time.Minute: true, 5*time.Minute + time.Second: false,
	} {
		_, err := sms.VerifyCallback(good, []byte(report), now.Add(age), sms.Keys{old})
		require.Equal(t, believed, err == nil, age)
	}
	for _, seconds := range []string{"9223372036854775807", "-9223372036854775808", "0"} {
		_, err := sms.VerifyCallback(header("t="+seconds+",v1="+strings.Repeat("0", 64)), []byte(report), now, sms.Keys{old})
		require.Equal(t, apperr.Unauthenticated, apperr.KindOf(err))
	}
}

func TestSignedReportsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for body, path := range map[string]string{
		`{`:                                      "",
		`[]`:                                     "",
		strings.Replace(report, `"e1"`, `""`, 1): "eventId",
		strings.Replace(report, "notice/3f2a/sms", "", 1):                                     "id",
		strings.Replace(report, "notice/3f2a/sms", strings.Repeat("a", 201), 1):               "id",
		strings.Replace(report, `"p1"`, `"`+strings.Repeat("a", 201)+`"`, 1):                  "providerId",
		strings.Replace(report, "delivered", "read", 1):                                       "state",
		strings.Replace(report, "2026-05-04T11:00:00+02:00", "0001-01-01T00:00:00Z", 1):       "at",
		strings.Replace(report, "2026-05-04T11:00:00+02:00", "9999-12-31T23:59:59-12:00", 1):  "at",
		strings.Replace(report, "2026-05-04T11:00:00+02:00", "0000-01-01T00:00:00+14:00", 1):  "at",
		strings.Replace(report, "2026-05-04T11:00:00+02:00", "2027-05-04T11:00:00+02:00", 1):  "at",
		strings.Replace(report, "2026-05-04T11:00:00+02:00", "yesterday", 1):                  "",
		strings.Replace(report, `"at":"2026-05-04T11:00:00+02:00"`, `"when":"2026-05-04"`, 1): "at",
	} {
		_, err := sms.VerifyCallback(header(sms.Keys{old}.Sign(now, []byte(body))), []byte(body), now, sms.Keys{old})
		var e *apperr.Error
		require.ErrorAs(t, err, &e, body)
		require.Equal(t, apperr.Invalid, e.Kind)
		if path != "" {
			require.Len(t, e.Fields, 1, body)
			require.Equal(t, path, e.Fields[0].Path)
		}
	}
	for _, state := range []channel.State{channel.Accepted, channel.Delivered, channel.Failed, channel.Expired} {
		body := []byte(strings.Replace(report, "delivered", string(state), 1))
		got, err := sms.VerifyCallback(header(sms.Keys{old}.Sign(now, body)), body, now, sms.Keys{old})
		require.NoError(t, err)
		require.Equal(t, state, got.State)
	}
}

// What is believed was signed by us, whatever header and body say.
func FuzzVerifyCallback(f *testing.F) {
	good := sms.Keys{old}.Sign(now, []byte(report))
	f.Add(good, []byte(report), false)
	f.Add(good, []byte(report), true)
	f.Add("t=1777885200", []byte(`{}`), true)
	f.Add("t=1777885200,v1=,v1=00", []byte(``), false)
	f.Add(strings.Replace(good, "t=", "t=+", 1), []byte(report), false)
	f.Add(good+",v2=x", []byte(report), false)
	f.Fuzz(func(t *testing.T, value string, body []byte, sign bool) {
		if sign {
			value = sms.Keys{old}.Sign(now, body)
		}
		got, err := sms.VerifyCallback(header(value), body, now, sms.Keys{old, young})
		if err != nil {
			require.Contains(t, []apperr.Kind{apperr.Unauthenticated, apperr.Invalid, apperr.TooLarge}, apperr.KindOf(err))
			return
		}
		require.NotEmpty(t, got.EventID)
		require.NotEmpty(t, got.Key)
		require.Contains(t, value, sms.Keys{old}.Sign(now, body)[len("t=1777885200,"):], "only who has the key makes that")
	})
}
