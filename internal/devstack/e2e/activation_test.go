package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
)

// TestARegistryThatChangesIsLookedAt (S9, S12): an operator alone activates; when the
// registry no longer has a service, an operator is told, and a citizen who asks for it is
// answered.
func TestARegistryThatChangesIsLookedAt(t *testing.T) {
	w := running(t, stack.Config{})
	status, body, err := w.call(demo.Admin, http.MethodPost, "/integration/suspend", uuid.NewString(), map[string]any{"reason": "why"})
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status, body)
	require.Contains(t, body, "operator")

	file := filepath.Join(w.Dir, "registry.yaml")
	open, err := registry.Open(file)
	require.NoError(t, err)
	parties := open.Parties()
	for i := range parties {
		if parties[i].HerID == demo.GPHerID {
			parties[i].Processes = slices.DeleteFunc(parties[i].Processes, func(p string) bool { return p == codes.EKontakt })
		}
	}
	require.NoError(t, registry.Write(file, parties))
	w.eventually("the operator's case", func() error {
		lines, err := w.store.ClinicStatus(t.Context(), demo.Operator, demo.ClinicID, demo.GPID)
		if err != nil {
			return err
		}
		for _, p := range lines[0].Preconditions {
			if !p.OK && slices.Equal(p.About, []string{codes.EKontakt}) {
				return nil
			}
		}
		return fmt.Errorf("%+v", lines[0].Preconditions)
	})
	status, body, err = w.call(demo.Admin, http.MethodGet, "/cases", "", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, string(contract.CasePreconditionLost))

	sent, _ := w.act(simulator.Action{Kind: simulator.EContact})
	w.eventually("a receipt and a refusal at Helsenorge", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err != nil {
			return err
		}
		receipt := slices.ContainsFunc(book.Receipts, func(r simulator.Receipt) bool { return r.Original == sent.MsgID && r.OK })
		refusal := slices.ContainsFunc(book.Received, func(r simulator.Received) bool { return r.Parent == sent.MsgID && r.Function == contract.AnswerRefused })
		if !receipt || !refusal {
			return fmt.Errorf("receipt %t, refusal %t", receipt, refusal)
		}
		return nil
	})
	_, subject := w.act(simulator.Action{Kind: simulator.EConsultation, Citizen: 1})
	w.dialogue(subject) // what is still registered goes on
}
