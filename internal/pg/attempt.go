package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/config"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/text"
)

// Reasons of an attempt, beside the provider's own codes.
const (
	// reasonNoText: no text can be written that tells nothing of health.
	reasonNoText = "no-text"
	// forNow begins the reason of a refusal by which the provider certainly does not have
	// the notice: it may be claimed again, by the same hop, and by a later one that
	// notice.NextHop names. What is known of the attempt otherwise takes it away.
	forNow = "for now: "
)

// Channels are the channels that the installation has, with how long a provider's
// delivery report is waited for; 0 where none comes, and what the provider has taken is
// the outcome.
type Channels map[contract.Channel]time.Duration

// ChannelsOf are the channels that are configured. A gateway that does not report is
// not waited for.
func ChannelsOf(cfg config.Channels) Channels {
	waits := notice.DefaultWaits()
	c := Channels{}
	if cfg.SMTP.Offered() {
		c[contract.ChannelEmail] = waits[notice.Email]
	}
	if cfg.SMS.Offered() {
		c[contract.ChannelSMS] = 0
		if cfg.SMS.CallbackURL != "" {
			c[contract.ChannelSMS] = waits[notice.SMS]
		}
	}
	if cfg.WebPush.Offered() {
		c[contract.ChannelPush] = waits[notice.Push]
	}
	return c
}

func (c Channels) waits() map[notice.Channel]time.Duration {
	waits := map[notice.Channel]time.Duration{}
	for channel, wait := range c {
		waits[notice.Channel(channel)] = wait
	}
	return waits
}

// mayHave are the states of an attempt by which the patient may have the notice.
var mayHave = []contract.AttemptState{contract.AttemptClaimed, contract.AttemptAccepted, contract.AttemptDelivered, contract.AttemptUnknown}

// givenNotice is a notice's row.
type givenNotice struct {
	id, clinicID, appointmentID string
	purpose                     contract.Purpose
	revision                    int
	owner                       contract.Owner
	reason                      string
	decidedAt, latestAt         time.Time
	outcome                     contract.Outcome
}

// lockNotice reads a notice that the transaction decides about.
func (s *Store) lockNotice(ctx context.Context, tx pgx.Tx, clinicID, id string) (givenNotice, error) {
	n := givenNotice{id: id, clinicID: clinicID}
	var latest *time.Time
	err := tx.QueryRow(ctx, `SELECT appointment_id, purpose, revision, owner, reason, decided_at, latest_at, coalesce(outcome, '') FROM notice
		WHERE id = $1 AND clinic_id = $2 FOR UPDATE`, id, clinicID).
		Scan(&n.appointmentID, &n.purpose, &n.revision, &n.owner, &n.reason, &n.decidedAt, &latest, &n.outcome)
	n.latestAt = derefTime(latest)
	return n, notFound(err, "the clinic has no such notice")
}

// attempts lists what became of a notice on each channel.
func (s *Store) attempts(ctx context.Context, tx pgx.Tx, noticeID string) ([]notice.Attempt, error) {
	rows, err := tx.Query(ctx, "SELECT channel, state, claimed_at, state_at, reason FROM notice_attempt WHERE notice_id = $1 ORDER BY claimed_at, channel", noticeID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (notice.Attempt, error) {
		var a notice.Attempt
		var since time.Time
		var reason string
		err := row.Scan(&a.Channel, &a.State, &a.At, &since, &reason)
		if refusedForNow(contract.AttemptState(a.State), reason) {
			a.RefusedAt = since
		}
		return a, err
	})
}

// refusedForNow tells whether the provider certainly does not have an attempt, and may
// take it another time.
func refusedForNow(state contract.AttemptState, reason string) bool {
	return state == contract.AttemptFailed && strings.HasPrefix(reason, forNow)
}

// NextHop names a notice's next channel, or closes it with its terminal outcome (F1,
// S90). Everything is read anew (F2): what was decided once does not stand against what
// is true now. configured are the channels that the installation has. An output that is
// neither done nor names a channel asks to wait, and to be asked again.
func (s *Store) NextHop(ctx context.Context, in contract.NextHopInput, configured Channels) (contract.NextHopOutput, error) {
	s = s.notBefore(in.Now)
	var out contract.NextHopOutput
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		out = contract.NextHopOutput{}
		n, err := s.lockNotice(ctx, tx, in.ClinicID, in.NoticeID)
		if err != nil {
			return err
		}
		if n.outcome != "" {
			out = contract.NextHopOutput{Done: true, Outcome: n.outcome, Reason: n.reason}
			return nil
		}
		a, err := s.appointment(ctx, tx, n.clinicID, n.appointmentID)
		if err != nil {
			return err
		}
		v, err := s.situation(ctx, tx, a, n.purpose, n.revision, configured)
		if err != nil {
			return err
		}
		attempts, err := s.attempts(ctx, tx, n.id)
		if err != nil {
			return err
		}
		for _, c := range in.Tried {
			if !slices.ContainsFunc(attempts, func(a notice.Attempt) bool { return a.Channel == notice.Channel(c) }) {
				attempts = append(attempts, notice.Attempt{Channel: notice.Channel(c), State: notice.TimedOut, At: v.Now})
			}
		}
		latest := earlier(n.latestAt, v.LatestTry())
		next := notice.NextHop(notice.HopInput{
			Now: v.Now, LatestHop: latest, DecidedAt: n.decidedAt, Reachable: v.Reachable, Preference: v.Preference,
			Attempts: attempts, Waits: configured.waits(),
		})
		if outcome, reason, stop := v.stops(next, len(attempts) > 0); stop {
			return s.closeNotice(ctx, tx, n, outcome, reason, v, &out)
		}
		if next.Done {
			outcome := contract.Outcome(next.Outcome)
			if next.Reason == notice.DoneTaken {
				outcome = contract.OutcomeSent
			}
			return s.closeNotice(ctx, tx, n, outcome, next.Reason, v, &out)
		}
		out = contract.NextHopOutput{Channel: contract.Channel(next.Channel), Wait: next.Wait, Reason: next.Reason}
		for _, c := range next.Also {
			out.Also = append(out.Also, contract.Channel(c))
		}
		if out.Channel != "" {
			out.Patience = v.patience(latest)
		}
		return nil
	})
	return out, err
}

// stops tells whether the notice must not be given any more, whatever channels are
// left: it is about an older revision, is hidden, is not wanted, or Helsenorge has it
// after all. What a channel has delivered stays delivered, and what no channel takes, or
// not in time though it was tried, is for NextHop to say.
func (v situation) stops(next notice.Next, tried bool) (outcome contract.Outcome, reason string, stop bool) {
	if next.Done && next.Outcome == notice.OutcomeDelivered {
		return "", "", false
	}
	if v.Erased {
		return contract.OutcomeSuppressed, ruleErased, true
	}
	d := notice.Decide(v.Situation)
	switch {
	case d.Owner == notice.Helsenorge:
		return contract.OutcomeDelegated, d.Reason, true
	case d.Owner != notice.Nobody:
		return "", "", false
	}
	switch d.Reason {
	case notice.ReasonExpired, notice.ReasonNoContact, notice.ReasonProtected:
		return "", "", false
	case notice.ReasonTooNear:
		if tried {
			return "", "", false
		}
	}
	return outcomeOf(contract.OwnerNobody, d.Reason), d.Reason, true
}

// patience is how long one provider may be tried: a quarter of what the whole chain may
// take, and not past the last instant.
func (v situation) patience(latest time.Time) time.Duration {
	patience := time.Duration(v.settings.FallbackMinutes) * time.Minute / 4
	if !latest.IsZero() {
		patience = min(patience, latest.Sub(v.Now))
	}
	return max(patience, time.Second)
}

// closeNotice writes a notice's terminal outcome, its line's, and the operator case
// where the patient should have been told and is not.
func (s *Store) closeNotice(ctx context.Context, tx pgx.Tx, n givenNotice, outcome contract.Outcome, reason string, v situation, out *contract.NextHopOutput) error {
	*out = contract.NextHopOutput{Done: true, Outcome: outcome, Reason: reason}
	if _, err := tx.Exec(ctx, "UPDATE notice SET outcome = $2, outcome_at = $3, reason = $4 WHERE id = $1", n.id, outcome, s.now(), reason); err != nil {
		return err
	}
	if err := s.ledgerOutcome(ctx, tx, EffectNotice+"/"+n.id, outcome, map[string]any{"owner": contract.OwnerClinic, "reason": reason}); err != nil {
		return err
	}
	if outcome == contract.OutcomeFailed || outcome == contract.OutcomeExpired {
		if err := s.openCase(ctx, tx, n.clinicID, n.appointmentID, n.id, caseOf(reason), reason); err != nil {
			return err
		}
	}
	return s.decide(ctx, tx, "", decision{n.appointmentID, n.revision, string(n.purpose), string(outcome), reason, v}, nil)
}

// ClaimedNotice is a notice on one channel that may be handed to the provider now, by
// the caller and nobody else.
type ClaimedNotice struct {
	// Known is what became of it before, or that nothing is to be sent; "" when it is to
	// be sent now.
	Known contract.AttemptState
	// Key is the provider's idempotency key: notice and channel.
	Key                string
	ContactID          string
	To, Subject, Body  string
	ExpiresAt, StartAt time.Time
}

// ClaimNotice claims a notice for one channel before the provider is asked, with the
// text as it will be sent: whatever happens then, it is never sent twice there. It looks
// once more at everything, while the appointment cannot change: a claim shows the start
// that is current (F5). A claim that somebody made before and never settled is unknown.
// Only what the provider refused for now is claimed again, by whichever hop: one claim
// at a time is open, so the refusal is that of the last send, and no other is under way.
func (s *Store) ClaimNotice(ctx context.Context, in contract.SendNoticeInput, configured Channels) (ClaimedNotice, error) {
	s = s.notBefore(in.Now)
	var c ClaimedNotice
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		c = ClaimedNotice{}
		if _, err := tx.Exec(ctx, "SELECT FROM appointment WHERE id = (SELECT appointment_id FROM notice WHERE id = $1) FOR SHARE", in.NoticeID); err != nil {
			return err
		}
		n, err := s.lockNotice(ctx, tx, in.ClinicID, in.NoticeID)
		if err != nil {
			return err
		}
		again, err := s.claimedBefore(ctx, tx, n.id, in.Channel, &c)
		if err != nil || c.Known != "" {
			return err
		}
		a, err := s.appointment(ctx, tx, n.clinicID, n.appointmentID)
		if err != nil {
			return err
		}
		v, err := s.situation(ctx, tx, a, n.purpose, n.revision, configured)
		if err != nil {
			return err
		}
		contact, reachable := v.usable[in.Channel]
		if _, offered := configured[in.Channel]; !offered || !reachable || slices.Contains(v.Preference.OptOut, notice.Channel(in.Channel)) ||
			n.ended() || v.Now.After(n.latestAt) || v.Erased || notice.Decide(v.Situation).Owner != notice.Clinic {
			c.Known = contract.AttemptWithheld
			if again { // tried before, and not given: this was its turn
				_, err := tx.Exec(ctx, "UPDATE notice_attempt SET state_at = $3 WHERE notice_id = $1 AND channel = $2", n.id, in.Channel, s.now())
				return err
			}
			return s.decide(ctx, tx, "", decision{n.appointmentID, n.revision, string(n.purpose), string(in.Channel), string(c.Known), v}, nil)
		}
		return s.claim(ctx, tx, n, in.Channel, contact, a, v, again, &c)
	})
	return c, err
}

// ended tells whether the notice is not to be given any more. One that a channel has
// taken may still go out on another in addition.
func (n givenNotice) ended() bool {
	return !slices.Contains([]contract.Outcome{"", contract.OutcomeSent, contract.OutcomeDelivered}, n.outcome)
}

// claimedBefore finds out whether the channel has had the notice.
func (s *Store) claimedBefore(ctx context.Context, tx pgx.Tx, noticeID string, channel contract.Channel, c *ClaimedNotice) (again bool, err error) {
	var state contract.AttemptState
	var reason string
	err = tx.QueryRow(ctx, "SELECT state, reason FROM notice_attempt WHERE notice_id = $1 AND channel = $2 FOR UPDATE", noticeID, channel).Scan(&state, &reason)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case refusedForNow(state, reason):
		return true, nil
	case state != contract.AttemptClaimed:
		c.Known = state
		return true, nil
	}
	c.Known = contract.AttemptUnknown
	_, err = tx.Exec(ctx, "UPDATE notice_attempt SET state = $3, reason = 'claim-not-settled', state_at = $4 WHERE notice_id = $1 AND channel = $2",
		noticeID, channel, c.Known, s.now())
	return true, err
}

func (s *Store) claim(ctx context.Context, tx pgx.Tx, n givenNotice, channel contract.Channel, contact Contact, a standing, v situation, again bool, c *ClaimedNotice) error {
	subject, body, template, ok := write(notice.Purpose(n.purpose), notice.Channel(channel), v, a.startsAt)
	state, reason := contract.AttemptClaimed, ""
	if !ok {
		state, reason = contract.AttemptWithheld, reasonNoText
		c.Known = state
	}
	sealed, err := v.key.seal("notice_attempt.text", noticeRow(n.id, string(channel)), noticeText{Subject: subject, Body: body})
	if err != nil {
		return err
	}
	segments := 0
	if channel == contract.ChannelSMS {
		segments, _ = text.Segments(body)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO notice_attempt (notice_id, channel, contact_id, state, starts_at, key_id, text, template, segments, reason, claimed_at, state_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
		ON CONFLICT (notice_id, channel) DO UPDATE SET contact_id = $3, state = $4, starts_at = $5, text = $7, template = $8, segments = $9, reason = $10, claimed_at = $11, state_at = $11`,
		n.id, channel, contact.ID, state, a.startsAt, v.key.id, sealed, template, segments, reason, s.now()); err != nil {
		return err
	}
	if c.Known == "" {
		*c = ClaimedNotice{
			Key: noticeRow(n.id, string(channel)), ContactID: contact.ID, To: contact.Address, Subject: subject, Body: body,
			ExpiresAt: n.latestAt, StartAt: a.startsAt,
		}
	}
	if again {
		return nil // the hop was written down with its first claim
	}
	return s.decide(ctx, tx, "", decision{n.appointmentID, n.revision, string(n.purpose), string(channel), string(state), v}, nil)
}

// write writes the notice in the patient's language. A place that reveals health, or
// that nobody may know of a protected patient, is left out (D14, F20).
func write(purpose notice.Purpose, channel notice.Channel, v situation, startsAt time.Time) (subject, body, template string, ok bool) {
	for _, language := range []string{v.language, languages[0]} {
		t, found := text.Builtin(text.Key{Purpose: purpose, Channel: channel, Language: language})
		if !found {
			continue
		}
		template = fmt.Sprintf("%s/%s/%s/v%d", purpose, channel, language, t.Version)
		values := text.Values{ClinicName: v.settings.NoticeName, Start: startsAt, Place: v.place, Phone: v.settings.Phone}
		if v.Protected || len(text.Lint(v.place)) > 0 {
			values.Place = ""
		}
		subject, body, err := text.Render(t, values)
		return subject, body, template, err == nil
	}
	return "", "", template, false
}

// Sent is what a provider made of a claimed notice.
type Sent struct {
	State      contract.AttemptState
	ProviderID string
	// Reason is the provider's code; ForNow that the same channel may be asked again.
	Reason string
	ForNow bool
	// Gone: the address does not exist any more.
	Gone bool
}

// SettleNotice writes down what the provider made of a claim. What a report said in the
// meantime stands if it says more (D12). It returns the state that stands.
func (s *Store) SettleNotice(ctx context.Context, in contract.SendNoticeInput, contactID string, sent Sent) (contract.AttemptState, error) {
	s = s.notBefore(in.Now)
	state := sent.State
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		state = sent.State
		n, err := s.lockNotice(ctx, tx, in.ClinicID, in.NoticeID)
		if err != nil {
			return err
		}
		var current contract.AttemptState
		if err := tx.QueryRow(ctx, "SELECT state FROM notice_attempt WHERE notice_id = $1 AND channel = $2 FOR UPDATE", n.id, in.Channel).Scan(&current); err != nil {
			return notFound(err, "the notice was not claimed for the channel")
		}
		if sent.Gone {
			if _, err := tx.Exec(ctx, "UPDATE contact SET gone_at = coalesce(gone_at, $2) WHERE id = $1", contactID, s.now()); err != nil {
				return err
			}
		}
		state = merge(current, sent.State)
		reason := sent.Reason
		// A report that overtook the refusal says that the provider has had it.
		if sent.ForNow && (current == contract.AttemptClaimed || current == contract.AttemptUnknown) {
			reason = forNow + reason
		}
		if _, err := tx.Exec(ctx, `UPDATE notice_attempt SET state = $3, state_at = CASE WHEN state = $3 THEN state_at ELSE $6 END,
				provider_id = CASE WHEN $4 = '' THEN provider_id ELSE $4 END, reason = CASE WHEN $3 = $7 THEN $5 ELSE reason END
			WHERE notice_id = $1 AND channel = $2`, n.id, in.Channel, state, sent.ProviderID, reason, s.now(), sent.State); err != nil {
			return err
		}
		return s.delivered(ctx, tx, n, state)
	})
	return state, err
}

func merge(state, report contract.AttemptState) contract.AttemptState {
	return contract.AttemptState(notice.Merge(notice.AttemptState(state), notice.AttemptState(report)))
}

// delivered keeps the truth that a channel has brought a notice, however late: it
// improves whatever outcome the notice had, and ends the case about it.
func (s *Store) delivered(ctx context.Context, tx pgx.Tx, n givenNotice, state contract.AttemptState) error {
	if state != contract.AttemptDelivered || n.outcome == "" || n.outcome == contract.OutcomeDelivered {
		return nil
	}
	if _, err := tx.Exec(ctx, "UPDATE notice SET outcome = $2, outcome_at = $3, reason = $4 WHERE id = $1",
		n.id, contract.OutcomeDelivered, s.now(), notice.DoneReceipt); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE ledger SET outcome = $2, outcome_at = $3, result = $4 WHERE key = $1",
		EffectNotice+"/"+n.id, contract.OutcomeDelivered, s.now(),
		map[string]any{"owner": contract.OwnerClinic, "reason": notice.DoneReceipt, "before": n.outcome}); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = $2 WHERE message_id = $1 AND resolved_at IS NULL", n.id, s.now())
	return err
}

// RecordDeliveryReport stores a provider's verified word on a notice, found by the key
// that the provider was given, once per event. Words may come in any order and any
// number of times: what stands is what says most (D12). What the provider has a word on
// it has had: a refusal for now is one for good. It returns the notice whose lifecycle is
// to be told, and whether the word changed anything. An unknown key is apperr.NotFound.
func (s *Store) RecordDeliveryReport(ctx context.Context, channel contract.Channel, key, eventID string, state contract.AttemptState, at time.Time) (contract.NoticeInput, bool, error) {
	var in contract.NoticeInput
	changed := false
	noticeID, of, _ := strings.Cut(key, "/")
	if of != string(channel) {
		return in, false, apperr.New(apperr.NotFound, "no notice has that key on the channel")
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		changed = false
		var clinicID string
		if err := tx.QueryRow(ctx, "SELECT clinic_id FROM notice WHERE id = $1", noticeID).Scan(&clinicID); err != nil {
			return notFound(err, "no notice has that key on the channel")
		}
		n, err := s.lockNotice(ctx, tx, clinicID, noticeID)
		if err != nil {
			return err
		}
		in = contract.NoticeInput{ClinicID: clinicID, AppointmentID: n.appointmentID, NoticeID: n.id, Purpose: n.purpose, Revision: n.revision}
		var current contract.AttemptState
		if err := tx.QueryRow(ctx, "SELECT state FROM notice_attempt WHERE notice_id = $1 AND channel = $2 FOR UPDATE", n.id, channel).Scan(&current); err != nil {
			return notFound(err, "the notice was never given on the channel")
		}
		tag, err := tx.Exec(ctx, `INSERT INTO delivery_report (channel, event_id, notice_id, state, at, stored_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, channel, eventID, n.id, state, at, s.now())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE notice_attempt SET reason = substr(reason, length($3) + 1) WHERE notice_id = $1 AND channel = $2 AND starts_with(reason, $3)",
			n.id, channel, forNow); err != nil {
			return err
		}
		stands := merge(current, state)
		if stands == current {
			return nil
		}
		changed = true
		if _, err := tx.Exec(ctx, "UPDATE notice_attempt SET state = $3, state_at = $4 WHERE notice_id = $1 AND channel = $2", n.id, channel, stands, at); err != nil {
			return err
		}
		return s.delivered(ctx, tx, n, stands)
	})
	return in, changed, err
}
