// Package identity is who calls and what they may do: tokens, principals, roles
// and tenancy.
//
// A caller proves itself with an access token (RFC 9068) in HelseID's profile. It says
//
//	typ          at+jwt: HelseID's rules would let JWT pass too, which ID tokens say
//	iss, aud     exactly HELSEBRO_TOKEN_ISSUER, and HELSEBRO_TOKEN_AUDIENCE alone
//	exp nbf iat  with 10 s between the issuer's clock and ours
//	client_id    the system that calls
//	scope        <audience>/<role>, exactly one role; other scopes say nothing here
//	sub          the person; of a machine that has none, its client_id counts
//	helseid://claims/identity/security_level      "4" where a person acts
//	helseid://claims/hpr/hpr_number               of a practitioner
//	helseid://claims/client/claims/orgnr_child    the organisation, else
//	helseid://claims/client/claims/orgnr_parent
//	cnf.jkt      the key that the token is bound to (RFC 9449)
//
// The roles service and portal are machines; every other role is a person's, which no
// token of a machine alone can have.
//
// HelseID names an organisation and no clinic: HELSEBRO_TOKEN_CLINICS says which clinic
// each organisation is (number:clinic, comma separated), and * as the clinic is who runs
// the installation, for operators only. Where that setting is empty, the clinic is the
// issuer's claim helsebro_clinic, and an operator without one acts for every clinic.
//
// What belongs to another clinic does not exist for the caller: the answer is not-found,
// the same as for an id that was never given out. The role has rights (see Rights), and
// every route and command names the right it needs.
//
// # Keys
//
// The issuer's keys come from HELSEBRO_JWKS_FILE, else from HELSEBRO_JWKS_URL, else from
// the URL that the issuer's discovery document names. URLs are https, or http on the
// loopback; redirects are refused. Keys are at most 64, in at most 256 KiB; they are read
// again after 5 minutes (a file: 1 s), and for a kid that nobody knows at most every 10 s
// (1 s), once for all who wait. Keys that the issuer drops are gone with the next reading.
// While the issuer cannot be read the last keys count for 24 hours (a file: 10 minutes);
// then no token is believed, and the answer is 503.
//
// Signatures are ES256, EdDSA, PS256, or RS256 where the key says alg RS256, as HelseID's
// do. A token names its key by kid; keys that it brings or points to (jwk, jku, x5u, x5c)
// are ignored.
//
// # Proof of possession
//
// A token with cnf.jkt needs the scheme DPoP and a proof in the header DPoP (RFC 9449):
// htm and htu are those of the request under HELSEBRO_PUBLIC_URL, ath is the token's, iat
// is at most a minute old, jti is new. HELSEBRO_DPOP_REQUIRED refuses tokens that are not
// bound. With HELSEBRO_DPOP_NONCE_KEY proofs must carry a nonce of ours, good for five to
// ten minutes. A process remembers 131 072 proofs for as long as they count and refuses
// more (503) rather than forget one. Processes do not share that memory: behind a balancer
// a proof stolen within its minute counts once in each.
package identity
