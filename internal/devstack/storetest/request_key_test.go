package storetest_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/identity"
)

// A key is of the system that used it first, whoever of its people comes again; in another
// clinic it is another key.
func TestAKeyIsOfTheSystemThatUsedItFirst(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	clinic, key := uuid.NewString(), uuid.NewString()
	one := identity.Principal{Subject: "a", ClientID: "journal"}
	same, other := identity.Principal{Subject: "b", ClientID: "journal"}, identity.Principal{Subject: "a", ClientID: "calendar"}
	require.NoError(t, d.Store.HoldKey(t.Context(), one, clinic, key))
	require.NoError(t, d.Store.HoldKey(t.Context(), one, clinic, key))
	require.NoError(t, d.Store.HoldKey(t.Context(), same, clinic, key))
	err := d.Store.HoldKey(t.Context(), other, clinic, key)
	require.True(t, apperr.Is(err, apperr.Duplicate), err)
	require.NotContains(t, err.Error(), "journal")
	require.NoError(t, d.Store.HoldKey(t.Context(), other, uuid.NewString(), key))
	require.NoError(t, d.Store.HoldKey(t.Context(), other, clinic, "no id"), "who reads the key refuses it")
}
