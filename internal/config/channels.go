package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Channels is how the clinic's own notices leave (S90). A channel whose first
// setting is empty is not offered.
type Channels struct {
	SMTP    SMTP
	SMS     SMS
	WebPush WebPush
	// Local allows what only a development machine needs: providers without TLS, and
	// push services on this machine or its private network.
	Local bool `env:"HELSEBRO_CHANNELS_LOCAL" envDefault:"false"`
}

// TLS policies of SMTP.
const (
	// TLSMandatory sends nothing without STARTTLS and a trusted certificate.
	TLSMandatory = "mandatory"
	// TLSOpportunistic uses STARTTLS where the server offers it.
	TLSOpportunistic = "opportunistic"
	// TLSNone is for a relay on this machine.
	TLSNone = "none"
)

// SMTP is the mail relay of the clinic's notices.
type SMTP struct {
	// Addr is the relay's host:port; empty means no e-mail.
	Addr string `env:"HELSEBRO_SMTP_ADDR" envDefault:""`
	// TLS is mandatory, opportunistic or none.
	TLS string `env:"HELSEBRO_SMTP_TLS" envDefault:"mandatory"`
	// User and Password log in with AUTH PLAIN; empty means without.
	User     string `env:"HELSEBRO_SMTP_USER" envDefault:""`
	Password string `env:"HELSEBRO_SMTP_PASSWORD" envDefault:""`
	// From is the sender, such as Legekontoret <ikke-svar@lege.example>.
	From string `env:"HELSEBRO_SMTP_FROM" envDefault:""`
	// Timeout bounds the whole conversation about one message. A relay that takes
	// longer to answer leaves the outcome unknown.
	Timeout time.Duration `env:"HELSEBRO_SMTP_TIMEOUT" envDefault:"1m"`
	// PerSecond is how many messages the relay is given a second at most, by all
	// workers together; 0 is no bound.
	PerSecond float64 `env:"HELSEBRO_SMTP_PER_SECOND" envDefault:"20"`
}

// SMS is the gateway for text messages.
type SMS struct {
	// URL is where messages are posted; empty means no SMS.
	URL string `env:"HELSEBRO_SMS_URL" envDefault:""`
	// Key is the bearer token that the gateway knows us by.
	Key string `env:"HELSEBRO_SMS_KEY" envDefault:""`
	// From is the sender that the recipient sees: up to 11 letters and digits, or a
	// number in E.164 form.
	From string `env:"HELSEBRO_SMS_FROM" envDefault:""`
	// CallbackURL is where the gateway reports what became of a message, as the
	// gateway reaches it; empty means that it does not report.
	CallbackURL string `env:"HELSEBRO_SMS_CALLBACK_URL" envDefault:""`
	// Timeout bounds one request. A gateway that takes longer to answer leaves the
	// outcome unknown.
	Timeout time.Duration `env:"HELSEBRO_SMS_TIMEOUT" envDefault:"30s"`
	// PerSecond is how many messages the gateway is given a second at most, by all
	// workers together; 0 is no bound.
	PerSecond float64 `env:"HELSEBRO_SMS_PER_SECOND" envDefault:"10"`
}

// SMSCallback is what proves that a report comes from the gateway: for the process
// that receives reports, which sends nothing.
type SMSCallback struct {
	// Keys are the base64 of the secrets shared with the gateway, 32 bytes or more
	// each, comma separated: several while one is exchanged for another. Empty means
	// that no report is believed.
	Keys string `env:"HELSEBRO_SMS_CALLBACK_KEYS" envDefault:""`
}

// WebPush is how we identify ourselves to browsers' push services (RFC 8292).
type WebPush struct {
	// Key is the base64url of the 32 bytes of a P-256 private key; empty means no
	// push. Browsers subscribe to its public half: a new key ends all subscriptions.
	Key string `env:"HELSEBRO_VAPID_KEY" envDefault:""`
	// Subject is whom a push service turns to, a mailto: or https: URL.
	Subject string `env:"HELSEBRO_VAPID_SUBJECT" envDefault:""`
	// Timeout bounds one request.
	Timeout time.Duration `env:"HELSEBRO_PUSH_TIMEOUT" envDefault:"30s"`
	// PerSecond is how many messages push services are given a second at most, by all
	// workers together; 0 is no bound.
	PerSecond float64 `env:"HELSEBRO_PUSH_PER_SECOND" envDefault:"50"`
}

// Offered tells whether there is a mail relay.
func (c SMTP) Offered() bool { return c.Addr != "" }

// Offered tells whether there is an SMS gateway.
func (c SMS) Offered() bool { return c.URL != "" }

// Offered tells whether browsers can be reached.
func (c WebPush) Offered() bool { return c.Key != "" }

// Validate names every setting that is missing or wrong, with what would be right.
func (c *Channels) Validate() error {
	return errors.Join(c.SMTP.check(c.Local), c.SMS.check(c.Local), c.WebPush.check())
}

// Validate names every setting that is missing or wrong, with what would be right.
func (c *SMSCallback) Validate() error {
	_, err := c.Secrets()
	return err
}

// Secrets decodes the keys. The error never quotes one.
func (c SMSCallback) Secrets() ([][]byte, error) {
	if c.Keys == "" {
		return nil, nil
	}
	var secrets [][]byte
	for encoded := range strings.SplitSeq(c.Keys, ",") {
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		if err != nil || len(secret) < 32 {
			return nil, errors.New("HELSEBRO_SMS_CALLBACK_KEYS must be base64 of at least 32 random bytes, several comma separated")
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

func (c SMTP) check(local bool) error {
	if !c.Offered() {
		return nil
	}
	errs := []error{checkAddr("HELSEBRO_SMTP_ADDR", c.Addr), checkTimeout("HELSEBRO_SMTP_TIMEOUT", c.Timeout), checkRate("HELSEBRO_SMTP_PER_SECOND", c.PerSecond)}
	switch c.TLS {
	case TLSMandatory, TLSOpportunistic:
	case TLSNone:
		if host, _, _ := net.SplitHostPort(c.Addr); !local && !loopback(host) {
			errs = append(errs, errors.New("HELSEBRO_SMTP_TLS is none: that is for a relay on 127.0.0.1, set mandatory"))
		}
	default:
		errs = append(errs, fmt.Errorf("HELSEBRO_SMTP_TLS is %q: set mandatory, opportunistic or none", c.TLS))
	}
	if (c.User == "") != (c.Password == "") {
		errs = append(errs, errors.New("HELSEBRO_SMTP_USER and HELSEBRO_SMTP_PASSWORD are set together or not at all"))
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		errs = append(errs, errors.New("HELSEBRO_SMTP_FROM must be an address such as Legekontoret <ikke-svar@lege.example>"))
	}
	return errors.Join(errs...)
}

func (c SMS) check(local bool) error {
	if !c.Offered() {
		return nil
	}
	errs := []error{checkProvider("HELSEBRO_SMS_URL", c.URL, local), checkTimeout("HELSEBRO_SMS_TIMEOUT", c.Timeout), checkRate("HELSEBRO_SMS_PER_SECOND", c.PerSecond)}
	if c.Key == "" {
		errs = append(errs, missing("HELSEBRO_SMS_KEY", "the bearer token of the gateway"))
	}
	if c.From == "" {
		errs = append(errs, missing("HELSEBRO_SMS_FROM", "the sender that the recipient sees"))
	}
	if c.CallbackURL != "" {
		errs = append(errs, checkProvider("HELSEBRO_SMS_CALLBACK_URL", c.CallbackURL, local))
	}
	return errors.Join(errs...)
}

func (c WebPush) check() error {
	if !c.Offered() {
		return nil
	}
	errs := []error{checkTimeout("HELSEBRO_PUSH_TIMEOUT", c.Timeout), checkRate("HELSEBRO_PUSH_PER_SECOND", c.PerSecond)}
	if key, err := base64.RawURLEncoding.DecodeString(c.Key); err != nil || len(key) != 32 {
		errs = append(errs, errors.New("HELSEBRO_VAPID_KEY must be the unpadded base64url of a P-256 private key's 32 bytes"))
	}
	if u, err := url.Parse(c.Subject); err != nil || (u.Scheme != "https" && u.Scheme != "mailto") {
		errs = append(errs, errors.New("HELSEBRO_VAPID_SUBJECT must be a URL such as mailto:drift@lege.example"))
	}
	return errors.Join(errs...)
}

// checkProvider demands TLS, except on this machine or where local allows more.
func checkProvider(name, value string, local bool) error {
	u, err := url.Parse(value)
	if err == nil && u.Host != "" && u.User == nil && u.Fragment == "" {
		if u.Scheme == "https" || (u.Scheme == "http" && (local || loopback(u.Hostname()))) {
			return nil
		}
	}
	return fmt.Errorf("%s must be an https URL without a user", name)
}

// checkTimeout: an attempt to send has 90 s in all.
func checkTimeout(name string, timeout time.Duration) error {
	if timeout < time.Second || timeout > time.Minute {
		return fmt.Errorf("%s is %s: set 1s to 1m", name, timeout)
	}
	return nil
}

func checkRate(name string, perSecond float64) error {
	if perSecond < 0 || perSecond > 0 && perSecond < 0.1 {
		return fmt.Errorf("%s is %g: set 0.1 or more, or 0 for no bound", name, perSecond)
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}
