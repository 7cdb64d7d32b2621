package identity

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
)

// DevIssuerName and DevAudience are what the dev stack's tokens say: the defaults
// of HELSEBRO_TOKEN_ISSUER and HELSEBRO_TOKEN_AUDIENCE. The issuer's host cannot
// exist (RFC 2606), so nobody can be asked for such a token.
const (
	DevIssuerName = "https://issuer.helsebro.invalid"
	DevAudience   = "helsebro"
)

// DevClientID is the client of the dev stack's tokens whose principal names none.
const DevClientID = "helsebro-dev"

// MaxDevTokenLife bounds the life of the dev stack's tokens.
const MaxDevTokenLife = 24 * time.Hour

// DevIssuer issues the dev stack's tokens. An installation has an issuer of its
// own (HelseID); this one signs whatever it is asked to.
type DevIssuer struct {
	key    *ecdsa.PrivateKey
	signer jose.Signer
	kid    string
}

// OpenDevIssuer reads the issuer's ES256 key (PKCS #8 in PEM), or makes it when
// the file does not exist. The file is the owner's alone: one that group or
// others may read or write is refused (apperr.Invalid).
func OpenDevIssuer(keyFile string) (*DevIssuer, error) {
	key, err := readDevKey(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDevKey(keyFile); err == nil {
			key, err = readDevKey(keyFile)
		}
	}
	if err != nil {
		var known *apperr.Error
		if errors.As(err, &known) {
			return nil, known
		}
		return nil, apperr.Wrap(apperr.Invalid, err, "the dev issuer's key file cannot be used")
	}
	jwk := jose.JSONWebKey{Key: key.Public()}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "the dev issuer's key has no thumbprint")
	}
	d := &DevIssuer{key: key, kid: encoded(thumbprint)}
	d.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: d.kid}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return nil, apperr.Wrap(apperr.Internal, err, "the dev issuer's key does not sign")
	}
	return d, nil
}

// readDevKey checks the rights of the file it has open, not of a name.
func readDevKey(path string) (*ecdsa.PrivateKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, apperr.New(apperr.Invalid, "the dev issuer's key %s is not a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, apperr.New(apperr.Invalid,
			"the dev issuer's key %s may be used by others than its owner (mode %04o): chmod 600 it, or remove it to get a new one", path, mode)
	}
	raw, err := io.ReadAll(io.LimitReader(file, 16<<10))
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(raw); block != nil && block.Type == "PRIVATE KEY" {
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := parsed.(*ecdsa.PrivateKey); err == nil && ok && key.Curve == elliptic.P256() {
			return key, nil
		}
	}
	return nil, apperr.New(apperr.Invalid,
		"the dev issuer's key %s is not an ES256 key in PEM (PKCS #8): remove it to get a new one", path)
}

// makeDevKey writes a new key under another name first and links it, so that of
// two processes that start together both use the one that was first.
func makeDevKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	written, err := writeBeside(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(written) //nolint:errcheck // a left-over is readable by its owner only
	if err := os.Link(written, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writeBeside writes a new file in the folder of path and returns its name.
func writeBeside(path string, content []byte, mode fs.FileMode) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// Issue returns an access token for p that is valid from now on for ttl: more
// than 0 and at most MaxDevTokenLife. It says what the verifier demands, so a
// principal that the verifier would refuse is refused here (apperr.Invalid).
func (d *DevIssuer) Issue(p Principal, ttl time.Duration) (string, error) {
	if ttl <= 0 || ttl > MaxDevTokenLife {
		return "", apperr.New(apperr.Invalid, "a dev token lives more than 0 and at most %s", MaxDevTokenLife)
	}
	now := time.Now()
	std := jwt.Claims{
		Issuer:    DevIssuerName,
		Audience:  jwt.Audience{DevAudience},
		Subject:   p.Subject,
		ID:        uuid.NewString(),
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(ttl)),
	}
	own := claims{
		Client: cmp.Or(p.ClientID, DevClientID), Scope: scopes{DevAudience + "/" + string(p.Role)},
		HPR: p.HPR, Parent: p.Organisation, Clinic: p.ClinicID,
	}
	if person(p.Role) {
		own.Level = personLevel
	}
	if _, err := principal(std, own, DevAudience, nil); err != nil {
		return "", apperr.Wrap(apperr.Invalid, err, "no token can be issued for that principal")
	}
	token, err := jwt.Signed(d.signer).Claims(std).Claims(own).Serialize()
	if err != nil {
		return "", apperr.Wrap(apperr.Internal, err, "a dev token cannot be signed")
	}
	return token, nil
}

// JWKS returns the public key as a JWK Set (RFC 7517): the content of
// HELSEBRO_JWKS_FILE.
func (d *DevIssuer) JWKS() []byte {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key: d.key.Public(), KeyID: d.kid, Algorithm: string(jose.ES256), Use: "sig",
	}}}
	raw, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		panic(err) // a P-256 key always encodes
	}
	return append(raw, '\n')
}

// WriteJWKS writes JWKS to a file, replacing it as a whole.
func (d *DevIssuer) WriteJWKS(path string) error {
	written, err := writeBeside(path, d.JWKS(), 0o644)
	if err == nil {
		err = os.Rename(written, path)
	}
	if err != nil {
		return apperr.Wrap(apperr.Invalid, err, "the dev issuer's public key cannot be written")
	}
	return nil
}
