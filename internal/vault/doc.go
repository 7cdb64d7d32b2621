// Package vault encrypts what names or describes a patient, so that a copy of the
// database says nothing and deleting one row erases a patient.
//
// It is envelope encryption. A ring of key-encryption keys (KEK) comes from
// configuration; a KEK only wraps data keys. Each patient and each clinic has a
// data key, stored wrapped in PostgreSQL; a data key seals columns and files.
// Without the wrapped row nobody can read what it sealed, also not in a backup of
// the rest, which is how a patient is erased.
//
//	HELSEBRO_VAULT_KEYS ──wraps──▶ data key of a patient ──seals──▶ columns, files
//	HELSEBRO_VAULT_INDEX_KEY ──HMAC──▶ blind indexes of national ids and phones
//
// Every sealed value is bound to its place (table, column and row) by associated
// data, so a value that is moved to another row does not open. Losing the ring
// loses the content: keys are backed up apart from the data.
//
// A ring is rotated by putting a new key first and keeping the old ones: the new
// one wraps, all unwrap, and Rewrap moves a data key over without touching what it
// sealed. Data keys stay; each seals far fewer than the 2³² values after which a
// random 96-bit nonce might repeat (NIST SP 800-38D §8.3).
package vault
