// Package activation decides what an integration with Helsenorge needs before it may be
// activated, the clinic's and each GP's (S9-S13, A1): a checklist, where every item has
// an owner who sees to it and a reason as long as it does not hold.
package activation

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Key names a precondition.
type Key string

// The clinic's preconditions, in the order of the checklist.
const (
	// NHNMember: the clinic is a member of Norsk helsenett (S10).
	NHNMember Key = "nhn-member"
	// ClinicHerID: the clinic's HER-id is in the address registry (S11).
	ClinicHerID Key = "clinic-her-id"
	// EmployeeHerIDs: so is one of every employee (S11).
	EmployeeHerIDs Key = "employee-her-ids"
	// ServicesRegistered: what is wished to be offered is registered (S12).
	ServicesRegistered Key = "services-registered"
	// CertificatesValid: the enterprise's certificates are good, and stay so until the
	// next look.
	CertificatesValid Key = "certificates-valid"
	// DigitalDialogueOrdered: the clinic has ordered Digital Dialog of NHN (A1), which no
	// registry tells: somebody signs it off.
	DigitalDialogueOrdered Key = "digital-dialogue-ordered"
	// RegistrationSignedOff: the clinic has seen its registration and says that it is
	// right (S13).
	RegistrationSignedOff Key = "registration-signed-off"
)

// A GP's preconditions, beside ServicesRegistered.
const (
	// ClinicActive: the clinic's own integration is active.
	ClinicActive Key = "clinic-active"
	// Practitioner: he is a practitioner of the clinic with an HPR number: nobody else
	// offers anything (S2).
	Practitioner Key = "practitioner"
	// OwnHerID: he has a party of his own in the address registry, at the clinic (S11).
	OwnHerID Key = "own-her-id"
)

// Keys lists every precondition in the order of the checklists, the clinic's first.
func Keys() []Key {
	return []Key{
		NHNMember, ClinicHerID, EmployeeHerIDs, ClinicActive, Practitioner, OwnHerID, ServicesRegistered, CertificatesValid,
		DigitalDialogueOrdered, RegistrationSignedOff,
	}
}

// SignedOff tells whether people say of the precondition that it holds.
func SignedOff(k Key) bool { return k == DigitalDialogueOrdered || k == RegistrationSignedOff }

// Owner is who sees to a precondition (A1).
type Owner string

// The owners.
const (
	OwnerNHN      Owner = "nhn"
	OwnerClinic   Owner = "clinic"
	OwnerOperator Owner = "operator"
)

// Reason is why a precondition does not hold, as a code.
type Reason string

// The reasons.
const (
	NotMember          Reason = "not-a-member"
	NoHerID            Reason = "without-her-id"
	NotInRegistry      Reason = "not-in-the-registry"
	NotOfClinic        Reason = "registered-elsewhere"
	NotRegistered      Reason = "service-not-registered"
	NothingWished      Reason = "nothing-to-offer"
	NoCertificate      Reason = "no-certificate"
	CertificateExpired Reason = "certificate-expired"
	CertificateExpires Reason = "certificate-expires-soon"
	CertificateEarly   Reason = "certificate-not-yet-valid"
	NotSignedOff       Reason = "not-signed-off"
	ClinicNotActive    Reason = "clinic-not-active"
	NotPractitioner    Reason = "not-a-practitioner"
	NoHPR              Reason = "without-hpr-number"
)

// Uses of an enterprise's certificates; one of each must be good.
const (
	UseSigning    = "signing"
	UseEncryption = "encryption"
)

// Certificate is one of an enterprise's certificates. It is good from ValidFrom,
// inclusive, until ValidUntil, exclusive.
type Certificate struct {
	Use                   string
	ValidFrom, ValidUntil time.Time
}

// Registered is what the address registry says of a HER-id.
type Registered struct {
	// Parent is the organisation's HER-id, 0 for an organisation.
	Parent int
	// Member, Employees (HER-ids) and Certificates are an organisation's.
	Member       bool
	Employees    []int
	Certificates []Certificate
	// Processes are the codes of 8279 that are registered.
	Processes []string
}

// Employee is one of the clinic's active staff. HerID is 0 for who has none.
type Employee struct {
	ID    string
	HerID int
}

// Party is a communication party of the clinic with what it wishes to offer. StaffID is
// empty for a service of the clinic.
type Party struct {
	HerID     int
	StaffID   string
	Processes []string
}

// GP is whose own integration is looked at.
type GP struct {
	ID string
	// Practitioner is true for an active practitioner of the clinic.
	Practitioner bool
	HPR          string
	// ClinicActive tells how the clinic's own integration stands.
	ClinicActive bool
}

// Facts is everything that the preconditions depend on.
type Facts struct {
	// HerID is the clinic's.
	HerID int
	// Staff and Parties are all of the clinic's; for a GP's own integration, no staff and
	// his own parties.
	Staff   []Employee
	Parties []Party
	// GP is nil for the clinic's own integration.
	GP *GP
	// SignedOff are the preconditions that somebody has signed off.
	SignedOff []Key
	// Registry is what the address registry says, by HER-id; whom it does not know is not
	// in it.
	Registry map[int]Registered
}

// HerIDs lists whom the registry must be asked about, each once, sorted.
func (f Facts) HerIDs() []int {
	ids := []int{f.HerID}
	for _, e := range f.Staff {
		ids = append(ids, e.HerID)
	}
	for _, p := range f.Parties {
		ids = append(ids, p.HerID)
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id int) bool { return id == 0 })
}

// own are the parties whose services the integration speaks for.
func (f Facts) own() []Party {
	staffID := ""
	if f.GP != nil {
		staffID = f.GP.ID
	}
	var own []Party
	for _, p := range f.Parties {
		if p.StaffID == staffID {
			own = append(own, p)
		}
	}
	return own
}

// Digest tells whether two looks saw the same: as long as it stays, a new look would
// find nothing else but what time alone brings. What is signed off is not in it.
func (f Facts) Digest() []byte {
	f.SignedOff = nil
	raw, _ := json.Marshal(f) // plain data: it cannot fail
	sum := sha256.Sum256(raw)
	return sum[:]
}

// Item is one line of the checklist.
type Item struct {
	Key   Key   `json:"key"`
	Owner Owner `json:"owner"`
	OK    bool  `json:"ok"`
	// Reason is empty when it holds.
	Reason Reason `json:"reason,omitempty"`
	// About are those that the reason is about: staff ids, codes of 8279, HER-ids, uses of
	// certificates.
	About []string `json:"about,omitempty"`
}

// Checklist judges every precondition at an instant. A certificate must be good at
// until, too: the instant of the next look.
func Checklist(f Facts, now, until time.Time) []Item {
	if f.GP != nil {
		return []Item{f.clinicActive(), f.practitioner(), f.ownHerID(), f.services()}
	}
	return []Item{
		f.member(), f.clinicHerID(), f.employees(), f.services(), f.certificates(now, until),
		f.signedOff(DigitalDialogueOrdered), f.signedOff(RegistrationSignedOff),
	}
}

// Failing lists the keys that do not hold.
func Failing(items []Item) []Key {
	var failing []Key
	for _, i := range items {
		if !i.OK {
			failing = append(failing, i.Key)
		}
	}
	return failing
}

// item is a line that holds when there is no reason against it.
func item(k Key, o Owner, r Reason, about ...string) Item {
	return Item{Key: k, Owner: o, OK: r == "", Reason: r, About: about}
}

func (f Facts) member() Item {
	if !f.Registry[f.HerID].Member {
		return item(NHNMember, OwnerNHN, NotMember)
	}
	return item(NHNMember, OwnerNHN, "")
}

func (f Facts) clinicHerID() Item {
	switch clinic, ok := f.Registry[f.HerID]; {
	case f.HerID == 0:
		return item(ClinicHerID, OwnerOperator, NoHerID)
	case !ok:
		return item(ClinicHerID, OwnerOperator, NotInRegistry)
	case clinic.Parent != 0:
		return item(ClinicHerID, OwnerOperator, NotOfClinic) // a service's or a person's HER-id
	}
	return item(ClinicHerID, OwnerOperator, "")
}

// employees lists who lacks a HER-id first, and only when nobody does whose the registry
// does not have at the clinic: one reason at a time.
func (f Facts) employees() Item {
	var without, elsewhere []string
	for _, e := range f.Staff {
		id := e.HerID
		for _, p := range f.Parties {
			if id == 0 && p.StaffID == e.ID {
				id = p.HerID // a GP's party is his HER-id
			}
		}
		at, ok := f.Registry[id]
		here := ok && at.Parent == f.HerID || slices.Contains(f.Registry[f.HerID].Employees, id)
		switch {
		case id == 0:
			without = append(without, e.ID)
		case !here:
			elsewhere = append(elsewhere, e.ID)
		}
	}
	switch {
	case len(without) > 0:
		return item(EmployeeHerIDs, OwnerClinic, NoHerID, without...)
	case len(elsewhere) > 0:
		return item(EmployeeHerIDs, OwnerClinic, NotInRegistry, elsewhere...)
	}
	return item(EmployeeHerIDs, OwnerClinic, "")
}

// services lists what is wished for and not registered. A clinic whose GPs offer
// everything themselves wishes for nothing.
func (f Facts) services() Item {
	var missing []string
	wished := 0
	for _, p := range f.own() {
		wished += len(p.Processes)
		for _, process := range p.Processes {
			if !slices.Contains(f.Registry[p.HerID].Processes, process) && !slices.Contains(missing, process) {
				missing = append(missing, process)
			}
		}
	}
	switch {
	case len(missing) > 0:
		return item(ServicesRegistered, OwnerOperator, NotRegistered, missing...)
	case wished == 0 && f.GP != nil:
		return item(ServicesRegistered, OwnerClinic, NothingWished)
	}
	return item(ServicesRegistered, OwnerOperator, "")
}

func (f Facts) certificates(now, until time.Time) Item {
	for _, use := range []string{UseSigning, UseEncryption} {
		if r := certificate(f.Registry[f.HerID].Certificates, use, now, until); r != "" {
			return item(CertificatesValid, OwnerOperator, r, use)
		}
	}
	return item(CertificatesValid, OwnerOperator, "")
}

// certificate is what is wrong with the best certificate of a use.
func certificate(all []Certificate, use string, now, until time.Time) Reason {
	worst := []Reason{NoCertificate, CertificateExpired, CertificateEarly, CertificateExpires, ""}
	best := 0
	for _, c := range all {
		if c.Use != use {
			continue
		}
		rank := 4
		switch {
		case !c.ValidUntil.After(now):
			rank = 1
		case c.ValidFrom.After(now):
			rank = 2
		case !c.ValidUntil.After(until):
			rank = 3
		}
		best = max(best, rank)
	}
	return worst[best]
}

func (f Facts) signedOff(k Key) Item {
	if !slices.Contains(f.SignedOff, k) {
		return item(k, OwnerClinic, NotSignedOff)
	}
	return item(k, OwnerClinic, "")
}

func (f Facts) clinicActive() Item {
	if !f.GP.ClinicActive {
		return item(ClinicActive, OwnerOperator, ClinicNotActive)
	}
	return item(ClinicActive, OwnerOperator, "")
}

func (f Facts) practitioner() Item {
	switch {
	case !f.GP.Practitioner:
		return item(Practitioner, OwnerClinic, NotPractitioner)
	case f.GP.HPR == "":
		return item(Practitioner, OwnerClinic, NoHPR)
	}
	return item(Practitioner, OwnerClinic, "")
}

func (f Facts) ownHerID() Item {
	own := f.own()
	if len(own) == 0 {
		return item(OwnHerID, OwnerClinic, NoHerID)
	}
	for _, p := range own {
		switch at, ok := f.Registry[p.HerID]; {
		case !ok:
			return item(OwnHerID, OwnerClinic, NotInRegistry, strconv.Itoa(p.HerID))
		case at.Parent != f.HerID:
			return item(OwnHerID, OwnerClinic, NotOfClinic, strconv.Itoa(p.HerID))
		}
	}
	return item(OwnHerID, OwnerClinic, "")
}
