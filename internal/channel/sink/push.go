package sink

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/channel/webpush"
)

// maxPush is what a push service must take (RFC 8030 §7.2), and this one takes no more.
const maxPush = 4096

// browser is a subscription with its secrets: push service and browser in one.
type browser struct {
	private *ecdh.PrivateKey
	auth    []byte
	// server is the key that it was subscribed with, "" for any.
	server string
	gone   bool
}

// Subscribe makes a subscription of a new browser for the server key that
// webpush.Sender.PublicKey returns; "" takes anybody's.
func (s *Sink) Subscribe(serverKey string) (webpush.Subscription, error) {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return webpush.Subscription{}, err
	}
	auth := make([]byte, 16)
	_, _ = rand.Read(auth) // never fails
	id := uuid.NewString()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers[id] = &browser{private: private, auth: auth, server: serverKey}
	return webpush.Subscription{Endpoint: s.URL() + "/push/" + id, P256dh: private.PublicKey().Bytes(), Auth: auth}, nil
}

// Unsubscribe ends a subscription by the last part of its endpoint: what comes for it
// is answered 410 from then on. apperr.NotFound: there never was such a one.
func (s *Sink) Unsubscribe(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.browsers[id]
	if b == nil {
		return apperr.New(apperr.NotFound, "there is no such subscription")
	}
	b.gone = true
	return nil
}

// subscription returns a copy.
func (s *Sink) subscription(id string) (browser, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.browsers[id]
	if b == nil {
		return browser{}, false
	}
	return *b, true
}

// takePush is the push service: it checks what a real one checks, and decrypts as the
// browser would.
func (s *Sink) takePush(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	b, ok := s.subscription(id)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	m := Message{Way: Push, Outcome: Refused, To: id, Header: map[string]string{}}
	refuse := func(status int) {
		s.keep(m)
		w.WriteHeader(status)
	}
	if b.gone {
		refuse(http.StatusGone)
		return
	}
	if status := s.authorised(r.Header.Get("Authorization"), b.server); status != 0 {
		refuse(status)
		return
	}
	ttl, err := strconv.ParseUint(r.Header.Get("TTL"), 10, 31)
	if err != nil || r.Header.Get("Content-Encoding") != "aes128gcm" {
		refuse(http.StatusBadRequest)
		return
	}
	for _, name := range []string{"TTL", "Urgency", "Topic"} {
		m.Header[name] = r.Header.Get(name)
	}
	m.ExpiresAt = time.Now().UTC().Add(time.Duration(ttl) * time.Second)
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		refuse(http.StatusRequestEntityTooLarge)
		return
	}
	if s.refuses(Push) {
		w.Header().Set("Retry-After", "1")
		refuse(http.StatusServiceUnavailable)
		return
	}
	plain, err := b.decrypt(raw)
	var p webpush.Payload
	if err != nil || json.Unmarshal(plain, &p) != nil {
		// A real service would deliver it, and the browser would throw it away.
		refuse(http.StatusBadRequest)
		return
	}
	m.Key, m.Subject, m.Text, m.Outcome = p.ID, p.Title, p.Body, s.outcome(Push)
	s.keep(m)
	s.linger(r.Context(), Push)
	if m.Outcome != Taken {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	w.Header().Set("Location", s.URL()+"/push/messages/"+uuid.NewString())
	w.WriteHeader(http.StatusCreated)
}

var vapid = regexp.MustCompile(`^vapid t=([A-Za-z0-9_.-]+), ?k=([A-Za-z0-9_-]+)$`)

// authorised returns 0, 401 for a token that proves nothing, or 403 for one of
// somebody whom the browser has not subscribed to (RFC 8292 §4.2).
func (s *Sink) authorised(header, server string) int {
	parts := vapid.FindStringSubmatch(header)
	if parts == nil {
		return http.StatusUnauthorized
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return http.StatusUnauthorized
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return http.StatusUnauthorized
	}
	token, err := jwt.ParseSigned(parts[1], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return http.StatusUnauthorized
	}
	var c jwt.Claims
	now := time.Now()
	if err := token.Claims(public, &c); err != nil || c.Expiry == nil || c.Subject == "" ||
		!c.Audience.Contains(s.URL()) || now.After(c.Expiry.Time()) || c.Expiry.Time().Sub(now) > 24*time.Hour {
		return http.StatusUnauthorized
	}
	if server != "" && server != parts[2] {
		return http.StatusForbidden
	}
	return 0
}

// decrypt is the browser's side of RFC 8291, written apart from the sender's.
func (b browser) decrypt(body []byte) ([]byte, error) {
	const salt, size, id = 16, 4, 1
	malformed := errors.New("the body is not aes128gcm")
	if len(body) < salt+size+id {
		return nil, malformed
	}
	keyLength := int(body[salt+size])
	rest := body[salt+size+id:]
	if len(rest) < keyLength || int(binary.BigEndian.Uint32(body[salt:])) < len(rest)-keyLength {
		return nil, malformed
	}
	sender, err := ecdh.P256().NewPublicKey(rest[:keyLength])
	if err != nil {
		return nil, err
	}
	shared, err := b.private.ECDH(sender)
	if err != nil {
		return nil, err
	}
	extracted, err := hkdf.Extract(sha256.New, shared, b.auth)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(b.private.PublicKey().Bytes()) + string(sender.Bytes())
	input, err := hkdf.Expand(sha256.New, extracted, info, 32)
	if err != nil {
		return nil, err
	}
	pseudo, err := hkdf.Extract(sha256.New, input, body[:salt])
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Expand(sha256.New, pseudo, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Expand(sha256.New, pseudo, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	padded, err := gcm.Open(nil, nonce, rest[keyLength:], nil)
	if err != nil {
		return nil, err
	}
	for i := len(padded) - 1; i >= 0; i-- {
		switch padded[i] {
		case 0:
		case 2:
			return padded[:i], nil
		default:
			return nil, malformed
		}
	}
	return nil, malformed
}
