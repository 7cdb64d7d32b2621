package client_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

func TestDecisionsAboutTheQuarantine(t *testing.T) {
	t.Parallel()
	c := client.New(newStore(""), nil)
	operator := identity.Principal{Subject: "op", Role: identity.RoleOperator}
	decide := func(d pg.QuarantineDecision, note string) (pg.Quarantine, error) {
		return c.DecideQuarantine(t.Context(), operator, clinicID, messageID, d, note)
	}
	got, err := decide(pg.QuarantineDiscard, "  sent twice ")
	require.NoError(t, err)
	require.Equal(t, "sent twice", got.Note)
	for _, d := range []pg.QuarantineDecision{pg.QuarantineRetry, pg.QuarantineRelease} {
		_, err := decide(d, "")
		require.NoError(t, err)
		_, err = decide(d, "a reason")
		require.True(t, apperr.Is(err, apperr.Invalid))
	}
	for _, note := range []string{"", "  ", strings.Repeat("å", 501)} {
		_, err := decide(pg.QuarantineDiscard, note)
		require.True(t, apperr.Is(err, apperr.Invalid))
	}
	_, err = decide("eat", "")
	require.True(t, apperr.Is(err, apperr.Invalid))
	_, err = c.DecideQuarantine(t.Context(), operator, clinicID, "no id", pg.QuarantineRetry, "")
	require.True(t, apperr.Is(err, apperr.NotFound))
	_, err = c.QuarantinedMessage(t.Context(), operator, clinicID, "no id")
	require.True(t, apperr.Is(err, apperr.NotFound))
}
