package client_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/client"
)

// An administrator sees whose turn it is to answer, and not what was asked (F13).
func TestListsShowContentToWhoMayOpenMessages(t *testing.T) {
	t.Parallel()
	c := client.New(newStore(""), &fakeTemporal{})
	for role, reads := range map[identity.Role]bool{identity.RoleStaff: true, identity.RoleService: true, identity.RoleClinicAdministrator: false} {
		inbox, err := c.Inbox(t.Context(), as(role), clinicID, pg.DialogueQuery{})
		require.NoError(t, err)
		all, err := c.Dialogues(t.Context(), as(role), clinicID, pg.DialogueQuery{})
		require.NoError(t, err)
		for _, item := range []pg.DialogueItem{inbox.Items[0].DialogueItem, all.Items[0]} {
			require.Equal(t, dialogueID, item.DialogueID)
			require.Equal(t, reads, item.Title != "", role)
			require.Equal(t, reads, item.Patient != "", role)
		}
		require.Equal(t, "next", inbox.Next)
		require.Equal(t, "next", all.Next)
	}
}

func TestAListThatCannotBeReadNamesItsFields(t *testing.T) {
	t.Parallel()
	store := newStore("")
	_, err := client.New(store, &fakeTemporal{}).Inbox(t.Context(), practitioner(), clinicID, pg.DialogueQuery{
		Sort: "random", PatientID: "Kari", OwnerID: "boss", Recipient: routing.Recipient{Kind: "planet", ID: "mars"},
	})
	require.Equal(t, []string{"sort", "patient", "owner", "recipient"}, paths(t, err))
	require.Empty(t, store.calls)
	for _, owner := range []string{pg.OwnerMe, pg.OwnerNobody, staffID} {
		_, err := client.New(store, &fakeTemporal{}).Dialogues(t.Context(), practitioner(), clinicID, pg.DialogueQuery{OwnerID: owner, Sort: pg.SortDue})
		require.NoError(t, err)
	}
}

func TestCasesSayWhatToDo(t *testing.T) {
	t.Parallel()
	found, err := client.New(newStore(""), &fakeTemporal{}).Cases(t.Context(), as(identity.RoleOperator), clinicID, pg.CaseQuery{})
	require.NoError(t, err)
	require.Equal(t, "next", found.Next)
	require.Contains(t, found.Items[0].What, "limit has passed")
	require.Contains(t, found.Items[0].ToDo, "helsebro dialogue assign")

	store := newStore("")
	_, err = client.New(store, &fakeTemporal{}).Cases(t.Context(), as(identity.RoleOperator), clinicID, pg.CaseQuery{Kind: "overdue"})
	require.Equal(t, []string{"kind"}, paths(t, err))
	require.Empty(t, store.calls)
}

// The lifecycle that waits for a case hears of it by an update, once for each time that it
// is resolved; one that has ended need not, and where none waits nobody is told.
func TestResolvingACaseTellsWhoWaitsForIt(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for process, workflowID := range map[contract.Process]string{
		contract.ProcessEConsultation: contract.DialogueWorkflowID(dialogueID),
		contract.ProcessPrescription:  contract.PrescriptionWorkflowID(dialogueID),
		contract.ProcessAppointment:   contract.AppointmentWorkflowID(dialogueID),
	} {
		store, temporal := newStore(""), &fakeTemporal{}
		store.resolved = pg.ResolvedCase{At: at, DialogueID: dialogueID, Process: process, MessageID: messageID, Code: "19"}
		c := client.New(store, temporal)
		require.NoError(t, c.ResolveCase(t.Context(), as(identity.RoleOperator), clinicID, "case"))
		require.Equal(t, sdkclient.UpdateWorkflowOptions{
			UpdateID: "case/2026-11-30T12:00:00Z", WorkflowID: workflowID, UpdateName: contract.UpdateResolve, WaitForStage: sdkclient.WorkflowUpdateStageCompleted,
			Args: []any{contract.ResolveCommand{CaseID: "case", MessageID: messageID, Code: "19"}},
		}, temporal.update)

		temporal.callErr = serviceerror.NewNotFound("it has ended")
		require.NoError(t, c.ResolveCase(t.Context(), as(identity.RoleOperator), clinicID, "case"))
		temporal.callErr = serviceerror.NewUnavailable("down")
		err := c.ResolveCase(t.Context(), as(identity.RoleOperator), clinicID, "case")
		require.True(t, apperr.Is(err, apperr.Unavailable), "%v", err)
		require.ErrorContains(t, err, "repeat it")
	}
	temporal := &fakeTemporal{}
	require.NoError(t, client.New(newStore(""), temporal).ResolveCase(t.Context(), as(identity.RoleOperator), clinicID, "case"))
	require.Zero(t, temporal.updates)
}

// Every kind of case that the source names has its runbook.
func TestEveryCaseHasARunbook(t *testing.T) {
	t.Parallel()
	kinds := constants(t, filepath.Join("..", "..", "internal", "contract"), regexp.MustCompile(`^Case[A-Z]`))
	require.Greater(t, len(kinds), 15)
	for name, kind := range kinds {
		book := client.RunbookOf(contract.CaseKind(kind))
		require.NotEqual(t, kind, book.What, "%s has no runbook", name)
		for _, clause := range []string{book.What, book.Look, book.ToDo, book.Ends} {
			require.NotEmpty(t, clause, name)
			require.False(t, strings.HasSuffix(clause, "."), name)
		}
	}
	book := client.RunbookOf("of-tomorrow")
	require.Equal(t, "of-tomorrow", book.What)
	require.NotEmpty(t, book.ToDo)
}

var update = flag.Bool("update", false, "write the README's table of runbooks anew")

// TestREADMEHasEveryRunbook holds the README's table against the runbooks.
func TestREADMEHasEveryRunbook(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- runbooks: go test ./starter/client -run README -update -->\n", "<!-- end of runbooks -->"
	var table strings.Builder
	table.WriteString("| case | what has happened | look | to do | it ends |\n|---|---|---|---|---|\n")
	for _, kind := range client.CaseKinds() {
		book := client.RunbookOf(kind)
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", kind, book.What, book.Look, book.ToDo, book.Ends)
	}
	name := filepath.Join("..", "..", "README.md")
	readme, err := os.ReadFile(name)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(readme), begin)
	require.True(t, ok, begin)
	has, after, ok := strings.Cut(rest, end)
	require.True(t, ok, end)
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(before+begin+table.String()+end+after), 0o644))
		return
	}
	require.Equal(t, table.String(), has)
}

func TestARefusalIsWrittenDownForWhoeverWasRefused(t *testing.T) {
	t.Parallel()
	store := newStore("")
	require.NoError(t, client.New(store, &fakeTemporal{}).Refused(t.Context(), as(identity.RolePortal), "write-routing-rule"))
	require.Equal(t, []string{"Refused portal write-routing-rule"}, store.calls)
}
