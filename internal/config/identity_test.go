package config

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentityNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, c := range []struct {
		cfg  Identity
		want string // "" when it is right
	}{
		{Identity{Issuer: devIssuer, Audience: "a", JWKSFile: "f"}, ""},
		{Identity{Issuer: "https://helseid.example", Audience: "a"}, ""},
		{Identity{Issuer: "http://127.0.0.1:9000", Audience: "a"}, ""},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "https://helseid.example/keys"}, ""},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "http://[::1]:9000/keys"}, ""},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", PublicURL: "https://helsebro.example/base", DPoPRequired: true, DPoPNonceKey: key}, ""},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", Clinics: map[string]string{"999999999": "c", "888888888": "*"}}, ""},
		{Identity{Audience: "a", JWKSFile: "f"}, "HELSEBRO_TOKEN_ISSUER and HELSEBRO_TOKEN_AUDIENCE"},
		{Identity{Issuer: "i", JWKSFile: "f"}, "HELSEBRO_TOKEN_ISSUER and HELSEBRO_TOKEN_AUDIENCE"},
		{Identity{Issuer: devIssuer, Audience: "a"}, "HELSEBRO_JWKS_FILE is not set"},
		{Identity{Issuer: "issuer", Audience: "a"}, "HELSEBRO_TOKEN_ISSUER: this must be an https URL"},
		{Identity{Issuer: "http://helseid.example", Audience: "a"}, "HELSEBRO_TOKEN_ISSUER: this must be an https URL"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", JWKSURL: "https://helseid.example"}, "both set"},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "http://localhost/keys"}, "HELSEBRO_JWKS_URL: this must be an https URL"},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "http://10.0.0.1/keys"}, "HELSEBRO_JWKS_URL"},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "file:///etc/passwd"}, "HELSEBRO_JWKS_URL"},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "https://user@helseid.example/"}, "HELSEBRO_JWKS_URL"},
		{Identity{Issuer: "i", Audience: "a", JWKSURL: "https:///keys"}, "HELSEBRO_JWKS_URL"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", Clinics: map[string]string{"99": "c"}}, "HELSEBRO_TOKEN_CLINICS"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", Clinics: map[string]string{"999999999": ""}}, "HELSEBRO_TOKEN_CLINICS"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", PublicURL: "http://helsebro.example"}, "HELSEBRO_PUBLIC_URL must be"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", PublicURL: "https://helsebro.example?x"}, "HELSEBRO_PUBLIC_URL must be"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", DPoPRequired: true}, "HELSEBRO_PUBLIC_URL is not set"},
		{Identity{Issuer: "i", Audience: "a", JWKSFile: "f", DPoPNonceKey: "c2hvcnQ="}, "HELSEBRO_DPOP_NONCE_KEY must be"},
	} {
		err := c.cfg.Validate()
		if c.want == "" {
			require.NoError(t, err, c.cfg)
			continue
		}
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "c2hvcnQ=", "a key is not repeated")
	}
}

// TestIdentityIsReadFromTheEnvironment: organisations with their clinics in one setting.
func TestIdentityIsReadFromTheEnvironment(t *testing.T) {
	t.Setenv("HELSEBRO_TOKEN_ISSUER", "https://helseid.example")
	t.Setenv("HELSEBRO_TOKEN_CLINICS", "999999999:0198c0de-0000-7000-8000-00000000c111,888888888:*")
	c, err := Load[Serve]()
	require.Error(t, err, "other settings are not given")
	require.NotContains(t, err.Error(), "HELSEBRO_JWKS", "keys can be found")
	require.Equal(t, map[string]string{"999999999": "0198c0de-0000-7000-8000-00000000c111", "888888888": "*"}, c.Identity.Clinics)
	require.Equal(t, "http://127.0.0.1:8235", c.Identity.PublicURL)
	t.Setenv("HELSEBRO_JWKS_FILE", "/nowhere/jwks.json")
	_, err = Load[Serve]()
	require.ErrorContains(t, err, "HELSEBRO_JWKS_FILE: the token issuer's public keys (JWKS) cannot be read")
}
