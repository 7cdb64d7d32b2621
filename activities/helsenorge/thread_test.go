package helsenorge

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/xsdtest"
)

// begun is a message of staff that begins a conversation.
func begun(process, code string) pg.Job {
	return pg.Job{
		Kind: pg.KindAnswer, Code: code, Opens: true, Subject: "Blodprøver", Text: "Prøvene er fine.", FromHerID: ours, ToHerID: theirs, ProcessCode: process,
		MsgID: uuid.NewString(), Now: now, Author: pg.Author{Name: "Frida Fastlege", Role: string(identity.RolePractitioner), HPR: "9144889", OwnGP: true},
		Patient: &pg.Patient{GivenName: "Line", FamilyName: "Testperson", NationalID: "10915596784", IDType: "FNR"},
	}
}

func TestStaffBeginAConversation(t *testing.T) { // HITS 1217 §3.2.3, §3.3.3
	t.Parallel()
	a := New(nil, nil, nil, known(), Config{ReceiptDue: time.Hour})
	var all [][]byte
	for _, process := range []string{codes.EKontakt, codes.EKonsultasjon} {
		for _, code := range []string{contract.OpenDialogue, contract.OpenOneWay} {
			job := begun(process, code)
			xml, err := a.build(t.Context(), job)
			m := built(t, xml, err)
			require.Equal(t, []any{process, code, job.MsgID, "", "", true}, []any{
				m.Head.Process, m.Dialog.Function(), m.Head.MsgID, m.Head.RefToConversation, m.Head.RefToParent, m.Head.WantsReceipt,
			})
			require.Equal(t, []any{ours, theirs, "10915596784"}, []any{m.Head.Sender.HerID(), m.Head.Receiver.HerID(), m.Head.Patient.NationalID})
			require.Equal(t, []string{"Blodprøver", "Prøvene er fine."}, []string{m.Dialog.Request.Subject, m.Dialog.Request.Text.Plain})
			require.Equal(t, process == codes.EKontakt, len(m.Dialog.Request.Roles) == 0, "an e-contact does not name its author")
			all = append(all, xml)
		}
	}
	job := begun(codes.EKonsultasjon, contract.OpenDialogue)
	job.Subject = "" // an answer that found no conversation to follow
	xml, err := a.build(t.Context(), job)
	require.Equal(t, untitled, built(t, xml, err).Dialog.Request.Subject)
	xsdtest.RequireValid(t, append(all, xml)...)
}

func TestStaffGoOnInAConversationOfTheirOwn(t *testing.T) { // HITS 1217 §2.3.3
	t.Parallel()
	a := New(nil, nil, nil, known(), Config{ReceiptDue: time.Hour})
	job := begun(codes.EKonsultasjon, contract.AnswerFromPractitioner)
	job.Opens, job.Conversation, job.Parent = false, uuid.NewString(), uuid.NewString()
	xml, err := a.build(t.Context(), job)
	m := built(t, xml, err)
	require.Equal(t, []any{contract.AnswerFromPractitioner, job.Conversation, job.Parent}, []any{m.Dialog.Function(), m.Head.RefToConversation, m.Head.RefToParent})
	require.NotNil(t, m.Dialog.Note)
	require.Equal(t, "10915596784", m.Head.Patient.NationalID)
	xsdtest.RequireValid(t, xml)
}
