package helsenorge

import (
	"cmp"
	"context"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// untitled is the subject of what begins a conversation without one: it must have one
// (HITS 1217 §3.2.3, §3.3.3). It is in Norwegian: it is the wire's language.
const untitled = "Melding fra legekontoret"

// head is the head of a message of staff: what answers a citizen's message where he
// wrote it goes back to whom it came from; any other names its parties and its place in
// the conversation itself.
func (a *Activities) head(ctx context.Context, job pg.Job) (helsenorge.Head, error) {
	if job.Original == nil {
		return a.ownHead(ctx, job, job.Patient)
	}
	original, err := read(job)
	if err != nil {
		return helsenorge.Head{}, err
	}
	return registry.ReplyHead(ctx, a.registry, original, job.MsgID, job.Now, job.Conversation)
}

// ownHead is the head of a message that is nobody's answer.
func (a *Activities) ownHead(ctx context.Context, job pg.Job, patient *pg.Patient) (helsenorge.Head, error) {
	head := helsenorge.Head{
		Process: job.ProcessCode, MsgID: job.MsgID, GenDate: job.Now, WantsReceipt: true, RefToParent: job.Parent, RefToConversation: job.Conversation,
	}
	if p := patient; p != nil {
		head.Patient = &helsenorge.Patient{
			GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName, NationalID: p.NationalID, IDType: p.IDType,
		}
	}
	var err error
	if head.Sender, err = registry.Address(ctx, a.registry, job.FromHerID); err != nil {
		return head, err
	}
	head.Receiver, err = registry.Address(ctx, a.registry, job.ToHerID)
	return head, err
}

// words is what staff wrote, as the process has it. An e-contact that the clinic begins
// does not name its author (HITS 1217 §3.3.3).
func words(process string, job pg.Job) *helsenorge.Dialog {
	text := helsenorge.Text{Plain: job.Text}
	if !job.Opens {
		return &helsenorge.Dialog{Note: &helsenorge.Note{Topic: answerCode(job.Code), Subject: job.Subject, Text: text, Roles: author(process, job.Author)}}
	}
	r := &helsenorge.Request{
		Type:    helsenorge.Code{V: job.Code, S: codes.Requests.OID(), DN: codes.Name(codes.Requests, job.Code)},
		Subject: cmp.Or(job.Subject, untitled), Text: text,
	}
	if process != codes.EKontakt {
		r.Roles = author(process, job.Author)
	}
	return &helsenorge.Dialog{Request: r}
}
