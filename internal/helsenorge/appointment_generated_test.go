package helsenorge

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever the tables permit is valid by the official schemas, and reads back as
// it was written.
func TestGeneratedAppointmentsAreValid(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1217, 3))
	var documents [][]byte
	for _, process := range slices.Sorted(maps.Keys(profile)) {
		fs := profile[process]
		if !fs.appointments() {
			continue
		}
		for _, table := range []map[string]function{fs.requests, fs.notes} {
			for _, v := range slices.Sorted(maps.Keys(table)) {
				for range 12 {
					m := generated(r, process, v, table[v], table[v].thread)
					raw, err := WriteMessage(m)
					require.NoError(t, err, "%s %s %v", process, v, fieldsOf(t, err))
					back, problems := Read(raw)
					require.Empty(t, problems, "%s %s", process, v)
					back.Head.GenDateLiteral = ""
					require.Equal(t, m, back, "%s %s", process, v)
					documents = append(documents, raw)
				}
			}
		}
	}
	require.Greater(t, len(documents), 500)
	requireValid(t, documents...)
}

// generated is a message of a function with whatever of the optional it may have.
func generated(r *rand.Rand, process, v string, f function, answer bool) *Message {
	maybe := func() bool { return r.IntN(2) == 0 }
	words := func() string {
		runes := []rune("abcæøåÆØÅ <>&\"'😀\n-09")
		out := make([]rune, 1+r.IntN(40))
		for i := range out {
			out[i] = runes[r.IntN(len(runes))]
		}
		return "x" + string(out) + "x"
	}
	m := &Message{Head: fromCitizen(process, firstID), Dialog: &Dialog{}}
	switch {
	case answer:
		m.Head = fromClinic(process, secondID)
		m.Dialog.Note = &Note{Topic: code(f.list, v)}
	case f.sides == clinic:
		m.Head = firstFromClinic(process)
	}
	var text Text
	var subject string
	if !f.silent && maybe() {
		text, subject = Text{Plain: words()}, words()
	}
	var roles []Role
	if f.roles == onePractitioner && maybe() {
		roles = wished()
	}
	if n := m.Dialog.Note; n != nil {
		n.Subject, n.Text, n.Roles = subject, text, roles
	} else {
		q := &Request{Type: code(f.list, v), Subject: subject, Text: text, Roles: roles}
		if f.coded != "" {
			q.Coded = codeRef(f.coded, strconv.Itoa(1+r.IntN(2)))
		}
		if f.dates {
			q.From = time.Date(2026, 1, 1+r.IntN(700), 0, 0, 0, 0, time.UTC)
			q.To = q.From.AddDate(0, 0, r.IntN(MaxSlotDays+1))
		}
		m.Dialog.Request = q
	}
	m.Head.WantsReceipt = f.pace == queued || f.pace == eitherWay && maybe()
	if f.caseID && maybe() {
		m.Dialog.CaseID = words()
	}
	if f.sides == citizen && maybe() {
		m.Relation = onBehalf()
	}
	if f.attachments && maybe() {
		m.Attachments = []Attachment{{MIME: MIMEPNG, Description: words(), Content: png}}
	}
	if f.practitioners == always || f.practitioners != never && maybe() {
		m.Practitioners = practitioners()[:1+r.IntN(2)]
	}
	if f.events != nil {
		most := f.events.most
		if most == 0 {
			most = 6
		}
		for range f.events.least + r.IntN(most-f.events.least+1) {
			m.Events = append(m.Events, generatedEvent(r, f.events, maybe, words))
		}
	}
	return m
}

func generatedEvent(r *rand.Rand, rule *eventRule, maybe func() bool, words func() string) Event {
	id := func() string {
		if rule.own || maybe() {
			return fmt.Sprintf("%08x-7a4d-4a52-9f0e-6c8a8f0a1d01", r.Uint32())
		}
		return words()
	}
	e := Event{UID: id(), Contact: 1 + r.IntN(9_000_000)}
	e.StartsAt = time.Date(2026, 1, 1, 0, 0, r.IntN(2*365*24*60*60), 0, time.UTC)
	e.EndsAt = e.StartsAt.Add(time.Duration(1+r.IntN(3_600_000)) * time.Millisecond)
	if rule.related || maybe() {
		e.RelatedTo = id()
	}
	if maybe() {
		e.Summary, e.Description = words(), words()
	}
	if maybe() {
		e.Location = words()
	}
	if maybe() {
		e.Status = rule.statuses[r.IntN(len(rule.statuses))]
	}
	if e.Status == StatusCancelled && maybe() {
		e.CancellationReason = []string{CancelledByService, CancelledNotAtHome, CancelledByRecipient, CancelledOnBehalf}[r.IntN(4)]
	}
	if maybe() {
		e.Categories = append(e.Categories, []string{CategoryUrgent, CategoryVideo, "Ordinær", CategoryService + "9"}[r.IntN(4)])
	}
	switch {
	case rule.slots && maybe():
		e.Categories = append(e.Categories, CategoryMustCall)
	case rule.slots && maybe():
		e.AvailableAt = e.StartsAt.Add(-time.Duration(r.IntN(3_600_000)) * time.Millisecond)
	}
	return e
}
