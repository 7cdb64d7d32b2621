package identity

import (
	"crypto/elliptic"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	gp := Principal{Subject: "user-1", ClientID: "epj-1", ClinicID: "clinic-1", Role: RolePractitioner, Organisation: "999999999", HPR: "1234567"}
	machine := Principal{Subject: "epj-1", ClientID: "epj-1", ClinicID: "clinic-1", Role: RoleService, Organisation: "999999999"}
	h, c := i.header(), i.claims()
	es := func(claims object) string { return sign(t, i.es, h, c.with(claims)) }
	for name, one := range map[string]struct {
		token string
		want  Principal
	}{
		"ES256":                  {es(nil), gp},
		"EdDSA":                  {sign(t, i.ed, h.with(object{"alg": "EdDSA", "kid": "ed"}), c), gp},
		"PS256":                  {sign(t, i.ps, h.with(object{"alg": "PS256", "kid": "ps"}), c), gp},
		"RS256, as its key says": {sign(t, pkcs1{i.ps}, h.with(object{"alg": "RS256", "kid": "rs"}), c), gp},
		"typ as a media type":    {sign(t, i.es, h.with(object{"typ": "application/AT+JWT"}), c), gp},
		"aud a list of one":      {es(object{"aud": []string{"nhn:helsebro"}}), gp},
		"scope as words":         {es(object{"scope": "openid nhn:helsebro/practitioner"}), gp},
		"other scopes":           {es(object{"scope": []string{"openid", "nhn:other/operator", "nhn:helsebro/fax", "nhn:helsebro/practitioner"}}), gp},
		"expired within leeway":  {es(object{"exp": i.now.Add(-9 * time.Second).Unix()}), gp},
		"nbf within leeway":      {es(object{"nbf": i.now.Add(9 * time.Second).Unix()}), gp},
		"iat within leeway":      {es(object{"iat": i.now.Add(9 * time.Second).Unix()}), gp},
		"no nbf, no iat":         {es(object{"nbf": nil, "iat": nil}), gp},
		"unknown claims":         {es(object{"helseid://claims/identity/pid": "x", "idp": "y"}), gp},
		"jku is ignored":         {sign(t, i.es, h.with(object{"jku": "https://attacker.example/jwks", "x5u": "https://attacker.example/x"}), c), gp},
		"jwk is ignored":         {sign(t, i.es, h.with(object{"jwk": jose.JSONWebKey{Key: i.stranger.Public()}}), c), gp},
		"the unit":               {es(object{child: "888888888"}), Principal{Subject: "user-1", ClientID: "epj-1", ClinicID: "clinic-1", Role: RolePractitioner, Organisation: "888888888", HPR: "1234567"}},
		"staff has no HPR":       {es(object{"scope": []string{"nhn:helsebro/staff"}, hprClaim: nil}), Principal{Subject: "user-1", ClientID: "epj-1", ClinicID: "clinic-1", Role: RoleStaff, Organisation: "999999999"}},
		"machine without sub":    {es(object{"scope": []string{"nhn:helsebro/service"}, "sub": nil, levelClaim: nil, hprClaim: nil}), machine},
		"sub of base64":          {es(object{"sub": "+/Yw0=="}), Principal{Subject: "+/Yw0==", ClientID: "epj-1", ClinicID: "clinic-1", Role: RolePractitioner, Organisation: "999999999", HPR: "1234567"}},
		"operator of all": {
			es(object{"scope": "nhn:helsebro/operator", "helsebro_clinic": nil, parent: nil, hprClaim: nil}),
			Principal{Subject: "user-1", ClientID: "epj-1", Role: RoleOperator},
		},
	} {
		p, err := i.authenticates(t, i.verifier, request([]string{"bearer " + one.token}))
		require.NoError(t, err, name)
		require.Equal(t, one.want, p, name)
	}

	token := sign(t, i.es, h, i.bound(t))
	p, err := i.authenticates(t, i.verifier, request([]string{"DPoP " + token}, i.proof(t, i.holder, token, nil, nil)))
	require.NoError(t, err)
	require.Equal(t, gp, p)
	p, err = i.authenticates(t, i.verifier, request([]string{"DPoP " + token},
		i.proof(t, i.holder, token, nil, object{"htu": "HTTPS://API.example:443/base/v1/inbox?limit=9#x", "iat": i.now.Add(-proofLife).Unix()})))
	require.NoError(t, err, "scheme, host, port, query and fragment do not count")
	require.Equal(t, gp, p)
}

// TestVerifyRefuses is every vector of what proves nothing: the request, the code of its
// challenge, and words of the reason. Each token and proof is one change away from one
// that TestVerifyAccepts has seen accepted.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	h, c := i.header(), i.claims()
	good := sign(t, i.es, h, c)
	parts := strings.Split(good, ".")
	publicDER := elliptic.MarshalCompressed(elliptic.P256(), i.es.X, i.es.Y)
	strangerJWK := jose.JSONWebKey{Key: i.stranger.Public(), KeyID: "es"}
	es := func(header, claims object) string { return sign(t, i.es, h.with(header), c.with(claims)) }
	seconds := func(s int) int64 { return i.now.Add(time.Duration(s) * time.Second).Unix() }

	type vector struct {
		code, reason string
		request      *http.Request
	}
	vectors := map[string]vector{}
	add := func(name, code, reason string, r *http.Request) {
		_, twice := vectors[name]
		require.False(t, twice, name)
		vectors[name] = vector{code, reason, r}
	}
	bearer := func(reason string, tokens map[string]string) {
		for name, token := range tokens {
			add(name, invalidToken, reason, request([]string{"Bearer " + token}))
		}
	}

	// What is no token.
	bearer("not a compact JWS", map[string]string{
		"words":                     "not a token",
		"two parts":                 parts[0] + "." + parts[1],
		"four parts":                good + ".x",
		"JSON serialisation":        `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"two signatures":            `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"},{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"line break inside":         parts[0] + ".\n" + parts[1] + "." + parts[2],
		"padding":                   parts[0] + "=." + parts[1] + "." + parts[2],
		"header not JSON":           sign(t, i.es, "header", c),
		"two tokens":                good + ", Bearer " + good,
		"alg none":                  part(h.with(object{"alg": "none"})) + "." + parts[1] + ".",
		"alg None":                  part(h.with(object{"alg": "None"})) + "." + parts[1] + ".",
		"alg missing":               es(object{"alg": nil}, nil),
		"alg a number":              es(object{"alg": 256}, nil),
		"HS256 with the public key": sign(t, publicDER, h.with(object{"alg": "HS256"}), c),
		"ES384":                     es(object{"alg": "ES384"}, nil),
		"header member given twice": sign(t, i.es, `{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"es"}`, c),
		"jwk with a private key":    es(object{"jwk": jose.JSONWebKey{Key: i.stranger}}, nil),
		"jwk a shared secret":       sign(t, []byte("a shared secret of thirty-two by"), h.with(object{"alg": "HS256", "jwk": object{"kty": "oct", "k": "YQ"}}), c),
	})
	bearer("longer than 8 KiB", map[string]string{
		"huge token":  strings.Repeat("x", 10<<20),
		"huge claims": es(nil, object{"filler": strings.Repeat("x", maxTokenBytes)}),
	})

	// Header.
	bearer("typ is not at+jwt", map[string]string{
		"typ missing":         es(object{"typ": nil}, nil),
		"typ JWT":             es(object{"typ": "JWT"}, nil),
		"typ of a DPoP proof": es(object{"typ": "dpop+jwt"}, nil),
		"typ a list":          es(object{"typ": []string{"at+jwt"}}, nil),
	})
	bearer("uses the extension", map[string]string{
		"crit":     es(object{"crit": []string{"exp"}}, nil),
		"crit b64": es(object{"crit": []string{"b64"}, "b64": false}, nil),
		"b64":      es(object{"b64": true}, nil),
	})
	bearer("no kid, or one of more than", map[string]string{
		"kid missing":               es(object{"kid": nil}, nil),
		"kid of huge length":        es(object{"kid": strings.Repeat("k", maxKeyIDBytes+1)}, nil),
		"jwk of a stranger, no kid": sign(t, i.stranger, h.with(object{"jwk": strangerJWK, "kid": nil}), c),
	})
	bearer("kid is not a key of the issuer", map[string]string{
		"kid unknown": es(object{"kid": "other"}, nil),
		"kid a path":  es(object{"kid": "../../etc/passwd"}, nil),
	})
	bearer("alg is not that of its key", map[string]string{
		"RS256 with a key for PS256": sign(t, pkcs1{i.ps}, h.with(object{"alg": "RS256", "kid": "ps"}), c),
		"PS256 with a key for RS256": sign(t, i.ps, h.with(object{"alg": "PS256", "kid": "rs"}), c),
		"alg of another key":         es(object{"alg": "EdDSA"}, nil),
		"another key's kid":          es(object{"kid": "ed"}, nil),
	})
	bearer("signature or its claims are wrong", map[string]string{
		"PKCS #1 named PS256":        sign(t, pkcs1{i.ps}, h.with(object{"alg": "PS256", "kid": "ps"}), c),
		"signed by a stranger":       sign(t, i.stranger, h, c),
		"jwk of a stranger":          sign(t, i.stranger, h.with(object{"jwk": strangerJWK}), c),
		"jku of a stranger":          sign(t, i.stranger, h.with(object{"jku": "https://attacker.example/jwks"}), c),
		"x5u of a stranger":          sign(t, i.stranger, h.with(object{"x5u": "https://attacker.example/cert"}), c),
		"no signature":               parts[0] + "." + parts[1] + ".",
		"claims changed":             parts[0] + "." + part(c.with(object{"scope": "nhn:helsebro/operator"})) + "." + parts[2],
		"header changed":             part(h.with(object{"x": 1})) + "." + parts[1] + "." + parts[2],
		"signature of another token": parts[0] + "." + parts[1] + "." + strings.Split(es(nil, object{"sub": "user-2"}), ".")[2],
		"claims not JSON":            sign(t, i.es, h, "claims"),
		"claims an array":            sign(t, i.es, h, []string{"a"}),
		"a claim given twice":        sign(t, i.es, h, strings.Replace(decoded(t, parts[1]), `"sub":`, `"sub":"user-2","sub":`, 1)),
		"iss a list":                 es(nil, object{"iss": []string{issuerName}}),
		"aud a number":               es(nil, object{"aud": 1}),
		"exp a string":               es(nil, object{"exp": "9999999999"}),
		"level a number":             es(nil, object{levelClaim: 4}),
		"two levels":                 es(nil, object{levelClaim: []string{"3", "4"}}),
		"two HPR numbers":            es(nil, object{hprClaim: []string{"1234567", "7654321"}}),
		"two clinics":                es(nil, object{"helsebro_clinic": []string{"clinic-1", "clinic-2"}}),
		"two organisations":          es(nil, object{parent: []string{"999999999", "888888888"}}),
		"client_id a list":           es(nil, object{"client_id": []string{"epj-1"}}),
		"scope a number":             es(nil, object{"scope": 1}),
		"cnf a word":                 es(nil, object{"cnf": "key"}),
	})

	// Registered claims.
	bearer("iss is not the configured issuer", map[string]string{
		"iss missing":      es(nil, object{"iss": nil}),
		"iss of another":   es(nil, object{"iss": "https://other.example"}),
		"iss with a slash": es(nil, object{"iss": issuerName + "/"}),
		"iss in capitals":  es(nil, object{"iss": "https://ISSUER.example"}),
	})
	bearer("aud is not this service alone", map[string]string{
		"aud missing":    es(nil, object{"aud": nil}),
		"aud of another": es(nil, object{"aud": "nhn:other"}),
		"aud longer":     es(nil, object{"aud": "nhn:helsebro-test"}),
		"aud empty list": es(nil, object{"aud": []string{}}),
		"two audiences":  es(nil, object{"aud": []string{"nhn:helsebro", "nhn:other"}}),
		"aud twice":      es(nil, object{"aud": []string{"nhn:helsebro", "nhn:helsebro"}}),
	})
	bearer("it has no exp", map[string]string{
		"exp missing":            es(nil, object{"exp": nil}),
		"exp null":               sign(t, i.es, h, strings.Replace(decoded(t, parts[1]), `"exp":`, `"exp":null,"x":`, 1)),
		"claims in another case": sign(t, i.es, h, strings.Replace(decoded(t, parts[1]), `"exp":`, `"EXP":`, 1)),
	})
	bearer("it has expired", map[string]string{
		"exp past":     es(nil, object{"exp": seconds(-10)}),
		"exp long ago": es(nil, object{"exp": 1}),
	})
	bearer("it is not valid yet", map[string]string{"nbf ahead": es(nil, object{"nbf": seconds(11)})})
	bearer("it is issued in the future", map[string]string{"iat ahead": es(nil, object{"iat": seconds(11)})})
	bearer("", map[string]string{
		"exp overflowing": es(nil, object{"exp": 1e30}),
		"nbf overflowing": es(nil, object{"nbf": 1e30}),
	})

	// What the role needs.
	bearer("sub is missing or not an opaque id", map[string]string{
		"sub missing":           es(nil, object{"sub": nil}),
		"sub with a line break": es(nil, object{"sub": "user\n1"}),
		"sub endless":           es(nil, object{"sub": strings.Repeat("a", 256)}),
	})
	bearer("client_id is missing or not an opaque id", map[string]string{
		"client_id missing": es(nil, object{"client_id": nil}),
		"client_id a page":  es(nil, object{"client_id": "<script>"}),
	})
	bearer("scope names no role", map[string]string{
		"scope missing":    es(nil, object{"scope": nil}),
		"role unknown":     es(nil, object{"scope": "nhn:helsebro/root"}),
		"role in capitals": es(nil, object{"scope": "nhn:helsebro/Operator"}),
		"another's role":   es(nil, object{"scope": "nhn:other/operator"}),
		"role alone":       es(nil, object{"scope": "operator"}),
	})
	bearer("scope names two roles", map[string]string{"two roles": es(nil, object{"scope": "nhn:helsebro/staff nhn:helsebro/auditor"})})
	for _, role := range []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleOperator, RoleAuditor} {
		scope := "nhn:helsebro/" + string(role)
		bearer("a person acts with security level 4 only", map[string]string{
			"level missing, " + string(role): es(nil, object{"scope": scope, levelClaim: nil}),
			"level 3, " + string(role):       es(nil, object{"scope": scope, levelClaim: "3"}),
			"level 40, " + string(role):      es(nil, object{"scope": scope, levelClaim: "40"}),
		})
	}
	bearer("a practitioner has an HPR number", map[string]string{"HPR missing": es(nil, object{hprClaim: nil})})
	bearer("the HPR number is not one", map[string]string{
		"HPR letters":     es(nil, object{hprClaim: "12a"}),
		"HPR of ten":      es(nil, object{hprClaim: "1234567890"}),
		"HPR of a person": es(nil, object{hprClaim: "17858012345"}),
	})
	bearer("the organisation number is not one", map[string]string{
		"organisation a page":  es(nil, object{parent: "<script>"}),
		"organisation shorter": es(nil, object{parent: "99999999"}),
		"unit a page":          es(nil, object{child: "<script>"}),
	})
	bearer("helsebro_clinic is missing", map[string]string{
		"practitioner without clinic": es(nil, object{"helsebro_clinic": nil}),
		"service without clinic":      es(nil, object{"scope": "nhn:helsebro/service", "helsebro_clinic": nil}),
		"auditor without clinic":      es(nil, object{"scope": "nhn:helsebro/auditor", "helsebro_clinic": nil}),
	})
	bearer("helsebro_clinic is not an id", map[string]string{"clinic no id": es(nil, object{"helsebro_clinic": "a b"})})

	// The request.
	add("nothing", "", "there is no access token", request(nil))
	for name, header := range map[string]string{"scheme alone": "Bearer", "empty token": "Bearer ", "Basic": "Basic cm9sZTpjbGluaWM=", "token alone": good} {
		add(name, "", "there is no access token", request([]string{header}))
	}
	add("two headers", "invalid_request", "two headers Authorization", request([]string{"Bearer " + good, "Bearer " + good}))
	inURL := request([]string{"Bearer " + good})
	inURL.URL.RawQuery = "access_token=" + good
	add("token in the URL too", "invalid_request", "a token is in the URL", inURL)
	inURL = request(nil)
	inURL.URL.RawQuery = "access_token=" + good
	add("token in the URL", "invalid_request", "a token is in the URL", inURL)

	// Proof of possession.
	token := sign(t, i.es, h, i.bound(t))
	other := sign(t, i.es, h, i.bound(t).with(object{"jti": "other"}))
	used := i.proof(t, i.holder, token, nil, nil)
	_, err := i.authenticates(t, i.verifier, request([]string{"DPoP " + token}, used))
	require.NoError(t, err)
	bearer("bound to a key", map[string]string{"bound token as bearer": token})
	add("bound token as bearer with a proof", invalidToken, "bound to a key", request([]string{"Bearer " + token}, i.proof(t, i.holder, token, nil, nil)))
	add("proof of a token that is not bound", invalidToken, "bound to no key", request([]string{"DPoP " + good}, i.proof(t, i.holder, good, nil, nil)))
	bearer("bound to something else", map[string]string{
		"bound to a certificate": es(nil, object{"cnf": object{"x5t#S256": "x"}}),
		"bound to two":           es(nil, object{"cnf": object{"jkt": "x", "x5t#S256": "x"}}),
		"bound to nothing":       es(nil, object{"cnf": object{}}),
		"jkt a number":           es(nil, object{"cnf": object{"jkt": 1}}),
	})
	add("no proof", invalidProof, "exactly one header DPoP", request([]string{"DPoP " + token}))
	add("two proofs", invalidProof, "exactly one header DPoP", request([]string{"DPoP " + token}, used, i.proof(t, i.holder, token, nil, nil)))
	proofs := func(reason string, made map[string]string) {
		for name, proof := range made {
			add("proof: "+name, invalidProof, reason, request([]string{"DPoP " + token}, proof))
		}
	}
	proof := func(header, claims object) string { return i.proof(t, i.holder, token, header, claims) }
	fresh := strings.Split(proof(nil, nil), ".")
	proofs("used before", map[string]string{"replayed": used})
	proofs("not a compact JWS", map[string]string{
		"words":            "x",
		"alg none":         part(object{"alg": "none", "typ": "dpop+jwt"}) + "." + fresh[1] + ".",
		"HS256":            proof(object{"alg": "HS256"}, nil),
		"private key":      proof(object{"jwk": jose.JSONWebKey{Key: i.holder}}, nil),
		"two in one field": proof(nil, nil) + ", " + proof(nil, nil),
	})
	proofs("longer than 8 KiB", map[string]string{"huge": proof(nil, object{"filler": strings.Repeat("x", maxTokenBytes)})})
	proofs("typ is not dpop+jwt", map[string]string{
		"typ missing":     proof(object{"typ": nil}, nil),
		"an access token": proof(object{"typ": "at+jwt"}, nil),
	})
	proofs("uses the extension", map[string]string{"crit": proof(object{"crit": []string{"exp"}}, nil)})
	proofs("no public key (jwk) of its alg", map[string]string{
		"no key":                proof(object{"jwk": nil, "kid": "es"}, nil),
		"a key of another kind": proof(object{"jwk": jose.JSONWebKey{Key: i.ed.Public()}}, nil),
	})
	proofs("its key is not the one the token is bound to", map[string]string{
		"of another key":       i.proof(t, i.stranger, token, nil, nil),
		"of the issuer's key":  i.proof(t, i.es, token, nil, nil),
		"another key is named": proof(object{"jwk": strangerJWK}, nil),
	})
	proofs("signature or its claims are wrong", map[string]string{
		"signed by another": i.proof(t, i.stranger, token, object{"jwk": jose.JSONWebKey{Key: i.holder.Public()}}, nil),
		"changed":           fresh[0] + "." + part(object{"jti": "x"}) + "." + fresh[2],
		"jti a number":      proof(nil, object{"jti": 1}),
		"iat words":         proof(nil, object{"iat": "now"}),
	})
	proofs("htm is not", map[string]string{
		"another method":     proof(nil, object{"htm": "POST"}),
		"method in one case": proof(nil, object{"htm": "get"}),
		"no method":          proof(nil, object{"htm": nil}),
	})
	proofs("htu is not", map[string]string{
		"another path":        proof(nil, object{"htu": "https://api.example/base/v1/inboxes"}),
		"a path in capitals":  proof(nil, object{"htu": "https://api.example/base/v1/INBOX"}),
		"another host":        proof(nil, object{"htu": "https://evil.example/base/v1/inbox"}),
		"another port":        proof(nil, object{"htu": "https://api.example:8443/base/v1/inbox"}),
		"without TLS":         proof(nil, object{"htu": "http://api.example/base/v1/inbox"}),
		"without the base":    proof(nil, object{"htu": "https://api.example/v1/inbox"}),
		"path alone":          proof(nil, object{"htu": "/base/v1/inbox"}),
		"user in it":          proof(nil, object{"htu": "https://x@api.example/base/v1/inbox"}),
		"another, in a query": proof(nil, object{"htu": "https://evil.example/?https://api.example/base/v1/inbox"}),
		"no URL":              proof(nil, object{"htu": nil}),
	})
	proofs("ath is not", map[string]string{
		"another token": i.proof(t, i.holder, other, nil, nil),
		"no token":      proof(nil, object{"ath": nil}),
	})
	proofs("no jti, or one of more than", map[string]string{
		"no jti":       proof(nil, object{"jti": nil}),
		"jti too long": proof(nil, object{"jti": strings.Repeat("x", maxProofIDBytes+1)}),
	})
	proofs("no iat", map[string]string{"no iat": proof(nil, object{"iat": nil})})
	proofs("too old", map[string]string{"old": proof(nil, object{"iat": seconds(-71)}), "of 1970": proof(nil, object{"iat": 0})})
	proofs("in the future", map[string]string{"future": proof(nil, object{"iat": seconds(11)})})

	require.Greater(t, len(vectors), 120)
	for name, v := range vectors {
		p, err := i.authenticates(t, i.verifier, v.request)
		require.Truef(t, apperr.Is(err, apperr.Unauthenticated), "%s: %v", name, err)
		require.Zero(t, p, name)
		require.ErrorContains(t, err, v.reason, name)
		var challenge *Challenge
		require.ErrorAs(t, err, &challenge, name)
		require.Equal(t, v.code, challenge.Code, name)
		for _, leak := range []string{"user-1", "clinic-1", "passwd", "script", "attacker", "evil", "17858012345", parts[2]} {
			require.NotContains(t, err.Error(), leak, name)
		}
	}
	t.Logf("%d vectors", len(vectors))
}

func decoded(t testing.TB, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	require.NoError(t, err)
	return string(raw)
}

// TestOrganisationsAreClinics: HelseID names an organisation, and the configuration says
// which clinic it is.
func TestOrganisationsAreClinics(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v := i.believing(t, config.Identity{Clinics: map[string]string{"999999999": "clinic-a", "888888888": "clinic-b", "777777777": EveryClinic}})
	for name, c := range map[string]struct {
		claims object
		clinic string
		reason string
	}{
		"organisation":                     {object{"helsebro_clinic": nil}, "clinic-a", ""},
		"the issuer's word does not count": {object{"helsebro_clinic": "clinic-b"}, "clinic-a", ""},
		"the unit is the clinic":           {object{child: "888888888"}, "clinic-b", ""},
		"a unit that is none":              {object{child: "666666666"}, "", "its organisation is no clinic here"},
		"no organisation":                  {object{parent: nil}, "", "its organisation is no clinic here"},
		"another organisation":             {object{parent: "555555555"}, "", "its organisation is no clinic here"},
		"an operator of the installation":  {object{"scope": "nhn:helsebro/operator", parent: "777777777"}, "", ""},
		"an operator of a clinic":          {object{"scope": "nhn:helsebro/operator"}, "clinic-a", ""},
		"an operator of another's":         {object{"scope": "nhn:helsebro/operator", parent: "555555555"}, "", "its organisation is no clinic here"},
		"who runs it treats nobody":        {object{parent: "777777777"}, "", "it has operators only"},
		"a machine of who runs it":         {object{"scope": "nhn:helsebro/service", parent: "777777777"}, "", "it has operators only"},
		"an operator without organisation": {object{"scope": "nhn:helsebro/operator", parent: nil, "helsebro_clinic": nil}, "", "its organisation is no clinic here"},
	} {
		p, err := v.Verify(t.Context(), Bearer(sign(t, i.es, i.header(), i.claims().with(c.claims))))
		if c.reason != "" {
			require.ErrorContains(t, err, c.reason, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.clinic, p.ClinicID, name)
	}
}

func TestVerifierNeedsItsSettings(t *testing.T) {
	t.Parallel()
	_, err := NewVerifier(config.Identity{Issuer: "i", Audience: "a", JWKSFile: "f"})
	require.NoError(t, err)
	for name, cfg := range map[string]config.Identity{
		"HELSEBRO_TOKEN_ISSUER": {Audience: "a", JWKSFile: "f"},
		"HELSEBRO_JWKS_FILE":    {Issuer: DevIssuerName, Audience: "a"},
		"HELSEBRO_DPOP_NONCE":   {Issuer: "i", Audience: "a", JWKSFile: "f", DPoPNonceKey: "c2hvcnQ="},
	} {
		_, err := NewVerifier(cfg)
		require.True(t, apperr.Is(err, apperr.Invalid), err)
		require.ErrorContains(t, err, name)
	}
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	const bearer, dpop = `Bearer realm="helsebro"`, `DPoP realm="helsebro", algs="ES256 EdDSA PS256 RS256"`
	require.Equal(t, []string{bearer, dpop}, (&Challenge{}).WWWAuthenticate())
	require.Equal(t, []string{bearer + `, error="invalid_token"`, dpop}, (&Challenge{Code: invalidToken, Scheme: SchemeBearer}).WWWAuthenticate())
	require.Equal(t, []string{bearer, dpop + `, error="invalid_dpop_proof"`}, (&Challenge{Code: invalidProof, Scheme: SchemeDPoP}).WWWAuthenticate())
}
