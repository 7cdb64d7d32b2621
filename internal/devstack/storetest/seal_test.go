package storetest_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/vault"
)

// seal seals a plain text under the patient's key for one column of one row, in hex.
func seal(t *testing.T, d *storetest.Database, patientID, place, plain string) string {
	t.Helper()
	row, err := d.SQL(t.Context(), "SELECT kek || '|' || encode(wrapped, 'hex') FROM data_key WHERE patient_id = '"+patientID+"'")
	require.NoError(t, err)
	kek, wrapped, _ := strings.Cut(row, "|")
	b, err := hex.DecodeString(wrapped)
	require.NoError(t, err)
	v, err := vault.Open(d.Vault)
	require.NoError(t, err)
	key, err := v.Unwrap(vault.Wrapped{KEK: kek, Bytes: b})
	require.NoError(t, err)
	sealed, err := key.Seal([]byte(plain), place)
	require.NoError(t, err)
	return hex.EncodeToString(sealed)
}
