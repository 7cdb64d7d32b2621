package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
)

// Identity is who may call.
type Identity struct {
	// Issuer and Audience are what a token must say. HelseID is
	// https://helseid-sts.nhn.no, and the audience is the API's name there.
	Issuer   string `env:"HELSEBRO_TOKEN_ISSUER" envDefault:"https://issuer.helsebro.invalid"`
	Audience string `env:"HELSEBRO_TOKEN_AUDIENCE" envDefault:"helsebro"`
	// JWKSFile or JWKSURL holds the issuer's public keys; where both are empty, they are
	// where the issuer's discovery document says.
	JWKSFile string `env:"HELSEBRO_JWKS_FILE" envDefault:""`
	JWKSURL  string `env:"HELSEBRO_JWKS_URL" envDefault:""`
	// Clinics is the clinic of each organisation, as number:clinic, comma separated; * is
	// the organisation that runs the installation. Where it is empty, tokens name the
	// clinic themselves, which HelseID's do not.
	Clinics map[string]string `env:"HELSEBRO_TOKEN_CLINICS" envDefault:""`
	// PublicURL is where callers reach the API, which proofs of possession name.
	PublicURL string `env:"HELSEBRO_PUBLIC_URL" envDefault:"http://127.0.0.1:8235"`
	// DPoPRequired refuses tokens that are not bound to a key (RFC 9449).
	DPoPRequired bool `env:"HELSEBRO_DPOP_REQUIRED" envDefault:"false"`
	// DPoPNonceKey is base64 of the 32 bytes that nonces are made with; every process has
	// the same. Empty means that proofs need no nonce.
	DPoPNonceKey string `env:"HELSEBRO_DPOP_NONCE_KEY" envDefault:""`
}

// devIssuer has no keys to be found: its host cannot exist (RFC 2606).
const devIssuer = "https://issuer.helsebro.invalid"

var organisationNumber = regexp.MustCompile(`^[0-9]{9}$`)

// Validate names every setting that is missing or wrong, with what would be right.
func (c Identity) Validate() error {
	var errs []error
	if c.Issuer == "" || c.Audience == "" {
		errs = append(errs, errors.New("HELSEBRO_TOKEN_ISSUER and HELSEBRO_TOKEN_AUDIENCE must not be empty"))
	}
	switch {
	case c.JWKSFile != "" && c.JWKSURL != "":
		errs = append(errs, errors.New("HELSEBRO_JWKS_FILE and HELSEBRO_JWKS_URL are both set: keys come from one place"))
	case c.JWKSURL != "":
		if err := CheckIssuerURL(c.JWKSURL); err != nil {
			errs = append(errs, fmt.Errorf("HELSEBRO_JWKS_URL: %w", err))
		}
	case c.JWKSFile == "" && c.Issuer == devIssuer:
		errs = append(errs, missing("HELSEBRO_JWKS_FILE", "the path of the token issuer's public keys (JWKS), or set HELSEBRO_TOKEN_ISSUER to an issuer whose keys can be found"))
	case c.JWKSFile == "":
		if err := CheckIssuerURL(c.Issuer); err != nil {
			errs = append(errs, fmt.Errorf("HELSEBRO_TOKEN_ISSUER: %w", err))
		}
	}
	for number, clinic := range c.Clinics {
		if !organisationNumber.MatchString(number) || clinic == "" {
			errs = append(errs, errors.New("HELSEBRO_TOKEN_CLINICS must be organisation numbers of nine digits, each with a clinic: 999999999:clinic,…"))
			break
		}
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || CheckIssuerURL(c.PublicURL) != nil || u.RawQuery != "" || u.Fragment != "" {
			errs = append(errs, errors.New("HELSEBRO_PUBLIC_URL must be an https URL (http on this machine only) without a query"))
		}
	}
	if c.PublicURL == "" && c.DPoPRequired {
		errs = append(errs, missing("HELSEBRO_PUBLIC_URL", "the URL by which callers reach the API: proofs of possession name it"))
	}
	if _, err := c.NonceKey(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// check is Validate, and that the key file is there.
func (c Identity) check() error {
	err := c.Validate()
	if c.JWKSFile != "" {
		err = errors.Join(err, checkFile("HELSEBRO_JWKS_FILE", c.JWKSFile, "the token issuer's public keys (JWKS)"))
	}
	return err
}

// NonceKey is the decoded DPoPNonceKey, nil where there is none.
func (c Identity) NonceKey() ([]byte, error) {
	if c.DPoPNonceKey == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(c.DPoPNonceKey)
	if err != nil || len(key) != 32 {
		return nil, errors.New("HELSEBRO_DPOP_NONCE_KEY must be base64 of 32 random bytes")
	}
	return key, nil
}

// CheckIssuerURL is nil for a URL that nobody on the way can answer for: https, or http to
// an address of the loopback.
func CheckIssuerURL(raw string) error {
	u, err := url.Parse(raw)
	if err == nil && u.Host != "" && u.User == nil && u.Scheme == "https" {
		return nil
	}
	if err == nil && u.User == nil && u.Scheme == "http" {
		if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
			return nil
		}
	}
	return errors.New("this must be an https URL, or http to 127.0.0.1 or [::1]")
}
