package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/registry"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/internal/transport"
	"github.com/helsebro/helsebro/internal/transport/loopback"
	"github.com/helsebro/helsebro/starter/cli"
)

const simulatedParty = 8000002

// clinicByHand answers what citizens ask a clinic: by what each function is to get.
func clinicByHand(ctx context.Context, queues *loopback.Client, says map[string]helsenorge.Message) error {
	questions, err := queues.Receiver(ctx, "clinic_sync", 1)
	if err != nil {
		return err
	}
	for {
		d, err := questions.Receive(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		q := d.Message()
		asked, _ := helsenorge.Read(q.Body)
		answer, ok := says[asked.Dialog.Function()]
		if !ok {
			return fmt.Errorf("nothing is said to %s", asked.Dialog.Function())
		}
		answer.Head = helsenorge.ReplyHead(asked.Head, uuid.NewString(), time.Now(), "")
		answer.Head.WantsReceipt = false
		xml, err := helsenorge.WriteMessage(&answer)
		if err != nil {
			return err
		}
		if err := queues.Send(ctx, transport.Message{
			ID: uuid.NewString(), Subject: q.Subject, To: q.ReplyTo, CorrelationID: q.CorrelationID, ContentType: transport.ContentTypePlain,
			FromHerID: q.ToHerID, ToHerID: q.FromHerID, SentAt: time.Now(), Body: xml,
		}); err != nil {
			return err
		}
		if err := d.Accept(ctx); err != nil {
			return err
		}
	}
}

// simulating is a simulated Helsenorge with a clinic of one party.
func simulating(t *testing.T) (*httptest.Server, registry.Registry) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "registry.yaml")
	require.NoError(t, registry.Write(file, append(simulator.Parties(),
		registry.Party{HerID: 8000001, Name: "Legesenteret"},
		registry.Party{
			HerID: simulatedParty, Name: "Ola Lege", ParentHerID: 8000001, AsyncQueue: "clinic_async", SyncQueue: "clinic_sync", ErrorQueue: "clinic_error",
		})))
	parties, err := registry.Open(file)
	require.NoError(t, err)
	s, err := simulator.Start(simulator.ServerConfig{Dir: filepath.Join(dir, "data"), Parties: parties, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		require.NoError(t, s.Close(context.Background()))
		server.Close()
	})
	return server, parties
}

func TestSimulateDialogues(t *testing.T) {
	t.Parallel()
	server, parties := simulating(t)
	queues, err := loopback.NewClient(server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, queues.Close(context.Background())) }()
	env := map[string]string{"HELSEBRO_LOOPBACK_URL": server.URL}
	simulate := func(args ...string) string {
		t.Helper()
		got := run(t, env, "", append([]string{"simulate"}, args...)...)
		require.Equal(t, cli.ExitDone, got.code, got.err)
		return got.out
	}
	require.Equal(t, "The citizen sees no conversation.\n", simulate("threads", "--citizen", "7"))
	picture := filepath.Join(t.TempDir(), "bilde.png")
	require.NoError(t, os.WriteFile(picture, []byte("\x89PNG\r\n\x1a\n"), 0o600))
	simulate("send", "--kind", "e-consultation", "--to", "8000002", "--citizen", "7", "--by", "8", "--relation", "FU", "--practitioner", "9144889", "--attach", picture)
	simulate("send", "--kind", "renewal-items", "--to", "8000002", "--citizen", "7", "--medicine", simulator.Medicines()[1], "--delivery", "HE")
	out := simulate("threads", "--citizen", "7")
	for _, want := range []string{"Dialog med innbygger - eKonsultasjon with 8000002 - Vondt i kneet", "(FU)", "bilde.png (image/png, 8 bytes)", "(cannot be answered)", simulator.Medicines()[1]} {
		require.Contains(t, out, want)
	}

	// The clinic writes, and the citizen answers.
	from, err := registry.Address(t.Context(), parties, simulatedParty)
	require.NoError(t, err)
	to, err := registry.Address(t.Context(), parties, simulator.HerID)
	require.NoError(t, err)
	who := simulator.Citizen(9)
	m := &helsenorge.Message{
		Head: helsenorge.Head{
			Process: codes.EKontakt, MsgID: uuid.NewString(), GenDate: time.Now(), WantsReceipt: true, Sender: from, Receiver: to,
			Patient: &helsenorge.Patient{GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, IDType: codes.Fodselsnummer},
		},
		Dialog: &helsenorge.Dialog{Request: &helsenorge.Request{
			Type: helsenorge.Code{V: codes.DialogueWithCitizen}, Subject: "Attest", Text: helsenorge.Text{Plain: "Den er klar."},
		}},
	}
	xml, err := helsenorge.WriteMessage(m)
	require.NoError(t, err)
	require.NoError(t, queues.Send(t.Context(), transport.Message{
		ID: uuid.NewString(), Subject: codes.EKontakt, To: "helsenorge_async", ReplyTo: "clinic_async", ContentType: transport.ContentTypePlain,
		FromHerID: simulatedParty, ToHerID: simulator.HerID, SentAt: time.Now(), Body: xml,
	}))
	require.Eventually(t, func() bool {
		return strings.Contains(run(t, env, "", "simulate", "threads", "--citizen", "9").out, "Den er klar.")
	}, 20*time.Second, 5*time.Millisecond)
	require.Contains(t, simulate("send", "--kind", "reply", "--in-reply-to", m.Head.MsgID, "--citizen", "9"), "Sent reply to 8000002")
	require.Contains(t, simulate("send", "--kind", "unread", "--in-reply-to", m.Head.MsgID, "--citizen", "9"), "Sent unread to 8000002")
	var threads []simulator.Thread
	require.NoError(t, json.Unmarshal([]byte(simulate("threads", "--citizen", "9", "--json")), &threads))
	require.Len(t, threads, 1)
	require.Len(t, threads[0].Messages, 3)

	require.Contains(t, simulate("inactive", "--citizen", "9", "--to", "8000002"), "Citizen 9 is inactive")
	book, err := simulator.NewClient(server.URL).Book(t.Context())
	require.NoError(t, err)
	var functions []string
	for _, sent := range book.Sent {
		m, problems := helsenorge.Read(sent.XML)
		require.Empty(t, problems)
		functions = append(functions, m.Dialog.Function())
	}
	require.ElementsMatch(t, []string{"SB", "RFER", "22", "VUS", "SDAB"}, functions)

	for _, args := range [][]string{
		{"--kind", "e-contact"}, {"--kind", "reply", "--to", "8000002"}, {"--kind", "e-contact", "--to", "8000002", "--attach", picture + "x"},
	} {
		require.Equal(t, cli.ExitUsage, run(t, env, "", append([]string{"simulate", "send"}, args...)...).code, args)
	}
	require.Equal(t, cli.ExitRefused, run(t, env, "", "simulate", "send", "--kind", "renewal", "--to", "8000002", "--attach", picture).code)
}

func TestSimulateAppointments(t *testing.T) {
	t.Parallel()
	server, _ := simulating(t)
	queues, err := loopback.NewClient(server.URL)
	require.NoError(t, err)

	note := func(list codes.List, code string) *helsenorge.Dialog {
		return &helsenorge.Dialog{Note: &helsenorge.Note{Topic: helsenorge.Code{V: code, S: list.OID()}}}
	}
	start := time.Now().UTC().AddDate(0, 0, 2).Truncate(time.Hour)
	slot := func(hours int, categories ...string) helsenorge.Event {
		at := start.Add(time.Duration(hours) * time.Hour)
		return helsenorge.Event{UID: uuid.NewString(), StartsAt: at, EndsAt: at.Add(20 * time.Minute), Contact: simulatedParty, Categories: categories}
	}
	phone, later, free := slot(0, helsenorge.CategoryMustCall), slot(1), slot(2, helsenorge.CategoryVideo)
	later.AvailableAt = start
	vera, ok := helsenorge.Named("Vera Vikar", "9144889")
	require.True(t, ok)
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		answered <- clinicByHand(ctx, queues, map[string]helsenorge.Message{
			codes.SlotsRequest:         {Dialog: note(codes.Answers, codes.SlotsFound), Events: []helsenorge.Event{phone, later, free}},
			codes.PractitionersRequest: {Dialog: note(codes.Answers, codes.PractitionersFound), Practitioners: []helsenorge.Practitioner{{Professional: vera}}},
			codes.TestRequest:          {Dialog: note(codes.TestCodes, codes.TestAnswer)},
		})
	}()
	env := map[string]string{"HELSEBRO_LOOPBACK_URL": server.URL}
	simulate := func(args ...string) string {
		t.Helper()
		got := run(t, env, "", append([]string{"simulate"}, args...)...)
		require.Equal(t, cli.ExitDone, got.code, got.err)
		return got.out
	}
	client := simulator.NewClient(server.URL)

	out := simulate("slots", "--to", "8000002", "--citizen", "7")
	for _, want := range []string{"03 Ledige timer", "STARTS", "MustCall", "at once", free.UID} {
		require.Contains(t, out, want)
	}
	var answer simulator.Answer
	require.NoError(t, json.Unmarshal([]byte(simulate("slots", "--to", "8000002", "--json")), &answer))
	require.Len(t, answer.Slots, 3)
	require.Contains(t, simulate("practitioners", "--to", "8000002"), "Vera Vikar  9144889")
	require.Contains(t, simulate("test", "--to", "8000002"), "RKT ")

	require.Equal(t, "The citizen sees no appointment.\n", simulate("appointments", "--citizen", "7"))
	require.Contains(t, simulate("book", "--to", "8000002", "--citizen", "7"), "Sent reserve to 8000002: message ")
	out = simulate("appointments", "--citizen", "7")
	require.Contains(t, out, "requested")
	require.Contains(t, out, free.UID, "the first that can be booked now")
	require.NotContains(t, out, phone.UID)
	require.Contains(t, simulate("book", "--to", "8000002", "--citizen", "8", "--slot", later.UID), "Sent reserve")
	require.Contains(t, simulate("appointments", "--citizen", "8"), later.UID)
	require.Equal(t, cli.ExitRefused, run(t, env, "", "simulate", "book", "--to", "8000002", "--slot", "none").code)

	require.Contains(t, simulate("cancel", "--citizen", "7", "--appointment", free.UID, "--alone"), "Sent cancel to 8000002")
	require.Equal(t, cli.ExitRefused, run(t, env, "", "simulate", "cancel", "--citizen", "7", "--appointment", later.UID).code, "it is not his")
	require.Contains(t, simulate("wish", "--to", "8000002", "--text", "Helst i morgen"), "Sent wish to 8000002")
	require.Contains(t, simulate("wish", "--citizen", "7", "--cancel", free.UID), "Sent wish-cancel to 8000002")
	require.Contains(t, simulate("wish", "--citizen", "7", "--change", free.UID), "Sent wish-change to 8000002")
	require.Equal(t, cli.ExitUsage, run(t, env, "", "simulate", "wish").code)
	book, err := client.Book(t.Context())
	require.NoError(t, err)
	var processes []string
	for _, sent := range book.Sent {
		m, problems := helsenorge.Read(sent.XML)
		require.Empty(t, problems)
		processes = append(processes, strings.TrimPrefix(m.Head.Process, "DIALOG_INNBYGGER_")+" "+m.Dialog.Function())
	}
	require.ElementsMatch(t, []string{
		"TIMERESERVASJON RT", "TIMERESERVASJON RT", "AVTALEAVBESTILLING ART", "TIMEONSKE OT", "TIMEONSKE OAT", "TIMEONSKE OET",
	}, processes)

	check := registry.NewActivityClient(server.URL, nil)
	for _, c := range []struct {
		args        []string
		self, other bool
	}{{[]string{"inactive"}, false, false}, {[]string{"active", "--via-others"}, false, true}, {[]string{"active"}, true, false}} {
		require.Contains(t, simulate(append(c.args, "--citizen", "7")...), "Citizen 7 is "+c.args[0])
		self, other, err := check.Active(t.Context(), simulator.Citizen(7).NationalID)
		require.NoError(t, err)
		require.Equal(t, []bool{c.self, c.other}, []bool{self, other}, c.args)
	}

	cancel()
	require.NoError(t, <-answered)
	require.NoError(t, queues.Close(context.Background()))
}

// A gateway whose reports nobody would believe is not started.
func TestSimulatedGatewayMustSign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.Equal(t, cli.ExitDone, run(t, nil, "", "demo", "init", dir).code)
	serve := []string{"simulate", "serve", "--data", filepath.Join(dir, "data"), "--registry", filepath.Join(dir, "etc", "registry.yaml"), "--sink", "127.0.0.1:0"}
	for _, keys := range []string{"", "c2hvcnQ="} {
		got := run(t, map[string]string{"HELSEBRO_SMS_CALLBACK_KEYS": keys}, "", serve...)
		require.Equal(t, cli.ExitUsage, got.code)
		require.Contains(t, got.err, "HELSEBRO_SMS_CALLBACK_KEYS")
	}
}

func TestSimulateFaults(t *testing.T) {
	t.Parallel()
	server, _ := simulating(t)
	faults := func(args ...string) outcome {
		return run(t, map[string]string{"HELSEBRO_LOOPBACK_URL": server.URL}, "", append([]string{"simulate", "faults"}, args...)...)
	}
	require.Equal(t, "Nothing goes wrong\n", faults().out)
	said := "From now on: the clinic's messages get a negative receipt E35; receipts come 1m0s late; each receipt comes 2 times; the messages of citizens are doubled; the digitally-active check is down\n"
	require.Equal(t, said, faults("--receipt", "E35", "--receipt-delay", "1m", "--receipt-times", "2", "--message", "doubled", "--activity", "down").out)
	require.Equal(t, said, faults().out)
	require.JSONEq(t, `{"receipt":"none"}`, faults("--receipt", "none", "--json").out)
	require.Equal(t, "From now on: the clinic's messages get no receipt\n", faults().out, "what is not named goes right again")
	require.Equal(t, cli.ExitUsage, faults("--none", "--receipt", "none").code)
	require.Equal(t, "Nothing goes wrong\n", faults("--none").out)
	wrong := faults("--message", "eaten")
	require.Equal(t, cli.ExitRefused, wrong.code)
	require.Contains(t, wrong.err, "message: one of doubled, reordered, spoofed, unreadable")
}
