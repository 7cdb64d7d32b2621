package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/testca"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/cms"
	"github.com/helsebro/helsebro/internal/transport/connect"
)

// The counterparts of TestHITS1216, each with one certificate; their organisations' HER-ids
// are higher by 100. All have the same queues.
const (
	sound = 810001 + iota
	without
	expired
	notYet
	otherUse
	revoked
	untrusted
	wrongTwice
	offline
	foul // it says that it is another
)

// counterpart plays every counterpart over the broker itself, with whatever is wrong.
type counterpart struct {
	*world
	broker transport.Transport
	keys   map[int]testca.Certificate
	reader cms.Key // what the clinic decrypts with
	gp     registry.Party
	conn   *amqp.Conn
	errors transport.Receiver
	async  transport.Receiver
	// reports are what is on the error queue, by the id of the message that they are about.
	reports map[string][]transport.Message
	// good is a message of a citizen, from Helsenorge.
	good simulator.Sent
}

// newCounterpart makes the keys, registers the counterparts, and starts everything.
func newCounterpart(t *testing.T) *counterpart {
	var parties []registry.Party
	for herID := sound; herID <= foul; herID++ {
		parties = append(parties, registry.Party{
			HerID: herID, Name: "Counterpart", ParentHerID: herID + 100, AsyncQueue: "counterpart_async", SyncQueue: "counterpart_sync", SyncReplyQueue: "counterpart_syncreply", ErrorQueue: "counterpart_error",
		})
	}
	w := newWorld(t, stack.Config{Transport: stack.AMQP, Parties: parties})
	c := &counterpart{world: w, keys: map[int]testca.Certificate{}, reports: map[string][]transport.Message{}}

	keys, dir := filepath.Join(w.Dir, "keys"), t.TempDir()
	ca, err := testca.Open(filepath.Join(keys, "authority.pem"), w.SimulatorURL()+"/simulator/revoked.crl")
	require.NoError(t, err)
	stranger, err := testca.New("Unknown authority", "")
	require.NoError(t, err)
	away, err := testca.New("Authority without a list", "http://127.0.0.1:1/revoked.crl")
	require.NoError(t, err)
	trusted, err := os.ReadFile(w.Listen().Transport.Keys.TrustedFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(w.Listen().Transport.Keys.TrustedFile, append(trusted, testca.PEM(away.Root)...), 0o600))
	now := time.Now()
	yesterday, tomorrow := now.AddDate(0, 0, -1), now.AddDate(0, 0, 1)
	for herID, k := range map[int]struct {
		ca          *testca.CA
		usage       x509.KeyUsage
		from, until time.Time
	}{
		sound: {ca, testca.Both, yesterday, tomorrow}, foul: {ca, testca.Both, yesterday, tomorrow}, without: {ca, testca.Both, yesterday, tomorrow},
		expired: {ca, testca.Both, now.AddDate(0, 0, -3), yesterday}, notYet: {ca, testca.Both, tomorrow, now.AddDate(0, 0, 3)},
		otherUse: {ca, x509.KeyUsageDigitalSignature, yesterday, tomorrow}, untrusted: {stranger, testca.Both, yesterday, tomorrow},
		wrongTwice: {ca, x509.KeyUsageDigitalSignature, now.AddDate(0, 0, -3), yesterday}, offline: {away, testca.Both, yesterday, tomorrow},
	} {
		c.keys[herID], err = k.ca.IssueFor("Counterpart", k.usage, k.from, k.until)
		require.NoError(t, err)
	}
	gone, err := cms.LoadKey(filepath.Join(keys, "revoked-key.pem"), "")
	require.NoError(t, err)
	c.keys[revoked] = testca.Certificate{Certificate: gone.Certificate}
	all, err := registry.Open(w.Listen().Transport.Registries.File)
	require.NoError(t, err)
	known := all.Parties()
	for herID := sound; herID <= foul; herID++ {
		organisation := registry.Party{HerID: herID + 100, Name: "Counterpart"}
		if herID != without {
			organisation.CertificateFiles = []string{filepath.Join(dir, strconv.Itoa(herID)+".pem")}
			require.NoError(t, os.WriteFile(organisation.CertificateFiles[0], testca.PEM(c.keys[herID].Certificate), 0o600))
		}
		known = append(known, organisation)
	}
	require.NoError(t, registry.Write(w.Listen().Transport.Registries.File, known))
	c.gp, err = all.Party(t.Context(), demo.GPHerID)
	require.NoError(t, err)
	c.reader, err = cms.LoadKey(filepath.Join(w.Listen().Transport.Keys.Dir, "decryption.pem"), "")
	require.NoError(t, err)

	require.NoError(t, w.Stack.Run(t.Context()))
	w.activate()
	c.broker, err = connect.Transport(w.Listen().Transport, w.Logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.broker.Close(context.WithoutCancel(t.Context()))) })
	c.errors, err = c.broker.Receiver(t.Context(), "counterpart_error", 10)
	require.NoError(t, err)
	c.async, err = c.broker.Receiver(t.Context(), "counterpart_async", 10)
	require.NoError(t, err)
	c.conn = dial(t, w)
	c.good, _ = w.act(simulator.Action{Kind: simulator.EConsultation, Citizen: 3})
	return c
}

// dial connects to the broker without our own transport, which does not send what is wrong.
func dial(t *testing.T, w *world) *amqp.Conn {
	t.Helper()
	u, err := url.Parse(w.Broker.URL())
	require.NoError(t, err)
	password, _ := u.User.Password()
	ca, err := os.ReadFile(w.Broker.CAFile())
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca))
	conn, err := amqp.Dial(t.Context(), "amqps://"+u.Host, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain(u.User.Username(), password), TLSConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the broker may be gone
	return conn
}

// put puts a message on a queue.
func put(t *testing.T, conn *amqp.Conn, queue string, m *amqp.Message) {
	t.Helper()
	session, err := conn.NewSession(t.Context(), nil)
	require.NoError(t, err)
	defer session.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the message is there
	sender, err := session.NewSender(t.Context(), "/amq/queue/"+queue, nil)
	require.NoError(t, err)
	require.NoError(t, sender.Send(t.Context(), m, nil))
}

// document is the citizen's message as the counterpart's own, with a new MsgId and other
// changes.
func (c *counterpart) document(from int, pairs ...string) (xml []byte, msgID string) {
	c.Helper()
	msgID = uuid.NewString()
	pairs = append([]string{c.good.MsgID, msgID, strconv.Itoa(simulator.HerID), strconv.Itoa(from)}, pairs...)
	xml = c.good.XML
	for i := 0; i < len(pairs); i += 2 {
		require.Truef(c, bytes.Contains(xml, []byte(pairs[i])), "nothing to change: %s", pairs[i])
		xml = bytes.ReplaceAll(xml, []byte(pairs[i]), []byte(pairs[i+1]))
	}
	return xml, msgID
}

// sealed signs as a counterpart does and encrypts for the clinic.
func (c *counterpart) sealed(from int, xml []byte) []byte {
	c.Helper()
	key := cms.Key{Certificate: c.keys[from].Certificate, Private: c.keys[from].Key}
	if from == revoked {
		var err error
		key, err = cms.LoadKey(filepath.Join(c.Dir, "keys", "revoked-key.pem"), "")
		require.NoError(c, err)
	}
	var out bytes.Buffer
	require.NoError(c, cms.Seal(&out, bytes.NewReader(xml), int64(len(xml)), key, c.reader.Certificate))
	return out.Bytes()
}

// envelope is a message with everything that it has to have (HITS 1216 §2.3).
func (c *counterpart) envelope(from int, subject string, body []byte) *amqp.Message {
	text := func(s string) *string { return &s }
	id := uuid.NewString()
	return &amqp.Message{
		Header: &amqp.MessageHeader{Durable: true},
		Properties: &amqp.MessageProperties{
			MessageID: id, CorrelationID: uuid.NewString(), Subject: text(subject), To: text(c.gp.AsyncQueue), ReplyTo: text("counterpart_async"), ContentType: text(cms.ContentType),
		},
		ApplicationProperties: map[string]any{
			"fromHerId": strconv.Itoa(from), "toHerId": strconv.Itoa(demo.GPHerID), "applicationTimeStamp": time.Now().UTC().Format(time.RFC3339),
			"x-other": "is not sent back",
		},
		Data: [][]byte{body},
	}
}

// report waits for what is said about a message on the error queue.
func (c *counterpart) report(about string) transport.Message {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	for len(c.reports[about]) == 0 {
		d, err := c.errors.Receive(ctx)
		require.NoErrorf(c, err, "no report about %s", about)
		c.keep(d)
	}
	return c.reports[about][0]
}

func (c *counterpart) keep(d transport.Delivery) {
	c.Helper()
	m := *d.Message()
	id := m.Properties["originalMessageId"]
	c.reports[id] = append(c.reports[id], m)
	require.NoError(c, d.Accept(c.Context()))
}

// wrong is a message that the sender's error queue is told of, and what it is told.
type wrong struct {
	name string
	from int
	// change makes it wrong; body replaces what is sealed, pairs what the XML says.
	change func(*amqp.Message)
	body   func(*counterpart) []byte
	pairs  []string
	// condition, description and data are what is told. A description that ends in … is the
	// beginning of one.
	condition, description, data string
}

// wrongs are the rows of HITS 1216's table of errors, and what the reference library does on
// receipt, in one list. What differs from that library is said at the row.
var wrongs = []wrong{
	{name: "a message without a label", change: func(m *amqp.Message) { m.Properties.Subject = nil },
		condition: "transport:invalid-field-value", description: "One or more fields are missing", data: "Label;"},
	{name: "a message without a receiver", change: func(m *amqp.Message) { delete(m.ApplicationProperties, "toHerId") },
		condition: "transport:invalid-field-value", description: "One or more fields are missing", data: "toHerId;"},
	{name: "a message without a time", change: func(m *amqp.Message) { delete(m.ApplicationProperties, "applicationTimeStamp") },
		condition: "transport:invalid-field-value", description: "One or more fields are missing", data: "applicationTimeStamp;"},
	{name: "a message with a time that is none", change: func(m *amqp.Message) { m.ApplicationProperties["applicationTimeStamp"] = "today" },
		condition: "transport:invalid-field-value", description: "One or more fields are missing", data: "applicationTimeStamp;"},
	{name: "a message without a content type", change: func(m *amqp.Message) { m.Properties.ContentType = nil },
		condition: "transport:invalid-field-value", description: "One or more fields are missing", data: "ContentType;"},
	{name: "a message without several fields", change: func(m *amqp.Message) {
		m.Properties.Subject, m.Properties.ContentType = nil, nil
	}, condition: "transport:invalid-field-value", description: "One or more fields are missing", data: "ContentType, Label;"},

	{name: "no certificate of the sender is known", from: without, condition: "transport:missing-certificate", description: "Certificate is missing"},
	{name: "the certificate is not valid yet", from: notYet, condition: "transport:expired-certificate", description: "Invalid start date", data: "Subject: …"},
	{name: "the certificate has expired", from: expired, condition: "transport:expired-certificate", description: "Invalid end date", data: "Subject: …"},
	{name: "the certificate is for another use", from: otherUse, condition: "transport:invalid-certificate", description: "Invalid usage", data: "Subject: …"},
	{name: "the certificate is revoked", from: revoked, condition: "transport:revoked-certificate", description: "Certificate has been revoked", data: "Subject: …"},
	{name: "the certificate is of nobody who is trusted", from: untrusted, condition: "transport:unverified-certificate", description: "The certificate is not issued under a known root", data: "Subject: …"},
	{name: "several things are wrong with the certificate", from: wrongTwice, condition: "transport:invalid-certificate", description: "More than one error with certificate", data: "Subject: …"},

	// Whatever is wrong with encryption or signature is told in one way: which of the two it
	// is helps who forges more than who errs.
	{name: "it is signed by another", body: func(c *counterpart) []byte { xml, _ := c.document(sound); return c.sealed(foul, xml) },
		condition: "transport:invalid-certificate", description: "…"},
	{name: "it is encrypted for another", body: func(c *counterpart) []byte {
		xml, _ := c.document(sound)
		return c.openssl(xml, c.keys[foul].Certificate, "-aes256")
	}, condition: "transport:invalid-certificate", description: "…"},
	{name: "it cannot be decrypted", body: func(*counterpart) []byte { return []byte("no CMS at all") },
		condition: "transport:invalid-certificate", description: "…"},
	{name: "a cipher that policy refuses, Triple-DES", body: func(c *counterpart) []byte {
		xml, _ := c.document(sound)
		return c.openssl(xml, c.reader.Certificate, "-des3")
	}, condition: "transport:unsupported-message", description: "…"},
	{name: "it is not sealed", change: func(m *amqp.Message) { *m.Properties.ContentType = "text/plain" },
		condition: "transport:unsupported-message", description: "…"},

	{name: "the payload is no XML", body: func(c *counterpart) []byte { return c.sealed(sound, []byte("dette er ikke XML")) },
		condition: "transport:not-well-formed-xml", description: "…"},
	{name: "the payload has no readable head", body: func(c *counterpart) []byte { return c.sealed(sound, []byte("<a/>")) },
		condition: "transport:not-well-formed-xml", description: "…"},
	{name: "the label is another function than the message's", change: func(m *amqp.Message) { *m.Properties.Subject = codes.EKontakt },
		condition: "transport:invalid-field-value", description: "…"},
	{name: "the sender is another than the message's", body: func(c *counterpart) []byte { xml, _ := c.document(foul); return c.sealed(sound, xml) },
		condition: "abuse:spoofing-attack", description: "…"},
	{name: "a function that nobody knows", pairs: []string{`V="DIALOG_INNBYGGER_EKONSULTASJON"`, `V="DIALOG_INNBYGGER_UKJENT"`},
		condition: "transport:unsupported-message", description: "…"},
}

// openssl seals as somebody else's library does.
func (c *counterpart) openssl(xml []byte, reader *x509.Certificate, cipher string) []byte {
	c.Helper()
	dir := c.TempDir()
	signer, to := filepath.Join(dir, "signer.pem"), filepath.Join(dir, "reader.pem")
	require.NoError(c, c.keys[sound].WriteFile(signer))
	require.NoError(c, os.WriteFile(to, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: reader.Raw}), 0o600))
	run := func(in []byte, args ...string) []byte {
		cmd := exec.CommandContext(c.Context(), "openssl", append([]string{"cms", "-binary", "-outform", "DER"}, args...)...)
		cmd.Stdin = bytes.NewReader(in)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		require.NoError(c, cmd.Run(), said.String())
		return out.Bytes()
	}
	return run(run(xml, "-sign", "-nodetach", "-md", "sha256", "-signer", signer), "-encrypt", cipher, to)
}

// TestHITS1216 plays a counterpart that does everything wrong, over RabbitMQ: what HITS 1216
// and its reference library say of each fault, once each. Held elsewhere: an unknown sender
// and oversize (TestQuarantine), outages of our own (TestOutages), a full test of ciphers,
// signatures and damage (internal/transport/cms), and of synchronous requests
// (starter/listen).
func TestHITS1216(t *testing.T) {
	c := newCounterpart(t)
	t.Run("on the sender's error queue", c.told)
	t.Run("is not told", c.untold)
	t.Run("is taken in", c.taken)
	t.Run("on our error queue", c.errorQueue)
	t.Run("at once", c.atOnce)
	t.Run("asked at once", c.asked)
	t.Run("sent again", c.again)
	t.Run("sent by the clinic", c.sent)
	t.Run("and nothing else", c.nothingElse)
}

// told: each has one report, with all that a report has and nothing that it has not.
func (c *counterpart) told(t *testing.T) {
	sent := make([]*amqp.Message, len(wrongs))
	for i, r := range wrongs {
		from := max(r.from, sound)
		var body []byte
		if r.body != nil {
			body = r.body(c)
		} else {
			xml, _ := c.document(from, r.pairs...)
			body = c.sealed(from, xml)
		}
		sent[i] = c.envelope(from, codes.EKonsultasjon, body)
		if strings.Contains(r.name, "nobody knows") {
			*sent[i].Properties.Subject = "DIALOG_INNBYGGER_UKJENT"
		}
		if r.change != nil {
			r.change(sent[i])
		}
		put(t, c.conn, c.gp.AsyncQueue, sent[i])
	}
	for i, r := range wrongs {
		t.Run(r.name, func(t *testing.T) {
			m := sent[i]
			original, ok := m.Properties.MessageID.(string)
			require.True(t, ok)
			got := c.report(original)
			require.Equal(t, r.condition, got.Properties["errorCondition"])
			like(t, r.description, got.Properties["errorDescription"])
			if r.data != "" {
				like(t, r.data, got.Properties["errorConditionData"])
			}
			require.NoError(t, uuid.Validate(got.ID))
			require.NotEqual(t, original, got.ID)
			subject := transport.SubjectUnknown
			if m.Properties.Subject != nil {
				subject = *m.Properties.Subject
			}
			require.Equal(t, subject, got.Subject)
			require.Equal(t, m.Properties.CorrelationID, got.CorrelationID)
			require.NotEmpty(t, got.ContentType)
			to, _ := m.ApplicationProperties["toHerId"].(string)
			require.Equal(t, []string{to, m.ApplicationProperties["fromHerId"].(string)}, []string{number(got.FromHerID), number(got.ToHerID)}, "the parties change places")
			require.WithinDuration(t, time.Now(), got.SentAt, patience)
			at, err := time.Parse("01/02/2006 15:04:05", got.Properties["receiverTimeStamp"])
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), at, patience)
			require.Empty(t, got.Body)
			require.NotContains(t, got.Properties, "x-other")
			require.Empty(t, got.ReplyTo)
		})
	}
}

// like compares texts; one that ends in … is the beginning of the other.
func like(t *testing.T, want, got string) {
	t.Helper()
	if begin, ok := strings.CutSuffix(want, "…"); ok {
		require.True(t, strings.HasPrefix(got, begin), got)
		require.NotEmpty(t, got)
		return
	}
	require.Equal(t, want, got)
}

// number is a HER-id as it stands in a property.
func number(herID int) string {
	if herID == 0 {
		return ""
	}
	return strconv.Itoa(herID)
}

// sql asks the database.
func (c *counterpart) sql(statement string) (string, error) {
	return (&storetest.Database{Owner: c.Owner}).SQL(c.Context(), statement)
}

// inbound counts what is stored of a counterpart's message.
func (c *counterpart) inbound(t *testing.T, id, verdict string) {
	t.Helper()
	c.eventually("message "+id+" is "+verdict, func() error {
		got, err := c.sql("SELECT coalesce(string_agg(verdict, ' '), '') FROM inbound_message WHERE transport_id = '" + id + "'")
		if err == nil && got != verdict {
			err = fmt.Errorf("it is %q", got)
		}
		return err
	})
}

// untold: nobody is told of these, and they are not lost.
func (c *counterpart) untold(t *testing.T) {
	for name, change := range map[string]func(*amqp.Message){
		"there is no sender":     func(m *amqp.Message) { delete(m.ApplicationProperties, "fromHerId") },
		"the sender is nobody":   func(m *amqp.Message) { m.ApplicationProperties["fromHerId"] = "-1" },
		"the sender is a number": func(m *amqp.Message) { m.ApplicationProperties["fromHerId"] = "none" },
	} {
		t.Run(name, func(t *testing.T) {
			xml, _ := c.document(sound)
			m := c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml))
			change(m)
			put(t, c.conn, c.gp.AsyncQueue, m)
			c.inbound(t, m.Properties.MessageID.(string), "noted")
		})
	}
	t.Run("the list of revoked certificates cannot be had", func(t *testing.T) {
		xml, _ := c.document(offline)
		m := c.envelope(offline, codes.EKonsultasjon, c.sealed(offline, xml))
		put(t, c.conn, c.gp.AsyncQueue, m)
		c.eventually("it waits unsettled", func() error {
			queues, err := c.Broker.Queues(t.Context())
			if err != nil {
				return err
			}
			for _, q := range queues {
				if q.Name == c.gp.AsyncQueue && q.Ready == 0 && q.Unsettled == 1 {
					return nil
				}
			}
			return fmt.Errorf("%+v", queues)
		})
		c.inbound(t, m.Properties.MessageID.(string), "")
	})
}

// errorQueue: nothing that stands on an error queue is answered, whatever it says. It is
// stored, and removed.
func (c *counterpart) errorQueue(t *testing.T) {
	xml, _ := c.document(sound, `V="SB"`, `V="ZZ"`)
	put(t, c.conn, c.gp.AsyncQueue, c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml)))
	var ours string // a refusal
	for range 2 {
		if m := c.next(t); m.Subject != codes.AppRec {
			ours = m.ID
		}
	}
	require.NotEmpty(t, ours)
	fault := `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code>` +
		`<s:Reason><s:Text xml:lang="en">it failed</s:Text></s:Reason><s:Detail><messageId xmlns="http://www.kith.no/xmlstds/digitaldialog/2013-10-08">` + ours + `</messageId></s:Detail></s:Fault></s:Body></s:Envelope>`
	for name, r := range map[string]struct {
		change  func(*amqp.Message)
		verdict string
	}{
		"a report": {func(m *amqp.Message) {
			m.ApplicationProperties["errorCondition"], m.ApplicationProperties["errorDescription"] = "transport:internal-error", "it failed"
			m.ApplicationProperties["originalMessageId"], m.ApplicationProperties["receiverTimeStamp"] = ours, "11/03/2026 13:05:06"
		}, "settled"},
		"a report as a SOAP fault": {func(m *amqp.Message) {
			*m.Properties.Subject, *m.Properties.ContentType, m.Data = "AMQP_SOAP_FAULT", "application/soap+xml", [][]byte{[]byte(fault)}
		}, "settled"},
		"a report without label and content type": {func(m *amqp.Message) {
			m.Properties.Subject, m.Properties.ContentType = nil, nil
			m.ApplicationProperties["errorCondition"], m.ApplicationProperties["originalMessageId"] = "transport:internal-error", ours
		}, "settled"},
		"a clone of the message with all its properties": {func(m *amqp.Message) {
			m.ApplicationProperties["errorCondition"], m.ApplicationProperties["originalMessageId"] = "transport:invalid-certificate", ours
			m.ApplicationProperties["X-MessageInfo-MsgId"] = uuid.NewString()
		}, "settled"},
		"a report of another than who was sent it": {func(m *amqp.Message) {
			m.ApplicationProperties["fromHerId"] = strconv.Itoa(foul)
			m.ApplicationProperties["errorCondition"], m.ApplicationProperties["originalMessageId"] = "transport:internal-error", ours
		}, "noted"},
		"a report about nothing of ours": {func(m *amqp.Message) {
			m.ApplicationProperties["errorCondition"], m.ApplicationProperties["originalMessageId"] = "transport:internal-error", uuid.NewString()
		}, "noted"},
		"what says nothing":          {func(m *amqp.Message) { m.Data = [][]byte{{}} }, "noted"},
		"what is no report at all":   {func(m *amqp.Message) { m.Data = [][]byte{[]byte("dette er ikke XML")} }, "noted"},
		"a message for other queues": {func(*amqp.Message) {}, "noted"},
	} {
		t.Run(name, func(t *testing.T) {
			xml, _ := c.document(sound)
			m := c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml))
			r.change(m)
			put(t, c.conn, c.gp.ErrorQueue, m)
			c.inbound(t, m.Properties.MessageID.(string), r.verdict)
		})
	}
}

// taken: what is right is taken in, however it is written; its receipt has all that a
// message has.
func (c *counterpart) taken(t *testing.T) {
	id := uuid.New()
	for name, change := range map[string]func(*amqp.Message){
		"without an agreement": func(*amqp.Message) {},
		"with an agreement":    func(m *amqp.Message) { m.ApplicationProperties["cpaId"] = uuid.NewString() },
		"an id that is a UUID": func(m *amqp.Message) { m.Properties.MessageID = amqp.UUID(id) },
		"with what others add": func(m *amqp.Message) {
			m.ApplicationProperties["X-ExecutingAssembly"], m.ApplicationProperties["enqueuedTimeUtc"] = "Other", "2026-11-23T07:00:00"
			m.ApplicationProperties["X-AttachmentInfo-Count"] = int32(0)
		},
		"sealed by another library": func(m *amqp.Message) {
			xml, _ := c.document(sound)
			m.Data = [][]byte{c.openssl(xml, c.reader.Certificate, "-aes256")}
		},
		"the older content type": func(m *amqp.Message) { *m.Properties.ContentType = "application/x-pkcs7-mime" },
	} {
		t.Run(name, func(t *testing.T) {
			xml, _ := c.document(sound)
			m := c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml))
			change(m)
			put(t, c.conn, c.gp.AsyncQueue, m)
			r := c.receipt(t)
			require.True(t, r.OK, r.Errors)
		})
	}
	t.Run("what breaks the schema has a receipt, since its head can be read", func(t *testing.T) {
		xml, msgID := c.document(sound, "<MIGversion>v1.2 2006-05-24</MIGversion>", "")
		put(t, c.conn, c.gp.AsyncQueue, c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml)))
		r := c.receipt(t)
		require.Equal(t, []any{msgID, false, codes.SchemaBroken}, []any{r.OriginalMsgID, r.OK, r.Errors[0].V})
	})
}

// next waits for the next message on the counterpart's queue.
func (c *counterpart) next(t *testing.T) *transport.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	d, err := c.async.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, d.Accept(t.Context()))
	return d.Message()
}

// receipt waits for the next receipt on the counterpart's queue, and checks its envelope.
func (c *counterpart) receipt(t *testing.T) *helsenorge.Receipt {
	t.Helper()
	m := c.next(t)
	require.Equal(t, []any{codes.AppRec, "counterpart_async", c.gp.AsyncQueue, cms.ContentType, demo.GPHerID, sound, ""},
		[]any{m.Subject, m.To, m.ReplyTo, m.ContentType, m.FromHerID, m.ToHerID, m.CPAID})
	require.NoError(t, uuid.Validate(m.ID))
	require.Equal(t, m.ID, m.CorrelationID)
	require.WithinDuration(t, time.Now(), m.SentAt, patience)
	require.Zero(t, m.TTL, "what waits on a queue of messages waits for ever")
	var xml bytes.Buffer
	signers, err := cms.LoadCertificates(filepath.Join(c.Dir, "keys", "clinic-signing.pem"))
	require.NoError(t, err)
	require.NoError(t, cms.Open(&xml, bytes.NewReader(m.Body), []cms.Key{{Certificate: c.keys[sound].Certificate, Private: c.keys[sound].Key}}, signers))
	read, problems := helsenorge.Read(xml.Bytes())
	require.Empty(t, problems)
	require.NotNil(t, read.Receipt)
	return read.Receipt
}

// atOnce: a synchronous request is answered on the queue that it names, if that is the
// sender's; whatever is wrong with it is on the sender's error queue.
func (c *counterpart) atOnce(t *testing.T) {
	replies, err := c.broker.Receiver(t.Context(), "counterpart_syncreply", 10)
	require.NoError(t, err)
	ask := func(change func(*amqp.Message), pairs ...string) *amqp.Message {
		t.Helper()
		xml, _ := c.document(sound, append([]string{`V="DIALOG_INNBYGGER_EKONSULTASJON"`, `V="DIALOG_INNBYGGER_TEST"`, `V="SB"`, `V="KT"`}, pairs...)...)
		m := c.envelope(sound, codes.Test, c.sealed(sound, xml))
		*m.Properties.To, *m.Properties.ReplyTo = c.gp.SyncQueue, "counterpart_syncreply"
		change(m)
		put(t, c.conn, c.gp.SyncQueue, m)
		return m
	}
	t.Run("answered", func(t *testing.T) {
		m := ask(func(*amqp.Message) {})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		d, err := replies.Receive(ctx)
		require.NoError(t, err)
		require.NoError(t, d.Accept(t.Context()))
		got := d.Message()
		require.Equal(t, []any{m.Properties.CorrelationID, codes.Test, "counterpart_syncreply", demo.GPHerID, sound, "", cms.ContentType},
			[]any{got.CorrelationID, got.Subject, got.To, got.FromHerID, got.ToHerID, got.ReplyTo, got.ContentType})
	})
	for name, r := range map[string]struct {
		change    func(*amqp.Message)
		pairs     []string
		condition string
	}{
		"the sender is another than the message's": {change: func(m *amqp.Message) {
			xml, _ := c.document(foul)
			m.Data = [][]byte{c.sealed(sound, xml)}
		}, condition: "abuse:spoofing-attack"},
		"a function that is not answered at once": {change: func(m *amqp.Message) {
			xml, _ := c.document(sound)
			m.Data, *m.Properties.Subject = [][]byte{c.sealed(sound, xml)}, codes.EKonsultasjon
		}, condition: "transport:unsupported-message"},
		"the answer would go to another's queue": {change: func(m *amqp.Message) { *m.Properties.ReplyTo = "helsenorge_syncreply" }, condition: "transport:invalid-field-value"},
		"the answer would go nowhere":            {change: func(m *amqp.Message) { m.Properties.ReplyTo = nil }, condition: "transport:invalid-field-value"},
		"it breaks the schema":                   {change: func(*amqp.Message) {}, pairs: []string{"<MIGversion>v1.2 2006-05-24</MIGversion>", ""}, condition: "transport:not-well-formed-xml"},
	} {
		t.Run(name, func(t *testing.T) {
			m := ask(r.change, r.pairs...)
			require.Equal(t, r.condition, c.report(m.Properties.MessageID.(string)).Properties["errorCondition"])
		})
	}
	t.Run("too late", func(t *testing.T) {
		m := ask(func(m *amqp.Message) {
			m.ApplicationProperties["applicationTimeStamp"] = time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
		})
		c.eventually("it is dropped", func() error { return c.empty(c.gp.SyncQueue) })
		require.Empty(t, c.reports[m.Properties.MessageID.(string)])
	})
}

// empty is an error as long as there is something on a queue.
func (c *counterpart) empty(queue string) error {
	queues, err := c.Broker.Queues(c.Context())
	if err != nil {
		return err
	}
	for _, q := range queues {
		if q.Name == queue && q.Ready+q.Unsettled == 0 {
			return nil
		}
	}
	return errors.New("not empty")
}

// asked: whoever asks gets the answer of whom he asked, within fifteen seconds, or learns why
// there is none. Only Helsenorge asks, so it is its simulator that waits here.
func (c *counterpart) asked(t *testing.T) {
	questions, err := c.broker.Receiver(t.Context(), "counterpart_sync", 10)
	require.NoError(t, err)
	type answered struct {
		simulator.Answer
		err error
	}
	ask := func() (*transport.Message, <-chan answered) {
		t.Helper()
		done := make(chan answered, 1)
		go func() {
			a, err := c.Simulator.Ask(t.Context(), simulator.Question{Kind: simulator.CommunicationTest, To: sound})
			done <- answered{a, err}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		d, err := questions.Receive(ctx)
		require.NoError(t, err)
		require.NoError(t, d.Accept(t.Context()))
		return d.Message(), done
	}
	to, err := cms.LoadCertificates(filepath.Join(c.Dir, "keys", "helsenorge-encryption.pem"))
	require.NoError(t, err)
	reply := func(q *transport.Message, from int) {
		t.Helper()
		var xml, body bytes.Buffer
		signers, err := cms.LoadCertificates(filepath.Join(c.Dir, "keys", "helsenorge-signing.pem"))
		require.NoError(t, err)
		key := cms.Key{Certificate: c.keys[sound].Certificate, Private: c.keys[sound].Key}
		require.NoError(t, cms.Open(&xml, bytes.NewReader(q.Body), []cms.Key{key}, signers))
		answer := bytes.ReplaceAll(xml.Bytes(), []byte(`V="KT"`), []byte(`V="RKT"`))
		require.NoError(t, cms.Seal(&body, bytes.NewReader(answer), int64(len(answer)), cms.Key{Certificate: c.keys[from].Certificate, Private: c.keys[from].Key}, to[0]))
		require.NoError(t, c.broker.Send(t.Context(), transport.Message{
			ID: uuid.NewString(), Subject: q.Subject, To: q.ReplyTo, CorrelationID: q.CorrelationID, ContentType: cms.ContentType, FromHerID: from, ToHerID: q.FromHerID,
			SentAt: time.Now().UTC(), TTL: 15 * time.Second, Body: body.Bytes(),
		}))
	}
	t.Run("answered", func(t *testing.T) {
		q, done := ask()
		require.Equal(t, []any{codes.Test, "helsenorge_syncreply", 15 * time.Second, sound}, []any{q.Subject, q.ReplyTo, q.TTL, q.ToHerID})
		reply(q, sound)
		a := <-done
		require.NoError(t, a.err)
		require.Equal(t, codes.TestAnswer, a.Code)
		reply(q, sound) // one that comes when nobody waits any more is discarded
	})
	t.Run("an error is an answer", func(t *testing.T) {
		q, done := ask()
		report := transport.ErrorReport{Condition: transport.ConditionInternalError, Description: "it failed"}
		require.NoError(t, c.broker.Send(t.Context(), report.About(q, "helsenorge_error", uuid.NewString(), time.Now())))
		a := <-done
		require.True(t, apperr.Is(a.err, apperr.Unsupported), a.err)
	})
	t.Run("the answer of another is none", func(t *testing.T) {
		q, done := ask()
		reply(q, foul)
		a := <-done
		require.True(t, apperr.Is(a.err, apperr.Unavailable), a.err)
	})
}

// again: what is sent again is known by its ids (HITS 1216 §2.2.5).
func (c *counterpart) again(t *testing.T) {
	t.Run("a fault on the error queue, corrected: another id, the same MsgId", func(t *testing.T) {
		xml, msgID := c.document(sound)
		m := c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, []byte("<a/>")))
		put(t, c.conn, c.gp.AsyncQueue, m)
		c.report(m.Properties.MessageID.(string))
		put(t, c.conn, c.gp.AsyncQueue, c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml)))
		r := c.receipt(t)
		require.Equal(t, []any{msgID, true}, []any{r.OriginalMsgID, r.OK})
	})
	t.Run("a negative receipt, corrected: another id, another MsgId", func(t *testing.T) {
		bad, refused := c.document(sound, "<MIGversion>v1.2 2006-05-24</MIGversion>", "")
		put(t, c.conn, c.gp.AsyncQueue, c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, bad)))
		r := c.receipt(t)
		require.Equal(t, []any{refused, false}, []any{r.OriginalMsgID, r.OK})
		xml, msgID := c.document(sound)
		put(t, c.conn, c.gp.AsyncQueue, c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml)))
		r = c.receipt(t)
		require.Equal(t, []any{msgID, true}, []any{r.OriginalMsgID, r.OK})
	})
	t.Run("it never got onto the queue: the same ids, and it is taken once", func(t *testing.T) {
		xml, msgID := c.document(sound)
		m := c.envelope(sound, codes.EKonsultasjon, c.sealed(sound, xml))
		for range 3 {
			put(t, c.conn, c.gp.AsyncQueue, m)
		}
		r := c.receipt(t)
		require.Equal(t, []any{msgID, true}, []any{r.OriginalMsgID, r.OK})
		c.inbound(t, m.Properties.MessageID.(string), "taken")
	})
}

// agreed are agreements of a test.
type agreed func(function string) (cms.Counterparty, error)

// Counterparty implements cms.Agreements.
func (a agreed) Counterparty(_ context.Context, _, _ int, function, _ string) (cms.Counterparty, error) {
	return a(function)
}

// sent: what leaves says under which agreement; what cannot be sent as it has to be is not
// sent, and its error says who has to see to it.
func (c *counterpart) sent(t *testing.T) {
	cfg := c.Listen().Transport.Keys
	roots, err := cms.LoadCertificates(cfg.TrustedFile)
	require.NoError(t, err)
	keys, err := cms.OpenFiles(cfg.Dir, "")
	require.NoError(t, err)
	ca, err := testca.Open(filepath.Join(c.Dir, "keys", "authority.pem"), "")
	require.NoError(t, err)
	over, err := ca.IssueFor("Clinic", testca.Both, time.Now().AddDate(0, 0, -3), time.Now().AddDate(0, 0, -1))
	require.NoError(t, err)
	old := t.TempDir()
	require.NoError(t, errors.Join(over.WriteFile(filepath.Join(old, "signing.pem")), over.WriteFile(filepath.Join(old, "decryption.pem"))))
	oldKeys, err := cms.OpenFiles(old, "")
	require.NoError(t, err)

	known := cms.CounterpartyOf(sound, []*x509.Certificate{c.keys[sound].Certificate})
	byAgreement, takesReceipts, takesNothing, overdue, bare := known, known, known, known, known
	byAgreement.CPAID = uuid.NewString()
	takesReceipts.Receives = func(f string) bool { return f == codes.AppRec }
	takesNothing.Receives = func(string) bool { return false }
	overdue.Encryption = []*x509.Certificate{over.Certificate}
	bare.Encryption = nil
	for name, r := range map[string]struct {
		keys     cms.Keys
		with     cms.Counterparty
		err      error
		function string
		kind     apperr.Kind
		says     string
	}{
		"by an agreement":                            {with: byAgreement},
		"by a profile":                               {with: known},
		"a receipt, to who takes it":                 {with: takesReceipts, function: codes.AppRec},
		"a reservation, to who lacks the process":    {with: takesNothing, function: codes.Timereservasjon},
		"a function that the other does not take":    {with: takesReceipts, kind: apperr.Unavailable, says: "takes no messages of"},
		"the other's certificate has expired":        {with: overdue, kind: apperr.Unavailable, says: "Invalid end date"},
		"the other has no certificate":               {with: bare, kind: apperr.Unavailable, says: "has no certificate to encrypt for"},
		"our own certificate has expired":            {keys: oldKeys, with: known, kind: apperr.Unavailable, says: "install a new one"},
		"nobody knows the other":                     {err: apperr.New(apperr.NotFound, "nobody knows"), kind: apperr.NotFound, says: "nobody knows"},
		"the registry does not answer":               {err: apperr.New(apperr.Unavailable, "away"), kind: apperr.Unavailable, says: "away"},
		"the registry answers about somebody else":   {with: cms.CounterpartyOf(foul, nil), kind: apperr.Unavailable, says: "another party"},
		"a receipt, where only other things are due": {with: takesNothing, function: codes.AppRec, kind: apperr.Unavailable, says: "takes no messages of"},
	} {
		t.Run(name, func(t *testing.T) {
			function := r.function
			if function == "" {
				function = codes.EKonsultasjon
			}
			use := r.keys
			if use == nil {
				use = keys
			}
			sealer := cms.NewSealer(use, agreed(func(asked string) (cms.Counterparty, error) {
				require.Equal(t, function, asked)
				return r.with, r.err
			}), cms.NewChecker(roots, nil, time.Now), c.Logger)
			m := transport.Message{ID: uuid.NewString(), Subject: function, To: "counterpart_async", ReplyTo: c.gp.AsyncQueue, CorrelationID: uuid.NewString(), FromHerID: demo.GPHerID, ToHerID: sound, SentAt: time.Now().UTC().Truncate(time.Second)}
			err := sealer.Seal(t.Context(), &m, c.good.XML)
			if r.kind != "" {
				require.True(t, apperr.Is(err, r.kind), err)
				require.ErrorContains(t, err, r.says)
				require.Empty(t, m.Body)
				return
			}
			require.NoError(t, err)
			require.NoError(t, c.broker.Send(t.Context(), m))
			got := c.next(t)
			require.Equal(t, []any{m.ID, function, m.CorrelationID, r.with.CPAID, m.FromHerID, m.ToHerID, cms.ContentType, m.SentAt},
				[]any{got.ID, got.Subject, got.CorrelationID, got.CPAID, got.FromHerID, got.ToHerID, got.ContentType, got.SentAt.UTC()})
		})
	}
	for name, change := range map[string]func(*transport.Message){
		"without an id": func(m *transport.Message) { m.ID = "" }, "without a queue": func(m *transport.Message) { m.To = "" },
		"too large": func(m *transport.Message) { m.Body = make([]byte, transport.MaxBody+1) },
	} {
		t.Run(name, func(t *testing.T) {
			m := transport.Message{ID: uuid.NewString(), Subject: codes.EKonsultasjon, To: "counterpart_async", FromHerID: demo.GPHerID, ToHerID: sound, SentAt: time.Now()}
			change(&m)
			require.Error(t, c.broker.Send(t.Context(), m))
		})
	}
}

// nothingElse: when everything is at its end, nobody was told anything twice, or anything
// that nobody waited for.
func (c *counterpart) nothingElse(t *testing.T) {
	c.eventually("everything is settled", func() error {
		open, err := c.sql("SELECT count(*)::text FROM outbound_message o JOIN inbound_message i ON i.id = o.in_reply_to WHERE i.from_her_id BETWEEN 810001 AND 810099 AND o.sent_at IS NULL")
		if err == nil && open != "0" {
			err = fmt.Errorf("%s are on their way", open)
		}
		return err
	})
	c.eventually("nothing is on the queues", func() error { return errors.Join(c.empty(c.gp.ErrorQueue), c.empty(c.gp.SyncQueue)) })
	queues, err := c.Broker.Queues(t.Context())
	require.NoError(t, err)
	for _, q := range queues {
		if strings.HasPrefix(q.Name, "counterpart_") {
			require.Zero(t, q.Ready+q.Unsettled, q.Name)
		}
	}
	for about, all := range c.reports {
		require.Len(t, all, 1, about)
	}
	require.Len(t, c.reports, len(wrongs)+6, "and one each of what came at once and again")
}
