package calendar_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/helsebro/helsebro/activities/calendar"
	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
)

// store remembers what it is asked.
type store struct {
	calendar.Store
	subject     string
	subjectErr  error
	err         error
	reading     pg.ActivityReading
	channels    pg.Channels
	counterpart int
	decided     int
}

func (s *store) ActivitySubject(context.Context, string, string) (string, error) {
	return s.subject, s.subjectErr
}

func (s *store) DecideNotice(_ context.Context, _ contract.DecideNoticeInput, r pg.ActivityReading, c pg.Channels) (contract.DecideNoticeOutput, error) {
	s.decided++
	s.reading, s.channels = r, c
	return contract.DecideNoticeOutput{Owner: contract.OwnerClinic}, s.err
}

func (s *store) Publish(_ context.Context, _ contract.PublishInput, counterpart int) (contract.PublishOutput, error) {
	s.counterpart = counterpart
	return contract.PublishOutput{Rule: "new"}, s.err
}

func (s *store) ApplyChange(context.Context, contract.ApplyChangeInput) (contract.ApplyChangeOutput, error) {
	return contract.ApplyChangeOutput{}, s.err
}

// activity answers about one person, or not at all.
type activity struct {
	asked       []string
	self, other bool
	err         error
	silent      bool
}

func (a *activity) Active(ctx context.Context, nationalID string) (self, other bool, err error) {
	a.asked = append(a.asked, nationalID)
	if a.silent {
		<-ctx.Done()
		return false, false, apperr.New(apperr.Unavailable, "no answer")
	}
	return a.self, a.other, a.err
}

var channels = pg.Channels{contract.ChannelSMS: time.Minute}

func TestFreshStatusGoesIntoTheDecision(t *testing.T) {
	t.Parallel()
	s, check := &store{subject: "10915596784"}, &activity{other: true}
	out, err := calendar.New(s, check, calendar.Config{Channels: channels}).DecideNotice(t.Context(), contract.DecideNoticeInput{})
	require.NoError(t, err)
	require.Equal(t, contract.OwnerClinic, out.Owner)
	require.Equal(t, []string{"10915596784"}, check.asked)
	require.Equal(t, []any{false, true, "", channels}, []any{s.reading.Self, s.reading.Other, s.reading.Failure, s.channels})
	require.WithinDuration(t, time.Now(), s.reading.At, time.Minute)
}

// A check that does not answer delays a notice by five seconds and stops none.
func TestSilentCheckIsNoReasonToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		began := time.Now()
		_, err := calendar.New(s, &activity{silent: true}, calendar.Config{}).DecideNotice(t.Context(), contract.DecideNoticeInput{})
		require.NoError(t, err)
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, []any{1, string(apperr.Unavailable)}, []any{s.decided, s.reading.Failure})
	})
}

func TestWhoIsErasedIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	s, check := &store{subjectErr: apperr.New(apperr.Erased, "erased")}, &activity{}
	_, err := calendar.New(s, check, calendar.Config{}).DecideNotice(t.Context(), contract.DecideNoticeInput{})
	require.NoError(t, err)
	require.Empty(t, check.asked)
	require.Zero(t, s.reading)

	_, err = calendar.New(s, nil, calendar.Config{}).DecideNotice(t.Context(), contract.DecideNoticeInput{})
	require.NoError(t, err, "nobody to ask")

	s.subjectErr = apperr.New(apperr.Unavailable, "the database does not answer")
	_, err = calendar.New(s, check, calendar.Config{}).DecideNotice(t.Context(), contract.DecideNoticeInput{})
	require.True(t, apperr.Is(err, apperr.Unavailable))
	require.Equal(t, 2, s.decided, "without knowing whom it is about nothing is decided")
}

func TestCounterpartIsConfigured(t *testing.T) {
	t.Parallel()
	s := &store{}
	_, err := calendar.New(s, nil, calendar.Config{HelsenorgeHerID: 8}).Publish(t.Context(), contract.PublishInput{})
	require.NoError(t, err)
	require.Equal(t, 8, s.counterpart)
}

// What the calendar refuses is final for Temporal, and says the state.
func TestRefusalIsNotRetried(t *testing.T) {
	t.Parallel()
	s := &store{err: apperr.InState("cancelled", "only what is booked can be changed")}
	_, err := calendar.New(s, nil, calendar.Config{}).ApplyChange(t.Context(), contract.ApplyChangeInput{})
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	require.Equal(t, []any{true, string(apperr.Conflict)}, []any{app.NonRetryable(), app.Type()})
}
