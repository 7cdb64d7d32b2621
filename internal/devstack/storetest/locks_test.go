package storetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/pg"
)

// A hop has the notice and writes its decision about the appointment; a change has the
// appointment and ends the notice. Each waits for the other, or neither does.
func TestAChangeAndAHopDoNotBlockEachOther(t *testing.T) {
	k := newDesk(t)
	id, notice := k.due(email)
	hop := make(chan error, 1)
	go func() {
		_, err := k.d.SQL(t.Context(), fmt.Sprintf(`SELECT FROM notice WHERE id = '%s' FOR UPDATE;
			DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;
			INSERT INTO decision (appointment_id, revision, about, decided, rule, inputs, at) VALUES ('%s', 1, 'reminder', 'x', 'x', '{}', now())`, notice, id))
		hop <- err
	}()
	require.Eventually(t, func() bool {
		return k.sql("SELECT count(*) FROM pg_locks WHERE relation = 'notice'::regclass AND mode = 'RowShareLock'") == "1"
	}, 10*time.Second, 10*time.Millisecond)
	_, err := k.change(demo.Desk, pg.Change{Kind: pg.ChangeAmend, AppointmentID: id, StartsAt: now.Add(100 * time.Hour)})
	require.NoError(t, err)
	require.NoError(t, <-hop)
}

// A refused booking is deleted with its thread, and a delivered notice ends its cases:
// neither reads whole tables.
func TestWhatRefersToAnAppointmentIsFoundByAnIndex(t *testing.T) {
	k := newDesk(t)
	require.Empty(t, k.sql(`SELECT c.conrelid::regclass, a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND c.confrelid IN ('appointment'::regclass, 'dialogue'::regclass, 'slot'::regclass)
			AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1]) ORDER BY 1, 2`))
	require.Equal(t, "1", k.sql(`SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = 'operator_case'::regclass AND a.attname = 'message_id'`))
}
