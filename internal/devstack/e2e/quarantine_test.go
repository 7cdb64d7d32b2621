package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/cms"
	"github.com/helsebro/helsebro/internal/transport/connect"
)

// TestQuarantine: what nobody can take in waits in quarantine until an operator has mended
// the cause, and is then taken in once; what the broker gave up on is there too.
func TestQuarantine(t *testing.T) {
	w := newWorld(t, stack.Config{Transport: stack.AMQP})
	broker, err := connect.Transport(w.Listen().Transport, w.Logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close(context.WithoutCancel(t.Context()))) })
	parties, err := registry.Open(w.Listen().Transport.Registries.File)
	require.NoError(t, err)
	gp, err := parties.Party(t.Context(), demo.GPHerID)
	require.NoError(t, err)
	lost := transport.Message{ID: uuid.NewString(), To: gp.AsyncQueue, FromHerID: simulator.HerID, ToHerID: demo.GPHerID, TTL: time.Millisecond, Body: []byte("too late")}
	require.NoError(t, broker.Send(t.Context(), lost))
	require.NoError(t, w.Stack.Run(t.Context()))
	w.activate()

	find := func(transportID string, state pg.QuarantineState) (found pg.Quarantine) {
		t.Helper()
		w.eventually("message "+transportID+" is "+string(state), func() error {
			page, err := w.store.Quarantined(t.Context(), demo.Operator, demo.ClinicID, pg.QuarantineQuery{Limit: 50})
			if err != nil {
				return err
			}
			for _, k := range page.Items {
				if k.TransportID == transportID && k.State == state && k.Wanted == "" {
					found = k
					return nil
				}
			}
			return fmt.Errorf("not among %+v", page.Items)
		})
		return found
	}
	require.Equal(t, "dead-letter", find(lost.ID, pg.QuarantineKept).Reason)

	// A sender whom the address registry does not know.
	const stranger = 800099
	good, _ := w.act(simulator.Action{Kind: simulator.EContact})
	msgID := uuid.NewString()
	xml := bytes.ReplaceAll(good.XML, []byte(good.MsgID), []byte(msgID))
	xml = bytes.ReplaceAll(xml, []byte(strconv.Itoa(simulator.HerID)), []byte(strconv.Itoa(stranger)))
	raw := simulator.Raw{Body: xml, To: demo.GPHerID, From: stranger}
	id, err := w.Simulator.SendRaw(t.Context(), raw)
	require.NoError(t, err)
	kept := find(id, pg.QuarantineKept)
	require.Equal(t, "not-found", kept.Reason)

	decide := func(d pg.QuarantineDecision) {
		t.Helper()
		who := identity.Principal{Subject: "drift", ClinicID: demo.ClinicID, Role: identity.RoleOperator}
		status, body, err := w.call(who, "POST", "/quarantine/"+kept.ID+"/decisions", "", map[string]any{"decision": d})
		require.NoError(t, err)
		require.Equal(t, 200, status, body)
	}
	decide(pg.QuarantineRetry)
	w.eventually("it was tried again, in vain", func() error {
		kept = find(id, pg.QuarantineKept)
		if kept.Attempts != 1 {
			return errors.New("not yet")
		}
		return nil
	})

	all := parties.Parties()
	for _, p := range all {
		if p.HerID == simulator.HerID {
			p.HerID, p.Name = stranger, "A new party"
			all = append(all, p)
			break
		}
	}
	require.NoError(t, registry.Write(w.Listen().Transport.Registries.File, all))
	decide(pg.QuarantineRetry)
	require.Equal(t, 2, find(id, pg.QuarantineTaken).Attempts)
	w.eventually("its receipt is at the new party's queue, once", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err != nil {
			return err
		}
		n := 0
		for _, r := range book.Receipts {
			if r.Original == msgID && r.OK {
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%d receipts", n)
		}
		return nil
	})
	decide(pg.QuarantineRetry) // once more changes nothing

	// One that is larger than any message may be does not stop its queue (F16).
	giant := transport.Message{ID: uuid.NewString(), Subject: codes.EKontakt, To: gp.AsyncQueue, ContentType: cms.ContentType, FromHerID: simulator.HerID, ToHerID: demo.GPHerID, SentAt: time.Now(), Body: make([]byte, transport.MaxBody+1)}
	sendGiant(t, w, giant)
	kept = find(giant.ID, pg.QuarantineKept)
	require.Equal(t, []any{"too-large", transport.MaxBody + 1}, []any{kept.Reason, kept.Size})
	after, _ := w.act(simulator.Action{Kind: simulator.EContact})
	w.eventually("what comes after it is taken in", func() error {
		book, err := w.Simulator.Book(t.Context())
		if err != nil {
			return err
		}
		for _, r := range book.Receipts {
			if r.Original == after.MsgID && r.OK {
				return nil
			}
		}
		return errors.New("not yet")
	})

	// What is put back on its queue is taken from there, as if it came for the first time.
	stray := raw
	stray.From, stray.TransportID = stranger+1, ""
	stray.Body = bytes.ReplaceAll(xml, []byte(strconv.Itoa(stranger)), []byte(strconv.Itoa(stranger+1)))
	stray.Body = bytes.ReplaceAll(stray.Body, []byte(msgID), []byte(uuid.NewString()))
	id, err = w.Simulator.SendRaw(t.Context(), stray)
	require.NoError(t, err)
	kept = find(id, pg.QuarantineKept)
	decide(pg.QuarantineRelease)
	w.eventually("it has come back from its queue", func() error {
		if kept = find(id, pg.QuarantineKept); kept.Attempts == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

// sendGiant puts a message on its queue that our own transport refuses to send.
func sendGiant(t *testing.T, w *world, m transport.Message) {
	t.Helper()
	put(t, dial(t, w), m.To, &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: m.ID, Subject: &m.Subject, To: &m.To, ContentType: &m.ContentType},
		ApplicationProperties: map[string]any{
			"fromHerId": strconv.Itoa(m.FromHerID), "toHerId": strconv.Itoa(m.ToHerID), "applicationTimeStamp": m.SentAt.UTC().Format(time.RFC3339),
		},
		Data: [][]byte{m.Body},
	})
}

// TestAMessageThatKillsItsListenerIsKeptAside: RabbitMQ brings it again and again, and does
// not say how often (HITS 1216 has ten times). After a few deaths it is kept aside unread,
// and its queue goes on.
func TestAMessageThatKillsItsListenerIsKeptAside(t *testing.T) {
	w := newWorld(t, stack.Config{Transport: stack.AMQP})
	p := w.spawn()
	_, subject := w.act(simulator.Action{Kind: simulator.EContact})
	w.dialogue(subject) // everything is up

	deaths := 0
	p.listener.DieAt(failpoint.ListenStored, 1)
	deadly, _ := w.act(simulator.Action{Kind: simulator.EContact, Citizen: 1})
	w.eventually("the message is kept aside", func() error {
		if n := p.listener.Died(failpoint.ListenStored); n > deaths {
			deaths = n
			p.listener.DieAt(failpoint.ListenStored, 1)
		}
		page, err := w.store.Quarantined(t.Context(), demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 5})
		if err == nil && (len(page.Items) != 1 || page.Items[0].TransportID != deadly.TransportID || page.Items[0].Reason != "listener-died") {
			err = fmt.Errorf("%d deaths, %+v", deaths, page.Items)
		}
		return err
	})
	require.Positive(t, deaths)

	_, subject = w.act(simulator.Action{Kind: simulator.EContact, Citizen: 2})
	w.dialogue(subject)
}
