package sms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
)

// SignatureHeader proves who a report is from:
//
//	Helsebro-Signature: t=1777885200,v1=<hex of HMAC-SHA256(key, "1777885200." + body)>
//
// with a v1 for each key while one is exchanged for another.
const SignatureHeader = "Helsebro-Signature"

const (
	// tolerance is how far the time of a signature may be from ours, so that a
	// report cannot be played back later.
	tolerance = 5 * time.Minute
	// MaxReportBytes bounds a report: whoever reads one from the network reads no more.
	MaxReportBytes = 16 << 10
	// maxSignatures bounds how many signatures one report may try.
	maxSignatures = 8
	maxID         = 200
	// aheadOfUs is how far ahead of ours a gateway's own clock may be: what it reports
	// has happened.
	aheadOfUs = 24 * time.Hour
)

// earliest is before every report.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Report is what the gateway says became of a message. Reports come late, twice and
// out of order: EventID tells a repeat, and a delivered message stays so (D12).
type Report struct {
	// EventID names this report; a repeat has the same.
	EventID string `json:"eventId"`
	// Key is the message's.
	Key string `json:"id"`
	// ProviderID is the gateway's name of the message.
	ProviderID string `json:"providerId"`
	// State is any channel.State.
	State channel.State `json:"state"`
	// At is when it happened, by the gateway's clock, in UTC.
	At time.Time `json:"at"`
}

// Keys are the secrets shared with the gateway (config.SMSCallback.Secrets).
type Keys [][]byte

// Sign returns a report's SignatureHeader, made at now.
func (k Keys) Sign(now time.Time, body []byte) string {
	at := strconv.FormatInt(now.Unix(), 10)
	var header strings.Builder
	header.WriteString("t=" + at)
	for _, secret := range k {
		header.WriteString(",v1=" + hex.EncodeToString(sum(secret, at, body)))
	}
	return header.String()
}

func sum(secret []byte, at string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// VerifyCallback returns the report of a request that one of the keys has signed
// within five minutes of now. apperr.Unauthenticated says that nothing proves whom it
// is from; apperr.Invalid that it is from the gateway and makes no sense; either has
// no effect, and neither quotes it. Within the five minutes the same request verifies
// again: EventID tells.
func VerifyCallback(header http.Header, body []byte, now time.Time, keys Keys) (Report, error) {
	if len(body) > MaxReportBytes {
		return Report{}, apperr.New(apperr.TooLarge, "a report has at most %d bytes", MaxReportBytes)
	}
	if err := keys.verify(header.Values(SignatureHeader), body, now); err != nil {
		return Report{}, err
	}
	var r Report
	if err := json.Unmarshal(body, &r); err != nil {
		return Report{}, apperr.New(apperr.Invalid, "the report is not the JSON that is expected")
	}
	var wrong []apperr.Field
	for _, f := range []struct{ path, value string }{{"eventId", r.EventID}, {"id", r.Key}} {
		if f.value == "" || len(f.value) > maxID {
			wrong = append(wrong, apperr.Field{Path: f.path, Rule: "1 to 200 bytes"})
		}
	}
	if len(r.ProviderID) > maxID {
		wrong = append(wrong, apperr.Field{Path: "providerId", Rule: "at most 200 bytes"})
	}
	switch r.State {
	case channel.Accepted, channel.Delivered, channel.Failed, channel.Expired:
	default:
		wrong = append(wrong, apperr.Field{Path: "state", Rule: "accepted, delivered, failed or expired"})
	}
	if r.At.Before(earliest) || r.At.After(now.Add(aheadOfUs)) {
		wrong = append(wrong, apperr.Field{Path: "at", Rule: "an instant such as 2026-05-04T09:00:00Z, after 1999 and not to come"})
	}
	if wrong != nil {
		return Report{}, apperr.InvalidFields("the report breaks a rule", wrong...)
	}
	r.At = r.At.UTC()
	return r, nil
}

// verify demands one header whose time is near now and one of whose signatures is
// right. Every key is compared with every signature, in constant time.
func (k Keys) verify(headers []string, body []byte, now time.Time) error {
	if len(headers) != 1 {
		return unproven("%s must be there once", SignatureHeader)
	}
	at, signatures, ok := parse(headers[0])
	if !ok {
		return unproven("%s must be t=<seconds>,v1=<64 hex digits>", SignatureHeader)
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return unproven("its time is not a number of seconds")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return unproven("its time is more than %s from ours", tolerance)
	}
	right := false
	for _, secret := range k {
		want := sum(secret, at, body)
		for _, got := range signatures {
			right = hmac.Equal(want, got) || right
		}
	}
	if !right {
		return unproven("no key of HELSEBRO_SMS_CALLBACK_KEYS has signed it")
	}
	return nil
}

// parse reads a header's value. Schemes other than v1 are left to who knows them.
func parse(value string) (at string, signatures [][]byte, ok bool) {
	for part := range strings.SplitSeq(value, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			if at != "" {
				return "", nil, false
			}
			at = v
		case "v1":
			signature, err := hex.DecodeString(v)
			if err != nil || len(signature) != sha256.Size || len(signatures) == maxSignatures {
				return "", nil, false
			}
			signatures = append(signatures, signature)
		}
	}
	return at, signatures, at != "" && signatures != nil
}

func unproven(format string, args ...any) error {
	return apperr.New(apperr.Unauthenticated, "the report is not believed: "+format, args...)
}
