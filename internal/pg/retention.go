package pg

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
)

// RetentionClass is what is kept for one time, and why.
type RetentionClass struct {
	// Name is in HELSEBRO_RETENTION, the log and the README.
	Name string
	// Tables are those of which rows are removed. One is in one class.
	Tables []string
	// Days is how long rows are kept unless the installation says otherwise, LeastDays how
	// long at least; 0 is for as long as they are used.
	Days, LeastDays int
	// Since is the instant from which it counts, and Why why it is that long.
	Since, Why string
}

const classAudit = "audit"

// RetentionClasses are the classes of all tables. Nothing that is open is ever removed: what
// has an effect without an outcome, a case that nobody has seen to, an answer that is owed.
func RetentionClasses() []RetentionClass {
	return []RetentionClass{
		{"dialogues", []string{
			"dialogue", "appointment", "appointment_identifier", "appointment_revision", "attachment", "attachment_part", "conversation",
			"decision", "dialogue_participant", "inbound_message", "inbox_item", "journal_entry", "journal_message", "ledger", "notice",
			"notice_attempt", "outbound_message", "prescription_item", "publication",
		}, 3650, 365, "its last message or change", "what proves what became of each message, as long as a record is kept (pasientjournalforskriften §14)"},
		{"unplaced", nil, 730, 90, "a message that led to no dialogue was received", "it was refused or was a receipt; the sender may ask"},
		{"commands", []string{"activation_command", "appointment_command", "dialogue_command", "request_key"}, 365, 30, "it was applied", "until then a repetition with the same key has the same answer"},
		{"cases", []string{"operator_case"}, 1825, 365, "it was resolved; one of a dialogue goes with the dialogue", "who looks at how an installation does"},
		{"quarantine", []string{"quarantine"}, 365, 30, "it was decided", "the sender may ask"},
		{"reports", []string{"delivery_report"}, 365, 30, "it came", "the outcome is the notice's; a gateway repeats within days"},
		{"contacts", []string{"contact"}, 90, 1, "the provider said that it is gone", "an address that leads nowhere is of no use"},
		{"slots", []string{"slot"}, 90, 1, "its end, if nobody has booked it", "nobody books what is past"},
		{classAudit, []string{"audit"}, 1825, 730, "the access", "a patient may ask who has looked (pasientjournalloven §18); its seals stay"},
		{"reading", []string{"reading"}, 0, 0, "31 days from the last try: whoever reads a message forgets the others", "over which message a listener died"},
		{"in use", []string{
			"appointment_type", "audit_removal", "audit_seal", "calendar", "clinic", "clinic_settings", "data_key", "goose_db_version", "integration",
			"notice_preference", "offered_service", "party", "patient", "precondition", "representation", "routing_rule", "staff", "staff_group_member",
		}, 0, 0, "", "master data: its record system writes it, and a patient is erased by command"},
	}
}

// Retention is how many days each class is kept.
type Retention map[string]int

// ReadRetention reads HELSEBRO_RETENTION, as "dialogues=3650,quarantine=30", in days; what
// it does not name has its default. It is apperr.Invalid for a class that does not exist or
// has no time, and for fewer days than its least.
func ReadRetention(text string) (Retention, error) {
	r := Retention{}
	var names []string
	for _, c := range RetentionClasses() {
		if c.Days > 0 {
			r[c.Name] = c.Days
			names = append(names, c.Name)
		}
	}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, number, _ := strings.Cut(part, "=")
		days, err := strconv.Atoi(number)
		i := slices.IndexFunc(RetentionClasses(), func(c RetentionClass) bool { return c.Name == name && c.Days > 0 })
		if err != nil || i < 0 {
			return nil, apperr.New(apperr.Invalid, "HELSEBRO_RETENTION has %q: write class=days, with one of %s", part, strings.Join(names, ", "))
		}
		if c := RetentionClasses()[i]; days < c.LeastDays {
			return nil, apperr.New(apperr.Invalid, "HELSEBRO_RETENTION keeps %s for %d days: %d is the least", name, days, c.LeastDays)
		}
		r[name] = days
	}
	return r, nil
}

const (
	// retentionBatch is how many things one transaction removes.
	retentionBatch = 500
	// retentionEvery and retentionFirst are when a process removes what is old.
	retentionEvery, retentionFirst = 24 * time.Hour, time.Minute
)

// Retain removes of every class what has been kept long enough, and says how many things of
// each. While another process does it, it does nothing. Idempotent.
func (s *Store) Retain(ctx context.Context, r Retention) (removed map[string]int64, err error) {
	removed = map[string]int64{}
	for _, c := range RetentionClasses() {
		days, ok := r[c.Name]
		if !ok {
			continue
		}
		before := s.now().AddDate(0, 0, -days)
		for {
			var n int64
			err = s.inTx(ctx, func(tx pgx.Tx) error {
				var alone bool
				if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", retentionLock).Scan(&alone); err != nil || !alone {
					return err
				}
				if c.Name == classAudit {
					n, err = removeAudit(ctx, tx, time.Duration(days)*24*time.Hour)
					return err
				}
				return tx.QueryRow(ctx, "SELECT retention_remove($1, $2, $3)", c.Name, before, retentionBatch).Scan(&n)
			})
			if err != nil {
				return removed, err
			}
			removed[c.Name] += n
			if n < retentionBatch {
				break
			}
		}
	}
	return removed, nil
}

// retaining removes what is old, day by day, until ctx ends.
func (s *Store) retaining(ctx context.Context, r Retention, logger *slog.Logger) {
	next := time.NewTimer(retentionFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		removed, err := s.Retain(ctx, r)
		if err != nil && ctx.Err() == nil {
			logger.Warn("what is old cannot all be removed: it is tried again tomorrow", "error", err)
		}
		for _, c := range RetentionClasses() {
			if n := removed[c.Name]; n > 0 {
				logger.Info("what is old was removed", "class", c.Name, "removed", n, "days", r[c.Name])
			}
		}
		next.Reset(retentionEvery)
	}
}
