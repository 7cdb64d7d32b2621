package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	good := Message{Key: "notice/3f2a/mail", To: "someone", Body: "text", ExpiresAt: now.Add(time.Nanosecond)}
	require.NoError(t, good.Check(now))
	for _, key := range []string{"a", "a.b", "A-Z_0/9.x", strings.Repeat("a", 200)} {
		m := good
		m.Key = key
		require.NoError(t, m.Check(now), key)
	}
	for code, bad := range map[string][]func(*Message){
		"key": {
			func(m *Message) { m.Key = "" }, func(m *Message) { m.Key = ".a" }, func(m *Message) { m.Key = "a." },
			func(m *Message) { m.Key = "a..b" }, func(m *Message) { m.Key = "a b" }, func(m *Message) { m.Key = "a@b" },
			func(m *Message) { m.Key = "a\n" }, func(m *Message) { m.Key = "å" }, func(m *Message) { m.Key = strings.Repeat("a", 201) },
		},
		CodeAddress: {func(m *Message) { m.To = "" }},
		"text":      {func(m *Message) { m.Body = "" }},
		CodeExpired: {func(m *Message) { m.ExpiresAt = now }, func(m *Message) { m.ExpiresAt = time.Time{} }},
	} {
		for _, change := range bad {
			m := good
			change(&m)
			var refused *Refused
			require.ErrorAs(t, m.Check(now), &refused)
			require.True(t, refused.Permanent)
			require.Equal(t, code, refused.Code)
		}
	}
}

func TestErrorsSayWhatIsKnown(t *testing.T) {
	t.Parallel()
	require.EqualError(t, &Refused{Permanent: true, Code: "rcpt 550 5.1.1"}, "the message was refused for good (rcpt 550 5.1.1)")
	require.EqualError(t, &Refused{Code: "connect", Cause: syscall.ECONNREFUSED}, "the message was refused for now (connect): connection refused")
	lost := &Unknown{Code: "end", Cause: context.Canceled}
	require.EqualError(t, lost, "it is not known whether the message was taken (end): context canceled")
	require.ErrorIs(t, lost, context.Canceled)
}

func TestCauseNamesNobody(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://kari.example", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{wrapped(context.Canceled), "context canceled"},
		{wrapped(context.DeadlineExceeded), "context deadline exceeded"},
		{wrapped(&net.DNSError{Err: "i/o timeout", Name: "kari.example", IsTimeout: true}), "context deadline exceeded"},
		{wrapped(&net.DNSError{Err: "no such host", Name: "kari.example", IsNotFound: true}), "the server's name does not resolve"},
		{wrapped(syscall.ECONNRESET), "connection reset by peer"},
		{fmt.Errorf("kari: %w", io.EOF), "the connection failed or was lost"},
		{errors.New("kari"), "the connection failed or was lost"},
	} {
		require.EqualError(t, Cause(c.err), c.want)
	}
}
