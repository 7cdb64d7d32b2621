// Package xsdtest holds messages against the official schemas and brings the official
// samples, for tests. Neither is ours to publish: a machine without them skips what
// needs them.
package xsdtest

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

// Shared is a path in the folder of official schemas and samples: HELSEBRO_SHARED, or
// ../shared beside the repository. The test is skipped where there is no such folder.
func Shared(t testing.TB, path string) string {
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
	_, err := os.Stat(path) //nolint:gosec // where the developer says that it is
	return err == nil
}

// Verdicts validates documents against the official schemas in one call of xmllint.
// The verdict of a document is "" when it is valid.
func Verdicts(t testing.TB, documents [][]byte) []string {
	t.Helper()
	schema := Shared(t, "xsd/helsenorge-all.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Fatal("xmllint is not on PATH: apt-get install -y --no-install-recommends libxml2-utils")
	}
	dir := t.TempDir()
	args := []string{"--nonet", "--noout", "--schema", schema}
	names := make([]string, len(documents))
	for i, d := range documents {
		names[i] = fmt.Sprintf("%d.xml", i)
		require.NoError(t, os.WriteFile(filepath.Join(dir, names[i]), d, 0o600))
	}
	cmd := exec.Command("xmllint", append(args, names...)...) //nolint:gosec // on files that the test has written
	cmd.Dir = dir
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

// RequireValid fails on the first document that the official schemas refuse.
func RequireValid(t testing.TB, documents ...[]byte) {
	t.Helper()
	for i, verdict := range Verdicts(t, documents) {
		require.Empty(t, verdict, "document %d:\n%s", i, documents[i])
	}
}

// Samples are the official samples whose file name holds part, by name.
func Samples(t testing.TB, part string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, dir := range []string{"samples/helsenorge", "samples/apprec"} {
		files, err := filepath.Glob(filepath.Join(Shared(t, dir), "*"+part+"*.xml"))
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
