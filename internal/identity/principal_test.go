package identity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

// The table of rights in full.
func ExampleRights() {
	for _, g := range Rights() {
		fmt.Printf("%-17s %s: %v\n", g.Right, g.Allows, g.Roles)
	}
	// Output:
	// dialogue:read     list dialogues and read their state: [practitioner staff service clinic-administrator]
	// dialogue:answer   answer and end dialogues: [practitioner staff]
	// dialogue:handle   take, assign and forward dialogues: [practitioner staff clinic-administrator]
	// inbox:read        see what lies in inboxes, and whose turn it is: [practitioner staff service clinic-administrator]
	// message:read      open messages and files: [practitioner staff service]
	// message:resend    send a message again that is overdue or was reported: [clinic-administrator practitioner staff operator]
	// journal:read      read journal entries: [practitioner staff service]
	// patient:read      find a patient's id: [clinic-administrator practitioner staff service]
	// patient:write     write patients of the record system: [service]
	// patient:erase     erase a patient: [clinic-administrator]
	// routing:read      read routing rules: [clinic-administrator practitioner staff service operator]
	// routing:write     change routing rules: [clinic-administrator]
	// clinic:read       read a clinic's set-up and staff: [clinic-administrator practitioner staff service operator]
	// clinic:write      change a clinic's set-up and staff: [clinic-administrator service operator]
	// case:read         read operator cases: [clinic-administrator operator]
	// case:resolve      resolve operator cases: [clinic-administrator operator]
	// ledger:read       read the ledger of effects: [clinic-administrator practitioner staff service operator auditor]
	// audit:read        read who did what: [auditor]
	// quarantine:read   see what is in quarantine: [operator]
	// quarantine:decide try messages in quarantine again, put them back on their queue, or discard them: [operator]
	// metrics:read      read metrics: [operator]
	// payload:read      read what lifecycles hold, in the Temporal UI: [operator]
	// settings:read     read what a clinic has chosen about appointments: [clinic-administrator practitioner staff service operator]
	// settings:write    change what a clinic has chosen about appointments: [clinic-administrator]
	// calendar:read     read calendars, types and slots: [clinic-administrator practitioner staff service operator]
	// calendar:write    change calendars, types and slots: [clinic-administrator service]
	// appointment:read  read appointments, and how a patient is reached and represented: [practitioner staff service]
	// appointment:write make and change appointments: [practitioner staff service]
	// portal:read       read a patient's own appointments, e-dialogues, notices and free slots: [portal]
	// portal:book       book and cancel for a patient: [portal]
	// portal:write      write to the clinic for a patient: [portal]
	// activation:write  activate, suspend and resume an integration with Helsenorge: [operator]
	// activation:sign-off sign off what an integration needs: [clinic-administrator operator]
}

func TestRights(t *testing.T) {
	t.Parallel()
	seen := map[Right]bool{}
	for _, g := range Rights() {
		require.False(t, seen[g.Right], g.Right)
		seen[g.Right] = true
		require.NotEmpty(t, g.Roles)
		for _, role := range g.Roles {
			require.True(t, known(role), role)
			require.True(t, Principal{Role: role}.May(g.Right))
		}
		require.False(t, Principal{}.May(g.Right))
		require.Equal(t, strings.HasPrefix(string(g.Right), "portal:"), Principal{Role: RolePortal}.May(g.Right), g.Right)
		require.False(t, Principal{Role: "root"}.May(g.Right))
	}
	require.False(t, Principal{Role: RoleOperator}.May("dialogue:invent"))

	table := Rights()
	table[0].Roles[0], table[1] = "root", Grant{}
	require.NotEqual(t, table, Rights(), "the table is a copy")
}

// Who runs the installation or a clinic's set-up reads no content.
func TestContentIsForThoseWhoTreat(t *testing.T) {
	t.Parallel()
	for _, r := range []Right{RightMessageRead, RightJournalRead, RightAppointmentRead} {
		for _, role := range []Role{RoleOperator, RoleAuditor, RoleClinicAdministrator, RolePortal} {
			require.Falsef(t, Principal{Role: role}.May(r), "%s %s", role, r)
		}
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	staff := Principal{Subject: "user-1", ClinicID: "clinic-1", Role: RoleStaff}
	require.NoError(t, staff.Require(RightDialogueAnswer))
	err := staff.Require(RightPatientErase)
	require.True(t, apperr.Is(err, apperr.Forbidden))
	require.EqualError(t, err, "the right patient:erase is missing: it belongs to clinic-administrator; the caller is staff")
	require.EqualError(t, Principal{}.Require("dialogue:invent"),
		"the right dialogue:invent is missing: no role has it; the caller has no role")
}

func TestRequireClinic(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p      Principal
		clinic string
		ok     bool
	}{
		"own":                              {Principal{ClinicID: "a", Role: RoleStaff}, "a", true},
		"another's":                        {Principal{ClinicID: "a", Role: RoleStaff}, "b", false},
		"no clinic named":                  {Principal{ClinicID: "a", Role: RoleStaff}, "", false},
		"nobody":                           {Principal{}, "a", false},
		"nobody, no clinic":                {Principal{}, "", false},
		"operator of the installation":     {Principal{Role: RoleOperator}, "a", true},
		"operator of one clinic":           {Principal{ClinicID: "a", Role: RoleOperator}, "b", false},
		"another role without a clinic":    {Principal{Role: RoleAuditor}, "a", false},
		"operator, but no clinic is named": {Principal{Role: RoleOperator}, "", false},
	} {
		err := c.p.RequireClinic(c.clinic)
		if c.ok {
			require.NoError(t, err, name)
			continue
		}
		require.Truef(t, apperr.Is(err, apperr.NotFound), "%s: %v", name, err)
		require.EqualError(t, err, "no such thing in the caller's clinic", "every refusal reads the same")
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	p, ok := From(context.Background())
	require.False(t, ok)
	require.Zero(t, p)
	want := Principal{Subject: "user-1", Role: RoleOperator}
	p, ok = From(With(t.Context(), want))
	require.True(t, ok)
	require.Equal(t, want, p)
}

func TestRolesAreInTheTable(t *testing.T) {
	t.Parallel()
	for _, role := range []Role{RoleClinicAdministrator, RolePractitioner, RoleStaff, RoleOperator, RoleAuditor, RoleService} {
		require.True(t, slices.ContainsFunc(Rights(), func(g Grant) bool { return slices.Contains(g.Roles, role) }), role)
		require.Equal(t, strings.ToLower(string(role)), string(role))
	}
}
