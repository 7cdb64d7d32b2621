package identity

import (
	"net/http"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Credentials are what a request has to prove who calls.
type Credentials struct {
	// Token is the access token.
	Token string
	// Scheme is how it was sent: SchemeBearer or SchemeDPoP.
	Scheme string
	// Proof is the content of the header DPoP, for SchemeDPoP.
	Proof string
	// Method and Path are the request's, as a proof names them: Path is escaped, without
	// query.
	Method, Path string
}

// The schemes of Credentials.
const (
	SchemeBearer = "Bearer"
	SchemeDPoP   = "DPoP"
)

// Bearer is a token without a proof.
func Bearer(token string) Credentials { return Credentials{Token: token, Scheme: SchemeBearer} }

// ReadCredentials returns the credentials of a request: one header Authorization, with one
// header DPoP for the scheme DPoP. Unauthenticated, with a Challenge as its cause, where
// there are none, or more than one, or where a token is in the URL: URLs end up in logs
// (RFC 6750 §5.3).
func ReadCredentials(r *http.Request) (Credentials, error) {
	headers := r.Header.Values("Authorization")
	switch {
	case r.URL.Query().Has("access_token"):
		return Credentials{}, challenged("", "invalid_request", "a token is in the URL, where others may read it: send it as a header, and have this one revoked")
	case len(headers) == 0:
		return Credentials{}, challenged("", "", "there is no access token: send Authorization: Bearer <token>")
	case len(headers) > 1:
		return Credentials{}, challenged("", "invalid_request", "there are two headers Authorization: send one")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	c := Credentials{Token: strings.TrimSpace(token), Method: r.Method, Path: r.URL.EscapedPath()}
	switch {
	case c.Token != "" && strings.EqualFold(scheme, SchemeBearer):
		c.Scheme = SchemeBearer
	case c.Token != "" && strings.EqualFold(scheme, SchemeDPoP):
		c.Scheme = SchemeDPoP
		proofs := r.Header.Values("DPoP")
		if len(proofs) != 1 {
			return Credentials{}, challenged(SchemeDPoP, "invalid_dpop_proof", "the scheme DPoP needs exactly one header DPoP with a proof (RFC 9449)")
		}
		c.Proof = proofs[0]
	default:
		return Credentials{}, challenged("", "", "there is no access token: send Authorization: Bearer <token>, or DPoP <token> with a proof")
	}
	return c, nil
}

// Challenge is the cause of every refusal of credentials: what the header
// WWW-Authenticate says (RFC 6750 §3, RFC 9449 §7.1).
type Challenge struct {
	// Code is invalid_request, invalid_token, invalid_dpop_proof, use_dpop_nonce, or ""
	// where there were no credentials.
	Code string
	// Scheme is the one that was used, "" for none.
	Scheme string
	// Nonce is what the next proof must carry (header DPoP-Nonce), for use_dpop_nonce.
	Nonce string
}

// Error returns the code: the reason is in the error that has the challenge as its cause.
func (c *Challenge) Error() string {
	if c.Code == "" {
		return "no credentials"
	}
	return c.Code
}

// WWWAuthenticate returns the header's values: the code stands with the scheme that was
// used, and the other is offered too.
func (c *Challenge) WWWAuthenticate() []string {
	algs := make([]string, len(algorithms))
	for i, a := range algorithms {
		algs[i] = string(a)
	}
	plain, proven := `Bearer realm="helsebro"`, `DPoP realm="helsebro", algs="`+strings.Join(algs, " ")+`"`
	switch {
	case c.Code == "":
	case c.Scheme == SchemeDPoP:
		proven += `, error="` + c.Code + `"`
	default:
		plain += `, error="` + c.Code + `"`
	}
	return []string{plain, proven}
}

func challenged(scheme, code, message string) error {
	return apperr.Wrap(apperr.Unauthenticated, &Challenge{Code: code, Scheme: scheme}, "%s", message)
}
