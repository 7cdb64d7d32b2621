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
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/transport"
)

// subjectReceipt is the transport's message function of a receipt (HITS 1216).
const subjectReceipt = "APPREC"

// answer builds a message of staff: a Notat in its conversation, or the Foresporsel that
// begins one (HITS 1217 §2.3.3, §2.4.1), with the appointment where there is one to name.
func (a *Activities) answer(ctx context.Context, job pg.Job) ([]byte, error) {
	head, err := a.head(ctx, job)
	if err != nil {
		return nil, err
	}
	m := &helsenorge.Message{Head: head, Dialog: words(head.Process, job)}
	if job.Appointment != nil {
		appointment(m, job.Code, *job.Appointment)
	}
	if err := carry(m, job); err != nil {
		return nil, err
	}
	return helsenorge.WriteMessage(m)
}

// answerCode is a code of 7602 with its name.
func answerCode(v string) helsenorge.Code {
	return helsenorge.Code{V: v, S: codes.Answers.OID(), DN: codes.Name(codes.Answers, v)}
}

// author names who answered. An e-contact shows the author's name, an answer about an
// appointment not the author but whom it is with, and the other processes the health
// professional: the citizen's GP, or who answers in a GP's place. Nobody is named when
// none of them wrote: a list without a GP answers so (HITS 1217 §2.3.4, §2.4.5, §3.3.2,
// §3.4.3).
func author(process string, a pg.Author) []helsenorge.Role {
	given, family := helsenorge.SplitName(a.Name)
	switch process {
	case codes.Timereservasjon, codes.Timeonske, codes.Avtaleavbestilling:
		return nil
	case codes.EKontakt:
		if family == "" {
			return nil
		}
		return []helsenorge.Role{{
			RolleNotat: &helsenorge.Code{V: codes.Author, S: codes.NoteRoles.OID(), DN: codes.Name(codes.NoteRoles, codes.Author)},
			Person:     &helsenorge.Person{GivenName: given, FamilyName: family},
		}}
	}
	role := codes.Locum
	if a.OwnGP {
		role = codes.Fastlege
	}
	return practitioner(a, role)
}

// practitioner names a practitioner, who needs an HPR number, in a role of 9034.
func practitioner(a pg.Author, role string) []helsenorge.Role {
	professional, ok := helsenorge.Named(a.Name, a.HPR)
	if !ok || a.Role != string(identity.RolePractitioner) {
		return nil
	}
	return []helsenorge.Role{{
		RoleToPatient: &helsenorge.Code{V: role, S: codes.PatientRoles.OID(), DN: codes.Name(codes.PatientRoles, role)},
		Professional:  &professional,
	}}
}

// refusalTexts is what a citizen reads when no lifecycle takes the message. They
// are in Norwegian: it is the wire's language.
var refusalTexts = map[string]string{
	contract.AnswerRefused:  "Tjenesten tilbys ikke av legekontoret. Ta kontakt på telefon.",
	contract.AnswerNoAccess: "Du har ikke tilgang til denne tjenesten. Ta kontakt med legekontoret på telefon.",
}

// refusal builds the answer 26 or 30 that follows a positive receipt when no
// lifecycle takes the message (HITS 1217 §2.13.3). A communication test is answered so
// too: with the code that says that it arrived (§3.10).
func (a *Activities) refusal(ctx context.Context, job pg.Job) ([]byte, error) {
	original, err := read(job)
	if err != nil {
		return nil, err
	}
	head, err := registry.ReplyHead(ctx, a.registry, original, job.MsgID, job.Now, job.Conversation)
	if err != nil {
		return nil, err
	}
	if job.Code == codes.TestAnswer {
		topic := helsenorge.Code{V: job.Code, S: codes.TestCodes.OID(), DN: codes.Name(codes.TestCodes, job.Code)}
		return helsenorge.WriteMessage(&helsenorge.Message{Head: head, Dialog: &helsenorge.Dialog{Note: &helsenorge.Note{Topic: topic}}})
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
