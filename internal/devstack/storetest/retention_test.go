package storetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/apiworld"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/pg"
)

// Every table is in one class, and the README says of each class what the code does.
func TestEveryTableHasOneRetentionClass(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	out, err := d.SQL(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	require.NoError(t, err)
	var classed []string
	for _, c := range pg.RetentionClasses() {
		classed = append(classed, c.Tables...)
		days, least := "–", "–"
		if c.Days > 0 {
			days, least = strconv.Itoa(c.Days), strconv.Itoa(c.LeastDays)
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s | %s |", c.Name, days, least, c.Since, c.Why)
		require.Contains(t, string(readme), row)
	}
	require.ElementsMatch(t, strings.Fields(out), classed)
	namespace, err := os.ReadFile(filepath.Join("..", "..", "..", ".docker", "temporal", "namespace.sh"))
	require.NoError(t, err)
	require.Contains(t, string(namespace), "--retention 7d")
	require.Contains(t, string(readme), "(7 days where\ncompose makes it, 72 hours in `make run`)")
}

func TestReadRetention(t *testing.T) {
	t.Parallel()
	r, err := pg.ReadRetention("")
	require.NoError(t, err)
	require.Equal(t, 3650, r["dialogues"])
	r, err = pg.ReadRetention(" quarantine=30, audit=730 ")
	require.NoError(t, err)
	require.Equal(t, []int{30, 730, 3650}, []int{r["quarantine"], r["audit"], r["dialogues"]})
	for _, bad := range []string{"quarantine", "quarantine=x", "quarantine=29", "audit=729", "in use=9", "reading=31", "everything=1", "dialogues=-1"} {
		_, err := pg.ReadRetention(bad)
		require.True(t, apperr.Is(err, apperr.Invalid), bad)
		require.ErrorContains(t, err, "HELSEBRO_RETENTION")
	}
}

// ended ends everything that is open of the clinic, at that time.
func ended(t *testing.T, d *storetest.Database, c apiworld.Clinic, at time.Time) {
	t.Helper()
	when := "'" + at.Format(time.RFC3339) + "'"
	_, err := d.SQL(t.Context(), strings.NewReplacer("$at", when, "$clinic", "'"+c.ID+"'").Replace(`
		UPDATE ledger SET outcome = 'done', outcome_at = $at WHERE clinic_id = $clinic AND outcome IS NULL;
		UPDATE operator_case SET resolved_at = $at WHERE clinic_id = $clinic;
		UPDATE outbound_message SET prepared_at = $at, sent_at = $at, outcome = 'acknowledged', outcome_at = $at WHERE clinic_id = $clinic AND outcome IS NULL;
		UPDATE notice SET outcome = 'delivered', outcome_at = $at WHERE clinic_id = $clinic AND outcome IS NULL;
		UPDATE inbound_message SET handed_over_at = $at WHERE clinic_id = $clinic;
		UPDATE dialogue SET closed_at = $at WHERE clinic_id = $clinic;
		INSERT INTO inbox_item (id, clinic_id, dialogue_id, message_id, recipient_kind, recipient_id, placed_at)
			SELECT gen_random_uuid(), clinic_id, id, latest_message_id, 'clinic', '', $at FROM dialogue d WHERE clinic_id = $clinic AND latest_message_id IS NOT NULL
				AND NOT EXISTS (SELECT FROM inbox_item i WHERE i.message_id = d.latest_message_id);
		UPDATE appointment SET status = 'cancelled' WHERE clinic_id = $clinic AND status = 'received';
		UPDATE quarantine SET state = 'discarded', wanted = '', decided_at = $at WHERE clinic_id = $clinic;
		UPDATE contact SET gone_at = $at WHERE clinic_id = $clinic;
		UPDATE appointment_command SET applied_at = $at WHERE clinic_id = $clinic;
		INSERT INTO request_key VALUES ($clinic, gen_random_uuid(), 'journal', $at);
		INSERT INTO contact (id, clinic_id, patient_id, channel, key_id, address, gone_at, created_at)
			SELECT gen_random_uuid(), clinic_id, id, 'sms', key_id, '', $at, $at FROM patient WHERE clinic_id = $clinic LIMIT 1;
		INSERT INTO operator_case (id, clinic_id, kind, message_id, opened_at, resolved_at) VALUES (gen_random_uuid(), $clinic, 'answer-overdue', gen_random_uuid(), $at, $at);
		INSERT INTO inbound_message (id, clinic_id, transport_id, from_her_id, to_her_id, subject, sha256, key_id, raw, verdict, received_at, handed_over_at)
			VALUES (gen_random_uuid(), $clinic, $clinic::text, 1, 2, 'X', '', gen_random_uuid(), '', 'rejected', $at, $at);
		INSERT INTO notice (id, clinic_id, appointment_id, patient_id, purpose, revision, owner, reason, decided_at, outcome, outcome_at)
			SELECT gen_random_uuid(), clinic_id, id, patient_id, 'reminder', 99, 'clinic', 'in-window', $at, 'delivered', $at FROM appointment WHERE clinic_id = $clinic LIMIT 1;
		INSERT INTO delivery_report SELECT 'sms', $clinic::text, id, 'delivered', $at, $at FROM notice WHERE clinic_id = $clinic LIMIT 1;`))
	require.NoError(t, err)
}

// Of every class, what is a day too young stays and what is old enough goes, by a clock that
// moves on; what is open stays however old it is, and so does another clinic's that is young.
func TestWhatIsOldIsRemoved(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	founded := time.Now().UTC().AddDate(-20, 0, 0).Truncate(time.Minute)
	old := d.Store.At(func() time.Time { return founded })
	finished, open := apiworld.Found(t, old, 1, founded), apiworld.Found(t, old, 2, founded)
	today := time.Now().UTC().Truncate(time.Minute)
	young := apiworld.Found(t, d.Store, 3, today)
	ended(t, d, finished, founded)
	ended(t, d, young, today)
	tables, err := d.SQL(t.Context(), "SELECT table_name FROM information_schema.columns WHERE column_name = 'clinic_id' AND table_schema = 'public' AND table_name <> 'audit' AND table_name <> 'slot' ORDER BY 1")
	require.NoError(t, err)
	rows := func(c apiworld.Clinic, of ...string) (n int) {
		for _, table := range of {
			out, err := d.SQL(t.Context(), "SELECT count(*) FROM "+table+" WHERE clinic_id = '"+c.ID+"'")
			require.NoError(t, err)
			one, err := strconv.Atoi(out)
			require.NoError(t, err)
			n += one
		}
		return n
	}
	// Of the open clinic two dialogues wait for an answer; its appointments are over.
	waiting := []string{"inbound_message", "outbound_message", "quarantine", "operator_case", "inbox_item", "journal_entry", "ledger", "conversation"}
	opened := rows(open, waiting...)
	require.Greater(t, opened, 8)
	youngs := rows(young, strings.Fields(tables)...)
	retention, err := pg.ReadRetention("")
	require.NoError(t, err)
	classes := pg.RetentionClasses()
	slices.SortStableFunc(classes, func(a, b pg.RetentionClass) int { return a.Days - b.Days }) // as they go
	for _, c := range classes {
		days, ok := retention[c.Name]
		if !ok || c.Name == "audit" {
			continue // the audit has a test of its own
		}
		alone := pg.Retention{c.Name: days}
		at := func(day int) *pg.Store {
			return d.Store.At(func() time.Time { return founded.AddDate(0, 0, day) })
		}
		removed, err := at(days-2).Retain(t.Context(), alone)
		require.NoError(t, err)
		require.Zero(t, removed[c.Name], "%s: too early", c.Name)
		// What the clinics have planned is over some days later.
		removed, err = at(days+15).Retain(t.Context(), alone)
		require.NoError(t, err)
		require.NotZero(t, removed[c.Name], "%s: not removed", c.Name)
		t.Logf("%s: %d", c.Name, removed[c.Name])
		removed, err = at(days+15).Retain(t.Context(), alone)
		require.NoError(t, err)
		require.Zero(t, removed[c.Name], "%s: a second time", c.Name)
	}
	for _, table := range []string{"dialogue", "appointment", "inbound_message", "outbound_message", "journal_message", "journal_entry", "ledger", "operator_case", "inbox_item", "quarantine", "notice", "request_key"} {
		require.Zero(t, rows(finished, table), table)
	}
	require.NotZero(t, rows(finished, "patient", "staff"), "who they are is master data")
	require.Equal(t, opened, rows(open, waiting...), "what is open stays")
	for _, name := range []string{"dialogue", "request"} {
		found, err := d.SQL(t.Context(), "SELECT count(*) FROM dialogue WHERE id = '"+open.IDs[name]+"'")
		require.NoError(t, err)
		require.Equal(t, "1", found, name)
	}
	require.Equal(t, youngs, rows(young, strings.Fields(tables)...), "what is young stays")
}

// More than a batch goes in one run, while others do the same.
func TestMuchIsRemovedByManyAtOnce(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	const many = 1234
	_, err := d.SQL(t.Context(), fmt.Sprintf("INSERT INTO request_key SELECT gen_random_uuid(), gen_random_uuid(), 'x', now() - interval '2 years' FROM generate_series(1, %d)", many))
	require.NoError(t, err)
	var mu sync.Mutex
	var total int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			removed, err := d.Store.Retain(t.Context(), pg.Retention{"commands": 365})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += removed["commands"]
		})
	}
	all.Wait()
	removed, err := d.Store.Retain(t.Context(), pg.Retention{"commands": 365})
	require.NoError(t, err)
	require.EqualValues(t, many, total+removed["commands"])
}

// The database itself keeps what is younger than the least, whoever asks.
func TestTheDatabaseKeepsTheLeast(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	app := &storetest.Database{Owner: d.Config.URL}
	for _, c := range pg.RetentionClasses() {
		if c.Days == 0 || c.Name == "audit" {
			continue
		}
		ask := func(days int) error {
			_, err := app.SQL(t.Context(), fmt.Sprintf("SELECT retention_remove('%s', now() - make_interval(days => %d), 10)", c.Name, days))
			return err
		}
		require.ErrorContains(t, ask(c.LeastDays-1), "at least", c.Name)
		require.NoError(t, ask(c.LeastDays+1), c.Name)
	}
	_, err := app.SQL(t.Context(), "SELECT retention_remove('everything', now() - interval '9 years', 10)")
	require.ErrorContains(t, err, "no retention class")
}

// waitsUntil holds what the statements lock until something else is true, and is given up
// after a while.
func waitsUntil(statements, condition string) string {
	return statements + "; DO $$ BEGIN FOR i IN 1..3000 LOOP EXIT WHEN " + condition + "; PERFORM pg_sleep(0.01); END LOOP; END $$"
}

// The audit is sealed every few seconds: what is old does not stay for a day because of it.
func TestWhatIsOldIsRemovedWhileTheAuditIsSealed(t *testing.T) {
	d, s := setup(t)
	require.NoError(t, s.Refused(t.Context(), demo.Desk, "operation"))
	_, err := d.SQL(t.Context(), "INSERT INTO request_key VALUES (gen_random_uuid(), gen_random_uuid(), 'x', now() - interval '2 years')")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		_, err := d.SQL(t.Context(), waitsUntil("LOCK TABLE audit_seal", "EXISTS (SELECT FROM request_key WHERE client_id = 'done')"))
		if err != nil {
			t.Error(err)
		}
	})
	locks := func(granted string) func() bool {
		return func() bool {
			n, err := d.SQL(t.Context(), "SELECT count(*) FROM pg_locks WHERE relation = 'audit_seal'::regclass AND "+granted)
			return err == nil && n == "1"
		}
	}
	require.Eventually(t, locks("granted"), 10*time.Second, 10*time.Millisecond)
	all.Go(func() {
		if _, err := s.SealAudit(t.Context()); err != nil {
			t.Error(err)
		}
	})
	require.Eventually(t, locks("NOT granted"), 10*time.Second, 10*time.Millisecond)
	removed, err := s.Retain(t.Context(), pg.Retention{"commands": 365})
	_, done := d.SQL(t.Context(), "INSERT INTO request_key VALUES (gen_random_uuid(), gen_random_uuid(), 'done', now())")
	require.NoError(t, done)
	all.Wait()
	require.NoError(t, err)
	require.EqualValues(t, 1, removed["commands"])
}

// Of several workers that find old rows of the audit, one removes them and none fails.
func TestTheAuditIsRemovedByOneOfMany(t *testing.T) {
	d, s := setup(t)
	accesses(t, s, 3)
	_, err := d.SQL(t.Context(), "UPDATE audit_seal SET sealed_at = now() - interval '6 years'")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		_, err := d.SQL(t.Context(), waitsUntil("SELECT FROM audit FOR UPDATE", "EXISTS (SELECT FROM request_key)"))
		if err != nil {
			t.Error(err)
		}
	})
	count := func(of string) int {
		out, err := d.SQL(t.Context(), "SELECT count(*) FROM "+of)
		require.NoError(t, err)
		n, err := strconv.Atoi(out)
		require.NoError(t, err)
		return n
	}
	require.Eventually(t, func() bool {
		return count("pg_locks WHERE relation = 'audit'::regclass AND mode = 'RowShareLock'") == 1
	}, 10*time.Second, 10*time.Millisecond)
	const many = 4
	var ended, rows atomic.Int64
	for range many {
		all.Go(func() {
			removed, err := s.Retain(t.Context(), pg.Retention{"audit": 1825})
			if err != nil {
				t.Error(err)
			}
			rows.Add(removed["audit"])
			ended.Add(1)
		})
	}
	require.Eventually(t, func() bool {
		return count("pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")+int(ended.Load()) == many
	}, 10*time.Second, 10*time.Millisecond)
	_, err = d.SQL(t.Context(), "INSERT INTO request_key VALUES (gen_random_uuid(), gen_random_uuid(), 'done', now())")
	require.NoError(t, err)
	all.Wait()
	require.Equal(t, 1, count("audit_removal"))
	require.Positive(t, rows.Load())
}

// Of what is removed, what refers to it is found by an index: a batch reads no whole table.
func TestWhatRefersToWhatIsRemovedIsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	d := storetest.New(t)
	var tables []string
	for _, c := range pg.RetentionClasses() {
		if c.Days > 0 {
			for _, table := range c.Tables {
				tables = append(tables, "'"+table+"'::regclass")
			}
		}
	}
	without, err := d.SQL(t.Context(), `SELECT c.conrelid::regclass, a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND c.confrelid IN (`+strings.Join(tables, ", ")+`)
			AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1])
		UNION ALL SELECT 'ledger', 'message_id'
		WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = 'ledger'::regclass AND a.attname = 'message_id')`)
	require.NoError(t, err)
	require.Empty(t, without)
}
