// Package cms seals messages to Helsenorge and opens what comes from there: the profile of
// the cryptographic message syntax (RFC 5652) that HITS 1216 has, and no more of it.
//
// A message is signed, then encrypted: SignedData with the XML in it, whole in
// EnvelopedData. What Seal writes is what Helsenorge's own client writes. Open takes more:
// signed attributes, RSAES-OAEP, several recipients, certificates that come along, lengths
// that are not definite, and the octet string that some put around the signed part.
// SHA-1, DES, Triple-DES and RC2 are refused.
//
// Both work on streams: what is held in memory is bounded, whatever the size of a message
// and whoever made it. Nothing may act on content before Open has returned nil; Sealer hands
// it out only then.
//
// Trust comes from the register and the configured roots, never from the message: the
// signer is one of the certificates that the agreement names for the sender, checked for
// time, usage, issuer and revocation (Checker). Everything that is wrong with encryption or
// signature has one answer, in words and in time (Unreadable), so that nobody learns to
// decrypt by asking.
//
// Private keys are used through crypto.Signer and crypto.Decrypter: they may be in files
// (Files) or in a hardware module (Keys).
package cms
