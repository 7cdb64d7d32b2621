package amqp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/transport"
)

// The application properties of the AMQP profile. All their values are strings.
const (
	propertyFrom     = "fromHerId"
	propertyTo       = "toHerId"
	propertySentAt   = "applicationTimeStamp"
	propertyCPA      = "cpaId"
	propertyEnqueued = "enqueuedTimeUtc"
	propertySystem   = "X-SystemIdentifier"

	layoutSentAt   = "2006-01-02T15:04:05Z"
	layoutEnqueued = "2006-01-02T15:04:05"
)

// outgoing is a message as it is sent. The broker tells nobody when it got it, so the
// sender writes that down.
func outgoing(m transport.Message, system string, now time.Time) *amqp.Message {
	properties := map[string]any{propertyEnqueued: now.UTC().Format(layoutEnqueued)}
	for k, v := range m.Properties {
		properties[k] = v
	}
	for k, v := range map[string]string{propertySystem: system, propertyCPA: m.CPAID, propertyFrom: herID(m.FromHerID), propertyTo: herID(m.ToHerID)} {
		if v != "" {
			properties[k] = v
		}
	}
	if !m.SentAt.IsZero() {
		properties[propertySentAt] = m.SentAt.UTC().Format(layoutSentAt)
	}
	body := m.Body
	if body == nil {
		body = []byte{} // one data section, empty or not
	}
	out := &amqp.Message{
		// Without durable the broker forgets a message when it is restarted.
		Header: &amqp.MessageHeader{Durable: true, TTL: m.TTL},
		Properties: &amqp.MessageProperties{
			MessageID: m.ID, To: named(m.To), Subject: named(m.Subject), ReplyTo: named(m.ReplyTo), ContentType: named(m.ContentType),
		},
		ApplicationProperties: properties,
		Data:                  [][]byte{body},
	}
	if m.CorrelationID != "" {
		out.Properties.CorrelationID = m.CorrelationID
	}
	return out
}

func herID(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func named(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// incoming is a message as it was received. What it lacks, or has in a form that nobody
// understands, is left out: its sender is told elsewhere.
func incoming(in *amqp.Message) transport.Message {
	m := transport.Message{Properties: map[string]string{}}
	if p := in.Properties; p != nil {
		m.ID, m.CorrelationID = id(p.MessageID), id(p.CorrelationID)
		m.To, m.Subject, m.ReplyTo, m.ContentType = queueName(text(p.To)), text(p.Subject), queueName(text(p.ReplyTo)), text(p.ContentType)
	}
	if h := in.Header; h != nil {
		m.TTL, m.Redelivered = h.TTL, !h.FirstAcquirer || h.DeliveryCount > 0
	}
	for k, v := range in.ApplicationProperties {
		value := strings.TrimSpace(fmt.Sprint(v))
		switch k {
		case propertyFrom:
			m.FromHerID, _ = strconv.Atoi(value)
		case propertyTo:
			m.ToHerID, _ = strconv.Atoi(value)
		case propertyCPA:
			m.CPAID = value
		case propertySentAt:
			m.SentAt = sentAt(v, value)
		default:
			m.Properties[k] = value
		}
	}
	switch value := in.Value.(type) {
	case nil:
		m.Body = bytes.Join(in.Data, nil)
		if len(in.Data) == 1 {
			m.Body = in.Data[0]
		}
	case []byte:
		m.Body = value
	case string:
		m.Body = []byte(value)
	}
	return m
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// id is an id that is a string or a UUID, as the profile has it, and "" for any other.
func id(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case amqp.UUID:
		return uuid.UUID(v).String()
	}
	return ""
}

// queueName is the name in a queue's address: the profile has the address registry's whole
// text, and Helsenorge's own client the name alone.
func queueName(address string) string { return address[strings.LastIndexByte(address, '/')+1:] }

// sentAt reads an instant: as the profile writes it, with an offset, or without, which is
// UTC.
func sentAt(v any, s string) time.Time {
	if at, ok := v.(time.Time); ok {
		return at.UTC()
	}
	for _, layout := range []string{time.RFC3339, layoutEnqueued} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
