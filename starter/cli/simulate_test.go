package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
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

func TestSimulateAppointments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "registry.yaml")
	require.NoError(t, registry.Write(file, append(simulator.Parties(),
		registry.Party{HerID: 8000001, Name: "Legesenteret"},
		registry.Party{
			HerID: simulatedParty, Name: "Ola Lege", ParentHerID: 8000001, AsyncQueue: "clinic_async", SyncQueue: "clinic_sync", ErrorQueue: "clinic_error",
		})))
	parties, err := registry.Open(file)
	require.NoError(t, err)
	s, err := simulator.Start(filepath.Join(dir, "data"), parties, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	defer func() { require.NoError(t, s.Close(context.Background())) }()
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

	check := registry.NewActivityClient(server.URL)
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
