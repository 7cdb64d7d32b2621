// Package smtp sends the clinic's notices by e-mail through a relay (RFC 5321).
//
// A relay has a message from the moment it answers the end of the data with 2yz. All
// failures before the end was written are therefore refusals; a connection that is
// lost between the end and its answer leaves the outcome unknown (RFC 1047).
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/config"
)

// farewell bounds QUIT: nothing depends on its answer.
const farewell = 2 * time.Second

// Sender sends e-mail. It is safe for concurrent use: every message has its own
// connection, since one that a relay has just closed would make outcomes unknown.
type Sender struct {
	cfg    config.SMTP
	host   string
	port   int
	from   *mail.Address
	policy gomail.TLSPolicy
	// roots are the trusted certificate authorities, nil for the system's.
	roots *x509.CertPool
	now   func() time.Time
}

var _ channel.Sender = (*Sender)(nil)

// New makes a sender; it connects to nothing. A wrong setting is apperr.Invalid.
func New(cfg config.SMTP) (*Sender, error) {
	host, service, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_SMTP_ADDR must be host:port")
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_SMTP_ADDR must have a port number")
	}
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_SMTP_FROM must be an e-mail address")
	}
	policy, ok := map[string]gomail.TLSPolicy{
		config.TLSMandatory: gomail.TLSMandatory, config.TLSOpportunistic: gomail.TLSOpportunistic, config.TLSNone: gomail.NoTLS,
	}[cfg.TLS]
	if !ok {
		return nil, apperr.New(apperr.Invalid, "HELSEBRO_SMTP_TLS must be mandatory, opportunistic or none")
	}
	return &Sender{cfg: cfg, host: host, port: int(port), from: from, policy: policy, now: time.Now}, nil
}

// Send implements channel.Sender. The Message-ID is the key at the sender's domain,
// so that a bounce leads back to its notice and a reader shows a repeat once.
//
// What a relay says before MAIL FROM is about us and not about the recipient: it is
// a refusal for now, whatever its digit.
func (s *Sender) Send(ctx context.Context, m channel.Message) (channel.Result, error) {
	if err := m.Check(s.now()); err != nil {
		return channel.Result{}, err
	}
	letter, to, err := s.letter(m)
	if err != nil {
		return channel.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	client, hangUp, err := s.dial(ctx)
	defer hangUp()
	if err != nil {
		// The relay has not heard of the patient yet: its words may be quoted.
		if cause := s.cause(ctx, err); errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
			err = cause
		}
		return channel.Result{}, &channel.Refused{Code: code("connect", err), Cause: err}
	}
	// Relays pass the flag on, and who does not know it would refuse plain addresses.
	plain := ascii(to) && ascii(s.from.Address)
	client.SkipSMTPUTF8(plain)
	if ok, _ := client.Extension("SMTPUTF8"); !ok && !plain {
		quit(client)
		return channel.Result{}, &channel.Refused{Permanent: true, Code: channel.CodeAddress, Cause: errors.New("the relay takes no address outside ASCII")}
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"mail", func() error { return client.Mail("<" + s.from.Address + ">") }},
		{"rcpt", func() error { return client.Rcpt("<" + to + ">") }},
		{"data", func() error { return s.data(client, letter) }},
	} {
		if err := step.do(); err != nil {
			if reply(err) != 0 {
				quit(client)
			}
			return channel.Result{}, s.failed(ctx, step.name, err)
		}
	}
	quit(client)
	return channel.Result{State: channel.Accepted}, nil
}

// Greet connects as Send does, with TLS and login as they are set, and says goodbye: nothing is
// sent. Its error is apperr.Unavailable with the relay's words, which are about us.
func (s *Sender) Greet(ctx context.Context) error {
	client, hangUp, err := s.dial(ctx)
	defer hangUp()
	if err != nil {
		return apperr.Wrap(apperr.Unavailable, err, "the mail relay does not take us in (%s)", code("connect", err))
	}
	quit(client)
	return nil
}

// letter writes the message: plain text, UTF-8, and marked as sent by a machine, so
// that no holiday notice answers it (RFC 3834 §5).
func (s *Sender) letter(m channel.Message) (letter *gomail.Msg, to string, err error) {
	refused := &channel.Refused{Permanent: true, Code: channel.CodeAddress, Cause: errors.New("it is not an e-mail address")}
	address, err := mail.ParseAddress(m.To)
	if err != nil || address.Address != m.To {
		return nil, "", refused
	}
	letter = gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	letter.FromMailAddress(s.from)
	letter.ToMailAddress(address)
	letter.Subject(m.Subject)
	letter.SetDateWithValue(s.now())
	_, domain, _ := strings.Cut(s.from.Address, "@")
	letter.SetMessageIDWithValue(m.Key + "@" + domain)
	letter.SetGenHeader("Auto-Submitted", "auto-generated")
	letter.SetBodyString(gomail.TypeTextPlain, m.Body)
	return letter, address.Address, nil
}

// dial connects, greets, starts TLS and logs in. hangUp is to be called in any case.
func (s *Sender) dial(ctx context.Context) (client *gosmtp.Client, hangUp func(), err error) {
	hangUp = func() {}
	options := []gomail.Option{
		gomail.WithPort(s.port),
		gomail.WithTimeout(s.cfg.Timeout),
		gomail.WithTLSPolicy(s.policy),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}),
		gomail.WithDialContextFunc(func(ctx2 context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx2, network, addr)
			if err != nil {
				return nil, err
			}
			// Ends whatever waits for the relay, in TLS too.
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			hangUp = func() {
				stop()
				_ = conn.Close() // after QUIT it is closed already
			}
			return conn, nil
		}),
	}
	if s.cfg.User != "" {
		// The library refuses to log in without TLS, except on this machine.
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthPlain), gomail.WithUsername(s.cfg.User), gomail.WithPassword(s.cfg.Password))
	}
	dialer, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return nil, hangUp, err
	}
	client, err = dialer.DialToSMTPClientWithContext(ctx)
	return client, hangUp, err
}

// errEnd marks an error after the end of the data may have been written.
type errEnd struct{ error }

func (e errEnd) Unwrap() error { return e.error }

// data sends the letter. Its last line leaves with Close, not before.
func (s *Sender) data(client *gosmtp.Client, letter *gomail.Msg) error {
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := letter.WriteTo(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return errEnd{err}
	}
	return nil
}

// failed classifies the error of a step.
func (s *Sender) failed(ctx context.Context, step string, err error) error {
	end, ended := errors.AsType[errEnd](err)
	if ended {
		step = "end"
	}
	switch reply(err) / 100 {
	case 5:
		return &channel.Refused{Permanent: true, Code: code(step, err)}
	case 4:
		return &channel.Refused{Code: code(step, err)}
	}
	if ended {
		return &channel.Unknown{Code: code(step, err), Cause: s.cause(ctx, end.error)}
	}
	return &channel.Refused{Code: code(step, err), Cause: s.cause(ctx, err)}
}

// cause is why there was no reply, nil where there was one: what a relay writes from
// RCPT TO on often repeats the address.
func (s *Sender) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if reply(err) != 0 {
		return nil
	}
	return channel.Cause(err)
}

// reply is the relay's status code, 0 where there was none.
func reply(err error) int {
	if r, ok := errors.AsType[*textproto.Error](err); ok {
		return r.Code
	}
	return 0
}

var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// code is the step with the relay's status codes: numbers only.
func code(step string, err error) string {
	if r, ok := errors.AsType[*textproto.Error](err); ok {
		step += " " + strconv.Itoa(r.Code)
		if e := enhanced.FindString(r.Msg); e != "" {
			step += " " + e
		}
	}
	return step
}

// quit says goodbye and waits a moment for the answer, as is polite.
func quit(client *gosmtp.Client) {
	if client.UpdateDeadline(farewell) == nil {
		_ = client.Quit() // nothing depends on it
	}
}

func ascii(s string) bool {
	for _, r := range s {
		if r > 0x7f {
			return false
		}
	}
	return true
}
