package rabbitmq_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/testca"
	"github.com/helsebro/helsebro/internal/transport"
	amqptransport "github.com/helsebro/helsebro/internal/transport/amqp"
	"github.com/helsebro/helsebro/internal/transport/cms"
)

// party is both sides: it signs and decrypts with one key.
type party struct {
	key  cms.Key
	cert *x509.Certificate
}

func (p party) Signing(int) (cms.Key, error)      { return p.key, nil }
func (p party) Decryption(int) ([]cms.Key, error) { return []cms.Key{p.key}, nil }

func (p party) Counterparty(_ context.Context, _, other int, _, _ string) (cms.Counterparty, error) {
	return cms.CounterpartyOf(other, []*x509.Certificate{p.cert}), nil
}

// BenchmarkEndToEnd seals, sends, receives, opens and accepts messages over RabbitMQ, eight
// of them at a time, and tells how much memory they take at most.
func BenchmarkEndToEnd(b *testing.B) {
	ca, err := testca.New("Fiktiv rot", "")
	require.NoError(b, err)
	issued, err := ca.Issue("Foretak", testca.Both)
	require.NoError(b, err)
	p := party{cms.Key{Certificate: issued.Certificate, Private: issued.Key}, issued.Certificate}
	sealer := cms.NewSealer(p, p, cms.NewChecker([]*x509.Certificate{ca.Root}, nil, time.Now), slog.New(slog.DiscardHandler))
	for _, size := range []struct {
		name  string
		bytes int
	}{{"3kB", 3 << 10}, {"12MB", 12 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			cfg := config(b)
			client, err := amqptransport.New(cfg)
			require.NoError(b, err)
			defer client.Close(context.Background()) //nolint:errcheck // the benchmark ends
			queue := queue(taken.Add(1) - 1)
			r, err := client.Receiver(b.Context(), queue, 8)
			require.NoError(b, err)
			xml := bytes.Repeat([]byte("x"), size.bytes)

			runtime.GC()
			var before runtime.MemStats
			runtime.ReadMemStats(&before)
			most, watched := before.HeapInuse, make(chan struct{})
			watching, stop := context.WithCancel(b.Context())
			go func() {
				defer close(watched)
				for watching.Err() == nil {
					var now runtime.MemStats
					runtime.ReadMemStats(&now)
					most = max(most, now.HeapInuse)
					wait(watching, 5*time.Millisecond)
				}
			}()

			b.SetBytes(int64(size.bytes))
			b.ReportAllocs()
			b.ResetTimer()
			var all sync.WaitGroup
			work := make(chan int)
			for range 8 {
				all.Go(func() {
					for i := range work {
						m := transport.Message{ID: fmt.Sprint(i), Subject: "DIALOG", To: queue, FromHerID: 1, ToHerID: 2, SentAt: time.Now()}
						if err := sealer.Seal(b.Context(), &m, xml); err != nil {
							b.Error(err)
						} else if err := client.Send(b.Context(), m); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Go(func() {
				var opening sync.WaitGroup
				for range b.N {
					d, err := r.Receive(b.Context())
					if err != nil {
						b.Error(err)
						return
					}
					opening.Go(func() {
						if got, err := sealer.Open(b.Context(), d.Message()); err != nil || len(got) != len(xml) {
							b.Errorf("%v", err)
						}
						if err := d.Accept(b.Context()); err != nil {
							b.Error(err)
						}
					})
				}
				opening.Wait()
			})
			for i := range b.N {
				work <- i
			}
			close(work)
			all.Wait()
			b.StopTimer()
			stop()
			<-watched
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(most-before.HeapInuse)/(1<<20), "MiB-more-at-most")
		})
	}
}
