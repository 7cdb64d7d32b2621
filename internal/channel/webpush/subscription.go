package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	maxSubscription = 4 << 10
	authBytes       = 16
)

// Subscription is where one browser of a patient is reached (W3C Push API). It comes
// from the browser and is believed in nothing.
type Subscription struct {
	// Endpoint is the push service's URL of it: whoever has it can reach the patient.
	Endpoint string
	// P256dh is the browser's public key, an uncompressed point of P-256.
	P256dh []byte
	// Auth is the browser's secret of 16 bytes.
	Auth []byte
}

// wire is PushSubscription.toJSON().
type wire struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256dh string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`
}

// ParseSubscription reads what a browser's PushSubscription.toJSON() writes. Its
// endpoint must be an https URL of a name or a public address; local allows http
// and any address. A subscription that breaks a rule is apperr.Invalid, not quoted.
func ParseSubscription(raw string, local bool) (Subscription, error) {
	var w wire
	if len(raw) > maxSubscription || json.Unmarshal([]byte(raw), &w) != nil {
		return Subscription{}, apperr.New(apperr.Invalid, "the push subscription must be the JSON that the browser gives, at most %d bytes", maxSubscription)
	}
	s := Subscription{Endpoint: w.Endpoint}
	var wrong []apperr.Field
	if !reachable(w.Endpoint, local) {
		wrong = append(wrong, apperr.Field{Path: "endpoint", Rule: "an https URL of a push service on the internet"})
	}
	var err error
	if s.P256dh, err = decode(w.Keys.P256dh); err == nil {
		_, err = ecdh.P256().NewPublicKey(s.P256dh)
	}
	if err != nil {
		wrong = append(wrong, apperr.Field{Path: "keys.p256dh", Rule: "base64url of an uncompressed point of P-256"})
	}
	if s.Auth, err = decode(w.Keys.Auth); err != nil || len(s.Auth) != authBytes {
		wrong = append(wrong, apperr.Field{Path: "keys.auth", Rule: "base64url of 16 bytes"})
	}
	if wrong != nil {
		return Subscription{}, apperr.InvalidFields("the push subscription breaks a rule", wrong...)
	}
	return s, nil
}

// String writes it as ParseSubscription reads it. It is an address: not for logs.
func (s Subscription) String() string {
	w := wire{Endpoint: s.Endpoint}
	w.Keys.P256dh = base64.RawURLEncoding.EncodeToString(s.P256dh)
	w.Keys.Auth = base64.RawURLEncoding.EncodeToString(s.Auth)
	raw, _ := json.Marshal(w) // strings only
	return string(raw)
}

// decode takes base64url with and without padding: browsers differ.
func decode(s string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
}

// reachable looks at the URL alone: where a name leads is seen when it is connected to.
func reachable(endpoint string, local bool) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	if local {
		return u.Scheme == "https" || u.Scheme == "http"
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !public(ip) {
		return false
	}
	return u.Scheme == "https"
}

// special are address blocks that lead nowhere on the internet, or through a
// translator to anywhere (IANA special-purpose registries), beside those that
// net/netip knows by name.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// public tells whether an address is somebody else's on the internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, block := range special {
		if block.Contains(ip) {
			return false
		}
	}
	return true
}
