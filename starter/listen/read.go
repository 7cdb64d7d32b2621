package listen

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// read opens a delivery and decides what reading alone can tell, in the order of
// HITS 1216 §2.2: envelope, parties, process, content.
func (l *Listener) read(ctx context.Context, m *transport.Message, errorQueue bool) pg.Arrival {
	a := pg.Arrival{
		TransportID: m.ID, Subject: m.Subject, CorrelationID: m.CorrelationID,
		FromHerID: m.FromHerID, ToHerID: m.ToHerID, ErrorQueue: errorQueue, Raw: m.Body,
	}
	if a.TransportID == "" {
		// A message without an id still needs one here; the same bytes get the same.
		sum := sha256.Sum256(m.Body)
		a.TransportID = "sha256:" + hex.EncodeToString(sum[:])
	}
	switch {
	case errorQueue:
		return readReport(a, m)
	case m.FromHerID <= 0:
		a.Verdict = pg.Noted // there is nobody to tell
		return a
	case m.ID == "" || m.Subject == "" || m.ToHerID <= 0:
		return reported(a, transport.ConditionInvalidFieldValue, "one or more transport fields are missing: message-id, subject, toHerId")
	}
	xml, err := l.sealer.Open(ctx, m)
	if err != nil {
		return reported(a, transport.ConditionOf(err), "the message could not be opened")
	}
	a.Raw = xml
	message, problems := helsenorge.Read(xml)
	if message == nil {
		return reported(a, transport.ConditionNotWellFormedXML, "the message is not XML with a readable head")
	}
	if message.Receipt != nil {
		return readReceipt(a, message.Receipt)
	}
	return judge(withContent(a, message), message, problems)
}

// judge decides on a message whose head is readable.
func judge(a pg.Arrival, m *helsenorge.Message, problems []helsenorge.Problem) pg.Arrival {
	switch {
	case m.Head.Sender.HerID() != a.FromHerID:
		// HITS 1217 would have E10 for the sender too; HITS 1216 names this case, and
		// a forged sender must not be sent a receipt.
		return reported(a, transport.ConditionSpoofing, "the sender's HER-id differs between transport and message")
	case !codes.Known(m.Head.Process):
		return reported(a, transport.ConditionUnsupportedMessage, "the process is not one of kodeverk 8279")
	case m.Head.Receiver.HerID() != a.ToHerID:
		problems = append([]helsenorge.Problem{{
			Code: "E10", Path: "MsgHead/MsgInfo/Receiver", Rule: "the receiver's HER-id differs between transport and message",
		}}, problems...)
	}
	if len(problems) > 0 {
		a.Verdict = pg.Rejected
		for _, p := range problems {
			a.Problems = append(a.Problems, pg.Problem{Code: p.Code, Path: p.Path, Rule: p.Rule})
			if !slices.Contains(a.Codes, p.Code) {
				a.Codes = append(a.Codes, p.Code)
			}
		}
		return a
	}
	process, ours := processes[m.Head.Process]
	if !ours || !slices.Contains(functions[process], a.Function) {
		// The message was right, the service is not offered, or its code is unknown:
		// a positive receipt and an answer 26 (HITS 1217 §2.13.3, HIS 80415 §3.3.2).
		a.Verdict, a.Codes = pg.Refused, []string{contract.AnswerRefused}
		return a
	}
	a.Verdict, a.Process = pg.Taken, process
	return a
}

// processes that a lifecycle takes, by their code of 8279.
var processes = map[string]contract.Process{
	codes.EKontakt:        contract.ProcessEContact,
	codes.EKonsultasjon:   contract.ProcessEConsultation,
	codes.Reseptfornyelse: contract.ProcessPrescription,
}

// functions that a citizen may send in each process (HITS 1217 §3.1-§3.3). The
// notice of an unread answer, VUS, is in kodeverk 7601 and in the current pages,
// though the guide's list of e-contact lacks it.
var functions = map[contract.Process][]string{
	contract.ProcessEContact:      {"HE", "22", "26", "31", contract.FunctionUnread},
	contract.ProcessEConsultation: {"SB", "22", "26", "31", contract.FunctionUnread},
	contract.ProcessPrescription:  {"RF", "RFER", contract.FunctionUnread},
}

// withContent takes over what was read of a message.
func withContent(a pg.Arrival, m *helsenorge.Message) pg.Arrival {
	a.ProcessCode, a.MsgID, a.WantsReceipt = m.Head.Process, m.Head.MsgID, m.Head.WantsReceipt
	a.RefToParent, a.RefToConversation = m.Head.RefToParent, m.Head.RefToConversation
	if p := m.Head.Patient; p != nil {
		a.Patient = &pg.Patient{
			GivenName: p.GivenName, MiddleName: p.MiddleName, FamilyName: p.FamilyName,
			NationalID: p.NationalID, IDType: p.IDType, Phone: p.Phone,
		}
	}
	if r := m.Relation; r != nil {
		a.Content.Actor, a.Content.Relation = r.Person.GivenName+" "+r.Person.FamilyName, r.Kind.V
	}
	for _, f := range m.Attachments {
		a.Attachments = append(a.Attachments, pg.Attachment{MIME: f.MIME, Description: f.Description, Content: f.Content})
	}
	if m.Dialog == nil {
		return a
	}
	a.Function = m.Dialog.Function()
	var roles []helsenorge.Role
	switch {
	case m.Dialog.Request != nil:
		r := m.Dialog.Request
		a.Content.Subject, a.Content.Text, a.Content.XHTML, roles = r.Subject, r.Text.Plain, r.Text.XHTML, r.Roles
		if r.Coded != nil {
			a.Content.DeliveryMode = r.Coded.V
		}
	case m.Dialog.Note != nil:
		n := m.Dialog.Note
		a.Content.Subject, a.Content.Text, a.Content.XHTML, roles = n.Subject, n.Text.Plain, n.Text.XHTML, n.Roles
	}
	for _, role := range roles {
		if role.RoleToPatient == nil || role.RoleToPatient.V != wishedPractitioner || role.Professional == nil {
			continue
		}
		for _, id := range role.Professional.Idents {
			if id.Type.V == "HPR" {
				a.Content.WishedHPR = id.ID
			}
		}
	}
	return a
}

// wishedPractitioner is the role "Ønsket behandler" (9034).
const wishedPractitioner = "23"

// readReceipt takes Helsenorge's receipt for a message of ours.
func readReceipt(a pg.Arrival, r *helsenorge.Receipt) pg.Arrival {
	a.ProcessCode, a.MsgID = "APPREC", r.ID
	if id := r.Sender.HerID(); id != 0 && id != a.FromHerID {
		return reported(a, transport.ConditionSpoofing, "the sender's HER-id differs between transport and receipt")
	}
	a.Verdict = pg.Settled
	a.Settles = &pg.Settlement{OriginalMsgID: r.OriginalMsgID, Outcome: contract.OutcomeAcknowledged}
	if !r.OK {
		a.Settles.Outcome = contract.OutcomeRejected
		for _, e := range r.Errors {
			a.Settles.Codes = append(a.Settles.Codes, e.V)
		}
	}
	return a
}

// readReport takes what stands on our error queue. Nothing on it is ever answered.
func readReport(a pg.Arrival, m *transport.Message) pg.Arrival {
	r, err := transport.ErrorReportOf(m)
	if err != nil || r.OriginalMessageID == "" {
		a.Verdict = pg.Noted
		return a
	}
	a.Verdict = pg.Settled
	a.Settles = &pg.Settlement{OriginalTransportID: r.OriginalMessageID, Outcome: contract.OutcomeErrorQueue, Codes: []string{string(r.Condition)}}
	return a
}

// reported says what the sender's error queue will be told.
func reported(a pg.Arrival, condition transport.Condition, rule string) pg.Arrival {
	a.Verdict, a.Codes = pg.Reported, []string{string(condition)}
	a.Problems = []pg.Problem{{Code: string(condition), Rule: rule}}
	a.WantsReceipt = false
	return a
}
