package registry_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	preconditions "github.com/helsebro/helsebro/activities/registry"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// fakeStore keeps what it was told that the registry said.
type fakeStore struct {
	facts activation.Facts
	said  pg.Answers
	err   error
}

func (s *fakeStore) ActivationFacts(context.Context, string, string) (activation.Facts, error) {
	return s.facts, s.err
}

func (s *fakeStore) CheckPreconditions(_ context.Context, _ contract.CheckPreconditionsInput, said pg.Answers) (contract.CheckPreconditionsOutput, error) {
	s.said = said
	return contract.CheckPreconditionsOutput{Status: contract.StatusActive}, nil
}

func (s *fakeStore) ApplyActivation(_ context.Context, _ contract.ApplyActivationInput, said pg.Answers) (contract.ApplyActivationOutput, error) {
	s.said = said
	return contract.ApplyActivationOutput{}, apperr.InState("not-activated", "not every precondition holds: nhn-member")
}

// fakeRegistry knows one organisation.
type fakeRegistry struct{ err error }

func (r fakeRegistry) Party(_ context.Context, herID int) (registry.Party, error) {
	if r.err != nil {
		return registry.Party{}, r.err
	}
	if herID != 1 {
		return registry.Party{}, apperr.New(apperr.NotFound, "HER-id %d is not in the address registry", herID)
	}
	return registry.Party{HerID: 1, Member: true, Employees: []int{3}}, nil
}

func TestEverybodyIsAskedAbout(t *testing.T) {
	t.Parallel()
	store := &fakeStore{facts: activation.Facts{HerID: 1, Parties: []activation.Party{{HerID: 2}}}}
	want := pg.Answers{1: {Member: true, Employees: []int{3}}, 2: nil}
	a := preconditions.New(store, fakeRegistry{})
	out, err := a.CheckPreconditions(t.Context(), contract.CheckPreconditionsInput{})
	require.NoError(t, err)
	require.Equal(t, contract.StatusActive, out.Status)
	require.Equal(t, want, store.said)

	store.said = nil
	_, err = a.ApplyActivation(t.Context(), contract.ApplyActivationInput{})
	require.Equal(t, apperr.Conflict, apperr.KindOf(err), "a refusal is final")
	require.Equal(t, want, store.said)
}

// TestARegistryThatIsDownDecidesNothing: the look is tried again.
func TestARegistryThatIsDownDecidesNothing(t *testing.T) {
	t.Parallel()
	store := &fakeStore{facts: activation.Facts{HerID: 1}}
	a := preconditions.New(store, fakeRegistry{err: apperr.New(apperr.Unavailable, "down")})
	_, err := a.CheckPreconditions(t.Context(), contract.CheckPreconditionsInput{})
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	_, err = a.ApplyActivation(t.Context(), contract.ApplyActivationInput{})
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.Nil(t, store.said)

	store.err = apperr.New(apperr.NotFound, "no such clinic")
	_, err = preconditions.New(store, fakeRegistry{}).CheckPreconditions(t.Context(), contract.CheckPreconditionsInput{})
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
}
