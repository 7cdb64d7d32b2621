package transport

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

func TestMessageCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, (&Message{ID: "a", To: "q", Body: make([]byte, MaxBody)}).Check())
	require.Equal(t, apperr.TooLarge, apperr.KindOf((&Message{ID: "a", To: "q", Body: make([]byte, MaxBody+1)}).Check()))
	var e *apperr.Error
	require.ErrorAs(t, (&Message{TTL: -1}).Check(), &e)
	require.Equal(t, apperr.Invalid, e.Kind)
	require.Len(t, e.Fields, 3)
}

func TestPlain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var m Message
	require.NoError(t, Plain{}.Seal(ctx, &m, []byte("<a/>")))
	body := m.Body
	m.ContentType += "; charset=utf-8"
	xml, err := Plain{}.Open(ctx, &m)
	require.NoError(t, err)
	require.Equal(t, "<a/>", string(xml))

	_, err = Plain{}.Open(ctx, &Message{Body: body})
	require.Equal(t, ConditionInvalidFieldValue, ConditionOf(err))
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
	_, err = Plain{}.Open(ctx, &Message{Body: body, ContentType: "application/pkcs7-mime; smime-type=signed-and-enveloped-data"})
	require.Equal(t, ConditionUnsupportedMessage, ConditionOf(fmt.Errorf("outer: %w", err)))
	require.Equal(t, ConditionInternalError, ConditionOf(errors.New("a disk")))
}

func TestErrorReportThereAndBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 3, 14, 5, 6, 0, time.FixedZone("", 3600))
	original := &Message{ID: "m-1", Subject: "DIALOG_INNBYGGER_EKONTAKT", CPAID: "cpa", FromHerID: 1, ToHerID: 2, Properties: map[string]string{"secret": "x"}}
	in := ErrorReport{Condition: ConditionInvalidFieldValue, Description: "d", Data: []string{"Label", "to;HerId"}, ReceivedAt: now}
	m := in.About(original, "1_error", "r-1", now)

	require.Equal(t, Message{
		ID: "r-1", Subject: original.Subject, To: "1_error", CorrelationID: "m-1", ContentType: "text/plain", CPAID: "cpa",
		FromHerID: 2, ToHerID: 1, SentAt: now.UTC(), Body: []byte{},
		Properties: map[string]string{
			"errorCondition": "transport:invalid-field-value", "errorDescription": "d", "errorConditionData": "Label;to,HerId;",
			"originalMessageId": "m-1", "receiverTimeStamp": "11/03/2026 13:05:06",
		},
	}, m)

	out, err := ErrorReportOf(&m)
	require.NoError(t, err)
	in.OriginalMessageID, in.Data[1], in.ReceivedAt = "m-1", "to,HerId", now.UTC()
	require.Equal(t, in, out)
}

func TestErrorReportIsNeverWithoutSubject(t *testing.T) {
	t.Parallel()
	m := ErrorReport{Condition: ConditionSpoofing}.About(&Message{ID: "m"}, "q", "r", time.Now())
	require.Equal(t, SubjectUnknown, m.Subject)
	require.NotEmpty(t, m.ContentType)
	require.NotNil(t, m.Body)
}

func TestErrorReportOf(t *testing.T) {
	t.Parallel()
	fault := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>transport:expired-certificate</s:Value></s:Code>` +
		`<s:Reason><s:Text xml:lang="en">Invalid end date</s:Text></s:Reason><s:Detail><d:messageId xmlns:d="http://www.kith.no/xmlstds/digitaldialog/2013-10-08"> m-9 </d:messageId></s:Detail></s:Fault></s:Body></s:Envelope>`
	for name, c := range map[string]struct {
		in   Message
		want ErrorReport
		kind apperr.Kind
	}{
		"SOAP fault": {
			in:   Message{Subject: "AMQP_SOAP_FAULT", ContentType: "application/soap+xml", Body: []byte(fault)},
			want: ErrorReport{Condition: ConditionExpiredCertificate, Description: "Invalid end date", OriginalMessageID: "m-9"},
		},
		"a clone of the original, as older versions send": {
			in:   Message{ContentType: "application/pkcs7-mime", Body: []byte("sealed"), Properties: map[string]string{"ErrorCondition": "x:y", "originalMessageId": "m", "fromHerId": "1", "receiverTimeStamp": "yesterday"}},
			want: ErrorReport{Condition: "x:y", OriginalMessageID: "m"},
		},
		"broken SOAP with properties": {
			in:   Message{Subject: "AMQP_SOAP_FAULT", Body: []byte("<"), Properties: map[string]string{"originalMessageId": "m"}},
			want: ErrorReport{OriginalMessageID: "m"},
		},
		"nothing": {in: Message{ContentType: "application/soap+xml", Body: []byte("<a/>")}, kind: apperr.Invalid},
	} {
		got, err := ErrorReportOf(&c.in)
		require.Equal(t, c.kind, apperr.KindOf(err), name)
		require.Equal(t, c.want, got, name)
	}
}
