package helsenorge

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge/codes"
)

// Every function has a type, and every type a function.
func TestEveryFunctionHasAType(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, f := range Functions() {
		require.NotEmpty(t, f.Section, "%+v", f)
		require.True(t, codes.Known(f.Process), "%+v", f)
		have[f.Content] = true
	}
	for _, c := range []Content{
		Question{}, Enquiry{}, UnreadNotice{}, Opening{}, PractitionerAnswer{}, EnquiryAnswer{}, Closing{}, CertificateAnswer{}, CitizenAnswer{},
		Refusal{}, RenewalRequest{}, RenewalAnswer{}, SlotsRequest{}, Slots{}, PlannedRequest{}, Planned{}, BookingRequest{}, CancellationRequest{},
		AppointmentNotice{}, AppointmentAnswer{}, AppointmentWish{}, PractitionersRequest{}, PractitionersAnswer{},
		ActivityStatus{}, ActivityQuestion{}, ActivityAnswer{}, TestRequest{}, TestAnswer{},
	} {
		require.True(t, have[ContentName(c)], ContentName(c))
		delete(have, ContentName(c))
	}
	require.Empty(t, have)
}

// What a process that is not read in full is refused with is a Refusal, too; nothing else
// of it is anything.
func TestContentOfOtherProcesses(t *testing.T) {
	t.Parallel()
	m := &Message{Head: fromClinic(codes.Oppgave, secondID), Dialog: note("26", Text{Plain: "Nei."})}
	content, ok := m.Content()
	require.True(t, ok)
	require.Equal(t, Refusal{Code: "26", Letter: Letter{Text: Text{Plain: "Nei."}}}, content)
	require.Equal(t, m, NewMessage(m.Head, content))
	for _, m := range []*Message{
		{Head: fromCitizen(codes.Oppgave, firstID), Dialog: request("SB", "", "")},
		{Head: fromCitizen(codes.EKontakt, firstID), Dialog: request("RT", "", "")},
		{Head: fromCitizen(codes.EKontakt, firstID)},
		{Receipt: receipts()["receipt-ok"]},
	} {
		_, ok := m.Content()
		require.False(t, ok)
	}
}

// The README's table is the list of functions, those that differ by code only in one row.
func TestREADMEListsEveryFunction(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- functions: go test ./internal/helsenorge -run README -update -->\n", "<!-- end of functions -->"
	name := filepath.Join("..", "..", "README.md")
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(raw), begin)
	require.True(t, found)
	listed, after, found := strings.Cut(rest, end)
	require.True(t, found)

	var table strings.Builder
	table.WriteString("| process | direction | code | Go type | HITS 1217 |\n|---|---|---|---|---|\n")
	var row string
	var codesOfRow []string
	write := func() {
		if row != "" {
			table.WriteString(strings.Replace(row, "CODES", strings.Join(codesOfRow, ", "), 1))
		}
		codesOfRow = nil
	}
	for _, f := range Functions() {
		next := fmt.Sprintf("| `%s` | %s, %s | CODES | `%s` | §%s |\n", strings.TrimPrefix(f.Process, "DIALOG_INNBYGGER_"), f.Direction,
			map[bool]string{true: "Foresporsel", false: "Notat"}[f.Request], f.Content, f.Section)
		if next != row {
			write()
			row = next
		}
		codesOfRow = append(codesOfRow, f.Code)
	}
	write()
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(before+begin+table.String()+end+after), 0o600))
		return
	}
	require.Equal(t, table.String(), listed, "run the test with -update")
}
