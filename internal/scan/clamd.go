package scan

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	// chunkSize is what one chunk of INSTREAM holds, in bytes, and what a scan costs in
	// memory.
	chunkSize = 64 << 10
	// maxReply bounds clamd's one line, in bytes.
	maxReply = 4 << 10
)

// Clamd is ClamAV's daemon, asked over TCP by its command INSTREAM. Its StreamMaxLength
// must be above attachment.MaxFileBytes; its default is.
type Clamd struct {
	// Addr is host:port.
	Addr string
	// Attempts is how often it is asked before nobody can tell, Pause what is waited
	// between, twice as long each time.
	Attempts int
	Pause    time.Duration
	// DialTimeout bounds the connection, IdleTimeout each chunk and the wait for the
	// verdict, which clamd gives after it has unpacked what is packed.
	DialTimeout, IdleTimeout time.Duration
}

var _ Scanner = (*Clamd)(nil)

// NewClamd makes the client of the daemon at addr with the usual patience: what is
// uploaded waits for it.
func NewClamd(addr string) *Clamd {
	return &Clamd{Addr: addr, Attempts: 3, Pause: 250 * time.Millisecond, DialTimeout: 2 * time.Second, IdleTimeout: 20 * time.Second}
}

// Scan implements Scanner.
func (c *Clamd) Scan(ctx context.Context, open func() (io.Reader, error)) error {
	pause := c.Pause
	for attempt := 1; ; attempt++ {
		content, err := open()
		if err != nil {
			return err
		}
		err = c.ask(ctx, content)
		if !apperr.Is(err, apperr.Unavailable) || attempt >= c.Attempts || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// ask sends the content once and reads the verdict.
func (c *Clamd) ask(ctx context.Context, content io.Reader) error {
	conn, err := (&net.Dialer{Timeout: c.DialTimeout}).DialContext(ctx, "tcp", c.Addr)
	if err != nil {
		return noVerdict(err)
	}
	defer conn.Close() //nolint:errcheck // the verdict is all that is wanted
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	if err := c.send(ctx, conn, content); err != nil {
		return err
	}
	reply, err := c.receive(ctx, conn)
	if err != nil {
		return err
	}
	return verdict(reply)
}

// send writes command and content. An error of the content passes as it is.
func (c *Clamd) send(ctx context.Context, conn net.Conn, content io.Reader) error {
	write := func(b []byte) error {
		err := c.extend(ctx, conn)
		if err == nil {
			_, err = conn.Write(b)
		}
		if err != nil {
			return noVerdict(err)
		}
		return nil
	}
	if err := write([]byte("zINSTREAM\x00")); err != nil {
		return err
	}
	chunk := make([]byte, 4+chunkSize)
	for {
		n, err := io.ReadFull(content, chunk[4:])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		if n > 0 {
			binary.BigEndian.PutUint32(chunk, uint32(n)) //nolint:gosec // at most chunkSize
			if err := write(chunk[:4+n]); err != nil {
				return err
			}
		}
		if last {
			return write(make([]byte, 4))
		}
	}
}

// receive reads clamd's line, which a zero byte ends.
func (c *Clamd) receive(ctx context.Context, conn net.Conn) (string, error) {
	if err := c.extend(ctx, conn); err != nil {
		return "", noVerdict(err)
	}
	reply, err := bufio.NewReaderSize(io.LimitReader(conn, maxReply), maxReply).ReadString(0)
	if err != nil {
		return "", noVerdict(err)
	}
	return strings.TrimSuffix(reply, "\x00"), nil
}

// extend gives the next step its time, unless ctx has ended.
func (c *Clamd) extend(ctx context.Context, conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(c.IdleTimeout)); err != nil {
		return err
	}
	return ctx.Err() // after it: its end may have set another deadline before
}

var (
	found = regexp.MustCompile(`^stream: ([[:graph:]]{1,200}) FOUND$`)
	clean = "stream: OK"
)

// verdict reads clamd's line strictly: what is neither clean nor found is no verdict.
func verdict(reply string) error {
	if reply == clean {
		return nil
	}
	if m := found.FindStringSubmatch(reply); m != nil {
		return apperr.New(apperr.Invalid, "the file is infected (%s): it is not kept. Clean the machine it comes from, and send it from another", m[1])
	}
	if strings.HasSuffix(reply, " ERROR") {
		return apperr.New(apperr.Unavailable, "the virus scanner could not judge the file: try again, and see its log")
	}
	return apperr.New(apperr.Unavailable, "the virus scanner answers in words that are not known: is it a clamd?")
}

// noVerdict is for what keeps clamd from answering.
func noVerdict(cause error) error {
	return apperr.Wrap(apperr.Unavailable, cause, "the virus scanner does not answer: try again, and see that clamd runs")
}
