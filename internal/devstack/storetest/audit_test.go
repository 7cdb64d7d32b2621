package storetest_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/storetest"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

var auditor = identity.Principal{Subject: "auditor", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}

// accesses makes rows of the audit and seals them.
func accesses(t *testing.T, s *pg.Store, n int) *pg.AuditSeal {
	t.Helper()
	for i := range n {
		require.NoError(t, s.Refused(t.Context(), demo.Desk, fmt.Sprintf("operation-%d", i)))
	}
	sealed, err := s.SealAudit(t.Context())
	require.NoError(t, err)
	require.NotNil(t, sealed)
	return sealed
}

// Whatever is done to the audit behind the programs' back is seen: each change, each row
// that is gone or came later, each seal, and a chain that was made anew or cut.
func TestTheAuditIsAChain(t *testing.T) {
	for name, c := range map[string]struct {
		// change is what the owner does; broken is what is said of it, "" for nothing.
		change, broken string
		// kept makes the auditor hand in the last seal as it was.
		kept bool
	}{
		"untouched":               {},
		"untouched, with a seal":  {kept: true},
		"who did it":              {"UPDATE audit SET subject = 'somebody' WHERE id = (SELECT min(id) FROM audit WHERE object = 'operation-2')", "seal 1", false},
		"when":                    {"UPDATE audit SET at = at - interval '1 microsecond' WHERE id = (SELECT min(id) FROM audit)", "seal 1", false},
		"whose":                   {"UPDATE audit SET patient_id = gen_random_uuid() WHERE id = (SELECT max(id) FROM audit)", "seal 3", false},
		"a row is gone":           {"DELETE FROM audit WHERE id = (SELECT until_id FROM audit_seal WHERE number = 2)", "seal 2", false},
		"the first row is gone":   {"DELETE FROM audit WHERE id = (SELECT min(id) FROM audit)", "seal 1", false},
		"a row came later":        {"INSERT INTO audit (id, at, subject, role, action) OVERRIDING SYSTEM VALUE SELECT min(id) - 1, now(), 'x', 'x', 'x' FROM audit", "seal 1", false},
		"two rows change places":  {"UPDATE audit SET id = CASE id WHEN 1 THEN 2 ELSE 1 END + 100000 WHERE id IN (1, 2); UPDATE audit SET id = id - 100000 WHERE id > 100000", "seal 1", false},
		"a seal is gone":          {"DELETE FROM audit_seal WHERE number = 2", "seal 2 is missing", false},
		"a seal is another":       {"UPDATE audit_seal SET hash = sha256('x') WHERE number = 2", "seal 2", false},
		"the end is cut":          {"DELETE FROM audit WHERE id > (SELECT until_id FROM audit_seal WHERE number = 2); DELETE FROM audit_seal WHERE number = 3", "seal 3, which was kept, is missing", true},
		"everything is made anew": {"DELETE FROM audit_seal", "seal 3, which was kept, is missing", true},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := setup(t)
			var last *pg.AuditSeal
			for range 3 {
				last = accesses(t, s, 4)
			}
			require.EqualValues(t, 3, last.Number)
			if c.change != "" {
				_, err := d.SQL(t.Context(), "ALTER TABLE audit ALTER COLUMN id DROP IDENTITY; "+c.change)
				require.NoError(t, err)
			}
			number, hash := int64(0), ""
			if c.kept {
				number, hash = last.Number, last.Hash
			}
			if c.change != "" { // the verification itself is a row
				_, err := d.SQL(t.Context(), "ALTER TABLE audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (START 1000000)")
				require.NoError(t, err)
				_, err = d.SQL(t.Context(), "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO helsebro_app")
				require.NoError(t, err)
			}
			v, err := s.VerifyAudit(t.Context(), auditor, demo.ClinicID, number, hash)
			require.NoError(t, err)
			require.Equal(t, c.broken == "", v.Intact, v.Broken)
			if c.broken != "" {
				require.Contains(t, strings.Join(v.Broken, "\n"), c.broken)
				return
			}
			require.Equal(t, *last, v.Last)
			require.Positive(t, v.Rows)
		})
	}
}

// While many write, each row is sealed once, in the end, and whoever writes does not wait.
func TestTheAuditIsSealedWhileItIsWritten(t *testing.T) {
	_, s := setup(t)
	ctx, stop := context.WithCancel(t.Context())
	var sealing, writing sync.WaitGroup
	var seals int64
	for range 2 { // two processes
		sealing.Go(func() {
			for ctx.Err() == nil {
				_, err := s.SealAudit(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	const writers, each = 8, 100
	for range writers {
		writing.Go(func() {
			for i := range each {
				if err := s.Refused(t.Context(), demo.Desk, strconv.Itoa(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	stop()
	sealing.Wait()
	for {
		sealed, err := s.SealAudit(t.Context())
		require.NoError(t, err)
		if sealed == nil {
			break
		}
		seals = sealed.Number
	}
	v, err := s.VerifyAudit(t.Context(), auditor, demo.ClinicID, 0, "")
	require.NoError(t, err)
	require.True(t, v.Intact, v.Broken)
	require.GreaterOrEqual(t, v.Rows, int64(writers*each))
	require.Zero(t, v.Unsealed)
	require.GreaterOrEqual(t, v.Seals, seals)
}

// What is older than it has to be kept is removed in whole seals; the rest is a chain as
// before. Nothing younger than two years can be removed, and nothing in another way.
func TestTheAuditIsRemovedWhenItIsOld(t *testing.T) {
	d, s := setup(t)
	accesses(t, s, 3)
	old := accesses(t, s, 3)
	accesses(t, s, 3)
	_, err := s.RemoveAudit(t.Context(), 729*24*time.Hour)
	require.Error(t, err)
	const age = 5 * 366 * 24 * time.Hour
	n, err := s.RemoveAudit(t.Context(), age)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = d.SQL(t.Context(), "UPDATE audit_seal SET sealed_at = now() - interval '6 years' WHERE number <= 2")
	require.NoError(t, err)
	n, err = s.RemoveAudit(t.Context(), age)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, int64(6))
	left, err := d.SQL(t.Context(), "SELECT count(*) FROM audit WHERE id <= "+strconv.FormatInt(old.Until, 10))
	require.NoError(t, err)
	require.Equal(t, "0", left)
	again, err := s.RemoveAudit(t.Context(), age)
	require.NoError(t, err)
	require.Zero(t, again)
	v, err := s.VerifyAudit(t.Context(), auditor, demo.ClinicID, old.Number, old.Hash)
	require.NoError(t, err)
	require.True(t, v.Intact, v.Broken)
	require.Equal(t, n, v.Removed)
	require.EqualValues(t, 3, v.Seals)
}

// Without a row in the audit nobody gets at anything.
func TestWithoutAuditThereIsNoAccess(t *testing.T) {
	d, s := setup(t)
	a := eConsultation()
	stored, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	patient, err := s.PatientByNationalID(t.Context(), demo.Admin, demo.ClinicID, a.Patient.NationalID)
	require.NoError(t, err)
	_, err = d.SQL(t.Context(), "REVOKE INSERT ON audit FROM helsebro_app")
	require.NoError(t, err)
	for name, access := range map[string]func() error{
		"a dialogue": func() error {
			_, err := s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, stored.DialogueID)
			return err
		},
		"the inbox": func() error {
			_, err := s.Inbox(t.Context(), demo.GP, demo.ClinicID, pg.DialogueQuery{Limit: 1})
			return err
		},
		"who a patient is": func() error {
			_, err := s.PatientByNationalID(t.Context(), demo.Admin, demo.ClinicID, a.Patient.NationalID)
			return err
		},
		"an erasure": func() error { return s.ErasePatient(t.Context(), demo.Admin, demo.ClinicID, patient) },
		"the audit": func() error {
			_, err := s.Audit(t.Context(), auditor, demo.ClinicID, pg.AuditQuery{Limit: 1})
			return err
		},
		"the quarantine": func() error {
			_, err := s.Quarantined(t.Context(), demo.Admin, demo.ClinicID, pg.QuarantineQuery{Limit: 1})
			return err
		},
	} {
		err := access()
		require.True(t, apperr.Is(err, apperr.Unavailable), "%s: %v", name, err)
	}
	_, err = d.SQL(t.Context(), "GRANT INSERT ON audit TO helsebro_app")
	require.NoError(t, err)
	_, err = s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, stored.DialogueID)
	require.NoError(t, err, "and the erasure has not happened")
}

// A patient's own log has everybody who had to do with him, and nobody else.
func TestAPatientsLog(t *testing.T) {
	_, s := setup(t)
	a, b := eConsultation(), eConsultation()
	b.Patient = &pg.Patient{GivenName: "Anne", FamilyName: "Annen", NationalID: "13116900216", IDType: "FNR"}
	b.RefToConversation = ""
	first, err := s.StoreArrival(t.Context(), a)
	require.NoError(t, err)
	second, err := s.StoreArrival(t.Context(), b)
	require.NoError(t, err)
	for _, id := range []string{first.DialogueID, second.DialogueID} {
		_, err = s.ReadDialogue(t.Context(), demo.GP, demo.ClinicID, id)
		require.NoError(t, err)
	}
	patient, err := s.PatientByNationalID(t.Context(), demo.Desk, demo.ClinicID, a.Patient.NationalID)
	require.NoError(t, err)
	var log []pg.AuditRow
	q := pg.AuditQuery{PatientID: patient, Limit: 1}
	for {
		p, err := s.Audit(t.Context(), auditor, demo.ClinicID, q)
		require.NoError(t, err)
		log = append(log, p.Items...)
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	seen := map[string]string{}
	for _, r := range log {
		require.Equal(t, patient, r.PatientID)
		if r.Action != "audit.read" {
			seen[r.Action+" "+r.Subject] = r.Object
		}
	}
	require.Contains(t, seen, "dialogue.read gp")
	require.Equal(t, "dialogue/"+first.DialogueID, seen["dialogue.read gp"])
	require.Contains(t, seen, "patient.find desk")
	_, err = s.Audit(t.Context(), auditor, demo.ClinicID, pg.AuditQuery{Cursor: "?"})
	require.True(t, apperr.Is(err, apperr.Invalid))
	none, err := s.Audit(t.Context(), auditor, demo.ClinicID, pg.AuditQuery{PatientID: uuid.NewString(), Limit: 9})
	require.NoError(t, err)
	require.LessOrEqual(t, len(none.Items), 1, "nothing but this look itself")
}

// Each role may do its own, and nothing else.
func TestRolesOfTheDatabase(t *testing.T) {
	d, s := setup(t)
	accesses(t, s, 1)
	app := &storetest.Database{Owner: d.Config.URL}
	reader := &storetest.Database{Owner: d.Reader}
	for _, statement := range []string{
		"UPDATE audit SET subject = 'x'", "DELETE FROM audit", "TRUNCATE audit", "UPDATE audit_seal SET rows = 0", "DELETE FROM audit_seal",
		"INSERT INTO audit_removal VALUES (1, 1, now())", "DELETE FROM audit_removal", "ALTER TABLE audit DISABLE TRIGGER ALL", "DROP TABLE audit", "ALTER TABLE audit OWNER TO helsebro_app",
		"CREATE TABLE mine (n int)", "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SCHEMA mine", "CREATE EXTENSION pgcrypto",
		"GRANT UPDATE ON audit TO helsebro_app; UPDATE audit SET subject = 'x'", "SET ROLE helsebro", "SET SESSION AUTHORIZATION helsebro", "ALTER ROLE helsebro_app SUPERUSER", "CREATE ROLE mine",
		"COPY audit TO PROGRAM 'cat'", "COPY patient TO '/tmp/patient'", "SELECT pg_read_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')", "ALTER SYSTEM SET fsync = off",
		"DELETE FROM ledger", "DELETE FROM inbound_message", "DELETE FROM operator_case", "DELETE FROM journal_entry", "DELETE FROM quarantine", "DELETE FROM patient", "DELETE FROM clinic",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)", "SELECT audit_remove(interval '1 year')", "CREATE OR REPLACE FUNCTION audit_remove(interval) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
		"CREATE DATABASE mine", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'helsebro'  AND pg_terminate_backend(pid) IS NULL; SELECT 1/0",
	} {
		_, err := app.SQL(t.Context(), statement)
		require.Error(t, err, "the programs: %s", statement)
	}
	for _, statement := range []string{
		"INSERT INTO audit (at, subject, role, action) VALUES (now(), 'x', 'x', 'x')", "UPDATE patient SET born_on = NULL", "DELETE FROM slot", "SELECT audit_remove(interval '9 years')",
		"SELECT nextval('audit_id_seq')", "CREATE TABLE mine (n int)", "SET ROLE helsebro_app", "SELECT * FROM patient FOR UPDATE", "CREATE TABLE helsebro.mine (n int)",
	} {
		_, err := reader.SQL(t.Context(), statement)
		require.Error(t, err, "who reads: %s", statement)
	}
	_, err := reader.SQL(t.Context(), "SELECT count(*) FROM audit, patient, dialogue_status")
	require.NoError(t, err)
}
