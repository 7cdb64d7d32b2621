package identity

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

// FuzzVerify sends tokens and proofs that anybody could send: none is believed but the two
// that were issued, and what is refused is refused as such.
func FuzzVerify(f *testing.F) {
	i := newIssuer(f)
	plain := sign(f, i.es, i.header(), i.claims())
	token := sign(f, i.es, i.header(), i.bound(f))
	proof := i.proof(f, i.holder, token, nil, nil)
	f.Add(plain, "", false)
	f.Add(token, proof, true)
	f.Add(token, "", true)
	f.Add(sign(f, i.stranger, i.header(), i.claims()), proof, true)
	f.Add(part(i.header().with(object{"alg": "none"}))+"."+part(i.claims())+".", "", false)
	f.Add(`{"payload":"","signatures":[]}`, "", false)
	// What was signed is what counts: the last bits of a signature's base64 do not.
	issued := func(given, own string) bool {
		return given[:strings.LastIndex(given, ".")] == own[:strings.LastIndex(own, ".")]
	}
	base := i.believing(f, config.Identity{})
	f.Fuzz(func(t *testing.T, given, possession string, bound bool) {
		v := *base
		v.proofs = &proofs{origin: base.proofs.origin, now: base.now}
		c := Bearer(given)
		if bound {
			c = Credentials{Token: given, Scheme: SchemeDPoP, Proof: possession, Method: "GET", Path: "/v1/inbox"}
		}
		p, err := v.Verify(t.Context(), c)
		if err == nil {
			require.Equal(t, Principal{Subject: "user-1", ClientID: "epj-1", ClinicID: "clinic-1", Role: RolePractitioner, Organisation: "999999999", HPR: "1234567"}, p)
			if bound {
				require.True(t, issued(given, token) && issued(possession, proof))
			} else {
				require.True(t, issued(given, plain))
			}
			return
		}
		require.Zero(t, p)
		require.True(t, apperr.Is(err, apperr.Unauthenticated), err)
		var challenge *Challenge
		require.ErrorAs(t, err, &challenge)
	})
}

// FuzzClaims signs any header and claims as the issuer does: whoever is believed has what
// the role needs, whatever else is said.
func FuzzClaims(f *testing.F) {
	i := newIssuer(f)
	text := func(o object) string { return decoded(f, part(o)) }
	// An EdDSA signature is the same each time, so that coverage tells of the claims alone.
	header, claims := text(i.header().with(object{"alg": "EdDSA", "kid": "ed"})), text(i.claims())
	f.Add(header, claims)
	f.Add(header, text(i.bound(f)))
	f.Add(header, text(i.claims().with(object{"scope": "nhn:helsebro/operator", "helsebro_clinic": nil})))
	f.Add(header, text(i.claims().with(object{"scope": "nhn:helsebro/service", "sub": nil, levelClaim: nil})))
	v := i.believing(f, config.Identity{})
	f.Fuzz(func(t *testing.T, header, claims string) {
		p, err := v.Verify(t.Context(), Bearer(sign(t, i.ed, header, claims)))
		if err != nil {
			require.Zero(t, p)
			require.True(t, apperr.Is(err, apperr.Unauthenticated), err)
			return
		}
		require.True(t, known(p.Role))
		require.Regexp(t, opaque, p.Subject)
		require.Regexp(t, opaque, p.ClientID)
		require.True(t, p.ClinicID != "" || p.Role == RoleOperator)
		require.True(t, p.HPR != "" || p.Role != RolePractitioner)
		var said map[string]any
		require.NoError(t, json.Unmarshal([]byte(claims), &said))
		require.Equal(t, issuerName, said["iss"])
		if person(p.Role) {
			require.Equal(t, "4", said[levelClaim])
		}
	})
}

// BenchmarkVerify is what a request costs before its right is looked at.
func BenchmarkVerify(b *testing.B) {
	i := newIssuer(b)
	v := i.believing(b, config.Identity{})
	now := time.Now()
	v.now, i.now = func() time.Time { return now }, now
	for name, token := range map[string]string{
		"ES256": sign(b, i.es, i.header(), i.claims()),
		"RS256": sign(b, pkcs1{i.ps}, i.header().with(object{"alg": "RS256", "kid": "rs"}), i.claims()),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := v.Verify(b.Context(), Bearer(token))
				require.NoError(b, err)
			}
		})
	}
	b.Run("ES256 with a proof", func(b *testing.B) {
		token := sign(b, i.es, i.header(), i.bound(b))
		c := Credentials{Token: token, Scheme: SchemeDPoP, Method: "GET", Path: "/v1/inbox"}
		for b.Loop() {
			b.StopTimer()
			c.Proof = i.proof(b, i.holder, token, nil, nil)
			b.StartTimer()
			_, err := v.Verify(b.Context(), c)
			require.NoError(b, err)
		}
	})
}
