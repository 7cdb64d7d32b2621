package storetest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/domain/prescription"
	"github.com/helsebro/helsebro/internal/pg"
)

func pack(name string) pg.Medicine {
	return pg.Medicine{Kind: pg.MedicinePack, Name: name, Group: "C", ItemNumber: "012345", ATC: "M01AE01"}
}

// request is a renewal request with its prescriptions.
type request struct {
	*testing.T
	s     *pg.Store
	id    string
	items []pg.PrescriptionItem
}

func asked(t *testing.T, s *pg.Store, a pg.Arrival) request {
	t.Helper()
	m, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, pg.Taken, m.Verdict)
	return request{T: t, s: s, id: m.DialogueID}.read()
}

func (r request) read() request {
	r.Helper()
	d, err := r.s.ReadDialogue(r.Context(), demo.GP, demo.ClinicID, r.id)
	require.NoError(r, err)
	r.items = d.Prescriptions
	return r
}

func (r request) draft(d pg.Draft) (pg.Drafted, error) {
	if d.ID == "" {
		d.ID = uuid.NewString()
	}
	return r.s.DraftAnswer(r.Context(), demo.GP, demo.ClinicID, r.id, d)
}

// decides are decisions by the first letters of what is decided, in the order of the
// request: r, c or j.
func (r request) decides(letters string) []pg.ItemDecision {
	var all []pg.ItemDecision
	for i, l := range letters {
		d := pg.ItemDecision{ID: r.items[i].ID, Decision: prescription.Renewed}
		switch l {
		case 'c':
			d.Decision, d.Reason = prescription.Cannot, "Bestill time."
		case 'j':
			d.Decision, d.Reason = prescription.Rejected, "Ikke hos oss."
		}
		all = append(all, d)
	}
	return all
}

// refuses holds that a draft is refused, and for which fields.
func (r request) refuses(d pg.Draft, paths ...string) string {
	r.Helper()
	_, err := r.draft(d)
	var e *apperr.Error
	require.ErrorAs(r, err, &e)
	require.Equal(r, apperr.Invalid, e.Kind, "%v", err)
	var got, rules []string
	for _, f := range e.Fields {
		got, rules = append(got, f.Path), append(rules, f.Rule)
	}
	require.Equal(r, paths, got, "%v", rules)
	view, err := r.s.ReadDialogue(r.Context(), demo.GP, demo.ClinicID, r.id)
	require.NoError(r, err)
	require.Empty(r, view.Answers, "what is refused leaves nothing behind")
	return strings.Join(rules, "; ")
}

// sent prepares a drafted answer and returns what it is built from.
func (r request) sent(id string) pg.Job {
	r.Helper()
	p, err := r.s.PrepareAnswer(r.Context(), demo.ClinicID, id, helsenorge, build("wire"))
	require.NoError(r, err)
	return p.Job
}

func TestARequestListsItsPrescriptions(t *testing.T) { // S59
	d, s := setup(t)
	listed := asked(t, s, renewal("", pack("Ibux 400 mg"), pack("Paralgin forte"), pg.Medicine{Kind: pg.MedicineSubstance, Name: "P-pille", Group: "C", Reserved: true}))
	require.Len(t, listed.items, 3)
	for i, item := range listed.items {
		require.Equal(t, []any{i + 1, pg.SourceM1}, []any{item.Position, item.Source})
		require.Empty(t, item.Decision)
	}
	require.Equal(t, pack("Paralgin forte"), *listed.items[1].Medicine)
	require.Equal(t, []bool{false, false, true}, []bool{listed.items[0].Reserved, listed.items[1].Reserved, listed.items[2].Reserved})

	words := asked(t, s, renewal("Ibux og Paralgin"))
	require.Len(t, words.items, 1)
	require.Equal(t, []string{pg.SourceText, "Ibux og Paralgin", "Ibux og Paralgin"}, []string{words.items[0].Source, words.items[0].Text, words.items[0].Name()})
	require.Equal(t, "Medisin", asked(t, s, renewal("")).items[0].Text, "a request without a text has its subject")

	a := renewal("Ibux")
	first, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	again, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, first.DialogueID, again.DialogueID)
	require.Len(t, request{T: t, s: s, id: first.DialogueID}.read().items, 1, "a redelivery adds none")
	dump, err := d.Dump(t.Context())
	require.NoError(t, err)
	require.NotContains(t, dump, "Paralgin")
}

func TestEachPrescriptionIsDecidedAndTheOptionFollows(t *testing.T) { // F15, S61-S67
	_, s := setup(t)
	for letters, option := range map[string]string{"rrr": "14", "rcj": "32", "ccj": "15", "jjj": "26"} {
		r := asked(t, s, renewal("", pack("Ibux 400 mg"), pack("Paralgin forte"), pack("Zyrtec")))
		id := uuid.NewString()
		drafted, err := r.draft(pg.Draft{ID: id, Text: "Hei.", Items: r.decides(letters)})
		require.NoError(t, err)
		require.Equal(t, option, drafted.Code, letters)
		require.Empty(t, r.read().items[0].Decision, "nothing is decided before the answer is accepted")

		job := r.sent(id)
		require.Equal(t, option, job.Code)
		require.Equal(t, prescription.Note(option), job.Subject, "the option is the note (S67)")
		require.True(t, strings.HasPrefix(job.Text, "Hei.\n\n- Ibux 400 mg: "), job.Text)
		require.Equal(t, 3, strings.Count(job.Text, "\n- "))
		require.Len(t, job.Medicines, strings.Count(letters, "r"), "one M1 for each that is renewed")
		if letters == "rcj" {
			require.Equal(t, "Hei.\n\n- Ibux 400 mg: fornyet\n- Paralgin forte: kan ikke fornyes. Bestill time.\n- Zyrtec: avvist. Ikke hos oss.", job.Text)
			require.Equal(t, []pg.Medicine{pack("Ibux 400 mg")}, job.Medicines)
		}
		for i, item := range r.read().items {
			require.Equal(t, r.decides(letters)[i].Decision, item.Decision)
			require.Equal(t, r.decides(letters)[i].Reason, item.Reason)
			require.Equal(t, id, item.AnswerID)
		}
		view, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, r.id)
		require.NoError(t, err)
		require.Equal(t, []string{prescription.Note(option), job.Text}, []string{view.Answers[0].Subject, view.Answers[0].Text}, "staff read what the citizen reads")
		require.Equal(t, "AP", view.Messages[0].DeliveryMode)
	}
}

func TestAnOptionAloneHoldsForAll(t *testing.T) { // S61
	_, s := setup(t)
	r := asked(t, s, renewal("", pack("Ibux"), pack("Zyrtec")))
	require.Contains(t, r.refuses(pg.Draft{Code: "32", Text: "Hei."}, "items"), "does not say which")
	id := uuid.NewString()
	_, err := r.draft(pg.Draft{ID: id, Code: "14", Text: "Hei."})
	require.NoError(t, err)
	require.Len(t, r.sent(id).Medicines, 2)

	words := asked(t, s, renewal("Ibux"))
	require.Contains(t, words.refuses(pg.Draft{Code: "14", Text: "Hei."}, "items[0].medicine"), "what was prescribed")
	id = uuid.NewString()
	_, err = words.draft(pg.Draft{ID: id, Code: "15", Text: "Bestill time."})
	require.NoError(t, err)
	job := words.sent(id)
	require.Equal(t, []string{"Resept kan ikke fornyes", "Bestill time."}, []string{job.Subject, job.Text}, "one alone needs no line: the option says it")
	require.Empty(t, job.Medicines)
}

func TestWhatContradictsOrIsMissingIsRefused(t *testing.T) { // F15
	_, s := setup(t)
	r := asked(t, s, renewal("", pack("Ibux"), pack("Zyrtec")))
	why := r.refuses(pg.Draft{Code: "14", Text: "Hei.", Items: r.decides("rc")}, "code")
	for _, word := range []string{"1 of 2 renewed", "1 cannot be renewed", "32"} {
		require.Contains(t, why, word)
	}
	r.refuses(pg.Draft{Code: "30", Text: "Hei."}, "code")
	r.refuses(pg.Draft{Code: "12", Text: "Hei.", Items: r.decides("rr")}, "code")
	r.refuses(pg.Draft{Text: "Hei.", Subject: "Svar", Items: r.decides("rr")}, "subject")
	require.Contains(t, r.refuses(pg.Draft{Text: "Hei.", Items: r.decides("r")}, "items"), "1 of 2")
	twice := r.decides("rr")
	twice[1].ID = twice[0].ID
	r.refuses(pg.Draft{Text: "Hei.", Items: twice}, "items[1].id", "items")
	wrong := r.decides("rc")
	wrong[0].Decision, wrong[1].Reason = "maybe", ""
	r.refuses(pg.Draft{Text: "Hei.", Items: wrong}, "items[0].decision", "items[0].reason", "items[1].reason")
	wrong = r.decides("rc")
	wrong[0].Medicine, wrong[1].Medicine, wrong[1].Reason = &pg.Medicine{Kind: "pill", Name: "Ibux"}, &pg.Medicine{}, strings.Repeat("æ", 201)
	r.refuses(pg.Draft{Text: "Hei.", Items: wrong}, "items[1].reason", "items[1].medicine")
	wrong = r.decides("rr")
	wrong[0].Medicine = &pg.Medicine{Kind: "pill", Name: "Ibux"}
	r.refuses(pg.Draft{Text: "Hei.", Items: wrong}, "items[0].medicine.kind")

	long := strings.Repeat("æ", prescription.MaxText-utf8.RuneCountInString("\n\n- Ibux: fornyet\n- Zyrtec: fornyet"))
	require.Contains(t, r.refuses(pg.Draft{Text: long + "æ", Items: r.decides("rr")}, "text"), "1 characters too long")
	_, err := r.draft(pg.Draft{Text: long, Items: r.decides("rr")})
	require.NoError(t, err, "the limit is inclusive")
}

func TestWhatIsReservedIsInNoText(t *testing.T) { // F15: guardians read the text
	_, s := setup(t)
	secret := pack("Loette 28 tabletter")
	secret.Reserved, secret.TradeName = true, "Loettina"
	r := asked(t, s, renewal("", pack("Ibux"), secret))
	for _, text := range []string{"Loette er fornyet.", "Vi har fornyet LOETTINA."} {
		rule := r.refuses(pg.Draft{Text: text, Items: r.decides("rr")}, "text")
		require.NotContains(t, strings.ToLower(rule), "loette", "not even why it is refused names it")
	}
	telling := r.decides("cr")
	telling[0].Reason = "Ikke sammen med loette."
	r.refuses(pg.Draft{Text: "Hei.", Items: telling}, "items[0].reason")

	id := uuid.NewString()
	_, err := r.draft(pg.Draft{ID: id, Text: "Hei.", Items: r.decides("rr")})
	require.NoError(t, err)
	job := r.sent(id)
	require.Equal(t, "Hei.\n\n- Ibux: fornyet", job.Text)
	require.Len(t, job.Medicines, 2, "the patient gets his prescription, which says that it is reserved")
	require.True(t, job.Medicines[1].Reserved)

	words := asked(t, s, renewal("P-piller"))
	said := words.decides("r")
	said[0].Medicine = &secret // the record system knows that it is reserved
	id = uuid.NewString()
	_, err = words.draft(pg.Draft{ID: id, Text: "Hei.", Items: said})
	require.NoError(t, err)
	require.Equal(t, "Hei.", words.sent(id).Text)
	require.True(t, words.read().items[0].Reserved)
}

func (r request) split(names ...string) error {
	r.Helper()
	c := pg.DialogueChange{ID: uuid.NewString(), DialogueID: r.id, Kind: pg.SplitRequest, Items: names}
	if _, err := r.s.DraftDialogueChange(r.Context(), demo.Desk, demo.ClinicID, c); err != nil {
		return err
	}
	_, err := r.s.ApplyDialogueChange(r.Context(), contract.ApplyDialogueChangeInput{ClinicID: demo.ClinicID, DialogueID: r.id, CommandID: c.ID, Now: time.Now()})
	return err
}

func TestStaffSplitACitizensWords(t *testing.T) { // F15
	_, s := setup(t)
	r := asked(t, s, renewal("Ibux, og så den hvite"))
	require.NoError(t, r.split("Ibux", "Hvit tablett", " Sovemedisin "))
	r = r.read()
	require.Len(t, r.items, 3)
	require.Equal(t, []any{3, pg.SourceSplit, "Sovemedisin"}, []any{r.items[2].Position, r.items[2].Source, r.items[2].Name()})
	require.NoError(t, r.split("Ibux", "Hvit tablett"))
	stale := r.decides("rcj")
	r = r.read()
	require.Len(t, r.items, 2, "split again")
	r.refuses(pg.Draft{Text: "Hei.", Items: stale}, "items[0].id", "items[1].id", "items[2].id", "items")

	for _, names := range [][]string{{" "}, {strings.Repeat("x", 101)}, {"a\nb"}, make([]string, 31)} {
		err := r.split(names...)
		require.True(t, apperr.Is(err, apperr.Invalid), "%v", err)
	}
	said := r.decides("rc")
	medicine := pack("Ibux 400 mg tabletter")
	said[0].Medicine = &medicine
	id := uuid.NewString()
	_, err := r.draft(pg.Draft{ID: id, Text: "Hei.", Items: said})
	require.NoError(t, err)

	// Split while the answer is on its way: it decides on others.
	require.NoError(t, r.split("Ibux", "Hvit tablett"))
	_, err = s.PrepareAnswer(t.Context(), demo.ClinicID, id, helsenorge, build("wire"))
	require.True(t, apperr.Is(err, apperr.Conflict), "%v", err)

	r = r.read()
	said = r.decides("rc")
	said[0].Medicine = &medicine
	id = uuid.NewString()
	_, err = r.draft(pg.Draft{ID: id, Text: "Hei.", Items: said})
	require.NoError(t, err)
	job := r.sent(id)
	require.Equal(t, []pg.Medicine{medicine}, job.Medicines)
	require.Equal(t, "Hei.\n\n- Ibux 400 mg tabletter: fornyet\n- Hvit tablett: kan ikke fornyes. Bestill time.", job.Text)
	err = r.split("Ibux")
	require.True(t, apperr.Is(err, apperr.Conflict), "it is answered: %v", err)

	listed := asked(t, s, renewal("", pack("Ibux")))
	require.True(t, apperr.Is(listed.split("Ibux", "Zyrtec"), apperr.Conflict), "the citizen chose himself")
	m, err := s.StoreArrival(t.Context(), eConsultation())
	require.NoError(t, err)
	require.True(t, apperr.Is(request{T: t, s: s, id: m.DialogueID}.split("Ibux"), apperr.Conflict))
}

func TestAnAnswerThatDidNotArriveIsGivenAgain(t *testing.T) {
	_, s := setup(t)
	r := asked(t, s, renewal("", pack("Ibux"), pack("Zyrtec")))
	answer := func(letters string) string {
		id := uuid.NewString()
		_, err := r.draft(pg.Draft{ID: id, Text: "Hei.", Items: r.decides(letters)})
		require.NoError(t, err)
		r.sent(id)
		return id
	}
	first := answer("rr")
	_, err := s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{ClinicID: demo.ClinicID, DialogueID: r.id, OutboundID: first, Outcome: contract.OutcomeFailed, Reason: "test"})
	require.NoError(t, err)
	second := answer("cr")
	for i, want := range []prescription.Decision{prescription.Cannot, prescription.Renewed} {
		item := r.read().items[i]
		require.Equal(t, []any{want, second}, []any{item.Decision, item.AnswerID})
	}
}

func TestTheSameAnswerAgainIsTheSame(t *testing.T) {
	_, s := setup(t)
	r := asked(t, s, renewal("", pack("Ibux"), pack("Zyrtec")))
	d := pg.Draft{ID: uuid.NewString(), Text: "Hei.", Items: r.decides("rc")}
	_, err := r.draft(d)
	require.NoError(t, err)
	d.Items = r.decides("rc")
	again, err := r.draft(d)
	require.NoError(t, err)
	require.Equal(t, []any{2, "32"}, []any{again.Attempt, again.Code})
	d.Items = r.decides("rj")
	_, err = r.draft(d)
	require.True(t, apperr.Is(err, apperr.Duplicate), "%v", err)

	p, err := s.PrepareAnswer(t.Context(), demo.ClinicID, d.ID, helsenorge, func(_ context.Context, j pg.Job) ([]byte, error) {
		return fmt.Appendf(nil, "%d", len(j.Medicines)), nil
	})
	require.NoError(t, err)
	require.Equal(t, "1", string(p.Wire))
}
