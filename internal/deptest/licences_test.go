package deptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// phrases are what each licence that a shipped module may have says of itself. The first
// that a text has is the text's.
var phrases = []struct {
	licence string
	has     *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License,? Version 2\.0`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms.* (Neither the name|[Tt]he names of its contributors)`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and/?(or)? distribute this software for any purpose`)},
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying)(\.|-|$)`)

// withoutLicence is the one module that has no word about it: annotations of Temporal's API,
// by Temporal's own people, whose other modules are MIT's.
const withoutLicence = "github.com/nexus-rpc/nexus-proto-annotations"

// licenceOf is the licence of the module in the directory, "none" when nothing there has one
// that a shipped module may have.
func licenceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		if f.IsDir() || !licenceFile.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		words := strings.Join(strings.Fields(string(text)), " ")
		for _, p := range phrases {
			if p.has.MatchString(words) {
				return p.licence
			}
		}
	}
	return "none"
}

// TestLicences: what the programs are built of is what somebody has read the licence of. A
// new module fails here, until it stands in licences.txt.
func TestLicences(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Module", "./starter", "./worker")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	require.NoError(t, err)
	var found []string
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Dir string
				Main      bool
			}
		}
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if p.Module == nil || p.Module.Main {
			continue
		}
		if line := p.Module.Path + " " + licenceOf(t, p.Module.Dir); !slices.Contains(found, line) {
			found = append(found, line)
		}
	}
	slices.Sort(found)
	text, err := os.ReadFile("licences.txt")
	require.NoError(t, err)
	require.Equal(t, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), found, "read the licence of what is new, and write it into licences.txt")
	for _, line := range found {
		if module, licence, _ := strings.Cut(line, " "); module != withoutLicence {
			require.NotEqual(t, "none", licence, "%s: its licence is none that a shipped module may have", module)
		}
	}
}
