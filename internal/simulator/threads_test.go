package simulator

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
)

var (
	pngFile = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	pdfFile = []byte("%PDF-1.7\n%fixture\n")
)

// open lets the clinic write to a citizen first, and returns the MsgId.
func (w *world) open(t *testing.T, process, function string, citizen int, files ...helsenorge.Attachment) string {
	t.Helper()
	from, err := registry.Address(t.Context(), w.parties, clinicHerID)
	require.NoError(t, err)
	to, err := registry.Address(t.Context(), w.parties, HerID)
	require.NoError(t, err)
	who := Citizen(citizen)
	m := &helsenorge.Message{
		Head: helsenorge.Head{
			Process: process, MsgID: uuid.NewString(), GenDate: time.Now(), WantsReceipt: true, Sender: from, Receiver: to,
			Patient: &helsenorge.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer},
		},
		Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{
			Type: helsenorge.Code{V: function, S: codes.Requests.OID()}, Subject: "Prøvesvar", Text: helsenorge.Text{Plain: "Svaret er klart."},
		}},
		Attachments: files,
	}
	xml, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	w.send(t, "helsenorge_async", process, xml, 1)
	return m.Head.MsgID
}

// threads waits until a citizen sees so many messages, and returns his conversations.
func (w *world) threads(t *testing.T, citizen, messages int) []Thread {
	t.Helper()
	var all []Thread
	var err error
	require.Eventually(t, func() bool {
		all, err = w.client.Threads(t.Context(), citizen)
		n := 0
		for _, thread := range all {
			n += len(thread.Messages)
		}
		return err == nil && n == messages
	}, waitFor, tick)
	return all
}

func TestACitizenAnswersWhatTheClinicBegan(t *testing.T) {
	t.Parallel()
	for _, process := range []string{codes.EKontakt, codes.EKonsultasjon} {
		w := newWorld(t)
		first := w.open(t, process, codes.DialogueWithCitizen, 5, helsenorge.NewAttachment("Svar", pdfFile))
		w.next(t) // the receipt
		thread := w.threads(t, 5, 1)[0]
		require.Equal(t, first, thread.Conversation)
		require.Equal(t, process, thread.Process)
		require.Equal(t, clinicHerID, thread.Party)
		require.Equal(t, "Prøvesvar", thread.Subject)
		require.True(t, thread.Answerable)
		require.Equal(t, Said{
			Function: "DI", Subject: "Prøvesvar", Text: "Svaret er klart.",
			Files: []File{{Name: "Svar", MIME: helsenorge.MIMEPDF, Size: len(pdfFile)}},
		}, thread.Messages[0].Said)

		_, err := w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: first, Citizen: 6})
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), "it is another's")

		sent, err := w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: first, Citizen: 5, Files: []File{{Name: "Bilde", Content: pngFile}}})
		require.NoError(t, err)
		require.Equal(t, clinicHerID, sent.To)
		_, reply := w.next(t)
		require.Equal(t, process, reply.Head.Process)
		require.Equal(t, codes.CitizenAnswer, reply.Dialog.Function())
		require.Equal(t, []string{first, first}, []string{reply.Head.RefToParent, reply.Head.RefToConversation})
		require.Equal(t, Citizen(5).NationalID, reply.Head.Patient.NationalID)
		require.Len(t, reply.Attachments, 1)
		file := reply.Attachments[0]
		require.Equal(t, []any{helsenorge.MIMEPNG, "Bilde", pngFile}, []any{file.MIME, file.Description, file.Bytes()})

		// And once more, to his own message: the conversation goes on.
		_, err = w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: sent.MsgID, Citizen: 5})
		require.NoError(t, err)
		_, again := w.next(t)
		require.Equal(t, []string{sent.MsgID, first}, []string{again.Head.RefToParent, again.Head.RefToConversation})
		thread = w.threads(t, 5, 3)[0]
		require.True(t, thread.Messages[1].Own)
		require.Equal(t, first, thread.Messages[1].Parent)
		require.Empty(t, w.threads(t, 6, 0))
	}
}

func TestAOneWayContactIsReadAndNotAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.open(t, codes.EKontakt, codes.OneWayToCitizen, 5)
	require.False(t, w.threads(t, 5, 1)[0].Answerable)
	_, err := w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: first, Citizen: 5})
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
	require.ErrorContains(t, err, "one-way")
}

func TestWhatHelsenorgeRefusedNobodySees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.client.SetActivity(t.Context(), Activity{Citizen: 5}))
	first := w.open(t, codes.EKontakt, codes.DialogueWithCitizen, 5)
	_, receipt := w.next(t)
	require.Equal(t, codes.PatientUnknown, receipt.Receipt.Errors[0].V)
	w.book(t, func(b Book) bool { return len(b.Received) == 1 })
	require.Empty(t, w.threads(t, 5, 0))
	_, err := w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: first, Citizen: 5})
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))
}

func TestACitizenGoesOnAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.client.Act(t.Context(), Action{Kind: EConsultation, To: clinicHerID, Citizen: 4})
	require.NoError(t, err)
	_, question := w.next(t)
	answerID, xml := answerTo(t, question, codes.DialogueClosed)
	w.send(t, "helsenorge_async", codes.EKonsultasjon, xml, 1)
	w.next(t) // the receipt
	thread := w.threads(t, 4, 2)[0]
	require.True(t, thread.Ended)
	require.True(t, thread.Answerable)
	_, err = w.client.Act(t.Context(), Action{Kind: Reply, InReplyTo: answerID})
	require.NoError(t, err)
	w.next(t)
	require.False(t, w.threads(t, 4, 3)[0].Ended)
}

func TestAnUnreadMessageIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.open(t, codes.EKontakt, codes.OneWayToCitizen, 5)
	w.next(t)
	w.threads(t, 5, 1)
	_, err := w.client.Act(t.Context(), Action{Kind: Unread, InReplyTo: first, Citizen: 5})
	require.NoError(t, err)
	_, notice := w.next(t)
	require.Equal(t, codes.UnreadNotice, notice.Dialog.Function())
	require.NotNil(t, notice.Dialog.Request)
	require.Equal(t, []string{first, first}, []string{notice.Head.RefToParent, notice.Head.RefToConversation})
}

func TestACitizenAsksForPrescriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := append(Medicines(), "Noe helt annet")
	_, err := w.client.Act(t.Context(), Action{
		Kind: RenewalByItem, To: clinicHerID, Citizen: 4, By: 5, Relation: "FU", HPR: "9144889", Medicines: names, Delivery: "HE",
	})
	require.NoError(t, err)
	_, asked := w.next(t)
	require.Equal(t, codes.RenewalPrescriptions, asked.Dialog.Function())
	require.Equal(t, "HE", asked.Dialog.Request.Coded.V)
	require.Equal(t, codes.WishedPractitioner, asked.Dialog.Request.Roles[0].RoleToPatient.V)
	require.Equal(t, "FU", asked.Relation.Kind.V)
	require.Equal(t, Citizen(5).NationalID, asked.Relation.Person.NationalID)
	require.Len(t, asked.Prescriptions, len(names))
	kinds := map[helsenorge.PrescriptionKind]bool{}
	for i, p := range asked.Prescriptions {
		require.Equal(t, names[i], p.Name)
		require.True(t, p.PrescribedOn.IsZero(), "Helsenorge does not say when")
		kinds[p.Kind] = true
	}
	require.Len(t, kinds, 3, "one of each kind that Helsenorge sends")

	answer := &helsenorge.Message{
		Head: helsenorge.ReplyHead(asked.Head, uuid.NewString(), time.Now(), ""),
		Dialog: &helsenorge.Dialog{Note: &helsenorge.Note{
			Topic: helsenorge.Code{V: codes.PartlyRenewed, S: codes.Answers.OID()}, Text: helsenorge.Text{Plain: "Den ene er fornyet."},
			Roles: []helsenorge.Role{{RoleToPatient: &helsenorge.Code{V: codes.Locum, S: codes.PatientRoles.OID()}, Professional: asked.Dialog.Request.Roles[0].Professional}},
		}},
		Prescriptions: asked.Prescriptions[:1],
	}
	xml, err := helsenorge.WriteMessage(answer)
	require.NoError(t, err)
	w.send(t, "helsenorge_async", codes.Reseptfornyelse, xml, 1)
	w.next(t)
	thread := w.threads(t, 4, 2)[0]
	require.False(t, thread.Answerable, "a renewal has one answer")
	require.Equal(t, names, thread.Messages[0].Medicines)
	require.Equal(t, "FU", thread.Messages[0].Relation)
	require.Equal(t, names[:1], thread.Messages[1].Medicines)
	require.Equal(t, codes.Locum, thread.Messages[1].Role)
	require.Empty(t, w.book(t, func(b Book) bool { return len(b.Received) == 1 }).Received[0].Problems)

	_, err = w.client.Act(t.Context(), Action{Kind: Renewal, To: clinicHerID, Delivery: "JA"})
	require.NoError(t, err)
	_, words := w.next(t)
	require.Equal(t, "JA", words.Dialog.Request.Coded.V)
	require.Empty(t, words.Prescriptions)
}

func TestWhatTheStandardHasNoPlaceForIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, a := range map[string]Action{
		"a file in a renewal":                {Kind: Renewal, To: clinicHerID, Files: []File{{Name: "Bilde", Content: pngFile}}},
		"a program":                          {Kind: EConsultation, To: clinicHerID, Files: []File{{Name: "Bilde", Content: []byte("MZ")}}},
		"an e-contact to a practitioner":     {Kind: EContact, To: clinicHerID, HPR: "9144889"},
		"a right that there is not":          {Kind: EContact, To: clinicHerID, By: 2, Relation: "XX"},
		"a delivery that there is not":       {Kind: Renewal, To: clinicHerID, Delivery: "UT"},
		"an e-consultation without its text": {Kind: EConsultation, To: clinicHerID, Text: " "},
	} {
		_, err := w.client.Act(t.Context(), a)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), "%s: %v", name, err)
	}
}

func TestAPartyIsToldWhoBecameActive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := registry.NewActivityClient(w.http.URL, nil)
	for _, told := range []struct {
		activity Activity
		code     string
	}{
		{Activity{Citizen: 5, To: clinicHerID}, codes.BecameInactive},
		{Activity{Citizen: 5, ViaOthers: true, To: clinicHerID}, codes.BecameActive},
		{Activity{Citizen: 5, Self: true, To: clinicHerID}, codes.BecameActive},
	} {
		require.NoError(t, w.client.SetActivity(t.Context(), told.activity))
		envelope, m := w.next(t)
		require.Equal(t, codes.Digitalbruker, envelope.Subject)
		require.Equal(t, codes.ActivityStatus, m.Dialog.Function())
		require.Equal(t, told.code, m.Dialog.Request.Coded.V)
		require.Equal(t, Citizen(5).NationalID, m.Head.Patient.NationalID)
		require.True(t, m.Head.WantsReceipt)
		self, others, err := client.Active(t.Context(), Citizen(5).NationalID)
		require.NoError(t, err)
		require.Equal(t, []bool{told.activity.Self, told.activity.ViaOthers}, []bool{self, others})
	}
	require.Empty(t, w.threads(t, 5, 0))
}
