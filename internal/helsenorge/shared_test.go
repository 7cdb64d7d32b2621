package helsenorge

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared is the folder of official schemas and samples: HELSEBRO_SHARED, or
// ../shared beside the repository. They are not ours to publish, so a machine
// without them skips what needs them.
func shared(t testing.TB, path string) string {
	t.Helper()
	root, err := os.Getwd()
	require.NoError(t, err)
	for !exists(filepath.Join(root, "go.mod")) {
		require.NotEqual(t, root, filepath.Dir(root), "no go.mod above the test")
		root = filepath.Dir(root)
	}
	dir := os.Getenv("HELSEBRO_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "shared")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	if !exists(dir) {
		t.Skipf("the official schemas and samples are not at %s: set HELSEBRO_SHARED to their folder", dir)
	}
	return filepath.Join(dir, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// xsdVerdicts validates documents against the official schemas in one call of
// xmllint. The error of a document is "" when it is valid.
func xsdVerdicts(t *testing.T, documents [][]byte) []string {
	t.Helper()
	schema := shared(t, "xsd/helsenorge-all.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Fatal("xmllint is not on PATH: apt-get install -y --no-install-recommends libxml2-utils")
	}
	dir := t.TempDir()
	args := []string{"--nonet", "--noout", "--schema", schema}
	names := make([]string, len(documents))
	for i, d := range documents {
		names[i] = filepath.Join(dir, fmt.Sprintf("m%06d.xml", i))
		require.NoError(t, os.WriteFile(names[i], d, 0o600))
	}
	cmd := exec.Command("xmllint", append(args, names...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil {
		require.ErrorAs(t, err, &exit, "xmllint did not run")
	}
	valid := map[string]bool{}
	said := map[string]string{}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutSuffix(line, " validates"); ok {
			valid[name] = true
		} else if name, rest, ok := strings.Cut(line, ".xml:"); ok {
			said[name+".xml"] += rest + "\n"
		}
	}
	verdicts := make([]string, len(documents))
	for i, name := range names {
		if !valid[name] {
			verdicts[i] = "invalid: " + said[name]
		}
	}
	return verdicts
}

// requireValid fails on the first document that the official schemas refuse.
func requireValid(t *testing.T, documents ...[]byte) {
	t.Helper()
	for i, verdict := range xsdVerdicts(t, documents) {
		require.Empty(t, verdict, "document %d:\n%s", i, documents[i])
	}
}

// samples are the official samples whose file name holds part.
func samples(t testing.TB, part string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, dir := range []string{"samples/helsenorge", "samples/apprec"} {
		files, err := filepath.Glob(filepath.Join(shared(t, dir), "*"+part+"*.xml"))
		require.NoError(t, err)
		for _, f := range files {
			raw, err := os.ReadFile(f)
			require.NoError(t, err)
			out[strings.TrimSuffix(filepath.Base(f), ".xml")] = raw
		}
	}
	require.NotEmpty(t, out, "no sample of the name %s", part)
	return out
}
