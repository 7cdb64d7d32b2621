package sink

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	maxMail     = 1 << 20
	mailTimeout = time.Minute
)

var (
	errBounce  = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox"}
	errForNow  = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Try again later"}
	errContent = &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Cannot be read"}
)

func (s *Sink) mailServer() *smtp.Server {
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{sink: s, conn: c}, nil
	}))
	server.Domain = "sink.invalid"
	server.TLSConfig = s.cfg.TLS
	server.AllowInsecureAuth = s.cfg.TLS == nil
	server.MaxMessageBytes = maxMail
	server.MaxRecipients = 1
	server.EnableSMTPUTF8 = true
	server.ReadTimeout, server.WriteTimeout = mailTimeout, mailTimeout
	server.ErrorLog = slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug)
	return server
}

// session is one connection to the mail server.
type session struct {
	sink *Sink
	conn *smtp.Conn
	user bool
	to   string
}

var _ smtp.AuthSession = (*session)(nil)

// AuthMechanisms implements smtp.AuthSession.
func (m *session) AuthMechanisms() []string {
	if m.sink.cfg.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (m *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		want, got := m.sink.cfg.User+"\x00"+m.sink.cfg.Password, user+"\x00"+password
		if subtle.ConstantTimeCompare([]byte(want), []byte(got)) != 1 {
			return smtp.ErrAuthFailed
		}
		m.user = true
		return nil
	}), nil
}

// Mail implements smtp.Session: it demands the login.
func (m *session) Mail(string, *smtp.MailOptions) error {
	if m.sink.cfg.User != "" && !m.user {
		return smtp.ErrAuthRequired
	}
	return nil
}

// Rcpt implements smtp.Session: it is where an address is refused.
func (m *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	refusal := errBounce
	if !strings.HasPrefix(strings.ToLower(to), "bounce@") {
		if !m.sink.refuses(Mail) {
			m.to = to
			return nil
		}
		refusal = errForNow
	}
	m.sink.keep(Message{Way: Mail, Outcome: Refused, To: to})
	return refusal
}

// Data implements smtp.Session: it is where a message is taken, or its connection ends.
func (m *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	got, err := readMail(raw)
	if err != nil {
		return errContent
	}
	got.To, got.Outcome = m.to, m.sink.outcome(Mail)
	m.sink.keep(got)
	m.sink.linger(m.sink.ctx, Mail)
	if got.Outcome != Taken {
		return m.conn.Conn().Close()
	}
	return nil
}

// Reset implements smtp.Session.
func (m *session) Reset() { m.to = "" }

// Logout implements smtp.Session.
func (m *session) Logout() error { return nil }

// readMail reads a message of one part, as the clinic's notices are.
func readMail(raw []byte) (Message, error) {
	letter, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Message{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(letter.Header.Get("Subject"))
	if err != nil {
		return Message{}, err
	}
	body := letter.Body
	switch strings.ToLower(letter.Header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return Message{}, err
	}
	key, _, _ := strings.Cut(strings.Trim(letter.Header.Get("Message-Id"), "<>"), "@")
	header := map[string]string{}
	for _, name := range []string{"From", "To", "Message-Id", "Auto-Submitted", "Content-Type"} {
		header[name] = letter.Header.Get(name)
	}
	return Message{
		Way: Mail, Key: key, Subject: subject, Header: header,
		Text: strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"),
	}, nil
}
