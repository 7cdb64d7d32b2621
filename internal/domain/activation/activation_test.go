package activation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	now   = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	until = now.Add(7 * 24 * time.Hour)
)

const (
	clinicHerID, gpHerID, serviceHerID, deskHerID = 100, 101, 102, 103
	gpID, deskID                                  = "gp", "desk"
)

// certified are good certificates.
func certified() []Certificate {
	return []Certificate{
		{Use: UseSigning, ValidFrom: now.AddDate(-1, 0, 0), ValidUntil: now.AddDate(1, 0, 0)},
		{Use: UseEncryption, ValidFrom: now.AddDate(-1, 0, 0), ValidUntil: now.AddDate(1, 0, 0)},
	}
}

// clinic is a clinic that has all that it needs.
func clinic() Facts {
	return Facts{
		HerID:     clinicHerID,
		Staff:     []Employee{{ID: gpID}, {ID: deskID, HerID: deskHerID}},
		Parties:   []Party{{HerID: gpHerID, StaffID: gpID, Processes: []string{"A", "B"}}, {HerID: serviceHerID, Processes: []string{"A"}}},
		SignedOff: []Key{DigitalDialogueOrdered, RegistrationSignedOff},
		Registry: map[int]Registered{
			clinicHerID:  {Member: true, Employees: []int{deskHerID}, Certificates: certified()},
			gpHerID:      {Parent: clinicHerID, Processes: []string{"A", "B"}},
			serviceHerID: {Parent: clinicHerID, Processes: []string{"A"}},
		},
	}
}

// gp is a GP who has all that he needs.
func gp() Facts {
	f := clinic()
	f.Staff, f.Parties, f.SignedOff = nil, f.Parties[:1], nil
	f.GP = &GP{ID: gpID, Practitioner: true, HPR: "9144889", ClinicActive: true}
	return f
}

// organisation changes what the registry says of the clinic.
func organisation(f *Facts, change func(*Registered)) {
	r := f.Registry[f.HerID]
	change(&r)
	f.Registry[f.HerID] = r
}

func TestEveryPreconditionOfAClinic(t *testing.T) {
	t.Parallel()
	require.Empty(t, Failing(Checklist(clinic(), now, until)))
	require.Len(t, Checklist(clinic(), now, until), 7)
	for name, c := range map[string]struct {
		change func(*Facts)
		want   []Item
	}{
		"not a member": {func(f *Facts) { organisation(f, func(r *Registered) { r.Member = false }) },
			[]Item{{Key: NHNMember, Owner: OwnerNHN, Reason: NotMember}}},
		"no HER-id": {func(f *Facts) { f.HerID = 0 }, []Item{
			{Key: NHNMember, Owner: OwnerNHN, Reason: NotMember}, {Key: ClinicHerID, Owner: OwnerOperator, Reason: NoHerID},
			{Key: EmployeeHerIDs, Owner: OwnerClinic, Reason: NotInRegistry, About: []string{gpID, deskID}},
			{Key: CertificatesValid, Owner: OwnerOperator, Reason: NoCertificate, About: []string{UseSigning}},
		}},
		"not in the registry": {func(f *Facts) { delete(f.Registry, clinicHerID) }, []Item{
			{Key: NHNMember, Owner: OwnerNHN, Reason: NotMember}, {Key: ClinicHerID, Owner: OwnerOperator, Reason: NotInRegistry},
			{Key: EmployeeHerIDs, Owner: OwnerClinic, Reason: NotInRegistry, About: []string{deskID}},
			{Key: CertificatesValid, Owner: OwnerOperator, Reason: NoCertificate, About: []string{UseSigning}},
		}},
		"no organisation's HER-id": {func(f *Facts) { organisation(f, func(r *Registered) { r.Parent = 7 }) },
			[]Item{{Key: ClinicHerID, Owner: OwnerOperator, Reason: NotOfClinic}}},
		"two without a HER-id": {func(f *Facts) { f.Staff = append(f.Staff, Employee{ID: "nurse"}, Employee{ID: "temp"}) },
			[]Item{{Key: EmployeeHerIDs, Owner: OwnerClinic, Reason: NoHerID, About: []string{"nurse", "temp"}}}},
		"one of another organisation": {func(f *Facts) { organisation(f, func(r *Registered) { r.Employees = nil }) },
			[]Item{{Key: EmployeeHerIDs, Owner: OwnerClinic, Reason: NotInRegistry, About: []string{deskID}}}},
		"the GP's party moved": {func(f *Facts) { f.Registry[gpHerID] = Registered{Parent: 7} },
			[]Item{{Key: EmployeeHerIDs, Owner: OwnerClinic, Reason: NotInRegistry, About: []string{gpID}}}},
		"a service not registered": {func(f *Facts) { f.Parties[1].Processes = []string{"A", "C", "D"} },
			[]Item{{Key: ServicesRegistered, Owner: OwnerOperator, Reason: NotRegistered, About: []string{"C", "D"}}}},
		// What a GP wishes for is his own integration's.
		"a GP's service not registered": {func(f *Facts) { f.Parties[0].Processes = []string{"C"} }, nil},
		"nothing of its own":            {func(f *Facts) { f.Parties = f.Parties[:1] }, nil},
		"not ordered": {func(f *Facts) { f.SignedOff = f.SignedOff[1:] },
			[]Item{{Key: DigitalDialogueOrdered, Owner: OwnerClinic, Reason: NotSignedOff}}},
		"not signed off": {func(f *Facts) { f.SignedOff = nil },
			[]Item{{Key: DigitalDialogueOrdered, Owner: OwnerClinic, Reason: NotSignedOff}, {Key: RegistrationSignedOff, Owner: OwnerClinic, Reason: NotSignedOff}}},
	} {
		f := clinic()
		c.change(&f)
		require.Equal(t, c.want, failing(f), name)
	}
}

func failing(f Facts) []Item {
	var found []Item
	for _, i := range Checklist(f, now, until) {
		if !i.OK {
			found = append(found, i)
		}
	}
	return found
}

func TestCertificatesAreGoodUntilTheNextLook(t *testing.T) {
	t.Parallel()
	signing := func(from, to time.Time) Certificate {
		return Certificate{Use: UseSigning, ValidFrom: from, ValidUntil: to}
	}
	year := now.AddDate(1, 0, 0)
	for name, c := range map[string]struct {
		certificates []Certificate
		want         Reason
	}{
		"none":                         {nil, NoCertificate},
		"expired this instant":         {[]Certificate{signing(now.AddDate(-1, 0, 0), now)}, CertificateExpired},
		"good from this instant":       {[]Certificate{signing(now, year)}, ""},
		"good from the next second":    {[]Certificate{signing(now.Add(time.Second), year)}, CertificateEarly},
		"good to the next look":        {[]Certificate{signing(now, until)}, CertificateExpires},
		"good past the next look":      {[]Certificate{signing(now, until.Add(time.Second))}, ""},
		"renewed":                      {[]Certificate{signing(now.AddDate(-1, 0, 0), now), signing(now, year)}, ""},
		"renewed too late":             {[]Certificate{signing(now.AddDate(-1, 0, 0), now), signing(until, year)}, CertificateEarly},
		"the next one is there so far": {[]Certificate{signing(now.AddDate(-1, 0, 0), until), signing(until, year)}, CertificateExpires},
	} {
		f := clinic()
		organisation(&f, func(r *Registered) { r.Certificates = append(c.certificates, r.Certificates[1]) })
		var want []Item
		if c.want != "" {
			want = []Item{{Key: CertificatesValid, Owner: OwnerOperator, Reason: c.want, About: []string{UseSigning}}}
		}
		require.Equal(t, want, failing(f), name)
	}
	f := clinic()
	organisation(&f, func(r *Registered) { r.Certificates = r.Certificates[:1] })
	require.Equal(t, []Item{{Key: CertificatesValid, Owner: OwnerOperator, Reason: NoCertificate, About: []string{UseEncryption}}}, failing(f))
}

func TestEveryPreconditionOfAGP(t *testing.T) {
	t.Parallel()
	require.Empty(t, failing(gp()))
	require.Len(t, Checklist(gp(), now, until), 4)
	for name, c := range map[string]struct {
		change func(*Facts)
		want   []Item
	}{
		"clinic not active": {func(f *Facts) { f.GP.ClinicActive = false }, []Item{{Key: ClinicActive, Owner: OwnerOperator, Reason: ClinicNotActive}}},
		"no practitioner":   {func(f *Facts) { f.GP.Practitioner = false }, []Item{{Key: Practitioner, Owner: OwnerClinic, Reason: NotPractitioner}}},
		"no HPR number":     {func(f *Facts) { f.GP.HPR = "" }, []Item{{Key: Practitioner, Owner: OwnerClinic, Reason: NoHPR}}},
		"no party": {func(f *Facts) { f.Parties = nil }, []Item{
			{Key: OwnHerID, Owner: OwnerClinic, Reason: NoHerID}, {Key: ServicesRegistered, Owner: OwnerClinic, Reason: NothingWished},
		}},
		"party not in the registry": {func(f *Facts) { delete(f.Registry, gpHerID) }, []Item{
			{Key: OwnHerID, Owner: OwnerClinic, Reason: NotInRegistry, About: []string{"101"}},
			{Key: ServicesRegistered, Owner: OwnerOperator, Reason: NotRegistered, About: []string{"A", "B"}},
		}},
		"party elsewhere": {func(f *Facts) { f.Registry[gpHerID] = Registered{Parent: 7, Processes: []string{"A", "B"}} },
			[]Item{{Key: OwnHerID, Owner: OwnerClinic, Reason: NotOfClinic, About: []string{"101"}}}},
		"nothing to offer": {func(f *Facts) { f.Parties[0].Processes = nil }, []Item{{Key: ServicesRegistered, Owner: OwnerClinic, Reason: NothingWished}}},
		"one service not registered": {func(f *Facts) { f.Registry[gpHerID] = Registered{Parent: clinicHerID, Processes: []string{"B"}} },
			[]Item{{Key: ServicesRegistered, Owner: OwnerOperator, Reason: NotRegistered, About: []string{"A"}}}},
	} {
		f := gp()
		c.change(&f)
		require.Equal(t, c.want, failing(f), name)
	}
}

// TestDigestIsOfWhatIsLookedAt: whatever may change an answer changes the digest, and a
// sign-off, which is always followed by a look, does not.
func TestDigestIsOfWhatIsLookedAt(t *testing.T) {
	t.Parallel()
	first, again := clinic(), clinic()
	require.Equal(t, first.Digest(), again.Digest())
	require.NotEqual(t, clinic().Digest(), gp().Digest())
	signed := clinic()
	signed.SignedOff = nil
	require.Equal(t, clinic().Digest(), signed.Digest())
	for name, change := range map[string]func(*Facts){
		"HER-id":      func(f *Facts) { f.HerID++ },
		"employee":    func(f *Facts) { f.Staff[0].HerID = 9 },
		"wish":        func(f *Facts) { f.Parties[1].Processes = append(f.Parties[1].Processes, "B") },
		"registered":  func(f *Facts) { f.Registry[gpHerID] = Registered{Parent: clinicHerID} },
		"membership":  func(f *Facts) { organisation(f, func(r *Registered) { r.Member = false }) },
		"employees":   func(f *Facts) { organisation(f, func(r *Registered) { r.Employees = nil }) },
		"certificate": func(f *Facts) { organisation(f, func(r *Registered) { r.Certificates[0].ValidUntil = now }) },
		"gone":        func(f *Facts) { delete(f.Registry, serviceHerID) },
	} {
		f := clinic()
		change(&f)
		require.NotEqual(t, clinic().Digest(), f.Digest(), name)
	}
	suspended := gp()
	suspended.GP.ClinicActive = false
	require.NotEqual(t, gp().Digest(), suspended.Digest())
}

func TestTheRegistryIsAskedAboutEverybodyOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{clinicHerID, gpHerID, serviceHerID, deskHerID}, clinic().HerIDs())
	require.Equal(t, []int{clinicHerID, gpHerID}, gp().HerIDs())
}

func TestKeysAreInTheirOrder(t *testing.T) {
	t.Parallel()
	at := map[Key]int{}
	for i, k := range Keys() {
		require.NotContains(t, at, k)
		at[k] = i
	}
	for _, f := range []Facts{clinic(), gp()} {
		before := -1
		for _, i := range Checklist(f, now, until) {
			require.Greater(t, at[i.Key], before, i.Key)
			before = at[i.Key]
		}
	}
}
