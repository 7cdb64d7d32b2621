package identity

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/helsebro/helsebro/internal/apperr"
)

const (
	// proofLife is how old a proof may be.
	proofLife = time.Minute
	// maxProofs is how many proofs are remembered at once.
	maxProofs = 1 << 17
	// maxProofIDBytes bounds a jti.
	maxProofIDBytes = 256
	// nonceLife is how long one nonce is given out; it counts as long again.
	nonceLife = 5 * time.Minute
)

// proofs checks proofs of possession (RFC 9449) and remembers them. It is safe for
// concurrent use.
type proofs struct {
	// origin is where callers reach the API, without a slash at its end.
	origin   string
	required bool
	// nonceKey makes nonces; without one none is asked for.
	nonceKey []byte
	now      func() time.Time

	mu   sync.Mutex
	seen map[[sha256.Size]byte]struct{}
	// order has the remembered proofs, the first to be forgotten first.
	order []remembered
}

type remembered struct {
	proof [sha256.Size]byte
	until time.Time
}

// check is nil for a token that is bound to nothing and was sent as such, and for one that
// is bound to the key of its proof.
func (p *proofs) check(c Credentials, confirmation map[string]any) error {
	thumbprint, _ := confirmation["jkt"].(string)
	switch {
	case confirmation == nil && p.required:
		return refused("it is bound to no key: this service takes tokens with a proof of possession only (DPoP)")
	case confirmation == nil && c.Scheme == SchemeDPoP:
		return refused("it is bound to no key: send it with the scheme Bearer")
	case confirmation == nil:
		return nil
	case len(confirmation) != 1 || thumbprint == "":
		return refused("it is bound to something else than a key (cnf.jkt)")
	case c.Scheme != SchemeDPoP:
		return refused("it is bound to a key: send it with the scheme DPoP and a proof")
	}
	parsed, header, err := readJWT(c.Proof, "dpop+jwt")
	if err != nil {
		return proofRefused("%s", err)
	}
	key := header.JSONWebKey
	if key == nil || !slices.Contains(fitting(key.Key), jose.SignatureAlgorithm(header.Algorithm)) {
		return proofRefused("it has no public key (jwk) of its alg")
	}
	// The key is compared before it is used: what it costs to use is the caller's choice.
	own, err := key.Thumbprint(crypto.SHA256)
	if err != nil || subtle.ConstantTimeCompare([]byte(encoded(own)), []byte(thumbprint)) != 1 {
		return proofRefused("its key is not the one the token is bound to")
	}
	var said struct {
		ID       string           `json:"jti"`
		Method   string           `json:"htm"`
		URL      string           `json:"htu"`
		Token    string           `json:"ath"`
		IssuedAt *jwt.NumericDate `json:"iat"`
		Nonce    string           `json:"nonce"`
	}
	if err := parsed.Claims(key.Key, &said); err != nil {
		return proofRefused("its signature or its claims are wrong")
	}
	now, hash := p.now(), sha256.Sum256([]byte(c.Token))
	switch {
	case said.Method != c.Method:
		return proofRefused("htm is not the request's method")
	case !sameURL(said.URL, p.origin+c.Path):
		return proofRefused("htu is not the request's URL under HELSEBRO_PUBLIC_URL")
	case said.Token != encoded(hash[:]):
		return proofRefused("ath is not the token's hash")
	case said.ID == "" || len(said.ID) > maxProofIDBytes:
		return proofRefused("it has no jti, or one of more than %d bytes", maxProofIDBytes)
	case said.IssuedAt == nil:
		return proofRefused("it has no iat")
	case now.Sub(said.IssuedAt.Time()) > proofLife+leeway:
		return proofRefused("it is too old: make a proof for each request")
	case said.IssuedAt.Time().Sub(now) > leeway:
		return proofRefused("it is issued in the future")
	case p.nonceKey != nil && !p.given(said.Nonce, now):
		return &refusal{code: useNonce, reason: "it lacks the nonce of the header DPoP-Nonce, or has an old one", nonce: p.nonce(now)}
	}
	return p.remember(sha256.Sum256([]byte(thumbprint+said.ID)), now)
}

// sameURL compares as RFC 9449 §4.3 says: without query and fragment, and with scheme and
// host in any case.
func sameURL(said, own string) bool {
	a, err := url.Parse(said)
	if err != nil || a.Host == "" || a.User != nil {
		return false
	}
	b, err := url.Parse(own)
	return err == nil && strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(host(a), host(b)) && a.EscapedPath() == b.EscapedPath()
}

// host leaves out the port that the scheme means anyway.
func host(u *url.URL) string {
	port := map[string]string{"http": ":80", "https": ":443"}[strings.ToLower(u.Scheme)]
	if port == "" {
		return u.Host
	}
	return strings.TrimSuffix(u.Host, port)
}

// remember refuses a proof that was here before. One that cannot be remembered is not
// taken: what is forgotten could be used again.
func (p *proofs) remember(proof [sha256.Size]byte, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	past := 0
	for past < len(p.order) && now.After(p.order[past].until) {
		delete(p.seen, p.order[past].proof)
		past++
	}
	p.order = p.order[past:]
	if _, again := p.seen[proof]; again {
		return proofRefused("it was used before: make a proof for each request")
	}
	if len(p.order) >= maxProofs {
		return &apperr.Error{Kind: apperr.Unavailable, Message: "too many requests with proofs of possession: try again", After: proofLife}
	}
	if p.seen == nil {
		p.seen = map[[sha256.Size]byte]struct{}{}
	}
	p.seen[proof] = struct{}{}
	// The newest proof that is taken is leeway ahead, and counts for proofLife and leeway.
	p.order = append(p.order, remembered{proof, now.Add(proofLife + 2*leeway)})
	return nil
}

// nonce is what proofs must carry now: the time by which it was made and a proof that it
// was made here. Nothing is kept, so every process that has the key takes it.
func (p *proofs) nonce(now time.Time) string {
	return p.nonceOf(now.Unix() / int64(nonceLife/time.Second))
}

func (p *proofs) nonceOf(turn int64) string {
	made := binary.BigEndian.AppendUint64(nil, uint64(turn)) //nolint:gosec // bytes to be sealed, no number
	seal := hmac.New(sha256.New, p.nonceKey)
	seal.Write(made)
	return encoded(seal.Sum(made)[:24])
}

func (p *proofs) given(nonce string, now time.Time) bool {
	before := p.nonce(now.Add(-nonceLife))
	return hmac.Equal([]byte(nonce), []byte(p.nonce(now))) || hmac.Equal([]byte(nonce), []byte(before))
}
