package cli_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/cli"
)

func TestDemoInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a demo")
	got := run(t, nil, "", "demo", "init", dir)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	key, etc, clinic := filepath.Join(dir, "issuer-key.pem"), filepath.Join(dir, "etc"), filepath.Join(dir, "clinic.yaml")
	jwks, parties := filepath.Join(etc, "jwks.json"), filepath.Join(etc, "registry.yaml")
	for path, mode := range map[string]fs.FileMode{key: 0o600, clinic: 0o600, etc: 0o755, jwks: 0o644, parties: 0o644} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
	for _, command := range []string{
		"make compose-env", "docker compose up", "HELSEBRO_CLINIC=" + demo.ClinicID, "token --key '" + key + "'",
		"clinic put -f '" + clinic + "'", "--role operator", "clinic activate --gp " + demo.GPID, "simulate send", "starter inbox",
		"demo seed '" + dir + "'", "calendar list", "http://127.0.0.1:8238 (SMS and push)",
	} {
		require.Contains(t, got.out, command)
	}

	// The files are what their readers want.
	believed := func() {
		got := run(t, nil, "", "token", "--key", key, "--role", string(demo.GP.Role), "--subject", demo.GP.Subject, "--clinic", demo.ClinicID, "--hpr", demo.GP.HPR)
		require.Equal(t, cli.ExitDone, got.code, got.err)
		v, err := identity.NewVerifier(config.Identity{Issuer: identity.DevIssuerName, Audience: identity.DevAudience, JWKSFile: jwks})
		require.NoError(t, err)
		p, err := v.Verify(t.Context(), identity.Bearer(strings.TrimSpace(got.out)))
		require.NoError(t, err)
		want := demo.GP
		want.ClientID = identity.DevClientID
		require.Equal(t, want, p)
	}
	believed()
	file, err := registry.Open(parties)
	require.NoError(t, err)
	require.Len(t, file.Parties(), len(simulator.Parties())+len(demo.Registry()))
	r := serve(t, map[string]answer{"PUT /v1/clinics/" + demo.ClinicID: {204, nil}})
	got = run(t, r.env(), "", "clinic", "put", "-f", clinic)
	require.Equal(t, cli.ExitDone, got.code, got.err)
	require.Contains(t, r.calls[0].body, demo.Clinic().Name)

	// Repeated, it keeps what is there, mends what containers could not read, and
	// makes anew what is gone.
	kept := map[string][]byte{}
	for _, path := range []string{key, clinic, parties} {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		kept[path] = append(b, '\n')
		require.NoError(t, os.WriteFile(path, kept[path], 0o600))
	}
	require.NoError(t, os.Chmod(parties, 0o600))
	require.NoError(t, os.Remove(jwks))
	require.Equal(t, cli.ExitDone, run(t, nil, "", "demo", "init", dir).code)
	for path, want := range kept {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, b)
	}
	info, err := os.Stat(parties)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o644), info.Mode().Perm())
	believed()
}

func TestDemoInitSaysWhatIsInItsWay(t *testing.T) {
	t.Parallel()
	require.Equal(t, cli.ExitUsage, run(t, nil, "", "demo", "init").code)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etc"), nil, 0o600))
	got := run(t, nil, "", "demo", "init", dir)
	require.Equal(t, cli.ExitFailed, got.code)
	require.Contains(t, got.err, filepath.Join(dir, "etc"))

	dir = t.TempDir()
	key := filepath.Join(dir, "issuer-key.pem")
	require.NoError(t, os.WriteFile(key, nil, 0o600))
	require.NoError(t, os.Chmod(key, 0o644))
	got = run(t, nil, "", "demo", "init", dir)
	require.Equal(t, cli.ExitFailed, got.code)
	require.Contains(t, got.err, "chmod 600")
	require.NoFileExists(t, filepath.Join(dir, "etc", "jwks.json"))
}
