// Package identity is who calls and what they may do: tokens, principals, roles
// and tenancy.
//
// A caller proves itself with an access token (RFC 9068) of the configured
// issuer. The token names one clinic and one role; the role has rights (see
// Rights), and every route and command names the right it needs. What belongs to
// another clinic does not exist for the caller: the answer is not-found, the same
// as for an id that was never given out.
package identity
