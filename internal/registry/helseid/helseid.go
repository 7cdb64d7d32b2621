// Package helseid gets access tokens for machines from HelseID, as Norsk helsenett's
// interfaces demand them: client credentials with a signed assertion (RFC 7523), bound to a
// key where the interface wants that (DPoP, RFC 9449).
package helseid

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	// assertionLife is how long an assertion is good for: it is used at once.
	assertionLife = time.Minute
	// early is how long before its end a token is replaced.
	early = 30 * time.Second
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 1 << 20
	timeout   = 10 * time.Second
)

// Config is who asks, and for what.
type Config struct {
	// TokenURL is the token endpoint, such as https://helseid-sts.test.nhn.no/connect/token.
	TokenURL string
	ClientID string
	// Key is the client's private key; see LoadKey.
	Key jose.JSONWebKey
	// Scope is what the token is for.
	Scope string
	// DPoP binds the token to the key.
	DPoP bool
	// Base is how HelseID is reached; nil is http.DefaultTransport.
	Base http.RoundTripper
}

// Client gets tokens and keeps each until shortly before its end. It is safe for concurrent
// use.
type Client struct {
	cfg  Config
	http *http.Client
	now  func() time.Time

	// fetching holds who fetches a token: one at a time.
	fetching chan struct{}

	mu      sync.Mutex
	token   string
	until   time.Time
	nonces  sync.Map // by origin: what its server wants in the next proof
	signing jose.SignatureAlgorithm
}

// New makes a client. It is apperr.Invalid for a key that cannot sign.
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, now: time.Now, fetching: make(chan struct{}, 1), signing: jose.SignatureAlgorithm(cfg.Key.Algorithm)}
	if c.signing == "" {
		c.signing = jose.ES256
		if _, ok := cfg.Key.Key.(*rsa.PrivateKey); ok {
			c.signing = jose.RS256
		}
	}
	c.http = &http.Client{Transport: cfg.Base, Timeout: timeout, CheckRedirect: noRedirect}
	if _, err := c.assertion(); err != nil {
		return nil, apperr.New(apperr.Invalid, "the HelseID key cannot sign with %s: give a private key, and its alg", c.signing)
	}
	return c, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// LoadKey reads a private key as JWK from a file that nobody but its owner reads. The error
// is apperr.Invalid and quotes nothing of the file.
func LoadKey(path string) (key jose.JSONWebKey, err error) {
	file, err := os.Open(path)
	if err != nil {
		return key, apperr.Wrap(apperr.Invalid, err, "the HelseID key cannot be read")
	}
	defer file.Close() //nolint:errcheck // it is only read
	info, err := file.Stat()
	if err != nil {
		return key, apperr.Wrap(apperr.Invalid, err, "the HelseID key cannot be read")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return key, apperr.New(apperr.Invalid, "%s can be read by others than its owner: chmod 600 it", path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxAnswer))
	if err != nil || json.Unmarshal(raw, &key) != nil || key.IsPublic() || !key.Valid() {
		return key, apperr.New(apperr.Invalid, "%s holds no private key as JWK", path)
	}
	return key, nil
}

// signed is a token of claims, of a type.
func (c *Client) signed(typ string, embed bool, claims any) (string, error) {
	options := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: c.signing, Key: c.cfg.Key}, options)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// assertion says who we are.
func (c *Client) assertion() (string, error) {
	now := c.now()
	return c.signed("client-authentication+jwt", false, jwt.Claims{
		Issuer: c.cfg.ClientID, Subject: c.cfg.ClientID, Audience: jwt.Audience{c.cfg.TokenURL}, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	})
}

// proof proves that whoever makes a request has the key; token is "" at the token endpoint.
func (c *Client) proof(method string, u *url.URL, token string) (string, error) {
	claims := map[string]any{
		"jti": uuid.NewString(), "htm": method, "htu": u.Scheme + "://" + u.Host + u.EscapedPath(), "iat": c.now().Unix(),
	}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce, ok := c.nonces.Load(u.Host); ok {
		claims["nonce"] = nonce
	}
	return c.signed("dpop+jwt", true, claims)
}

// Token returns a token. It is apperr.Unavailable when HelseID gives none.
func (c *Client) Token(ctx context.Context) (string, error) {
	if token := c.known(); token != "" {
		return token, nil
	}
	select {
	case c.fetching <- struct{}{}:
		defer func() { <-c.fetching }()
	case <-ctx.Done():
		return "", apperr.Wrap(apperr.Unavailable, ctx.Err(), "HelseID gave no token in time")
	}
	if token := c.known(); token != "" { // somebody else was first
		return token, nil
	}
	u, err := url.Parse(c.cfg.TokenURL)
	if err != nil {
		return "", apperr.New(apperr.Invalid, "HelseID's token endpoint is no URL")
	}
	for attempt := range 2 {
		answer, again, err := c.fetch(ctx, u)
		if again && attempt == 0 {
			continue
		}
		if err != nil {
			return "", err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.token, c.until = answer.Token, c.now().Add(time.Duration(answer.ExpiresIn)*time.Second-early)
		return c.token, nil
	}
	return "", errors.New("unreachable")
}

// known is the token that there is, "" when it has to be fetched.
func (c *Client) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.now().Before(c.until) {
		return ""
	}
	return c.token
}

// forget makes the next request fetch another token.
func (c *Client) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
}

type tokenAnswer struct {
	Token     string `json:"access_token"`
	ExpiresIn int64  `json:"expires_in"`
	Error     string `json:"error"`
}

// errorCode is how OAuth names what went wrong (RFC 6749 §5.2).
var errorCode = regexp.MustCompile(`^[a-z_]{1,50}$`)

// fetch asks for a token. again tells that the server wants a nonce, which is known now.
func (c *Client) fetch(ctx context.Context, u *url.URL) (answer tokenAnswer, again bool, err error) {
	assertion, err := c.assertion()
	if err != nil {
		return answer, false, apperr.Wrap(apperr.Internal, err, "the assertion for HelseID cannot be signed")
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.cfg.ClientID}, "scope": {c.cfg.Scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return answer, false, apperr.New(apperr.Invalid, "HelseID's token endpoint is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.cfg.DPoP {
		proof, err := c.proof(http.MethodPost, u, "")
		if err != nil {
			return answer, false, apperr.Wrap(apperr.Internal, err, "the proof for HelseID cannot be signed")
		}
		req.Header.Set("DPoP", proof)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer, false, apperr.Wrap(apperr.Unavailable, err, "HelseID does not answer")
	}
	defer res.Body.Close() //nolint:errcheck // it is read as far as it matters
	err = json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&answer)
	if c.nonce(u.Host, res) && answer.Error == "use_dpop_nonce" {
		return answer, true, apperr.New(apperr.Unavailable, "HelseID wants another nonce each time")
	}
	if res.StatusCode != http.StatusOK || err != nil || answer.Token == "" || answer.ExpiresIn <= 0 {
		why := "its answer is not that of a token endpoint"
		if errorCode.MatchString(answer.Error) {
			why = answer.Error
		}
		return answer, false, apperr.New(apperr.Unavailable, "HelseID gives no token (%s, %s): check the client's id, key and scope", res.Status, why)
	}
	return answer, false, nil
}

// nonce remembers what a server wants in the next proof.
func (c *Client) nonce(host string, res *http.Response) bool {
	nonce := res.Header.Get("DPoP-Nonce")
	if nonce == "" {
		return false
	}
	c.nonces.Store(host, nonce)
	return true
}

// Transport adds a token to each request, and a proof where tokens are bound. A request
// with a body is repeated only when it can be read again (http.Request.GetBody).
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{client: c, base: base}
}

type transport struct {
	client *Client
	base   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for attempt := range 2 {
		token, err := t.client.Token(req.Context())
		if err != nil {
			return nil, err
		}
		r := req.Clone(req.Context())
		if req.Body != nil && req.GetBody != nil {
			if r.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		scheme := "Bearer"
		if t.client.cfg.DPoP {
			scheme = "DPoP"
			proof, err := t.client.proof(r.Method, r.URL, token)
			if err != nil {
				return nil, apperr.Wrap(apperr.Internal, err, "the proof cannot be signed")
			}
			r.Header.Set("DPoP", proof)
		}
		r.Header.Set("Authorization", scheme+" "+token)
		res, err := t.base.RoundTrip(r)
		if err != nil {
			return res, err
		}
		known := t.client.nonce(r.URL.Host, res)
		if res.StatusCode != http.StatusUnauthorized {
			return res, nil
		}
		// It wants a nonce, or knows the token no more: once more, with what is new.
		if !known || !strings.Contains(res.Header.Get("WWW-Authenticate"), "use_dpop_nonce") {
			t.client.forget(token)
		}
		if attempt > 0 || req.Body != nil && req.GetBody == nil {
			return res, nil
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
		_ = res.Body.Close()
	}
	return nil, errors.New("unreachable")
}

// String names the client and hides its key.
func (c *Client) String() string { return fmt.Sprintf("HelseID client %s", c.cfg.ClientID) }
