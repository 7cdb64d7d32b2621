// Package representation decides who may act for a patient, and whose phone or
// e-mail may be used to reach the patient (S81, F9, D4, D14).
package representation

import (
	"time"

	"github.com/helsebro/helsebro/internal/domain/oslo"
)

// Relation is why somebody acts for another: a code of 7611.
type Relation string

// The relations of 7611.
const (
	// FO is parental responsibility (foreldreansvar), until the child is 16.
	FO Relation = "FO"
	// VE is guardianship by appointment (vergemål), of a child or an adult.
	VE Relation = "VE"
	// FU is a power of attorney (fullmakt); its giver is 16 or more.
	FU Relation = "FU"
	// TD is a power of attorney that was assigned (tildelt fullmakt); as FU.
	TD Relation = "TD"
)

// healthMajority: from this age parents no longer represent (S81), and
// a power of attorney can be given.
const healthMajority = 16

// Reasons that somebody may not act or a contact may not be used.
const (
	// Protected: address code 6 or 7; nobody represents that person (D14).
	Protected = "protected"
	// SixteenOrOlder: a parent's right has ended.
	SixteenOrOlder = "sixteen-or-older"
	// UnderSixteen: the patient cannot have given a power of attorney.
	UnderSixteen = "under-sixteen"
	// UnknownRelation: not a code of 7611 that gives a right.
	UnknownRelation = "unknown-relation"
	// Unverified: nobody has shown that the contact reaches the one it stands for.
	Unverified = "unverified"
	// UnknownOwner: neither the patient's nor a representative's.
	UnknownOwner = "unknown-owner"
	// NotReconfirmed: a parent's contact on the card of a patient who has turned 16.
	NotReconfirmed = "not-reconfirmed"
)

// MayAct says whether somebody with that relation may act for the patient at the
// instant, and if not, why. Birthdays begin at 00:00 in Norway. protected: the
// patient or the representative has address code 6 or 7.
func MayAct(r Relation, patientBirth, at time.Time, protected bool) (ok bool, reason string) {
	grown := !at.Before(oslo.Birthday(patientBirth, healthMajority))
	switch {
	case protected:
		return false, Protected
	case r == FO && grown:
		return false, SixteenOrOlder
	case (r == FU || r == TD) && !grown:
		return false, UnderSixteen
	case r == FO, r == VE, r == FU, r == TD:
		return true, ""
	}
	return false, UnknownRelation
}

// Owner is whose contact it is.
type Owner string

// The two owners of a contact.
const (
	// Patient: it stands on the patient's own card.
	Patient Owner = "patient"
	// Representative: it stands on the card of somebody who acts for the patient.
	Representative Owner = "representative"
)

// Contact is what the rules need to know of a phone number or an e-mail address; not
// the address itself.
type Contact struct {
	Owner Owner
	// Relation is the representative's; empty on the patient's own.
	Relation Relation
	// Verified: its owner has answered on it, or staff have checked it.
	Verified bool
	// FromParent: it stands on the patient's card but is a parent's.
	FromParent bool
	// ConfirmedAt is when the patient last said it may be used; zero: never.
	ConfirmedAt time.Time
}

// UsableContact says whether the contact may be used to tell the patient something
// at the instant, and if not, why. The patient's own needs to be verified. A
// parent's that stands on the patient's card falls away on the 16th birthday unless
// the patient has confirmed it after that (D4), and on protection (D14). A
// representative's follows MayAct.
func UsableContact(c Contact, patientBirth, at time.Time, protected bool) (ok bool, reason string) {
	if !c.Verified {
		return false, Unverified
	}
	switch c.Owner {
	case Patient:
	case Representative:
		return MayAct(c.Relation, patientBirth, at, protected)
	default:
		return false, UnknownOwner
	}
	birthday := oslo.Birthday(patientBirth, healthMajority)
	confirmed := !c.ConfirmedAt.Before(birthday) && !c.ConfirmedAt.After(at)
	switch {
	case !c.FromParent || confirmed:
		return true, ""
	case protected:
		return false, Protected
	case !at.Before(birthday):
		return false, NotReconfirmed
	}
	return true, ""
}
