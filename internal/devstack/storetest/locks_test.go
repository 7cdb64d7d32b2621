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
