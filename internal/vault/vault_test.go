package vault

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
)

// encodedKey is the base64 of 32 equal bytes.
func encodedKey(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, keySize))
}

func newVault(t testing.TB, ring string) *Vault {
	t.Helper()
	v, err := Open(config.Vault{Keys: ring, IndexKey: encodedKey('i')})
	require.NoError(t, err)
	return v
}

func newKey(t testing.TB) DataKey {
	t.Helper()
	k, _, err := newVault(t, "k1:"+encodedKey('a')).NewDataKey()
	require.NoError(t, err)
	return k
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for _, plain := range []string{"", "a", strings.Repeat("blodprøve ", 20_000)} {
		sealed, err := k.Seal([]byte(plain), "patient.identity/1")
		require.NoError(t, err)
		require.Len(t, sealed, len(plain)+29)
		if len(plain) > 1 {
			require.NotContains(t, string(sealed), plain[:5])
		}
		opened, err := k.Open(sealed, "patient.identity/1")
		require.NoError(t, err)
		require.Equal(t, plain, string(opened))
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	sealed, err := k.Seal([]byte("synthetic"), "patient.identity/1")
	require.NoError(t, err)

	refused := func(name string, key DataKey, value []byte, aad string) {
		t.Helper()
		plain, err := key.Open(value, aad)
		require.Truef(t, apperr.Is(err, apperr.Internal), "%s: %v", name, err)
		require.Nil(t, plain, name)
		require.NotContains(t, err.Error(), "synthetic")
	}
	refused("another row", k, sealed, "patient.identity/2")
	refused("another column", k, sealed, "patient.phone/1")
	refused("no place", k, sealed, "")
	refused("another key", newKey(t), sealed, "patient.identity/1")
	refused("no key", DataKey{}, sealed, "patient.identity/1")
	refused("nothing", k, nil, "patient.identity/1")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refused(fmt.Sprintf("bit of byte %d", i), k, changed, "patient.identity/1")
		refused(fmt.Sprintf("cut to %d", i), k, sealed[:i], "patient.identity/1")
	}
	refused("longer", k, append(bytes.Clone(sealed), 0), "patient.identity/1")

	_, err = DataKey{}.Seal(nil, "")
	require.Error(t, err)
}

func TestNoncesAreUnique(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	seen := map[string]bool{}
	for range 20_000 {
		sealed, err := k.Seal([]byte("same"), "same")
		require.NoError(t, err)
		nonce := string(sealed[1 : 1+nonceSize])
		require.False(t, seen[nonce])
		seen[nonce] = true
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	const k1, k2 = "2026-01", "2026-02"
	before := newVault(t, k1+":"+encodedKey('a'))
	key, wrapped, err := before.NewDataKey()
	require.NoError(t, err)
	require.Equal(t, k1, wrapped.KEK)
	sealed, err := key.Seal([]byte("content"), "place")
	require.NoError(t, err)

	during := newVault(t, k2+":"+encodedKey('b')+", "+k1+":"+encodedKey('a'))
	_, made, err := during.NewDataKey()
	require.NoError(t, err)
	require.Equal(t, k2, made.KEK, "the first of the ring seals")
	rewrapped, err := during.Rewrap(wrapped)
	require.NoError(t, err)
	require.Equal(t, k2, rewrapped.KEK)
	again, err := during.Rewrap(rewrapped)
	require.NoError(t, err)
	require.Equal(t, rewrapped, again, "a repeated rotation changes nothing")

	after := newVault(t, k2+":"+encodedKey('b'))
	for _, c := range []struct {
		vault *Vault
		w     Wrapped
	}{{before, wrapped}, {during, wrapped}, {during, rewrapped}, {after, rewrapped}} {
		opened, err := c.vault.Unwrap(c.w)
		require.NoError(t, err)
		plain, err := opened.Open(sealed, "place")
		require.NoError(t, err)
		require.Equal(t, "content", string(plain))
	}

	_, err = after.Unwrap(wrapped)
	require.ErrorContains(t, err, `"2026-01", which HELSEBRO_VAULT_KEYS does not hold`)
	_, err = after.Rewrap(wrapped)
	require.Error(t, err)
}

func TestUnwrapRefuses(t *testing.T) {
	t.Parallel()
	v := newVault(t, "k1:"+encodedKey('a')+",k2:"+encodedKey('b'))
	_, w, err := v.NewDataKey()
	require.NoError(t, err)
	for name, bad := range map[string]Wrapped{
		"another key's name": {KEK: "k2", Bytes: w.Bytes},
		"cut":                {KEK: "k1", Bytes: w.Bytes[:40]},
		"empty":              {KEK: "k1"},
		"unnamed":            {Bytes: w.Bytes},
	} {
		_, err := v.Unwrap(bad)
		require.Truef(t, apperr.Is(err, apperr.Internal), "%s: %v", name, err)
	}
	// A value that a key sealed is not taken for a wrapped key.
	kek, _ := v.keys.Key("k1")
	value, err := kek.Seal(bytes.Repeat([]byte{1}, keySize), "k1")
	require.NoError(t, err)
	_, err = v.Unwrap(Wrapped{KEK: "k1", Bytes: value})
	require.Error(t, err)
	_, err = v.Unwrap(Wrapped{KEK: "k2", Bytes: bytes.Clone(w.Bytes)})
	require.NotContains(t, err.Error(), encodedKey('a'))
}

func TestBlindIndex(t *testing.T) {
	t.Parallel()
	v := newVault(t, "k1:"+encodedKey('a'))
	one := v.BlindIndex("national-id", "clinic-1", "value")
	require.Len(t, one, 32)
	require.Equal(t, one, v.BlindIndex("national-id", "clinic-1", "value"))
	for _, other := range [][]byte{
		v.BlindIndex("phone", "clinic-1", "value"),
		v.BlindIndex("national-id", "clinic-2", "value"),
		v.BlindIndex("national-id", "clinic-1", "value2"),
		v.BlindIndex("national-id", "clinic-1v", "alue"),
		v.BlindIndex("national-i", "dclinic-1", "value"),
	} {
		require.NotEqual(t, one, other)
	}
	rekeyed, err := Open(config.Vault{Keys: "k1:" + encodedKey('a'), IndexKey: encodedKey('j')})
	require.NoError(t, err)
	require.NotEqual(t, one, rekeyed.BlindIndex("national-id", "clinic-1", "value"))
	rotated := newVault(t, "k2:"+encodedKey('b'))
	require.Equal(t, one, rotated.BlindIndex("national-id", "clinic-1", "value"), "rotation leaves indexes alone")
}

func TestParseErrorsNameTheVariable(t *testing.T) {
	t.Parallel()
	good := encodedKey('a')
	for name, c := range map[string]struct{ keys, index, want string }{
		"empty":            {"", good, "HELSEBRO_VAULT_KEYS"},
		"no id":            {good, good, "HELSEBRO_VAULT_KEYS: key 1"},
		"empty id":         {":" + good, good, "HELSEBRO_VAULT_KEYS: key 1"},
		"bad id":           {"k 1:" + good, good, "HELSEBRO_VAULT_KEYS: key 1"},
		"not base64":       {"k1:" + good + ",k2:*" + good[1:], good, `HELSEBRO_VAULT_KEYS: key "k2" is not base64`},
		"short":            {"k1:" + good[:20], good, `HELSEBRO_VAULT_KEYS: key "k1" is 15 bytes`},
		"twice":            {"k1:" + good + ",k1:" + good, good, `HELSEBRO_VAULT_KEYS: the id "k1"`},
		"trailing comma":   {"k1:" + good + ",", good, "HELSEBRO_VAULT_KEYS: key 2"},
		"no index key":     {"k1:" + good, "", "HELSEBRO_VAULT_INDEX_KEY"},
		"index not base64": {"k1:" + good, "%", "HELSEBRO_VAULT_INDEX_KEY"},
	} {
		_, err := Open(config.Vault{Keys: c.keys, IndexKey: c.index})
		require.ErrorContains(t, err, c.want, name)
		require.Truef(t, apperr.Is(err, apperr.Invalid), name)
		require.NotContains(t, err.Error(), good[:20], name)
	}
	_, err := New(Keys{}, bytes.Repeat([]byte{1}, keySize))
	require.ErrorContains(t, err, "HELSEBRO_VAULT_KEYS")
	keys, err := ParseKeys("V", "k1:"+good)
	require.NoError(t, err)
	_, err = New(keys, []byte("short"))
	require.ErrorContains(t, err, "HELSEBRO_VAULT_INDEX_KEY")
}

func TestNothingPrintsKeysOrSecrets(t *testing.T) {
	t.Parallel()
	v := newVault(t, "k1:"+encodedKey('a'))
	key, _ := v.keys.Key("k1")
	secret := Secret("aaaa")
	for _, value := range []any{v, *v, v.keys, key, struct{ k DataKey }{key}, struct{ v *Vault }{v}, &struct{ v Vault }{*v}, secret, &secret, []Secret{secret}, struct{ S Secret }{secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			shown := fmt.Sprintf(verb, value)
			for _, leak := range []string{"aaaa", "61616161", "0x61, 0x61", "97 97 97", "iiii", "105 105"} {
				require.NotContainsf(t, shown, leak, "%s of %T", verb, value)
			}
		}
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		require.NotContains(t, string(encoded), "aaaa")
		text, err := yaml.Marshal(value)
		require.NoError(t, err)
		require.NotContains(t, string(text), "aaaa")
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value)
		require.NotContains(t, out.String(), "aaaa")
		require.NotContains(t, out.String(), "97 97")
	}
	require.Equal(t, "aaaa", secret.Reveal())
}

func FuzzOpen(f *testing.F) {
	k := newKey(f)
	sealed, err := k.Seal([]byte("content"), "place")
	require.NoError(f, err)
	f.Add(sealed, "place")
	f.Add(sealed[:20], "place")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, value []byte, aad string) {
		plain, err := k.Open(value, aad)
		if bytes.Equal(value, sealed) && aad == "place" {
			require.NoError(t, err)
			return
		}
		require.Error(t, err)
		require.Nil(t, plain)
	})
}
