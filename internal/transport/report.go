package transport

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
)

// Condition is what was wrong with a message, as the sender is told on its error
// queue (HITS 1216 §2.2.3).
type Condition string

// The conditions. Two names are in use for XML that cannot be read, and two
// generations for faults of sealing; all are understood.
const (
	ConditionRequiredFieldMissing  Condition = "transport:required-field-missing"
	ConditionInvalidFieldValue     Condition = "transport:invalid-field-value"
	ConditionMissingCertificate    Condition = "transport:missing-certificate"
	ConditionInvalidCertificate    Condition = "transport:invalid-certificate"
	ConditionExpiredCertificate    Condition = "transport:expired-certificate"
	ConditionRevokedCertificate    Condition = "transport:revoked-certificate"
	ConditionUnverifiedCertificate Condition = "transport:unverified-certificate"
	ConditionInvalidCMS            Condition = "transport:invalid-cms-pkcs"
	ConditionDecryptionFailed      Condition = "transport:decryption-failed"
	ConditionInvalidSignature      Condition = "transport:invalid-signature"
	ConditionInvalidEncoding       Condition = "transport:invalid-encoding"
	ConditionNotWellFormedXML      Condition = "transport:not-well-formed-xml"
	ConditionNotInterpretableXML   Condition = "transport:xml-not-interpretable"
	ConditionUnsupportedMessage    Condition = "transport:unsupported-message"
	ConditionInternalError         Condition = "transport:internal-error"
	ConditionSpoofing              Condition = "abuse:spoofing-attack"
)

// Fault is an error that the sender of a message is to blame for and is told. Its
// texts never hold what the message says.
type Fault struct {
	Condition   Condition
	Description string
	// Data are names or expected and received values of transport fields.
	Data []string
}

// Error returns condition and description.
func (f *Fault) Error() string { return string(f.Condition) + ": " + f.Description }

// Unwrap makes a Fault an apperr.Invalid: the same message fails the same way.
func (f *Fault) Unwrap() error { return apperr.New(apperr.Invalid, "%s", f.Description) }

// ConditionOf returns the condition of the Fault in err's chain, and
// ConditionInternalError when there is none.
func ConditionOf(err error) Condition {
	var f *Fault
	if errors.As(err, &f) {
		return f.Condition
	}
	return ConditionInternalError
}

// The application properties of an error report.
const (
	propertyCondition   = "errorCondition"
	propertyDescription = "errorDescription"
	propertyData        = "errorConditionData"
	propertyOriginal    = "originalMessageId"
	propertyReceivedAt  = "receiverTimeStamp"

	receivedAtLayout = "01/02/2006 15:04:05" // UTC

	subjectSOAPFault     = "AMQP_SOAP_FAULT"
	contentTypeSOAPFault = "application/soap+xml"
)

// ErrorReport says that a message could not be taken in. It goes to the sender's
// error queue, and nothing that stands on an error queue is ever answered.
type ErrorReport struct {
	Condition Condition
	// Description is for people. It never quotes the message.
	Description string
	// Data are names or expected and received values of transport fields.
	Data []string
	// OriginalMessageID is the transport's id of the message.
	OriginalMessageID string
	// ReceivedAt is when the receiver had the message, in UTC, or zero.
	ReceivedAt time.Time
}

// Message returns a message that carries the report: properties, an empty body
// and a content type, which a receiver demands. Addresses and ids are the
// caller's; see About.
func (r ErrorReport) Message() Message {
	p := map[string]string{
		propertyCondition: string(r.Condition), propertyDescription: r.Description, propertyOriginal: r.OriginalMessageID,
	}
	if !r.ReceivedAt.IsZero() {
		p[propertyReceivedAt] = r.ReceivedAt.UTC().Format(receivedAtLayout)
	}
	if len(r.Data) > 0 {
		var b strings.Builder
		for _, d := range r.Data {
			b.WriteString(strings.ReplaceAll(d, ";", ",") + ";")
		}
		p[propertyData] = b.String()
	}
	return Message{Subject: SubjectUnknown, ContentType: ContentTypePlain, Properties: p, Body: []byte{}}
}

// About returns the report about original, addressed back to its sender: parties
// swapped, to the sender's error queue, with a new transport id. It fills
// OriginalMessageID when that is empty.
func (r ErrorReport) About(original *Message, errorQueue, id string, now time.Time) Message {
	if r.OriginalMessageID == "" {
		r.OriginalMessageID = original.ID
	}
	m := r.Message()
	m.ID, m.To, m.CPAID, m.SentAt = id, errorQueue, original.CPAID, now.UTC()
	m.FromHerID, m.ToHerID = original.ToHerID, original.FromHerID
	if original.Subject != "" {
		m.Subject = original.Subject
	}
	if m.CorrelationID = original.CorrelationID; m.CorrelationID == "" {
		m.CorrelationID = original.ID
	}
	return m
}

// ErrorReportOf reads a message of an error queue: properties, or the older form
// of a SOAP fault. It is tolerant, since a report that is refused would never be
// seen: only a message that says nothing of what went wrong with which message is
// apperr.Invalid. Properties that it does not know are ignored.
func ErrorReportOf(m *Message) (ErrorReport, error) {
	if media, _, _ := mime.ParseMediaType(m.ContentType); m.Subject == subjectSOAPFault || media == contentTypeSOAPFault {
		if r, ok := soapFault(m.Body); ok {
			return r, nil
		}
	}
	p := make(map[string]string, len(m.Properties))
	for _, k := range slices.Sorted(maps.Keys(m.Properties)) {
		p[strings.ToLower(k)] = strings.TrimSpace(m.Properties[k])
	}
	r := ErrorReport{
		Condition:         Condition(p[strings.ToLower(propertyCondition)]),
		Description:       p[strings.ToLower(propertyDescription)],
		OriginalMessageID: p[strings.ToLower(propertyOriginal)],
	}
	if r.Condition == "" && r.OriginalMessageID == "" {
		return ErrorReport{}, apperr.New(apperr.Invalid, "the message on the error queue names neither a condition nor a message")
	}
	for d := range strings.SplitSeq(p[strings.ToLower(propertyData)], ";") {
		if d = strings.TrimSpace(d); d != "" {
			r.Data = append(r.Data, d)
		}
	}
	if at, err := time.Parse(receivedAtLayout, p[strings.ToLower(propertyReceivedAt)]); err == nil {
		r.ReceivedAt = at
	}
	return r, nil
}

// soapFault reads a SOAP 1.2 Fault.
func soapFault(body []byte) (ErrorReport, bool) {
	const soap = "http://www.w3.org/2003/05/soap-envelope"
	var envelope struct {
		XMLName xml.Name
		Fault   struct {
			Value  string `xml:"http://www.w3.org/2003/05/soap-envelope Code>Value"`
			Text   string `xml:"http://www.w3.org/2003/05/soap-envelope Reason>Text"`
			Detail struct {
				MessageID string `xml:"messageId"`
			} `xml:"http://www.w3.org/2003/05/soap-envelope Detail"`
		} `xml:"http://www.w3.org/2003/05/soap-envelope Body>Fault"`
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&envelope); err != nil || envelope.XMLName != (xml.Name{Space: soap, Local: "Envelope"}) {
		return ErrorReport{}, false
	}
	f := envelope.Fault
	r := ErrorReport{
		Condition: Condition(strings.TrimSpace(f.Value)), Description: strings.TrimSpace(f.Text),
		OriginalMessageID: strings.TrimSpace(f.Detail.MessageID),
	}
	return r, r.Condition != "" || r.OriginalMessageID != ""
}

// String is condition and the id of the message.
func (r ErrorReport) String() string {
	return fmt.Sprintf("%s about %s", r.Condition, r.OriginalMessageID)
}
