// Package scantest is a clamd for tests: it speaks INSTREAM over real TCP.
package scantest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Infected is what this clamd finds in a file: a harmless mark of its own, so that no
// scanner of the world stumbles over this repository.
var Infected = []byte("HELSEBRO-TEST-FILE-THAT-COUNTS-AS-INFECTED")

// Clamd is the daemon. It is safe for concurrent use.
type Clamd struct {
	// Addr is where it listens.
	Addr string

	mu      sync.Mutex
	replies []string
	scanned [][]byte
}

// Start runs a daemon until the test ends. It answers with each of replies in turn, ""
// hanging up instead, and then with what is true of the content.
func Start(t *testing.T, replies ...string) *Clamd {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &Clamd{Addr: l.Addr().String(), replies: replies}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				defer conn.Close() //nolint:errcheck // the answer was sent, or was not to be
				c.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		running.Wait()
	})
	return c
}

// Scanned are the contents that came whole, oldest first.
func (c *Clamd) Scanned() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([][]byte(nil), c.scanned...)
}

func (c *Clamd) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	if command, err := r.ReadString(0); err != nil || command != "zINSTREAM\x00" {
		_, _ = io.WriteString(conn, "UNKNOWN COMMAND\x00")
		return
	}
	var content bytes.Buffer
	for {
		var size uint32
		if binary.Read(r, binary.BigEndian, &size) != nil {
			return
		}
		if size == 0 {
			break
		}
		if _, err := io.CopyN(&content, r, int64(size)); err != nil {
			return
		}
	}
	if reply := c.reply(content.Bytes()); reply != "" {
		_, _ = io.WriteString(conn, reply+"\x00")
	}
}

func (c *Clamd) reply(content []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scanned = append(c.scanned, bytes.Clone(content))
	if len(c.replies) > 0 {
		reply := c.replies[0]
		c.replies = c.replies[1:]
		return reply
	}
	if bytes.Contains(content, Infected) {
		return "stream: Helsebro.Test-File FOUND"
	}
	return "stream: OK"
}
