package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

// TestProofsAreRememberedWhileTheyCount: the earliest and the latest that a proof can be
// used, and again right before it is too old.
func TestProofsAreRememberedWhileTheyCount(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	token := sign(t, i.es, i.header(), i.bound(t))
	uses := func(proof string) error {
		_, err := i.authenticates(t, i.verifier, request([]string{"DPoP " + token}, proof))
		return err
	}
	ahead := i.proof(t, i.holder, token, nil, object{"iat": i.now.Add(leeway).Unix()})
	require.NoError(t, uses(ahead))
	i.now = i.now.Add(proofLife + 2*leeway)
	require.ErrorContains(t, uses(ahead), "used before")
	i.now = i.now.Add(time.Second)
	require.ErrorContains(t, uses(ahead), "too old")
	require.NoError(t, uses(i.proof(t, i.holder, token, nil, nil)))
	require.Len(t, i.verifier.proofs.order, 1, "the old one is forgotten")
	require.Len(t, i.verifier.proofs.seen, 1)
}

// TestAsManyProofsAsCanBeRemembered: one more is not taken, and an old one gives its place.
func TestAsManyProofsAsCanBeRemembered(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := &proofs{}
	nth := func(n int) (proof [sha256.Size]byte) {
		binary.BigEndian.PutUint64(proof[:], uint64(n))
		return proof
	}
	for n := range maxProofs {
		require.NoError(t, p.remember(nth(n), now.Add(time.Duration(n))))
	}
	now = now.Add(maxProofs)
	err := p.remember(nth(maxProofs), now)
	require.True(t, apperr.Is(err, apperr.Unavailable), err)
	require.ErrorContains(t, p.remember(nth(0), now), "used before", "none is forgotten for another")
	now = now.Add(proofLife + 2*leeway)
	require.NoError(t, p.remember(nth(maxProofs), now))
	require.Len(t, p.order, 1)
	require.Len(t, p.seen, 1)
}

func TestProofsMayBeRequired(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.believing(t, config.Identity{DPoPRequired: true})
	_, err := i.authenticates(t, v, request([]string{"Bearer " + sign(t, i.es, i.header(), i.claims())}))
	require.ErrorContains(t, err, "bound to no key")
	token := sign(t, i.es, i.header(), i.bound(t))
	_, err = i.authenticates(t, v, request([]string{"DPoP " + token}, i.proof(t, i.holder, token, nil, nil)))
	require.NoError(t, err)
}

func TestNonces(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	v, another := i.believing(t, config.Identity{DPoPNonceKey: key}), i.believing(t, config.Identity{DPoPNonceKey: key})
	token := sign(t, i.es, i.header(), i.bound(t).with(object{"exp": i.now.Add(time.Hour).Unix()}))
	uses := func(v *TokenVerifier, nonce any) (string, error) {
		_, err := i.authenticates(t, v, request([]string{"DPoP " + token}, i.proof(t, i.holder, token, nil, object{"nonce": nonce})))
		var c *Challenge
		if !errors.As(err, &c) {
			require.NoError(t, err)
			return "", nil
		}
		require.Equal(t, useNonce, c.Code)
		return c.Nonce, err
	}
	nonce, err := uses(v, nil)
	require.ErrorContains(t, err, "DPoP-Nonce")
	_, err = uses(v, nonce)
	require.NoError(t, err)
	_, err = uses(another, nonce)
	require.NoError(t, err, "every process takes it")
	again, err := uses(v, nonce+"x")
	require.Error(t, err)
	require.Equal(t, nonce, again)
	i.now = i.now.Add(nonceLife)
	_, err = uses(v, nonce)
	require.NoError(t, err, "it counts as long again as it is given out")
	i.now = i.now.Add(nonceLife)
	next, err := uses(v, nonce)
	require.Error(t, err)
	require.NotEqual(t, nonce, next)
	other, err := uses(i.believing(t, config.Identity{DPoPNonceKey: base64.StdEncoding.EncodeToString([]byte("another key of thirty-two bytes."))}), next)
	require.Error(t, err, "a nonce of another installation is none")
	require.NotEqual(t, next, other)
}
