package identity

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

func TestDevIssuer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile, jwksFile := filepath.Join(dir, "issuer.pem"), filepath.Join(dir, "jwks.json")
	d, err := OpenDevIssuer(keyFile)
	require.NoError(t, err)
	info, err := os.Stat(keyFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.NoError(t, d.WriteJWKS(jwksFile))
	require.NoError(t, d.WriteJWKS(jwksFile))
	require.NotContains(t, string(d.JWKS()), `"d"`)

	var cfg config.Identity
	require.NoError(t, env.ParseWithOptions(&cfg, env.Options{Environment: map[string]string{"HELSEBRO_JWKS_FILE": jwksFile}}))
	v, err := NewVerifier(cfg)
	require.NoError(t, err)
	want := Principal{Subject: "user-1", ClientID: "epj", ClinicID: "clinic-1", Role: RoleStaff, Organisation: "999999999"}
	for _, p := range []Principal{
		want, {Subject: "gp", ClientID: "epj", ClinicID: "clinic-1", Role: RolePractitioner, HPR: "9144889"},
		{Subject: "operator", ClientID: "epj", Role: RoleOperator}, {Subject: "epj", ClientID: "epj", ClinicID: "clinic-1", Role: RoleService},
	} {
		token, err := d.Issue(p, time.Minute)
		require.NoError(t, err)
		got, err := v.Verify(t.Context(), Bearer(token))
		require.NoError(t, err, "the dev issuer's names are the defaults of the configuration")
		require.Equal(t, p, got)
	}

	again, err := OpenDevIssuer(keyFile)
	require.NoError(t, err)
	require.Equal(t, d.JWKS(), again.JWKS(), "the key stays")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing else is left")

	for name, c := range map[string]struct {
		p   Principal
		ttl time.Duration
	}{
		"no life":        {want, 0},
		"too long":       {want, MaxDevTokenLife + time.Second},
		"no subject":     {Principal{Role: RoleOperator}, time.Minute},
		"no role":        {Principal{Subject: "s", ClinicID: "c"}, time.Minute},
		"without clinic": {Principal{Subject: "s", Role: RoleStaff}, time.Minute},
		"without HPR":    {Principal{Subject: "s", ClinicID: "c", Role: RolePractitioner}, time.Minute},
	} {
		_, err := d.Issue(c.p, c.ttl)
		require.Truef(t, apperr.Is(err, apperr.Invalid), "%s: %v", name, err)
	}
}

func TestDevIssuerRefusesAnUnsafeKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "issuer.pem")
	_, err := OpenDevIssuer(keyFile)
	require.NoError(t, err)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o666} {
		require.NoError(t, os.Chmod(keyFile, mode))
		_, err := OpenDevIssuer(keyFile)
		require.True(t, apperr.Is(err, apperr.Invalid), err)
		require.ErrorContains(t, err, "chmod 600")
	}
	require.NoError(t, os.Chmod(keyFile, 0o400))
	_, err = OpenDevIssuer(keyFile)
	require.NoError(t, err)

	for name, content := range map[string]string{
		"empty":       "",
		"words":       "no key",
		"not PKCS #8": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		path := filepath.Join(t.TempDir(), "bad.pem")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := OpenDevIssuer(path)
		require.Truef(t, apperr.Is(err, apperr.Invalid), "%s: %v", name, err)
	}
	_, err = OpenDevIssuer(dir)
	require.ErrorContains(t, err, "is not a file")
	_, err = OpenDevIssuer(filepath.Join(dir, "no", "folder.pem"))
	require.True(t, apperr.Is(err, apperr.Invalid), err)
}

// Processes that start together end with one key.
func TestDevIssuerIsMadeOnce(t *testing.T) {
	t.Parallel()
	keyFile := filepath.Join(t.TempDir(), "issuer.pem")
	sets := make(chan string)
	for range 8 {
		go func() {
			d, err := OpenDevIssuer(keyFile)
			if err != nil {
				sets <- err.Error()
				return
			}
			sets <- string(d.JWKS())
		}()
	}
	first := <-sets
	require.Contains(t, first, `"kty": "EC"`)
	for range 7 {
		require.Equal(t, first, <-sets)
	}
}
