package storetest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// all channels are configured; the SMS gateway reports.
var allChannels = pg.Channels{contract.ChannelEmail: 0, contract.ChannelSMS: 30 * time.Minute, contract.ChannelPush: 0}

// gates sets the three switches (S89).
func (k *desk) gates(clinic, calendar, ofType bool) {
	k.Helper()
	ctx := k.Context()
	require.NoError(k, k.s.PutSettings(ctx, demo.Admin, demo.ClinicID, pg.Settings{OnlineBooking: true, Notify: clinic, NoticeName: "Demo legesenter", Phone: "22334455"}))
	require.NoError(k, k.s.PutCalendars(ctx, demo.Service, demo.ClinicID, []pg.Calendar{{ID: calendarID, OwnerID: demo.GPID, Name: "Frida", Notify: calendar}}))
	require.NoError(k, k.s.PutAppointmentTypes(ctx, demo.Service, demo.ClinicID, []pg.AppointmentType{{ID: typeID, Name: "Vanlig time", Summary: "Time hos fastlege", Notify: ofType}}))
}

func (k *desk) contacts(contacts ...pg.Contact) {
	k.Helper()
	require.NoError(k, k.s.PutContacts(k.Context(), demo.Service, demo.ClinicID, k.patientID, contacts))
}

var (
	email = pg.Contact{Channel: contract.ChannelEmail, Address: "line@example.org"}
	sms   = pg.Contact{Channel: contract.ChannelSMS, Address: "+4741234567"}
	push  = pg.Contact{Channel: contract.ChannelPush, Address: subscription}
)

func (k *desk) inactive() {
	k.Helper()
	require.NoError(k, k.s.RecordActivity(k.Context(), demo.ClinicID, k.patientID, false, false, pg.ActivityCheck, k.clock))
}

func (k *desk) decide(id string, revision int, purpose contract.Purpose, reading pg.ActivityReading) contract.DecideNoticeOutput {
	k.Helper()
	out, err := k.s.DecideNotice(k.Context(), contract.DecideNoticeInput{ClinicID: demo.ClinicID, AppointmentID: id, Revision: revision, Purpose: purpose, Now: k.clock}, reading, allChannels)
	require.NoError(k, err)
	return out
}

// plan plans the reminder and moves the clock to it.
func (k *desk) plan(id string, revision int) {
	k.Helper()
	out, err := k.s.PlanReminder(k.Context(), contract.PlanReminderInput{ClinicID: demo.ClinicID, AppointmentID: id, Revision: revision, Now: k.clock})
	require.NoError(k, err)
	require.False(k, out.Skip, out.Rule)
	k.clock = out.At
}

// due is an appointment in 72 hours of a patient who is not on Helsenorge, at its
// reminder's instant, with everything open and these contacts.
func (k *desk) due(contacts ...pg.Contact) (id, noticeID string) {
	k.Helper()
	k.gates(true, true, true)
	k.contacts(contacts...)
	k.inactive()
	id = k.made(now.Add(72 * time.Hour))
	require.Equal(k, "not-active", k.publish(id, 1).Rule)
	k.plan(id, 1)
	out := k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{})
	require.Equal(k, []any{contract.OwnerClinic, "not-active"}, []any{out.Owner, out.Reason})
	return id, out.NoticeID
}

func (k *desk) hop(noticeID string) contract.NextHopOutput {
	k.Helper()
	out, err := k.s.NextHop(k.Context(), contract.NextHopInput{ClinicID: demo.ClinicID, NoticeID: noticeID, Now: k.clock}, allChannels)
	require.NoError(k, err)
	return out
}

func (k *desk) claim(noticeID string, channel contract.Channel) pg.ClaimedNotice {
	k.Helper()
	c, err := k.s.ClaimNotice(k.Context(), k.sending(noticeID, channel), allChannels)
	require.NoError(k, err)
	return c
}

func (k *desk) sending(noticeID string, channel contract.Channel) contract.SendNoticeInput {
	return contract.SendNoticeInput{ClinicID: demo.ClinicID, NoticeID: noticeID, Channel: channel, Now: k.clock}
}

func (k *desk) settle(noticeID string, c pg.ClaimedNotice, channel contract.Channel, sent pg.Sent) contract.AttemptState {
	k.Helper()
	state, err := k.s.SettleNotice(k.Context(), k.sending(noticeID, channel), c.ContactID, sent)
	require.NoError(k, err)
	return state
}

func (k *desk) line(noticeID string) string {
	return k.sql("SELECT coalesce(outcome, 'open') || ' ' || coalesce(result ->> 'reason', '') FROM ledger WHERE key = 'notice/%s'", noticeID)
}

func TestOnlyThreeOpenGatesSend(t *testing.T) { // S89
	k := newDesk(t)
	k.contacts(email, sms)
	k.inactive()
	id := k.made(now.Add(72 * time.Hour))
	for revision := range 8 {
		open := [3]bool{revision&1 > 0, revision&2 > 0, revision&4 > 0}
		k.gates(open[0], open[1], open[2])
		if revision > 0 {
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(time.Duration(72+revision) * time.Hour)})
		}
		told := k.publish(id, revision+1)
		out := k.decide(id, revision+1, told.Purpose, pg.ActivityReading{})
		if open == [3]bool{true, true, true} {
			require.Equal(t, contract.OwnerClinic, out.Owner)
			require.Equal(t, "open", k.line(out.NoticeID))
			continue
		}
		require.Equal(t, contract.OwnerNobody, out.Owner, open)
		for i, name := range []string{"gate-clinic", "gate-calendar", "gate-type"} {
			require.Equal(t, !open[i], strings.Contains(out.Reason, name), "%v %s", open, out.Reason)
		}
		require.Equal(t, "suppressed "+out.Reason, k.line(out.NoticeID))
	}
	require.Equal(t, "8", k.sql("SELECT count(*) FROM notice"))
}

func TestHelsenorgeHasWhatItTook(t *testing.T) { // S83-S87, F3
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(email)
	id := k.made(now.Add(72 * time.Hour))
	told := k.publish(id, 1)
	k.send(told.OutboundID)
	pending := k.decide(id, 1, told.Purpose, pg.ActivityReading{})
	require.Equal(t, []any{contract.OwnerPending, now.Add(2 * time.Hour)}, []any{pending.Owner, pending.Until})
	load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: id})
	require.NoError(t, err)
	require.Equal(t, []contract.PendingNotice{{Purpose: told.Purpose, Revision: 1, At: now, Asked: true}}, load.Notices)
	require.Equal(t, told.Purpose, load.Open[0].Purpose)

	k.receipt(told.OutboundID, contract.OutcomeAcknowledged)
	out := k.decide(id, 1, told.Purpose, pg.ActivityReading{At: k.clock, Self: true})
	require.Equal(t, []any{contract.OwnerHelsenorge, "delegated", pending.NoticeID}, []any{out.Owner, out.Reason, out.NoticeID})
	require.Equal(t, "delegated delegated", k.line(out.NoticeID))
	require.Equal(t, "check", k.sql("SELECT active_by FROM patient WHERE id = '%s'", k.patientID))

	// Fifty flips: decided once.
	k.plan(id, 1)
	first := k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{At: k.clock, Self: true})
	require.Equal(t, contract.OwnerHelsenorge, first.Owner)
	for i := range 50 {
		again := k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{At: k.clock.Add(time.Duration(i) * time.Second), Self: i%2 > 0})
		require.Equal(t, []any{first.Owner, first.NoticeID}, []any{again.Owner, again.NoticeID})
	}
	require.Equal(t, "1", k.sql("SELECT count(*) FROM notice WHERE purpose = 'reminder'"))
}

// Refused with E35, the clinic tells; without an answer of the check, what is known last
// decides, and the decision says how old that is.
func TestHandOverOnce(t *testing.T) { // F3, D5
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(email)
	id := k.made(now.Add(72 * time.Hour))
	told := k.publish(id, 1)
	k.send(told.OutboundID)
	k.receipt(told.OutboundID, contract.OutcomeRejected, "E35")
	k.clock = now.Add(time.Hour)
	out := k.decide(id, 1, told.Purpose, pg.ActivityReading{At: k.clock, Failure: "unavailable"})
	require.Equal(t, []any{contract.OwnerClinic, "refused-e35"}, []any{out.Owner, out.Reason})
	require.Equal(t, "refused unavailable 3600000000000", k.sql(`SELECT (inputs #>> '{activity,by}') || ' ' || (inputs #>> '{activity,failure}') || ' ' || (inputs #>> '{activity,age}')
		FROM decision WHERE about = 'confirmation'`))
}

func TestNobodyToTellIsACase(t *testing.T) { // S89, F1
	k := newDesk(t)
	k.gates(true, true, true)
	k.inactive()
	id := k.made(now.Add(72 * time.Hour))
	out := k.decide(id, 1, k.publish(id, 1).Purpose, pg.ActivityReading{})
	require.Equal(t, []any{contract.OwnerNobody, "no-contact", true}, []any{out.Owner, out.Reason, out.CaseOpened})
	require.Equal(t, []contract.CaseKind{contract.CaseNoContact}, k.cases())
	require.Equal(t, "suppressed no-contact", k.line(out.NoticeID))
}

func TestStaleReminderExpiresIntoACase(t *testing.T) { // F17, D11
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(sms)
	k.inactive()
	id := k.made(now.Add(72 * time.Hour))
	k.publish(id, 1)
	k.plan(id, 1)
	k.clock = now.Add(49 * time.Hour)
	out := k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{})
	require.Equal(t, []any{contract.OwnerNobody, "expired", true}, []any{out.Owner, out.Reason, out.CaseOpened})
	require.Equal(t, "expired expired", k.line(out.NoticeID))
	require.Equal(t, []contract.CaseKind{contract.CaseNoticeExpired}, k.cases())
}

func TestReminderPlanFollowsWhatIsTold(t *testing.T) { // F6, D2
	k := newDesk(t)
	plan := func(id string, revision int) contract.PlanReminderOutput {
		in := contract.PlanReminderInput{ClinicID: demo.ClinicID, AppointmentID: id, Revision: revision, Now: k.clock}
		out, err := k.s.PlanReminder(t.Context(), in)
		require.NoError(t, err)
		again, err := k.s.PlanReminder(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, out, again)
		return out
	}
	far := k.made(now.Add(72 * time.Hour))
	out := plan(far, 1)
	require.False(t, out.At.Before(now.Add(24*time.Hour)) || out.At.After(now.Add(46*time.Hour)), out.At)
	load, err := k.s.LoadAppointment(t.Context(), contract.LoadAppointmentInput{ClinicID: demo.ClinicID, AppointmentID: far})
	require.NoError(t, err)
	require.Equal(t, []contract.PendingNotice{{Purpose: contract.PurposeReminder, Revision: 1, At: out.At}}, load.Notices)

	require.Equal(t, contract.PlanReminderOutput{Skip: true, Rule: "merged-with-confirmation"}, plan(k.made(now.Add(30*time.Hour)), 1), "the confirmation that is about to go out is the reminder")
	require.Equal(t, contract.PlanReminderOutput{Skip: true, Rule: "window-past"}, plan(k.booked(now.Add(20*time.Hour)), 1))
	hidden := k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: far, TypeID: hiddenID})
	require.Equal(t, contract.PlanReminderOutput{Skip: true, Rule: "hidden"}, plan(far, hidden.Facts.Revision))
	require.Equal(t, contract.PlanReminderOutput{Skip: true, Rule: "superseded"}, plan(far, 7))
	cancelled := k.must(demo.Desk, pg.Change{Kind: pg.ChangeCancel, AppointmentID: far})
	require.Equal(t, contract.PlanReminderOutput{Skip: true, Rule: "not-booked"}, plan(far, cancelled.Facts.Revision))
}

func TestNoticeGoesFromChannelToChannel(t *testing.T) { // S90, D12
	k := newDesk(t)
	_, notice := k.due(sms, email, push)
	hop := k.hop(notice)
	require.Equal(t, []any{contract.ChannelEmail, []contract.Channel{contract.ChannelPush}}, []any{hop.Channel, hop.Also})
	require.Positive(t, hop.Patience)
	c := k.claim(notice, contract.ChannelEmail)
	require.Equal(t, []any{contract.AttemptState(""), notice + "/e-mail", email.Address}, []any{c.Known, c.Key, c.To})
	require.Contains(t, c.Body, "torsdag 5. november 2026 kl. 09:00", "the wall clock in Norway (F7)")
	require.NotContains(t, c.Body, "Time hos fastlege")
	require.True(t, c.ExpiresAt.Equal(now.Add(48*time.Hour)), "nothing arrives past start−24h")
	require.Equal(t, contract.AttemptFailed, k.settle(notice, c, contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed, Reason: "rcpt 550 5.1.1"}))

	beside := k.claim(notice, contract.ChannelPush)
	k.settle(notice, beside, contract.ChannelPush, pg.Sent{State: contract.AttemptFailed, Reason: "http 410", Gone: true})
	require.Equal(t, "push", k.sql("SELECT channel FROM contact WHERE gone_at IS NOT NULL"))

	hop = k.hop(notice)
	require.Equal(t, []any{contract.ChannelSMS, 30 * time.Minute}, []any{hop.Channel, hop.Wait})
	c = k.claim(notice, contract.ChannelSMS)
	require.Equal(t, contract.AttemptAccepted, k.settle(notice, c, contract.ChannelSMS, pg.Sent{State: contract.AttemptAccepted, ProviderID: "gw-1"}))
	hop = k.hop(notice)
	require.Equal(t, []any{false, contract.Channel(""), 30 * time.Minute}, []any{hop.Done, hop.Channel, hop.Wait})
	require.Equal(t, contract.AttemptAccepted, k.claim(notice, contract.ChannelSMS).Known, "never twice on one channel")

	in, changed, err := k.s.RecordDeliveryReport(t.Context(), contract.ChannelSMS, c.Key, "event-1", contract.AttemptDelivered, k.clock)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, []any{notice, contract.PurposeReminder, 1}, []any{in.NoticeID, in.Purpose, in.Revision})
	hop = k.hop(notice)
	require.Equal(t, []any{true, contract.OutcomeDelivered, "receipt"}, []any{hop.Done, hop.Outcome, hop.Reason})
	require.Equal(t, hop, k.hop(notice), "it has ended")
	require.Equal(t, "delivered receipt", k.line(notice))

	explained, err := k.s.ExplainAppointment(t.Context(), demo.Desk, demo.ClinicID, in.AppointmentID)
	require.NoError(t, err)
	require.Empty(t, explained.Origin, "for the audit's eyes")
	require.Len(t, explained.Notices, 1)
	require.Len(t, explained.Notices[0].Attempts, 3)
	require.Equal(t, []any{"rcpt 550 5.1.1", "reminder/e-mail/nb/v1"}, []any{explained.Notices[0].Attempts[0].Reason, explained.Notices[0].Attempts[0].Template})
	var about []string
	for _, d := range explained.Decisions {
		about = append(about, d.About+":"+d.Decided)
		require.NotContains(t, string(d.Inputs), email.Address)
	}
	require.Equal(t, []string{"change:booked", "publication:", "reminder:clinic", "reminder:e-mail", "reminder:push", "reminder:sms", "reminder:delivered"},
		slices.DeleteFunc(about, func(s string) bool { return strings.HasPrefix(s, "reminder-plan") }))
}

// What was accepted late, twice, and then denied, stays what it was: delivered (D12).
func TestReportsInAnyOrder(t *testing.T) {
	k := newDesk(t)
	_, notice := k.due(sms, email)
	k.settle(notice, k.claim(notice, contract.ChannelEmail), contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed, Reason: "rcpt 550"})
	c := k.claim(notice, contract.ChannelSMS)
	report := func(event string, state contract.AttemptState) bool {
		_, changed, err := k.s.RecordDeliveryReport(t.Context(), contract.ChannelSMS, c.Key, event, state, k.clock)
		require.NoError(t, err)
		return changed
	}
	// The report overtakes the gateway's own answer.
	require.True(t, report("1", contract.AttemptAccepted))
	k.settle(notice, c, contract.ChannelSMS, pg.Sent{State: contract.AttemptAccepted, ProviderID: "gw-1"})
	k.clock = k.clock.Add(31 * time.Minute)
	require.Equal(t, []any{contract.OutcomeFailed, "no-receipt"}, []any{k.hop(notice).Outcome, k.hop(notice).Reason})
	require.Equal(t, []contract.CaseKind{contract.CaseNoticeFailed}, k.cases())

	require.True(t, report("2", contract.AttemptDelivered))
	require.Equal(t, "delivered receipt", k.line(notice))
	require.Empty(t, k.cases(), "it came late, but it came")
	require.False(t, report("2", contract.AttemptDelivered))
	require.False(t, report("3", contract.AttemptDelivered))
	require.False(t, report("4", contract.AttemptFailed))
	require.Equal(t, "delivered receipt", k.line(notice))
	require.Equal(t, "4", k.sql("SELECT count(*) FROM delivery_report"))

	_, _, err := k.s.RecordDeliveryReport(t.Context(), contract.ChannelSMS, "nonsense", "5", contract.AttemptDelivered, k.clock)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
	_, _, err = k.s.RecordDeliveryReport(t.Context(), contract.ChannelEmail, c.Key, "5", contract.AttemptDelivered, k.clock)
	require.True(t, apperr.Is(err, apperr.NotFound), "%v", err)
}

// A process that died between claim and record: the message may have left.
func TestUnsettledClaimIsUnknown(t *testing.T) {
	k := newDesk(t)
	_, notice := k.due(sms, email)
	require.Empty(t, k.claim(notice, contract.ChannelEmail).Known)
	require.Equal(t, contract.AttemptUnknown, k.claim(notice, contract.ChannelEmail).Known)
	require.Equal(t, contract.AttemptUnknown, k.claim(notice, contract.ChannelEmail).Known)
	require.Equal(t, contract.ChannelSMS, k.hop(notice).Channel, "another channel, not the same again")
}

// A refusal for now lets the same hop try again, and the next hop go on.
func TestRefusedForNow(t *testing.T) {
	k := newDesk(t)
	_, notice := k.due(sms, email)
	for range 2 {
		c := k.claim(notice, contract.ChannelEmail)
		require.Empty(t, c.Known)
		k.settle(notice, c, contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed, Reason: "http 429", ForNow: true})
	}
	require.Equal(t, contract.ChannelSMS, k.hop(notice).Channel)
	require.Equal(t, "1", k.sql("SELECT count(*) FROM decision WHERE about = 'reminder' AND decided = 'e-mail'"))
}

// refuse is a turn of a channel whose provider is down.
func (k *desk) refuse(noticeID string, channel contract.Channel) {
	k.Helper()
	c := k.claim(noticeID, channel)
	require.Empty(k, c.Known)
	k.settle(noticeID, c, channel, pg.Sent{State: contract.AttemptFailed, Reason: "http 503", ForNow: true})
}

// Providers that are down for hours get the notice when they are back, once, and if it
// is still of use (F17).
func TestProvidersThatComeBackInTimeGetIt(t *testing.T) {
	k := newDesk(t)
	_, notice := k.due(sms, email)
	up := k.clock.Add(2 * time.Hour)
	turns := map[contract.Channel]int{}
	for k.clock.Before(up) {
		hop := k.hop(notice)
		require.False(t, hop.Done, "%+v", hop)
		if hop.Channel == "" {
			require.Equal(t, []any{15 * time.Minute, "awaiting-provider"}, []any{hop.Wait, hop.Reason})
			k.clock = k.clock.Add(hop.Wait)
			continue
		}
		require.Equal(t, turns[hop.Channel] > 0, hop.Reason == "asked-again", hop.Reason)
		k.refuse(notice, hop.Channel)
		turns[hop.Channel]++
	}
	require.Equal(t, map[contract.Channel]int{contract.ChannelEmail: 8, contract.ChannelSMS: 8}, turns)
	require.Empty(t, k.cases())
	require.Equal(t, "open", k.line(notice))

	hop := k.hop(notice)
	require.Equal(t, []any{contract.ChannelEmail, "asked-again"}, []any{hop.Channel, hop.Reason})
	require.Positive(t, hop.Patience)
	c := k.claim(notice, contract.ChannelEmail)
	require.Equal(t, []any{contract.AttemptState(""), notice + "/e-mail", email.Address}, []any{c.Known, c.Key, c.To})
	k.settle(notice, c, contract.ChannelEmail, pg.Sent{State: contract.AttemptAccepted})
	require.Equal(t, contract.AttemptAccepted, k.claim(notice, contract.ChannelEmail).Known, "never twice")
	hop = k.hop(notice)
	require.Equal(t, []any{true, contract.OutcomeSent}, []any{hop.Done, hop.Outcome})
	require.Empty(t, k.cases())
	require.Equal(t, "2", k.sql("SELECT count(*) FROM notice_attempt"), "one row for each channel")
}

// What cannot be given before its last instant has expired, in one case; so has what no
// provider takes for a day, though it would be of use for longer.
func TestProvidersThatStayDownAreOneCase(t *testing.T) { // F17, D11
	for name, c := range map[string]struct {
		make    func(*desk) string
		end     string
		kind    contract.CaseKind
		from    time.Duration // since now
		longest time.Duration
	}{
		"a reminder": {
			func(k *desk) string { _, notice := k.due(sms, email); return notice },
			"expired latest-hop-past", contract.CaseNoticeExpired, 48*time.Hour - 15*time.Minute, 48 * time.Hour,
		},
		"a confirmation, near": {
			func(k *desk) string { return k.confirmation(6 * time.Hour) },
			"expired latest-hop-past", contract.CaseNoticeExpired, 5 * time.Hour, 6*time.Hour - 45*time.Minute,
		},
		"a confirmation, far off": {
			func(k *desk) string { return k.confirmation(72 * time.Hour) },
			"failed all-failed", contract.CaseNoticeFailed, 24*time.Hour - 15*time.Minute, 24*time.Hour + 15*time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			notice := c.make(k)
			hop := k.hop(notice)
			for turns := 0; !hop.Done; hop = k.hop(notice) {
				require.Less(t, turns, 500, "no end")
				if hop.Channel == "" {
					k.clock = k.clock.Add(hop.Wait)
					continue
				}
				k.refuse(notice, hop.Channel)
				turns++
			}
			require.Equal(t, c.end, k.line(notice))
			require.Equal(t, []contract.CaseKind{c.kind}, k.cases())
			require.Equal(t, hop, k.hop(notice), "it has ended")
			require.Len(t, k.cases(), 1)
			require.WithinRange(t, k.clock, now.Add(c.from), now.Add(c.longest))
			require.NotEmpty(t, k.claim(notice, contract.ChannelEmail).Known, "nothing starts any more")
		})
	}
}

// A confirmation that was tried, and became too near while its provider was down, is
// missed: a case.
func TestWhatBecameTooNearWhileItWasTried(t *testing.T) { // F6, F17
	k := newDesk(t)
	notice := k.confirmation(6 * time.Hour)
	k.refuse(notice, contract.ChannelEmail)
	k.clock = now.Add(tooNear)
	require.Equal(t, contract.AttemptWithheld, k.claim(notice, contract.ChannelSMS).Known)
	require.True(t, k.hop(notice).Done)
	require.Equal(t, "expired latest-hop-past", k.line(notice))
	require.Equal(t, []contract.CaseKind{contract.CaseNoticeExpired}, k.cases())
}

// One that a provider has by then is waited for.
func TestWhatBecameTooNearWhileAProviderHadIt(t *testing.T) { // F6, D12
	k := newDesk(t)
	notice := k.confirmation(6 * time.Hour)
	k.refuse(notice, contract.ChannelEmail)
	k.clock = now.Add(tooNear - 10*time.Minute)
	k.settle(notice, k.claim(notice, contract.ChannelSMS), contract.ChannelSMS, pg.Sent{State: contract.AttemptAccepted})
	k.clock = now.Add(tooNear)
	require.Equal(t, contract.NextHopOutput{Wait: 20 * time.Minute, Reason: "awaiting-receipt"}, k.hop(notice))
	k.report(notice, contract.ChannelSMS, contract.AttemptDelivered)
	require.Equal(t, contract.OutcomeDelivered, k.hop(notice).Outcome)
	require.Empty(t, k.cases())
}

// tooNear is how long after now an appointment six hours off is too near to be confirmed.
const tooNear = 6*time.Hour - 44*time.Minute

// confirmation is the notice of an appointment that begins after a time, of a patient
// who is not on Helsenorge.
func (k *desk) confirmation(after time.Duration) string {
	k.Helper()
	k.gates(true, true, true)
	k.contacts(sms, email)
	k.inactive()
	id := k.made(now.Add(after))
	out := k.decide(id, 1, k.publish(id, 1).Purpose, pg.ActivityReading{})
	require.Equal(k, contract.OwnerClinic, out.Owner, out.Reason)
	return out.NoticeID
}

// Only a provider that certainly does not have the notice is asked again.
func TestWhatAProviderMayHaveIsNotAskedAgain(t *testing.T) { // D12, F17
	for name, c := range map[string]struct {
		last  func(k *desk, notice string)
		known contract.AttemptState
	}{
		"refused for good": {func(k *desk, notice string) {
			k.settle(notice, k.claim(notice, contract.ChannelEmail), contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed, Reason: "rcpt 550"})
		}, contract.AttemptFailed},
		"unknown": {func(k *desk, notice string) {
			k.settle(notice, k.claim(notice, contract.ChannelEmail), contract.ChannelEmail, pg.Sent{State: contract.AttemptUnknown})
		}, contract.AttemptUnknown},
		"claimed, and nobody settles it": {func(k *desk, notice string) { k.claim(notice, contract.ChannelEmail) }, contract.AttemptUnknown},
		"a report after the refusal": {func(k *desk, notice string) {
			k.refuse(notice, contract.ChannelEmail)
			k.report(notice, contract.ChannelEmail, contract.AttemptAccepted)
		}, contract.AttemptFailed},
		"a report before the refusal": {func(k *desk, notice string) {
			c := k.claim(notice, contract.ChannelEmail)
			k.report(notice, contract.ChannelEmail, contract.AttemptAccepted)
			k.settle(notice, c, contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed, Reason: "http 503", ForNow: true})
		}, contract.AttemptFailed},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			_, notice := k.due(email)
			k.refuse(notice, contract.ChannelEmail)
			k.clock = k.clock.Add(15 * time.Minute)
			require.Equal(t, contract.ChannelEmail, k.hop(notice).Channel)
			c.last(k, notice)
			k.clock = k.clock.Add(time.Hour)
			require.True(t, k.hop(notice).Done)
			require.Equal(t, c.known, k.claim(notice, contract.ChannelEmail).Known)
			require.Equal(t, []contract.CaseKind{contract.CaseNoticeFailed}, k.cases())
		})
	}
}

func (k *desk) report(notice string, channel contract.Channel, state contract.AttemptState) {
	k.Helper()
	_, _, err := k.s.RecordDeliveryReport(k.Context(), channel, notice+"/"+string(channel), string(state), state, k.clock)
	require.NoError(k, err)
}

// A turn that the last look withheld is followed by a pause, too: whatever the rules and
// that look disagree about, the run does not spin.
func TestAWithheldTurnIsATurn(t *testing.T) { // F17
	k := newDesk(t)
	_, notice := k.due(email)
	k.refuse(notice, contract.ChannelEmail)
	k.clock = k.clock.Add(15 * time.Minute)
	require.Equal(t, contract.ChannelEmail, k.hop(notice).Channel)
	k.contacts()
	require.Equal(t, contract.AttemptWithheld, k.claim(notice, contract.ChannelEmail).Known)
	k.contacts(email)
	hop := k.hop(notice)
	require.Equal(t, []any{contract.Channel(""), 15 * time.Minute}, []any{hop.Channel, hop.Wait})
}

// Whoever ends a notice or an appointment's run without giving what is owed leaves no
// line open: the case is the outcome, until a report knows better.
func TestACaseEndsTheNotice(t *testing.T) { // F1, D12
	for _, kind := range []contract.CaseKind{contract.CaseNoticeFailed, contract.CaseCancelled} {
		t.Run(string(kind), func(t *testing.T) {
			k := newDesk(t)
			id, notice := k.due(sms)
			c := k.claim(notice, contract.ChannelSMS)
			k.settle(notice, c, contract.ChannelSMS, pg.Sent{State: contract.AttemptAccepted})
			var caseID string
			for range 2 {
				again, err := k.s.OpenCase(t.Context(), contract.OpenCaseInput{ClinicID: demo.ClinicID, DialogueID: id, MessageID: notice, Kind: kind, Reason: "cancelled-by-operator"})
				require.NoError(t, err)
				require.Contains(t, []string{"", again}, caseID)
				caseID = again
			}
			require.Equal(t, "failed cancelled-by-operator", k.line(notice))
			require.Equal(t, contract.NextHopOutput{Done: true, Outcome: contract.OutcomeFailed, Reason: "cancelled-by-operator"}, k.hop(notice))
			require.Equal(t, []contract.CaseKind{kind}, k.cases())
			_, _, err := k.s.RecordDeliveryReport(t.Context(), contract.ChannelSMS, c.Key, "event-1", contract.AttemptDelivered, k.clock)
			require.NoError(t, err)
			require.Equal(t, "delivered receipt", k.line(notice))
			require.Empty(t, k.cases(), "the patient has it")
		})
	}

	// A run that is ended leaves nothing to be decided; a notice that is given goes on.
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(sms)
	id := k.made(now.Add(72 * time.Hour))
	told := k.publish(id, 1)
	k.send(told.OutboundID)
	pending := k.decide(id, 1, told.Purpose, pg.ActivityReading{})
	require.Equal(t, contract.OwnerPending, pending.Owner)
	k.inactive()
	k.plan(id, 1)
	given := k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{})
	require.Equal(t, contract.OwnerClinic, given.Owner)
	_, err := k.s.OpenCase(t.Context(), contract.OpenCaseInput{ClinicID: demo.ClinicID, DialogueID: id, MessageID: id, Kind: contract.CaseCancelled, Reason: "cancelled-by-operator"})
	require.NoError(t, err)
	require.Equal(t, "failed cancelled-by-operator", k.line(pending.NoticeID))
	require.Equal(t, "open", k.line(given.NoticeID))
	again := k.decide(id, 1, told.Purpose, pg.ActivityReading{})
	require.Equal(t, []any{contract.OwnerNobody, "cancelled-by-operator"}, []any{again.Owner, again.Reason})
}

// A newer revision ends at once what no provider has; what one may have ends with its
// next hop, which knows what became of it (F5).
func TestARevisionEndsWhatIsNotTold(t *testing.T) {
	move := func(k *desk, id string) {
		k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(90 * time.Hour)})
	}
	for name, c := range map[string]struct {
		attempt   contract.AttemptState // of the SMS, before the move
		line, end string
	}{
		"decided":   {"", "superseded superseded", "superseded superseded"},
		"failed":    {contract.AttemptFailed, "superseded superseded", "superseded superseded"},
		"claimed":   {contract.AttemptClaimed, "open", "superseded superseded"},
		"accepted":  {contract.AttemptAccepted, "open", "superseded superseded"},
		"delivered": {contract.AttemptDelivered, "open", "delivered receipt"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			id, notice := k.due(sms)
			if c.attempt != "" {
				claimed := k.claim(notice, contract.ChannelSMS)
				if c.attempt != contract.AttemptClaimed {
					k.settle(notice, claimed, contract.ChannelSMS, pg.Sent{State: c.attempt})
				}
			}
			move(k, id)
			require.Equal(t, c.line, k.line(notice))
			require.NotEmpty(t, k.claim(notice, contract.ChannelSMS).Known, "never sent, or never again")
			require.True(t, k.hop(notice).Done)
			require.Equal(t, c.end, k.line(notice))
			require.Empty(t, k.cases())
			late := k.decide(id, 1, contract.PurposeChange, pg.ActivityReading{})
			require.Equal(t, []any{contract.OwnerNobody, "superseded"}, []any{late.Owner, late.Reason}, "asked about an old revision")
			require.Equal(t, "superseded superseded", k.line(late.NoticeID))
			require.Equal(t, contract.OwnerClinic, k.decide(id, 1, contract.PurposeReminder, pg.ActivityReading{}).Owner, "a decision stands, and its notice is over")
			require.Equal(t, "0", k.sql("SELECT count(*) FROM ledger WHERE effect = 'notice' AND outcome IS NULL"))
		})
	}
}

// Each of the inputs is flipped between two hops: the second obeys the new value (F2).
func TestSecondHopObeysWhatIsTrueThen(t *testing.T) {
	for name, c := range map[string]struct {
		flip    func(k *desk, id string)
		outcome contract.Outcome
		reason  string
		channel contract.Channel
		opened  contract.CaseKind
	}{
		"revision": {
			flip: func(k *desk, id string) {
				k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(90 * time.Hour)})
			},
			outcome: contract.OutcomeSuperseded, reason: "superseded",
		},
		"hidden": {
			flip: func(k *desk, id string) {
				k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, TypeID: hiddenID, Acknowledged: true})
			},
			outcome: contract.OutcomeSuperseded, reason: "superseded",
		},
		"gate": {
			flip:    func(k *desk, _ string) { k.gates(true, false, true) },
			outcome: contract.OutcomeSuppressed, reason: "gate-calendar",
		},
		"contact": {
			flip:    func(k *desk, _ string) { k.contacts(email) },
			outcome: contract.OutcomeFailed, reason: "all-failed", opened: contract.CaseNoticeFailed,
		},
		"opted out": {
			flip: func(k *desk, _ string) {
				require.NoError(k, k.s.PutPreference(k.Context(), demo.Service, demo.ClinicID, k.patientID, pg.Preference{OptedOut: []contract.Channel{contract.ChannelSMS}}))
			},
			outcome: contract.OutcomeFailed, reason: "all-failed", opened: contract.CaseNoticeFailed,
		},
		"dead": {
			flip: func(k *desk, _ string) {
				require.NoError(k, k.s.PutPatientStatus(k.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{Deceased: true}))
			},
			outcome: contract.OutcomeSuppressed, reason: "deceased",
		},
		"time": {
			flip:    func(k *desk, _ string) { k.clock = now.Add(48*time.Hour + time.Second) },
			outcome: contract.OutcomeExpired, reason: "latest-hop-past", opened: contract.CaseNoticeExpired,
		},
		"erased": {
			flip: func(k *desk, _ string) {
				require.NoError(k, k.s.ErasePatient(k.Context(), demo.Admin, demo.ClinicID, k.patientID))
			},
			outcome: contract.OutcomeSuppressed, reason: "erased",
		},
		"active, and not there": {
			flip: func(k *desk, _ string) {
				require.NoError(k, k.s.RecordActivity(k.Context(), demo.ClinicID, k.patientID, true, false, pg.ActivityCheck, k.clock))
			},
			channel: contract.ChannelSMS,
		},
		"nothing": {flip: func(*desk, string) {}, channel: contract.ChannelSMS},
	} {
		t.Run(name, func(t *testing.T) {
			k := newDesk(t)
			id, notice := k.due(sms, email)
			k.settle(notice, k.claim(notice, contract.ChannelEmail), contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed, Reason: "rcpt 550"})
			c.flip(k, id)
			withheld := k.claim(notice, contract.ChannelSMS).Known
			if c.channel != "" {
				require.Empty(t, withheld)
				return
			}
			require.Equal(t, contract.AttemptWithheld, withheld, "the last look is before the provider is asked")
			hop := k.hop(notice)
			require.Equal(t, []any{true, c.outcome, c.reason}, []any{hop.Done, hop.Outcome, hop.Reason})
			require.Equal(t, string(c.outcome)+" "+c.reason, k.line(notice))
			var opened contract.CaseKind
			if cases := k.cases(); len(cases) > 0 {
				opened = cases[0]
			}
			require.Equal(t, c.opened, opened)
		})
	}
}

// What Helsenorge takes after all is not said twice.
func TestLateReceiptEndsTheClinicsNotice(t *testing.T) { // F3
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(email, sms)
	id := k.made(now.Add(72 * time.Hour))
	told := k.publish(id, 1)
	k.send(told.OutboundID)
	_, err := k.s.CloseDelivery(t.Context(), contract.CloseDeliveryInput{ClinicID: demo.ClinicID, DialogueID: id, OutboundID: told.OutboundID, Outcome: contract.OutcomeOverdue})
	require.NoError(t, err)
	out := k.decide(id, 1, told.Purpose, pg.ActivityReading{At: k.clock, Self: true})
	require.Equal(t, []any{contract.OwnerClinic, "lost"}, []any{out.Owner, out.Reason})
	k.settle(out.NoticeID, k.claim(out.NoticeID, contract.ChannelEmail), contract.ChannelEmail, pg.Sent{State: contract.AttemptFailed})
	k.receipt(told.OutboundID, contract.OutcomeAcknowledged)
	hop := k.hop(out.NoticeID)
	require.Equal(t, []any{true, contract.OutcomeDelegated}, []any{hop.Done, hop.Outcome})
}

// From 00:00 on the sixteenth birthday the mother's number is nobody's (D4), and a
// protected patient's relatives are never told (D14).
func TestWhoseNumberMayBeUsed(t *testing.T) {
	k := newDesk(t)
	k.gates(true, true, true)
	turns16 := pg.Patient{GivenName: "Barn", FamilyName: "Testperson", IDType: "FNR", NationalID: nationalid.Synthetic(time.Date(2010, 11, 4, 0, 0, 0, 0, time.UTC), 7)}
	var err error
	k.patientID, err = k.s.PutPatient(t.Context(), demo.Service, demo.ClinicID, turns16, demo.GPID, false)
	require.NoError(t, err)
	k.inactive()
	mothers := pg.Contact{Channel: contract.ChannelSMS, Address: "+4799999999", Relation: "FO"}
	id := k.made(now.Add(72 * time.Hour)) // 5 November
	told := k.publish(id, 1)
	decide := func(revision int) contract.DecideNoticeOutput {
		if revision > 1 {
			k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(time.Duration(72+revision) * time.Hour)})
			k.publish(id, revision)
		}
		return k.decide(id, revision, told.Purpose, pg.ActivityReading{})
	}
	k.contacts(mothers)
	require.Equal(t, contract.OwnerClinic, decide(1).Owner, "still fifteen")
	require.NoError(t, k.s.PutPatientStatus(t.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{Protected: true}))
	require.Equal(t, "no-contact-protected", decide(2).Reason)
	require.NoError(t, k.s.PutPatientStatus(t.Context(), demo.Service, demo.ClinicID, k.patientID, pg.PatientStatus{}))
	k.clock = time.Date(2026, 11, 3, 23, 0, 0, 0, time.UTC) // midnight in Norway
	out := decide(3)
	require.Equal(t, []any{contract.OwnerNobody, "no-contact", true}, []any{out.Owner, out.Reason, out.CaseOpened})
	own := sms
	k.contacts(mothers, own)
	out = decide(4)
	require.Equal(t, contract.OwnerClinic, out.Owner)
	require.Equal(t, own.Address, k.claim(out.NoticeID, contract.ChannelSMS).To)
	mothers.ConfirmedAt = k.clock
	k.contacts(mothers)
	require.Equal(t, contract.OwnerClinic, decide(5).Owner, "the patient has confirmed it since")
}

// Whatever happens to an appointment, a claim shows the start that is current (F5).
func TestNoClaimShowsAnOldStart(t *testing.T) {
	k := newDesk(t)
	k.gates(true, true, true)
	k.contacts(sms)
	k.inactive()
	id := k.made(now.Add(72 * time.Hour))
	start, revision := now.Add(72*time.Hour), 1
	for i := range 40 {
		told := k.publish(id, revision)
		if told.Purpose != "" {
			out := k.decide(id, revision, told.Purpose, pg.ActivityReading{})
			require.Equal(t, contract.OwnerClinic, out.Owner, out.Reason)
			stale := i%3 == 1
			if stale {
				start = now.Add(time.Duration(72+i) * time.Hour)
				k.must(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: start})
			}
			c := k.claim(out.NoticeID, contract.ChannelSMS)
			if stale {
				require.Equal(t, contract.AttemptWithheld, c.Known)
			} else {
				require.True(t, c.StartAt.Equal(start), "%v %v", c.StartAt, start)
				k.settle(out.NoticeID, c, contract.ChannelSMS, pg.Sent{State: contract.AttemptDelivered})
			}
			require.True(t, k.hop(out.NoticeID).Done)
		}
		kind := pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(time.Duration(100+i) * time.Hour)}
		if i%5 == 4 {
			kind = pg.Change{Kind: pg.ChangeCancel, AppointmentID: id}
			k.must(demo.Desk, kind)
			kind = pg.Change{Kind: pg.ChangeRestore, AppointmentID: id}
		} else {
			start = kind.StartsAt
		}
		revision = k.must(demo.Desk, kind).Facts.Revision
	}
	require.Equal(t, "0", k.sql("SELECT count(*) FROM ledger WHERE effect = 'notice' AND outcome IS NULL"), "every line has ended")
	require.Equal(t, "0", k.sql(`SELECT count(*) FROM notice_attempt x JOIN notice n ON n.id = x.notice_id
		JOIN appointment_revision r ON r.appointment_id = n.appointment_id AND r.revision = n.revision WHERE r.starts_at <> x.starts_at`))
}

func TestOriginIsForTheAudit(t *testing.T) { // S92, A6
	k := newDesk(t)
	id := k.booked(now.Add(72 * time.Hour))
	for role, origin := range map[identity.Role]string{identity.RoleAuditor: "helsenorge", identity.RoleOperator: "helsenorge", identity.RoleStaff: ""} {
		by := demo.Desk
		by.Role = role
		e, err := k.s.ExplainAppointment(t.Context(), by, demo.ClinicID, id)
		require.NoError(t, err)
		require.Equal(t, origin, e.Origin, role)
	}
	require.Equal(t, "3", k.sql("SELECT count(*) FROM audit WHERE action = 'appointment.explain'"))
}
