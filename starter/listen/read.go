package listen

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/transport"
)

// envelope takes over what the transport says of a message. Whatever it says can
// be stored: ids that cannot are made up, by the content, so that the same message
// gets the same.
func envelope(m *transport.Message, errorQueue bool) pg.Arrival {
	a := pg.Arrival{
		TransportID: m.ID, FromHerID: herID(m.FromHerID), ToHerID: herID(m.ToHerID), ErrorQueue: errorQueue, Raw: m.Body,
		Wire: pg.Wire{
			Queue: m.To, TransportID: m.ID, Subject: m.Subject, ReplyTo: m.ReplyTo, CorrelationID: m.CorrelationID, ContentType: m.ContentType,
			CPAID: m.CPAID, FromHerID: m.FromHerID, ToHerID: m.ToHerID, SentAt: m.SentAt, Properties: m.Properties, ErrorQueue: errorQueue, Body: m.Body,
		},
	}
	if !storable(a.TransportID) || a.TransportID == "" {
		sum := sha256.New()
		_, _ = sum.Write(m.Body) // a hash never fails
		for _, k := range slices.Sorted(maps.Keys(m.Properties)) {
			_, _ = sum.Write([]byte("\n" + k + "=" + m.Properties[k]))
		}
		a.TransportID = pg.MadeUpTransportID + hex.EncodeToString(sum.Sum(nil))
	}
	if storable(m.Subject) {
		a.Subject = m.Subject
	}
	if storable(m.CorrelationID) {
		a.CorrelationID = m.CorrelationID
	}
	return a
}

// maxID bounds every id of the wire that is kept as it is, in bytes.
const maxID = 255

// storable tells whether text of the wire can be kept, indexed and shown.
func storable(s string) bool {
	return len(s) <= maxID && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// herID is 0 for what cannot be a HER-id.
func herID(n int) int {
	if n < 0 || n > math.MaxInt32 {
		return 0
	}
	return n
}

// read opens a message and decides what reading alone can tell, in the order of
// HITS 1216 §2.2: envelope, parties, process, content. An error is temporary or
// ours, and the sender is not told of it.
func (l *Listener) read(ctx context.Context, a pg.Arrival, m *transport.Message) (pg.Arrival, error) {
	if a.ErrorQueue {
		return readReport(a, m)
	}
	a, message, problems, err := l.open(ctx, a, m)
	switch {
	case err != nil || message == nil:
		return a, err
	case message.Receipt != nil:
		return readReceipt(a, message.Receipt), nil
	}
	return judge(withContent(a, message), message, problems), nil
}

// open checks the envelope, opens the body and reads it. Without a message the
// verdict stands already: the sender has to be told, or cannot be.
func (l *Listener) open(ctx context.Context, a pg.Arrival, m *transport.Message) (pg.Arrival, *helsenorge.Message, []helsenorge.Problem, error) {
	if a.FromHerID == 0 {
		a.Verdict = pg.Noted // there is nobody to tell
		return a, nil, nil, nil
	}
	var missing []string
	for name, absent := range map[string]bool{
		"message-id": m.ID == "" || a.TransportID != m.ID, "Label": a.Subject == "", "toHerId": a.ToHerID == 0,
		"applicationTimeStamp": m.SentAt.IsZero(), "ContentType": m.ContentType == "",
	} {
		if absent {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		a = reported(a, transport.ConditionInvalidFieldValue, "One or more fields are missing")
		a.Problems[0].Path = strings.Join(missing, ", ")
		return a, nil, nil, nil
	}
	xml, err := l.sealer.Open(ctx, m)
	var fault *transport.Fault
	if errors.As(err, &fault) {
		a = reported(a, fault.Condition, fault.Description)
		a.Problems[0].Path = strings.Join(fault.Data, ", ")
		return a, nil, nil, nil
	}
	if err != nil {
		return a, nil, nil, err
	}
	a.Raw = xml
	message, problems := helsenorge.Read(xml)
	if message == nil {
		return reported(a, transport.ConditionNotWellFormedXML, "the message is not XML with a readable head"), nil, nil, nil
	}
	return a, message, problems, nil
}

// intolerable finds what only the sender's error queue can be told, whatever queue
// the message came by. The condition is empty when there is no such thing.
func intolerable(a pg.Arrival, m *helsenorge.Message) (condition transport.Condition, rule string) {
	switch {
	case m.Head.Sender.HerID() != a.FromHerID:
		// HITS 1217 would have E10 for the sender too; HITS 1216 names this case, and
		// a forged sender must not be sent a receipt.
		return transport.ConditionSpoofing, "the sender's HER-id differs between transport and message"
	case !codes.Known(m.Head.Process):
		return transport.ConditionUnsupportedMessage, "the process is not one of kodeverk 8279"
	case !strings.EqualFold(strings.TrimSpace(a.Subject), m.Head.Process):
		// The agreement between the parties was looked up for what the envelope says.
		return transport.ConditionInvalidFieldValue, "the message function differs between transport and message"
	}
	return "", ""
}

// misdirected finds that the message is for another party than its envelope says.
func misdirected(a pg.Arrival, m *helsenorge.Message) []helsenorge.Problem {
	if m.Head.Receiver.HerID() == a.ToHerID {
		return nil
	}
	return []helsenorge.Problem{{
		Code: codes.BadMessageID, Path: "MsgHead/MsgInfo/Receiver", Rule: "the receiver's HER-id differs between transport and message",
	}}
}

// judge decides on a message whose head is readable.
func judge(a pg.Arrival, m *helsenorge.Message, problems []helsenorge.Problem) pg.Arrival {
	if condition, rule := intolerable(a, m); condition != "" {
		return reported(a, condition, rule)
	}
	problems = slices.Concat(misdirected(a, m), problems, unusable(a.Function, m))
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
	process := processes[m.Head.Process]
	switch {
	case m.Head.Process == codes.Test && a.Function == codes.TestRequest:
		// Every party answers a communication test (HITS 1217 §3.10), wherever it comes.
		a.Verdict, a.Codes = pg.Refused, []string{codes.TestAnswer}
	case m.Head.Process == codes.Digitalbruker && tells(a.Function):
		a.Verdict, a.Activity = pg.Told, activity(m)
	case !slices.Contains(process.functions, a.Function):
		// The message was right, the service is not offered, or its code is unknown:
		// a positive receipt and an answer 26 (HITS 1217 §2.13.3, HIS 80415 §3.3.2).
		a.Verdict, a.Codes = pg.Refused, []string{contract.AnswerRefused}
	default:
		a.Verdict, a.Process = pg.Taken, process.lifecycle
	}
	return a
}

// taken is a process of 8279 that a lifecycle takes, with the functions that a
// citizen may send in it.
type taken struct {
	lifecycle contract.Process
	functions []string
}

// processes by their code of 8279, with the functions of HITS 1217 §3.1-§3.7. The
// notice of an unread answer, VUS, is in kodeverk 7601 and in the current pages,
// though the guide's list of e-contact lacks it. A wish to change an appointment,
// OET, was never in production and is gone from the current pages.
var processes = map[string]taken{
	codes.EKontakt:           {contract.ProcessEContact, []string{"HE", "22", "26", "31", contract.FunctionUnread}},
	codes.EKonsultasjon:      {contract.ProcessEConsultation, []string{"SB", "22", "26", "31", contract.FunctionUnread}},
	codes.Reseptfornyelse:    {contract.ProcessPrescription, []string{"RF", "RFER", contract.FunctionUnread}},
	codes.Timereservasjon:    {contract.ProcessAppointment, []string{contract.FunctionReserve, contract.FunctionCancel}},
	codes.Avtaleavbestilling: {contract.ProcessAppointment, []string{contract.FunctionCancel}},
	codes.Timeonske:          {contract.ProcessAppointment, []string{contract.FunctionWish, contract.FunctionWishCancel}},
}

// withContent takes over what was read of a message.
func withContent(a pg.Arrival, m *helsenorge.Message) pg.Arrival {
	a.WantsReceipt, a.WrittenAt = m.Head.WantsReceipt, m.Head.GenDate
	if codes.Known(m.Head.Process) {
		a.ProcessCode = m.Head.Process
	}
	// Another MsgId than a UUID is refused with E10 and known by its envelope only.
	if uuid.Validate(m.Head.MsgID) == nil {
		a.MsgID = m.Head.MsgID
	}
	if storable(m.Head.RefToParent) {
		a.RefToParent = m.Head.RefToParent
	}
	if storable(m.Head.RefToConversation) {
		a.RefToConversation = m.Head.RefToConversation
	}
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
		a.Attachments = append(a.Attachments, pg.Attachment{MIME: f.MIME, Description: f.Description, Content: f.Bytes()})
	}
	a.Items = medicines(m.Prescriptions)
	if m.Dialog == nil {
		return a
	}
	if f := m.Dialog.Function(); codes.Has(codes.Requests, f) || codes.Has(codes.Answers, f) || codes.Has(codes.TestCodes, f) {
		a.Function = f // free text of a counterpart goes no further than the sealed message
	}
	var roles []helsenorge.Role
	switch {
	case m.Dialog.Request != nil:
		r := m.Dialog.Request
		a.Content.Subject, a.Content.Text, a.Content.XHTML, roles = r.Subject, r.Text.Plain, r.Text.XHTML, r.Roles
		if r.Coded != nil && m.Head.Process == codes.Reseptfornyelse {
			a.Content.DeliveryMode = r.Coded.V
		}
		a.Booking = booking(m)
	case m.Dialog.Note != nil:
		n := m.Dialog.Note
		a.Content.Subject, a.Content.Text, a.Content.XHTML, roles = n.Subject, n.Text.Plain, n.Text.XHTML, n.Roles
	}
	a.Content.WishedHPR = wished(roles)
	return a
}

// wished is the HPR number of the practitioner whom the citizen asks for, or "".
func wished(roles []helsenorge.Role) (hpr string) {
	for _, role := range roles {
		if role.RoleToPatient == nil || role.RoleToPatient.V != codes.WishedPractitioner || role.Professional == nil {
			continue
		}
		for _, id := range role.Professional.Idents {
			// What is no number names nobody, and goes no further than the sealed message.
			if id.Type.V == codes.HPR && hprForm.MatchString(id.ID) {
				hpr = id.ID
			}
		}
	}
	return hpr
}

// hprForm is how a health personnel number is written.
var hprForm = regexp.MustCompile(`^[0-9]{1,9}$`)

// unknownCode stands for a code that is in none of the standard's lists.
const unknownCode = "unknown-code"

// readReceipt takes Helsenorge's receipt for a message of ours.
func readReceipt(a pg.Arrival, r *helsenorge.Receipt) pg.Arrival {
	a.ProcessCode = codes.AppRec
	if uuid.Validate(r.ID) == nil {
		a.MsgID = r.ID
	}
	if id := r.Sender.HerID(); id != 0 && id != a.FromHerID {
		return reported(a, transport.ConditionSpoofing, "the sender's HER-id differs between transport and receipt")
	}
	a.Verdict = pg.Settled
	a.Settles = &pg.Settlement{OriginalMsgID: r.OriginalMsgID, Outcome: contract.OutcomeAcknowledged}
	if !r.OK {
		a.Settles.Outcome = contract.OutcomeRejected
		for _, e := range r.Errors {
			code := unknownCode
			if codes.Has(codes.ReceiptErrors, e.V) {
				code = e.V
			}
			a.Settles.Codes = append(a.Settles.Codes, code)
			a.Settles.Texts = append(a.Settles.Texts, said(e))
		}
	}
	return a
}

// maxSaid bounds what is kept of an error's own words, in bytes.
const maxSaid = 1000

// said is what a receipt says beside an error's code: the detail, else its own name of
// the code. It is free text from outside, for staff alone.
func said(e helsenorge.ReceiptError) string { return shortened(cmp.Or(e.OT, e.DN)) }

// shortened is a free text that can be kept.
func shortened(s string) string {
	s = strings.TrimSpace(s)
	return strings.ToValidUTF8(s[:min(len(s), maxSaid)], "")
}

// readReport takes what stands on our error queue. Nothing on it is ever answered.
// A report says all it has to say in its properties: they are what is kept.
func readReport(a pg.Arrival, m *transport.Message) (pg.Arrival, error) {
	if len(a.Raw) == 0 {
		properties, err := json.Marshal(m.Properties)
		if err != nil {
			return a, apperr.Wrap(apperr.Internal, err, "the properties cannot be kept")
		}
		a.Raw = properties
	}
	r, err := transport.ErrorReportOf(m)
	if err != nil || r.OriginalMessageID == "" || !storable(r.OriginalMessageID) {
		a.Verdict = pg.Noted
		return a, nil
	}
	condition := string(r.Condition)
	if !conditionForm.MatchString(condition) {
		condition = unknownCode
	}
	a.Verdict = pg.Settled
	a.Settles = &pg.Settlement{OriginalTransportID: r.OriginalMessageID, Outcome: contract.OutcomeErrorQueue, Codes: []string{condition}, Texts: []string{shortened(r.Description)}}
	return a, nil
}

// conditionForm is how the standard writes error conditions.
var conditionForm = regexp.MustCompile(`^[a-z]+:[a-z-]{1,60}$`)

// reported says what the sender's error queue will be told.
func reported(a pg.Arrival, condition transport.Condition, rule string) pg.Arrival {
	a.Verdict, a.Codes = pg.Reported, []string{string(condition)}
	a.Problems = []pg.Problem{{Code: string(condition), Rule: rule}}
	a.WantsReceipt = false
	return a
}
