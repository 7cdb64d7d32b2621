package registry

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/activation"
	"github.com/helsebro/helsebro/internal/testca"
)

var parties = []Party{
	{HerID: 100, Name: "Solvik legesenter AS", Member: true, Employees: []int{110, 111}, Certificates: []activation.Certificate{
		{Use: activation.UseSigning, ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC)},
		{Use: activation.UseEncryption, ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2028, 12, 31, 12, 0, 0, 0, time.UTC)},
	}},
	{HerID: 101, Name: "Fastlege: Solvik", ParentHerID: 100, AsyncQueue: "100_async", SyncQueue: "100_sync", SyncReplyQueue: "100_syncreply", ErrorQueue: "100_error", Processes: []string{"DIALOG_INNBYGGER_EKONTAKT"}},
	{HerID: 102, Name: "102", ParentHerID: 100, AsyncQueue: "100_async", ErrorQueue: "100_error"},
}

// An organisation's certificates may be files: what they are for, and when, is in them.
func TestCertificateFiles(t *testing.T) {
	t.Parallel()
	ca, err := testca.New("Fiktiv rot", "")
	require.NoError(t, err)
	signing, err := ca.Issue("Solvik", testca.Signing)
	require.NoError(t, err)
	both, err := ca.Issue("Solvik", testca.Both)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "signing.pem"), testca.PEM(signing.Certificate), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "both.pem"), testca.PEM(both.Certificate), 0o600))
	path := filepath.Join(dir, "registry.yaml")
	require.NoError(t, Write(path, []Party{{HerID: 100, Name: "Solvik legesenter AS", CertificateFiles: []string{"signing.pem", filepath.Join(dir, "both.pem")}}}))
	for range 2 {
		f, err := Open(path)
		require.NoError(t, err)
		p, err := f.Party(t.Context(), 100)
		require.NoError(t, err)
		require.Equal(t, [][]byte{signing.Raw, both.Raw}, [][]byte{p.X509[0].Raw, p.X509[1].Raw})
		require.Equal(t, []activation.Certificate{
			{Use: activation.UseSigning, ValidFrom: signing.NotBefore, ValidUntil: signing.NotAfter},
			{Use: activation.UseSigning, ValidFrom: both.NotBefore, ValidUntil: both.NotAfter},
			{Use: activation.UseEncryption, ValidFrom: both.NotBefore, ValidUntil: both.NotAfter},
		}, p.Certificates)
		require.NoError(t, Write(path, f.Parties()), "what was read is written again")
	}
	err = Write(path, []Party{{HerID: 100, Name: "Solvik legesenter AS", CertificateFiles: []string{"none.pem"}}})
	require.Equal(t, apperr.Invalid, apperr.KindOf(err))
	require.ErrorContains(t, err, "none.pem cannot be read")
}

func TestWriteAndOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "registry.yaml")
	require.NoError(t, Write(path, parties))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	f, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, parties, f.Parties())
	require.Equal(t, []string{"100_async", "100_error", "100_sync", "100_syncreply"}, Queues(f.Parties()))
	got, err := f.Party(ctx, 101)
	require.NoError(t, err)
	require.Equal(t, parties[1], got)
	_, err = f.Party(ctx, 7)
	require.Equal(t, apperr.NotFound, apperr.KindOf(err))

	// A party that is added later is found without a restart.
	require.NoError(t, Write(path, append(parties, Party{HerID: 7, Name: "New", AsyncQueue: "new", ErrorQueue: "new_error"})))
	got, err = f.Party(ctx, 7)
	require.NoError(t, err)
	require.Equal(t, "new", got.AsyncQueue)

	// A faulty change is retried, not answered from memory.
	require.NoError(t, os.WriteFile(path, []byte("parties: 1\n"), 0o600))
	for range 2 {
		_, err = f.Party(ctx, 7)
		require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	}
	require.NoError(t, os.Remove(path))
	_, err = f.Party(ctx, 7)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
	require.NoError(t, Write(path, parties))
	_, err = f.Party(ctx, 101)
	require.NoError(t, err)
}

func TestAddressesAreCutToTheQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.yaml")
	require.NoError(t, os.WriteFile(path, []byte("parties:\n- {herId: 1, name: a, asyncQueue: tb.test.nhn.no/NHNTestServiceBus/1_async, errorQueue: 1_error}\n"), 0o600))
	f, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, []string{"1_async", "1_error"}, Queues(f.Parties()))
}

func TestFaultsAreNamedByLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"empty":           {"", []string{"the file is empty"}},
		"no YAML":         {"parties: [", []string{"line 1"}},
		"no list":         {"parties:\n", []string{":1: parties is a list with at least one party"}},
		"not a mapping":   {"- 1\n", []string{":1: fields are expected here"}},
		"unknown at top":  {"parties:\n- {herId: 1, name: a}\nqueues: []\n", []string{`:3: "queues" is not a field here`}},
		"two documents":   {"parties:\n- {herId: 1, name: a}\n---\na: 1\n", []string{"more follows"}},
		"missing":         {"parties:\n- {}\n", []string{":2: herId is missing", ":2: name is missing"}},
		"unknown field":   {"parties:\n- herId: 1\n  name: a\n  asynchQueue: q\n", []string{`:4: "asynchQueue" is not a field here`}},
		"twice":           {"parties:\n- herId: 1\n  name: a\n- herId: 1\n  name: b\n  name: c\n", []string{":4: HER-id 1 stands on line 2 already", ":6: name stands twice"}},
		"numbers":         {"parties:\n- herId: -1\n  name: a\n  parentHerId: x\n", []string{":2: herId is a whole number", ":4: parentHerId is a whole number"}},
		"own parent":      {"parties:\n- {herId: 1, name: a, parentHerId: 1}\n", []string{":2: a party is not its own parent"}},
		"half a receiver": {"parties:\n- {herId: 1, name: a, asyncQueue: q}\n", []string{":2: a party that receives has both"}},
		"queue name":      {"parties:\n- {herId: 1, name: a, asyncQueue: a b, errorQueue: e.dead}\n", []string{":2: asyncQueue is a queue's name", ":2: errorQueue is a queue's name"}},
		"one queue, two kinds": {"parties:\n- {herId: 1, name: a, asyncQueue: q, errorQueue: e}\n- {herId: 2, name: b, asyncQueue: e, errorQueue: f}\n",
			[]string{":3: queue e is an errorQueue above and cannot be an asyncQueue too"}},
		"processes": {"parties:\n- herId: 1\n  name: a\n  processes: [APPREC, APPREC,\n    DIALOGUE]\n- {herId: 2, name: b, processes: APPREC}\n",
			[]string{":4: APPREC stands twice", `:5: "DIALOGUE" is not a code of kodeverk 8279`, ":6: processes is a list"}},
		"member": {"parties:\n- {herId: 1, name: a, member: yes}\n", []string{":2: member is true or false"}},
		"employees": {"parties:\n- herId: 1\n  name: a\n  employees: [2, 2,\n    x]\n- {herId: 3, name: b, employees: 4}\n",
			[]string{":4: HER-id 2 stands twice", ":5: an employee's HER-id is a whole number above zero", ":6: employees is a list of HER-ids"}},
		"certificates": {"parties:\n- herId: 1\n  name: a\n  certificates:\n  - {use: sign, validFrom: 2026-01-01, validUntil: never}\n" +
			"  - {use: signing, validFrom: 2026-01-02, validUntil: 2026-01-01}\n  - {use: signing}\n- {herId: 2, name: b, certificates: 3}\n",
			[]string{":5: use is signing or encryption", ":5: validUntil is an instant such as", ":6: validUntil is after validFrom",
				":7: validFrom is missing", ":7: validUntil is missing", ":8: certificates is a list of"}},
		"hpr": {"parties:\n- {herId: 1, name: a, hpr: 9144889}\n- {herId: 2, name: b, parentHerId: 1, hpr: x}\n",
			[]string{":2: hpr is of a practitioner's own party", ":3: hpr is a practitioner's number"}},
		"not an organisation": {"parties:\n- {herId: 1, name: a, parentHerId: 2, member: true}\n- {herId: 3, name: b, parentHerId: 2, employees: [4]}\n",
			[]string{":2: member, employees and certificates are an organisation's", ":3: member, employees"}},
	} {
		path := filepath.Join(t.TempDir(), "r.yaml")
		require.NoError(t, os.WriteFile(path, []byte(c.yaml), 0o600))
		_, err := Open(path)
		require.Error(t, err, name)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), name)
		for _, want := range c.want {
			require.ErrorContains(t, err, want, name)
		}
	}
}

// TestDatesAreMidnight: and a file from before there was anything to say of an
// organisation is read as it was.
func TestDatesAreMidnight(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.yaml")
	require.NoError(t, os.WriteFile(path, []byte("parties:\n- herId: 1\n  name: a\n  certificates:\n"+
		"  - {use: signing, validFrom: 2026-01-01, validUntil: 2026-06-01T12:00:00+02:00}\n- {herId: 2, name: b}\n"), 0o600))
	f, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, []activation.Certificate{{
		Use: activation.UseSigning, ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC),
	}}, f.Parties()[0].Certificates)
	require.Equal(t, Party{HerID: 2, Name: "b"}, f.Parties()[1])
}

func TestLookTellsWhomTheRegistryKnows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.yaml")
	require.NoError(t, Write(path, parties))
	f, err := Open(path)
	require.NoError(t, err)
	said, err := Look(t.Context(), f, []int{100, 101, 7})
	require.NoError(t, err)
	require.Equal(t, map[int]*activation.Registered{
		7:   nil,
		100: {Member: true, Employees: parties[0].Employees, Certificates: parties[0].Certificates},
		101: {Parent: 100, Processes: parties[1].Processes},
	}, said)
	// What cannot be read is no answer: nobody is taken for unregistered by it.
	require.NoError(t, os.Remove(path))
	_, err = Look(t.Context(), f, []int{100})
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
}

func TestWriteRefusesWhatOpenRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.yaml")
	require.Equal(t, apperr.Invalid, apperr.KindOf(Write(path, []Party{{HerID: 1}})))
	require.NoFileExists(t, path)
	_, err := Open(path)
	require.Equal(t, apperr.Unavailable, apperr.KindOf(err))
}
