package registry

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// A GP's own party is named as a person, any other as a service (HITS 1217 §2.3.4).
func TestAPartyIsNamedAsWhatItIs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "registry.yaml")
	require.NoError(t, Write(path, []Party{
		{HerID: 1, Name: "Legesenteret"},
		{HerID: 2, Name: "Live Marie Lege", ParentHerID: 1, HPR: "9144889"},
		{HerID: 3, Name: "Fastlege, liste uten fast lege", ParentHerID: 1},
	}))
	r, err := Open(path)
	require.NoError(t, err)

	gp, err := Address(t.Context(), r, 2)
	require.NoError(t, err)
	require.Nil(t, gp.Unit)
	require.Equal(t, 2, gp.HerID())
	require.Equal(t, []string{"6", "Live Marie", "Lege"}, []string{gp.Person.RoleToPatient.V, gp.Person.GivenName, gp.Person.FamilyName})
	require.Equal(t, "9144889", gp.Person.Idents[0].ID)
	require.Equal(t, codes.PersonIDs.OID(), gp.Person.Idents[1].Type.S)

	service, err := Address(t.Context(), r, 3)
	require.NoError(t, err)
	require.Nil(t, service.Person)
	require.Equal(t, 3, service.HerID())
	require.Equal(t, "Legesenteret", service.Organisation.Name)

	// Both can be written to, and answer.
	for _, from := range []helsenorge.Party{gp, service} {
		head := helsenorge.Head{Process: codes.EKontakt, MsgID: "0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d01", GenDate: time.Now(), Sender: service, Receiver: from}
		reply, err := ReplyHead(t.Context(), r, &helsenorge.Message{Head: head}, "0b6f4f4e-7a4d-4a52-9f0e-6c8a8f0a1d02", time.Now(), "")
		require.NoError(t, err)
		require.Equal(t, from, reply.Sender)
	}
	_, err = Address(t.Context(), r, 4)
	require.True(t, apperr.Is(err, apperr.NotFound))
}
