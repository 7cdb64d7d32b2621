package storetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/devstack/storetest"
)

// A message is counted each time it is begun, until it has come to an end; one that has not
// come again for a month is forgotten.
func TestReadingIsCounted(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	a, other := eConsultation(), eConsultation()
	begin := func(want int) {
		t.Helper()
		died, err := d.Store.BeginReading(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, want, died)
	}
	begin(0)
	begin(1)
	begin(2)
	died, err := d.Store.BeginReading(t.Context(), other)
	require.NoError(t, err)
	require.Zero(t, died)
	require.NoError(t, d.Store.EndReading(t.Context(), a))
	require.NoError(t, d.Store.EndReading(t.Context(), a), "twice is harmless")
	begin(0)

	_, err = d.SQL(t.Context(), "UPDATE reading SET begun_at = now() - interval '31 days' WHERE transport_id = '"+other.TransportID+"'")
	require.NoError(t, err)
	begin(1)
	left, err := d.SQL(t.Context(), "SELECT transport_id FROM reading")
	require.NoError(t, err)
	require.Equal(t, a.TransportID, left)
}
