package cli_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/xsdtest"
	"github.com/helsebro/helsebro/starter/cli"
)

// attachmentBytes is the size of the file in a large message, before base64.
const attachmentBytes = 12 << 20

// messageFiles are a dialogue of 3 kB and the same one with a file of 12 MB.
func messageFiles(t testing.TB) (dialogue, attachment string) {
	t.Helper()
	raw, err := os.ReadFile(ours("consultation-SB"))
	require.NoError(t, err)
	file := make([]byte, attachmentBytes)
	_, _ = rand.NewChaCha8([32]byte{}).Read(file)
	copy(file, "%PDF-1.7\n")
	pdf := regexp.MustCompile(`(application/pdf[^§]*?<(?:\w+:)?Base64Container[^>]*>)[^<]*`)
	large := pdf.ReplaceAll(raw, []byte("${1}"+base64.StdEncoding.EncodeToString(file)))
	require.Greater(t, len(large), attachmentBytes)
	dir := t.TempDir()
	dialogue, attachment = filepath.Join(dir, "dialogue.xml"), filepath.Join(dir, "attachment.xml")
	require.NoError(t, os.WriteFile(dialogue, raw, 0o600))
	require.NoError(t, os.WriteFile(attachment, large, 0o600))
	return dialogue, attachment
}

// judge is a program that says of each file whether it is valid.
type judge []string

// judges are this program and xmllint.
func judges(t testing.TB) (helsebro, xmllint judge) {
	t.Helper()
	schema := xsdtest.Shared(t, "xsd/helsenorge-all.xsd")
	program := filepath.Join(t.TempDir(), "helsebro")
	out, err := exec.Command("go", "build", "-o", program, "../../starter").CombinedOutput()
	require.NoError(t, err, string(out))
	// Without --huge it refuses a text of more than 10 MB.
	return judge{program, "message", "check"}, judge{"xmllint", "--nonet", "--huge", "--noout", "--schema", schema}
}

// on judges the files in one process, and returns how long it took.
func (j judge) on(t testing.TB, files ...string) time.Duration {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.Command(j[0], append(j[1:len(j):len(j)], files...)...)
	cmd.Stderr = &errs
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	require.NoError(t, err, "%.300s", errs.String())
	return took
}

// allocated is all memory that the check of the files takes, freed or not.
func allocated(t testing.TB, files ...string) int64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := run(t, nil, "", append([]string{"message", "check"}, files...)...)
	runtime.ReadMemStats(&after)
	require.Equal(t, cli.ExitDone, r.code, r.out)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// A large file costs its own size and little beyond it, however many there are. The test
// is not parallel: it counts what the whole process allocates.
func TestMessageCheckHoldsAFileOnce(t *testing.T) {
	_, attachment := messageFiles(t)
	info, err := os.Stat(attachment)
	require.NoError(t, err)
	require.Less(t, allocated(t, attachment), info.Size()+4<<20)
	require.Less(t, allocated(t, attachment, attachment, attachment), info.Size()+4<<20, "one after the other")
}

// BenchmarkMessageCheck measures `message check` beside xmllint in the same run: they take
// turns. A message's part of a batch is what each further file of one process takes.
func BenchmarkMessageCheck(b *testing.B) {
	dialogue, attachment := messageFiles(b)
	helsebro, xmllint := judges(b)
	for _, c := range []struct {
		name, file string
		batch      int
	}{{"3kB-dialogue", dialogue, 1000}, {"12MB-attachment", attachment, 5}} {
		b.Run(c.name, func(b *testing.B) {
			info, err := os.Stat(c.file)
			require.NoError(b, err)
			batch := make([]string, c.batch)
			for i := range batch {
				batch[i] = c.file
			}
			var one, many [2]time.Duration
			rounds := 0
			for b.Loop() {
				rounds++
				for i, j := range []judge{helsebro, xmllint} {
					one[i] += j.on(b, c.file)
					many[i] += j.on(b, batch...)
				}
			}
			b.ReportMetric(0, "ns/op")
			each := func(i int) float64 { return float64(many[i]-one[i]) / float64(rounds*(c.batch-1)) }
			for i, name := range []string{"helsebro", "xmllint"} {
				b.ReportMetric(each(i)/1e3, name+"-µs/message")
				b.ReportMetric(float64(one[i].Microseconds())/1e3/float64(rounds), name+"-ms/process")
			}
			b.ReportMetric(float64(allocated(b, c.file)-info.Size())/(1<<20), "MiB-allocated-beyond-input")
			b.ReportMetric(each(0)/each(1), "×xmllint/message")
			b.ReportMetric(float64(one[0])/float64(one[1]), "×xmllint/process")
		})
	}
}
