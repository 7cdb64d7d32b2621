package helsenorge

import (
	"context"
	"strings"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// subjectReceipt is the transport's message function of a receipt (HITS 1216).
const subjectReceipt = "APPREC"

// answer builds staff's answer: a Notat in the thread of the message that it
// answers (HITS 1217 §2.3.3, §2.4.1).
func (a *Activities) answer(ctx context.Context, job pg.Job) ([]byte, error) {
	original, err := read(job)
	if err != nil {
		return nil, err
	}
	note := &helsenorge.Note{
		Topic:   answerCode(job.Code),
		Subject: job.Subject,
		Text:    helsenorge.Text{Plain: job.Text},
		Roles:   author(original.Head.Process, job.Author),
	}
	head, err := a.replyHead(ctx, original.Head, job)
	if err != nil {
		return nil, err
	}
	return helsenorge.WriteMessage(&helsenorge.Message{Head: head, Dialog: &helsenorge.Dialog{Note: note}})
}

// replyHead swaps the parties of the message that is answered. A received message
// may name an enterprise by its organisation number only; a sent one must have
// HER-ids on both levels (HITS 1217 §2.3.4), which the address registry knows.
func (a *Activities) replyHead(ctx context.Context, original helsenorge.Head, job pg.Job) (helsenorge.Head, error) {
	head := helsenorge.ReplyHead(original, job.MsgID, job.Now, job.Conversation)
	for _, p := range []*helsenorge.Party{&head.Sender, &head.Receiver} {
		party, err := a.registry.Party(ctx, p.HerID())
		if err != nil {
			return head, err
		}
		organisation := party.ParentHerID
		if organisation == 0 {
			organisation = party.HerID
		}
		*p = p.WithHerIDs(organisation, party.HerID)
	}
	return head, nil
}

// answerCode is a code of 7602 with its name.
func answerCode(v string) helsenorge.Code {
	return helsenorge.Code{V: v, S: codes.Answers.OID(), DN: codes.Name(codes.Answers, v)}
}

// author names who answered. An e-contact shows the author's name; the other
// processes name the health professional, which needs an HPR number (HITS 1217
// §2.4.5, §3.3.2).
func author(process string, a pg.Author) []helsenorge.Role {
	given, family := splitName(a.Name)
	switch {
	case family == "":
		return nil
	case process == codes.EKontakt:
		return []helsenorge.Role{{
			RolleNotat: &helsenorge.Code{V: "1", S: codes.NoteRoles.OID(), DN: "Forfatter"},
			Person:     &helsenorge.Person{GivenName: given, FamilyName: family},
		}}
	case a.HPR == "":
		return nil
	}
	role := helsenorge.Code{V: "6", S: codes.PatientRoles.OID(), DN: "Fastlege"}
	if a.Role != string(identity.RolePractitioner) {
		return nil
	}
	return []helsenorge.Role{{
		RoleToPatient: &role,
		Professional: &helsenorge.HealthcareProfessional{
			GivenName: given, FamilyName: family,
			Idents: []helsenorge.Ident{{ID: a.HPR, Type: helsenorge.Code{V: "HPR", S: codes.PersonIDs.OID(), DN: "HPR-nummer"}}},
		},
	}}
}

// splitName takes the last word as the family name.
func splitName(name string) (given, family string) {
	words := strings.Fields(name)
	if len(words) < 2 {
		return "", strings.Join(words, " ")
	}
	return strings.Join(words[:len(words)-1], " "), words[len(words)-1]
}

// refusalTexts is what a citizen reads when no lifecycle takes the message. They
// are in Norwegian: it is the wire's language.
var refusalTexts = map[string]string{
	contract.AnswerRefused:  "Tjenesten tilbys ikke av legekontoret. Ta kontakt på telefon.",
	contract.AnswerNoAccess: "Du har ikke tilgang til denne tjenesten. Ta kontakt med legekontoret på telefon.",
}

// refusal builds the answer 26 or 30 that follows a positive receipt when no
// lifecycle takes the message (HITS 1217 §2.13.3).
func (a *Activities) refusal(ctx context.Context, job pg.Job) ([]byte, error) {
	original, err := read(job)
	if err != nil {
		return nil, err
	}
	head, err := a.replyHead(ctx, original.Head, job)
	if err != nil {
		return nil, err
	}
	return helsenorge.WriteMessage(&helsenorge.Message{
		Head: head,
		Dialog: &helsenorge.Dialog{Note: &helsenorge.Note{
			Topic:   answerCode(job.Code),
			Subject: codes.Name(codes.Answers, job.Code),
			Text:    helsenorge.Text{Plain: refusalTexts[job.Code]},
		}},
	})
}

// receipt builds the application receipt that was decided when the message was
// stored (HIS 80415). It is final: a retry repeats it.
func receipt(_ context.Context, job pg.Job) ([]byte, error) {
	original, err := read(job)
	if err != nil {
		return nil, err
	}
	var problems []helsenorge.Problem
	if job.Verdict == pg.Rejected {
		for _, p := range job.Problems {
			problems = append(problems, helsenorge.Problem{Code: p.Code, Path: p.Path, Rule: p.Rule})
		}
	}
	return helsenorge.WriteReceipt(helsenorge.ReceiptFor(original.Head, job.MsgID, job.Now, problems))
}

// read opens the stored message again. Its head was readable when it was stored.
func read(job pg.Job) (*helsenorge.Message, error) {
	m, _ := helsenorge.Read(job.Original)
	if m == nil {
		return nil, apperr.New(apperr.Internal, "a stored message whose head was readable is not any more")
	}
	return m, nil
}

// report builds what the sender's error queue is told about a message of his
// (HITS 1216 §2.2.3). Everything in it was stored with the message, so that a retry
// repeats it.
func report(p pg.Prepared, errorQueue string) transport.Message {
	original := &transport.Message{
		ID: p.Job.OriginalTransportID, Subject: p.Job.TransportSubject, CorrelationID: p.Job.CorrelationID,
		FromHerID: p.ToHerID, ToHerID: p.FromHerID,
	}
	if strings.HasPrefix(original.ID, pg.MadeUpTransportID) {
		original.ID = "" // the message had none: the sender would not know ours
	}
	r := transport.ErrorReport{ReceivedAt: p.Job.ReceivedAt}
	if len(p.Job.Problems) > 0 {
		r.Condition, r.Description = transport.Condition(p.Job.Problems[0].Code), p.Job.Problems[0].Rule
		if path := p.Job.Problems[0].Path; path != "" {
			r.Data = []string{path}
		}
	}
	return r.About(original, errorQueue, p.TransportID, p.Job.ReceivedAt)
}
