package smtp

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel"
	"github.com/helsebro/helsebro/internal/channel/sink"
	"github.com/helsebro/helsebro/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patient = "kari.fiktiv@pasient.example"

func message() channel.Message {
	return channel.Message{
		Key: "notice/3f2a.1/mail", To: patient, Subject: "Time hos legen på mandag",
		Body: "Hei!\nDu har time kl. 09.30.\n.\nIkke svar på denne e-posten – ring oss.", ExpiresAt: time.Now().Add(time.Hour),
	}
}

func settings(addr string) config.SMTP {
	return config.SMTP{Addr: addr, TLS: config.TLSNone, From: "Legekontoret Fjellvåg <ikke-svar@lege.example>", Timeout: 10 * time.Second}
}

func sender(t *testing.T, cfg config.SMTP) *Sender {
	t.Helper()
	s, err := New(cfg)
	require.NoError(t, err)
	return s
}

func open(t *testing.T, cfg sink.Config) *sink.Sink {
	t.Helper()
	s, err := sink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// silent checks that an error holds nothing of the message.
func silent(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{"kari", "pasient.example", "Time hos", "09.30"} {
		require.NotContains(t, err.Error(), secret)
	}
}

func refused(t *testing.T, err error) *channel.Refused {
	t.Helper()
	var r *channel.Refused
	require.ErrorAs(t, err, &r)
	silent(t, err)
	return r
}

func unknown(t *testing.T, err error) *channel.Unknown {
	t.Helper()
	var u *channel.Unknown
	require.ErrorAs(t, err, &u)
	silent(t, err)
	return u
}

func TestMailArrivesAsWritten(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	m := message()
	got, err := sender(t, settings(s.MailAddr())).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, channel.Result{State: channel.Accepted}, got)

	all := s.Messages()
	require.Len(t, all, 1)
	require.Equal(t, m.Key, all[0].Key)
	require.Equal(t, m.To, all[0].To)
	require.Equal(t, m.Subject, all[0].Subject)
	require.Equal(t, m.Body, all[0].Text)
	require.Equal(t, map[string]string{
		"From": `=?utf-8?q?Legekontoret_Fjellv=C3=A5g?= <ikke-svar@lege.example>`, "To": "<" + patient + ">",
		"Message-Id": "<notice/3f2a.1/mail@lege.example>", "Auto-Submitted": "auto-generated", "Content-Type": "text/plain; charset=UTF-8",
	}, all[0].Header)
	require.Equal(t, 1, s.Count(sink.Mail, m.Key))
}

func TestRepeatHasTheSameMessageID(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	from := sender(t, settings(s.MailAddr()))
	for range 2 {
		_, err := from.Send(t.Context(), message())
		require.NoError(t, err)
	}
	require.Equal(t, 2, s.Count(sink.Mail, message().Key))
	require.Equal(t, 2, s.Messages()[1].Arrival)
}

func TestLongestKeyIsOneMessageID(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	m := message()
	m.Key = strings.Repeat("a", 200)
	_, err := sender(t, settings(s.MailAddr())).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, m.Key, s.Messages()[0].Key)
}

func TestWhatNoRelaySees(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	from := sender(t, settings(s.MailAddr()))
	for name, change := range map[string]func(*channel.Message){
		"expired":      func(m *channel.Message) { m.ExpiresAt = time.Now().Add(-time.Second) },
		"no expiry":    func(m *channel.Message) { m.ExpiresAt = time.Time{} },
		"no key":       func(m *channel.Message) { m.Key = "" },
		"key":          func(m *channel.Message) { m.Key = "a@b" },
		"long key":     func(m *channel.Message) { m.Key = strings.Repeat("a", 201) },
		"no text":      func(m *channel.Message) { m.Body = "" },
		"nobody":       func(m *channel.Message) { m.To = "" },
		"no address":   func(m *channel.Message) { m.To = "+4790000001" },
		"with name":    func(m *channel.Message) { m.To = "Kari <" + patient + ">" },
		"two":          func(m *channel.Message) { m.To = patient + "," + patient },
		"second line":  func(m *channel.Message) { m.To = patient + "\r\nRCPT TO:<other@pasient.example>" },
		"quoted":       func(m *channel.Message) { m.To = `"kari> x"@pasient.example` },
		"only spaces":  func(m *channel.Message) { m.To = " " },
		"angle inside": func(m *channel.Message) { m.To = "<" + patient + ">" },
	} {
		m := message()
		change(&m)
		_, err := from.Send(t.Context(), m)
		require.Truef(t, refused(t, err).Permanent, name)
	}
	require.Empty(t, s.Messages())
}

func TestSubjectIsOneLine(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{})
	m := message()
	m.Subject = "Time\r\nBcc: other@pasient.example\r\n\r\nx"
	_, err := sender(t, settings(s.MailAddr())).Send(t.Context(), m)
	require.NoError(t, err)
	all := s.Messages()
	require.Len(t, all, 1)
	require.Equal(t, m.Body, all[0].Text, "no header has become a text, nor a text a header")
}

func TestSinkFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		to     string
		fault  sink.Fault
		want   error
		counts int
	}{
		{"bounce", "bounce@pasient.example", sink.Fault{}, &channel.Refused{Permanent: true, Code: "rcpt 550 5.1.1"}, 0},
		{"for now", patient, sink.Fault{Refuse: 1}, &channel.Refused{Code: "rcpt 451 4.3.0"}, 0},
		{"lost", patient, sink.Fault{Lose: 1}, &channel.Unknown{Code: "end", Cause: errors.New("the connection failed or was lost")}, 1},
		{"dropped", patient, sink.Fault{Drop: 1}, &channel.Unknown{Code: "end", Cause: errors.New("the connection failed or was lost")}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, sink.Config{})
			s.SetFaults(sink.Faults{Mail: c.fault})
			from := sender(t, settings(s.MailAddr()))
			m := message()
			m.To = c.to
			_, err := from.Send(t.Context(), m)
			require.Equal(t, c.want, err)
			require.Equal(t, c.counts, s.Count(sink.Mail, m.Key))
			m.To = patient
			_, err = from.Send(t.Context(), m)
			require.NoError(t, err, "the fault is over")
			require.Equal(t, c.counts+1, s.Count(sink.Mail, m.Key))
		})
	}
}

// relay is a mail server by script, for what no library's server does: it answers
// each step as told, or ends the connection there, or says nothing.
type relay struct {
	script map[string]string
	taken  sync.WaitGroup
	l      net.Listener
	over   chan struct{}
}

const (
	hangUp = "hang up"
	mute   = "mute"
)

func scripted(t *testing.T, script map[string]string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{script: script, l: l, over: make(chan struct{})}
	r.taken.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.taken.Go(func() { r.serve(c) })
		}
	})
	t.Cleanup(func() {
		close(r.over)
		_ = l.Close()
		r.taken.Wait()
	})
	return r
}

// say tells whether the conversation goes on.
func (r *relay) say(c net.Conn, step, usual string) bool {
	line, ok := r.script[step]
	if !ok {
		line = usual
	}
	switch line {
	case hangUp:
		return false
	case mute:
		<-r.over
		return false
	}
	_, err := io.WriteString(c, line+"\r\n")
	return err == nil
}

func (r *relay) serve(c net.Conn) {
	defer c.Close() //nolint:errcheck // the conversation is over
	if !r.say(c, "greeting", "220 relay.example") {
		return
	}
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		step, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(line)), " ")
		usual := "250 ok"
		if step == "data" {
			usual = "354 go on"
		}
		if !r.say(c, step, usual) || step == "quit" {
			return
		}
		if _, other := r.script["data"]; step != "data" || other {
			continue
		}
		if r.script["content"] == hangUp {
			return
		}
		for line != ".\r\n" {
			if line, err = in.ReadString('\n'); err != nil {
				return
			}
		}
		if !r.say(c, "end", "250 2.0.0 taken") {
			return
		}
	}
}

// Every step of the conversation, every way to fail: what is known of it?
func TestEveryStepOfTheConversation(t *testing.T) {
	t.Parallel()
	type outcome string
	const (
		accepted outcome = "accepted"
		forNow   outcome = "refused for now"
		forGood  outcome = "refused for good"
		lost     outcome = "unknown"
	)
	for _, c := range []struct {
		step, does string
		want       outcome
		code       string
	}{
		{"greeting", "554 5.3.2 not today", forNow, "connect 554 5.3.2"},
		{"greeting", "421 busy", forNow, "connect 421"},
		{"greeting", "nonsense", forNow, "connect"},
		{"greeting", hangUp, forNow, "connect"},
		{"greeting", mute, forNow, "connect"},
		{"ehlo", hangUp, forNow, "connect"},
		{"ehlo", mute, forNow, "connect"},
		{"mail", "550 5.7.1 not from you", forGood, "mail 550 5.7.1"},
		{"mail", "452 4.3.1 disk full", forNow, "mail 452 4.3.1"},
		{"mail", hangUp, forNow, "mail"},
		{"mail", mute, forNow, "mail"},
		{"rcpt", "550 5.1.1 <" + patient + "> unknown", forGood, "rcpt 550 5.1.1"},
		{"rcpt", "550-5.1.1 two lines\r\n550 5.1.1 <" + patient + "> unknown", forGood, "rcpt 550 5.1.1"},
		{"rcpt", "450 4.2.0 greylisted", forNow, "rcpt 450 4.2.0"},
		{"rcpt", "251 " + patient + " will be forwarded", accepted, ""},
		{"rcpt", hangUp, forNow, "rcpt"},
		{"rcpt", mute, forNow, "rcpt"},
		{"data", "554 no", forGood, "data 554"},
		{"data", "451 later", forNow, "data 451"},
		{"data", hangUp, forNow, "data"},
		{"data", mute, forNow, "data"},
		// Here it begins: a short letter is written at once with its end.
		{"content", hangUp, lost, "end"},
		{"end", "554 5.6.0 spam", forGood, "end 554 5.6.0"},
		{"end", "451 4.3.0 later", forNow, "end 451 4.3.0"},
		{"end", "421 4.3.2 going down", forNow, "end 421 4.3.2"},
		{"end", "354 what?", lost, "end 354"},
		{"end", "gibberish", lost, "end"},
		{"end", hangUp, lost, "end"},
		{"end", mute, lost, "end"},
		// It is taken: nothing that comes later changes that.
		{"quit", "421 bye", accepted, ""},
		{"quit", hangUp, accepted, ""},
	} {
		t.Run(c.step+" "+c.does, func(t *testing.T) {
			t.Parallel()
			cfg := settings(scripted(t, map[string]string{c.step: c.does}).l.Addr().String())
			if c.does == mute {
				cfg.Timeout = 100 * time.Millisecond
			}
			_, err := sender(t, cfg).Send(t.Context(), message())
			switch c.want {
			case accepted:
				require.NoError(t, err)
			case lost:
				require.Equal(t, c.code, unknown(t, err).Code)
			case forNow, forGood:
				r := refused(t, err)
				require.Equal(t, c.code, r.Code)
				require.Equal(t, c.want == forGood, r.Permanent)
			}
			if c.does == mute {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	}
}

// A letter that did not go out in full has no end, so that no relay has it.
func TestConnectionLostInTheMiddleOfALongLetter(t *testing.T) {
	t.Parallel()
	cfg := settings(scripted(t, map[string]string{"content": hangUp}).l.Addr().String())
	m := message()
	m.Body = strings.Repeat("Du har time. ", 1<<20)
	_, err := sender(t, cfg).Send(t.Context(), m)
	r := refused(t, err)
	require.False(t, r.Permanent)
	require.Equal(t, "data", r.Code)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = sender(t, settings(l.Addr().String())).Send(t.Context(), message())
	r := refused(t, err)
	require.False(t, r.Permanent)
	require.Equal(t, "connect", r.Code)
	require.ErrorContains(t, err, "connection refused")
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"greeting", "rcpt", "end"} {
		ctx, cancel := context.WithCancel(t.Context())
		r := scripted(t, map[string]string{step: mute})
		done := make(chan error, 1)
		from := sender(t, settings(r.l.Addr().String()))
		go func() {
			_, err := from.Send(ctx, message())
			done <- err
		}()
		cancel()
		err := <-done
		require.ErrorIs(t, err, context.Canceled, step)
		silent(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := open(t, sink.Config{})
	s.SetFaults(sink.Faults{Mail: sink.Fault{LatencyMS: 60_000}})
	from := sender(t, settings(s.MailAddr()))
	done := make(chan error, 1)
	go func() {
		_, err := from.Send(ctx, message())
		done <- err
	}()
	_, err := s.Await(t.Context(), func(all []sink.Message) bool { return len(all) == 1 })
	require.NoError(t, err)
	cancel()
	require.Equal(t, &channel.Unknown{Code: "end", Cause: context.Canceled}, <-done)
}

// certificate makes one for 127.0.0.1 and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server, trusted := certificate(t)
	for _, c := range []struct {
		name   string
		sink   sink.Config
		policy string
		roots  *x509.CertPool
		cause  string // "" where it arrives
	}{
		{"mandatory", sink.Config{TLS: server}, config.TLSMandatory, trusted, ""},
		{"mandatory, not offered", sink.Config{}, config.TLSMandatory, trusted, "does not support STARTTLS"},
		{"mandatory, not trusted", sink.Config{TLS: server}, config.TLSMandatory, nil, "certificate signed by unknown authority"},
		{"opportunistic", sink.Config{TLS: server}, config.TLSOpportunistic, trusted, ""},
		{"opportunistic, not offered", sink.Config{}, config.TLSOpportunistic, trusted, ""},
		{"none", sink.Config{TLS: server}, config.TLSNone, nil, ""},
		{"login", sink.Config{TLS: server, User: "u", Password: "p"}, config.TLSMandatory, trusted, ""},
		{"login in the clear to this machine", sink.Config{User: "u", Password: "p"}, config.TLSNone, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, c.sink)
			cfg := settings(s.MailAddr())
			cfg.TLS, cfg.User, cfg.Password = c.policy, c.sink.User, c.sink.Password
			from := sender(t, cfg)
			from.roots = c.roots
			_, err := from.Send(t.Context(), message())
			if c.cause == "" {
				require.NoError(t, err)
				require.Len(t, s.Messages(), 1)
				return
			}
			r := refused(t, err)
			require.False(t, r.Permanent, "that is about us")
			require.Equal(t, "connect", r.Code)
			require.ErrorContains(t, err, c.cause)
			require.Empty(t, s.Messages())
		})
	}
}

func TestLoginIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, sink.Config{User: "u", Password: "right"})
	cfg := settings(s.MailAddr())
	cfg.User, cfg.Password = "u", "wrong"
	_, err := sender(t, cfg).Send(t.Context(), message())
	r := refused(t, err)
	require.False(t, r.Permanent, "that is about us")
	require.Equal(t, "connect 535 5.7.8", r.Code)
	require.NotContains(t, err.Error(), "wrong")

	cfg.User, cfg.Password = "", ""
	_, err = sender(t, cfg).Send(t.Context(), message())
	require.Equal(t, "mail 502 5.7.0", refused(t, err).Code)
	require.Empty(t, s.Messages())
}

func TestAddressOutsideASCII(t *testing.T) {
	t.Parallel()
	m := message()
	m.To = "kåre.fiktiv@pasient.example"
	s := open(t, sink.Config{})
	_, err := sender(t, settings(s.MailAddr())).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, m.To, s.Messages()[0].To)

	_, err = sender(t, settings(scripted(t, nil).l.Addr().String())).Send(t.Context(), m)
	require.True(t, refused(t, err).Permanent)
	require.Equal(t, channel.CodeAddress, refused(t, err).Code)
}

func TestNewNamesTheSetting(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*config.SMTP){
		"HELSEBRO_SMTP_ADDR": func(c *config.SMTP) { c.Addr = "relay" },
		"port number":        func(c *config.SMTP) { c.Addr = "relay:smtp" },
		"HELSEBRO_SMTP_FROM": func(c *config.SMTP) { c.From = "us" },
		"HELSEBRO_SMTP_TLS":  func(c *config.SMTP) { c.TLS = "" },
	} {
		cfg := settings("127.0.0.1:25")
		change(&cfg)
		_, err := New(cfg)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err))
		require.ErrorContains(t, err, want)
	}
}
