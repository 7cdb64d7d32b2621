// Package notice decides who tells the patient of an appointment (S83-S90, F2, F3)
// and, when it is the clinic, through which channel next (S90, D12). Everything it
// needs to know is an argument, read by the caller at the instant of the decision
// and read again before each hop.
package notice

import (
	"slices"
	"strings"
	"time"
)

// Purpose is what a notice is for.
type Purpose string

// The four notices (S84-S87).
const (
	Confirmation Purpose = "confirmation"
	Change       Purpose = "change"
	Cancellation Purpose = "cancellation"
	Reminder     Purpose = "reminder"
)

// Channel is how the clinic reaches the patient (S90).
type Channel string

// The three channels.
const (
	Email Channel = "e-mail"
	SMS   Channel = "sms"
	Push  Channel = "push"
)

// Owner is who tells the patient.
type Owner string

// The owners.
const (
	// Helsenorge tells, by its own notice, which cannot be observed from here.
	Helsenorge Owner = "helsenorge"
	// Clinic tells, through its own channels.
	Clinic Owner = "clinic"
	// Nobody tells; the reason says why.
	Nobody Owner = "nobody"
	// Pending: it is not known yet whether Helsenorge took the appointment. Decide
	// again at Until, or when its answer comes.
	Pending Owner = "pending"
)

// Gates are the three switches that all must be on before the clinic itself sends
// (S89).
type Gates struct {
	Clinic   bool `json:"clinic"`
	Calendar bool `json:"calendar"`
	Type     bool `json:"type"`
}

// Open says whether all three are on.
func (g Gates) Open() bool { return g.Clinic && g.Calendar && g.Type }

// Closed names the gates that are off, as a reason: "gate-clinic",
// "gate-clinic+gate-type"; "" when all are on.
func (g Gates) Closed() string {
	var closed []string
	for _, gate := range []struct {
		open bool
		name string
	}{{g.Clinic, "gate-clinic"}, {g.Calendar, "gate-calendar"}, {g.Type, "gate-type"}} {
		if !gate.open {
			closed = append(closed, gate.name)
		}
	}
	return strings.Join(closed, "+")
}

// Publication is what became of the message that told Helsenorge of this revision.
type Publication string

// The states of a publication.
const (
	// NotPublished: nothing was sent there.
	NotPublished Publication = ""
	// AwaitingReceipt: sent or waiting to be sent; no receipt yet.
	AwaitingReceipt Publication = "pending"
	// Accepted: a positive receipt.
	Accepted Publication = "accepted"
	// Inactive: refused with E35, the patient is not on Helsenorge.
	Inactive Publication = "inactive"
	// Refused: another negative receipt, or the error queue.
	Refused Publication = "refused"
	// Lost: no receipt in time, or sending failed for good.
	Lost Publication = "lost"
	// Withheld: nothing had to leave, because nothing that matters changed.
	Withheld Publication = "withheld"
)

// DefaultMinLead is how near the start a confirmation or a change is still worth a
// notice from the clinic, when the clinic has not chosen.
const DefaultMinLead = 45 * time.Minute

// Situation is all that the decision depends on, as it was at Now.
type Situation struct {
	Purpose Purpose `json:"purpose"`
	// Revision is the one the notice is about; CurrentRevision the appointment's (F5).
	Revision        int       `json:"revision"`
	CurrentRevision int       `json:"current_revision"`
	StartsAt        time.Time `json:"starts_at"`
	Now             time.Time `json:"now"`
	// Cancelled and Hidden are the appointment's.
	Cancelled bool `json:"cancelled,omitempty"`
	Hidden    bool `json:"hidden,omitempty"`
	// Deceased and Protected (address code 6 or 7) are the patient's (D14). Protection
	// changes whose contacts are Reachable, which is the caller's reading; here it only
	// names the case when none is.
	Deceased  bool `json:"deceased,omitempty"`
	Protected bool `json:"protected,omitempty"`
	// Active on Helsenorge, and Consent to digital contact (S88): the newest status that
	// could be had, now or earlier.
	Active  bool `json:"active"`
	Consent bool `json:"consent"`
	// ActiveKnown: there is such a status. False: none was ever had; then Helsenorge's
	// own receipt is the only evidence, and is believed, for it takes nothing for a
	// patient without profile and consent (E35).
	ActiveKnown bool        `json:"active_known"`
	Publication Publication `json:"publication,omitempty"`
	Gates       Gates       `json:"gates"`
	// Reachable are the channels with a contact that may be used now.
	Reachable []Channel `json:"reachable,omitempty"`
	// MinLead: the clinic sends no confirmation or change nearer to the start. Zero is
	// DefaultMinLead, negative is no limit.
	MinLead time.Duration `json:"min_lead,omitempty"`
	// LatestHop is the last instant, inclusive, at which anything may be sent. Zero is
	// start−24h for a reminder and the start for the others.
	LatestHop time.Time `json:"latest_hop,omitzero"`
	// WaitUntil is until when, exclusive, a receipt from Helsenorge may be waited for:
	// start−24h−budget for a reminder. Zero: no waiting.
	WaitUntil time.Time `json:"wait_until,omitzero"`
}

// Reasons of a decision: stable codes, for the ledger and for explain. A closed gate's
// reason is Gates.Closed.
const (
	// Nobody.
	ReasonSuperseded   = "superseded"           // the notice is about an older revision (F5)
	ReasonDeceased     = "deceased"             // D14
	ReasonHidden       = "hidden"               // A4, D10
	ReasonCancelled    = "cancelled"            // the appointment will not take place
	ReasonNotCancelled = "not-cancelled"        // a cancellation of what stands after all
	ReasonNoChange     = "no-change"            // nothing that the patient needs to know
	ReasonExpired      = "expired"              // too late to be of use (F17, D11)
	ReasonTooNear      = "too-near"             // nearer to the start than MinLead (F6)
	ReasonNoContact    = "no-contact"           // gates open, nothing to send to (D4)
	ReasonProtected    = "no-contact-protected" // the same, and relatives' contacts are barred (D14)

	// Helsenorge.
	ReasonDelegated        = "delegated"
	ReasonDelegatedUnknown = "delegated-status-unknown" // accepted there, status never known

	// Pending.
	ReasonAwaitingReceipt = "awaiting-receipt"

	// Clinic: why not Helsenorge.
	ReasonNotActive     = "not-active"      // S88
	ReasonNoConsent     = "no-consent"      // S88
	ReasonStatusUnknown = "status-unknown"  // never known, and nothing accepted
	ReasonNotPublished  = "not-published"   // active, but the appointment is not there
	ReasonInactive      = "refused-e35"     // Helsenorge says the patient is not there
	ReasonRefused       = "refused"         // refused for another reason
	ReasonLost          = "lost"            // sending failed, or no receipt for good
	ReasonReceiptLate   = "receipt-overdue" // waited for until WaitUntil
)

// Decision is who tells the patient, and why.
type Decision struct {
	Owner Owner `json:"owner"`
	// Reason is a stable code.
	Reason string `json:"reason"`
	// Case: somebody in the clinic must look, because the patient should have been told
	// and is not.
	Case bool `json:"case,omitempty"`
	// Until is when to decide again, for Pending.
	Until time.Time `json:"until,omitzero"`
}

// Decide says who tells the patient. The first line that fits decides:
//
//	another revision is current                           nobody      superseded
//	the patient is dead                                   nobody      deceased
//	the appointment is hidden                             nobody      hidden
//	cancelled, and this is not the cancellation           nobody      cancelled
//	not cancelled, and this is the cancellation           nobody      not-cancelled
//	a change that does not matter (withheld)              nobody      no-change
//	on Helsenorge¹ and accepted there                     helsenorge  delegated
//	the start has come                                    nobody      expired
//	on Helsenorge¹, receipt pending, before WaitUntil     pending     awaiting-receipt
//	a gate is closed                                      nobody      gate-…            case²
//	after LatestHop                                       nobody      expired           case, for a reminder
//	confirmation or change, nearer than MinLead           nobody      too-near
//	no contact                                            nobody      no-contact…       case
//	else                                                  clinic      why not Helsenorge
//
// ¹ active and consenting, or of a status that was never known.
// ² when Helsenorge should have told, but refused or lost the message: the clinic
// counted on it.
//
// Delegation comes before time, because it is a fact about who has told, and nothing
// is sent on it: an appointment that Helsenorge holds is no case after an outage
// here. Closed gates come before expiry, because what would never have been sent is
// not missed.
func Decide(s Situation) Decision {
	onHelsenorge := !s.ActiveKnown || s.Active && s.Consent
	reminder := s.Purpose == Reminder
	switch {
	case s.Revision != s.CurrentRevision:
		return nobody(ReasonSuperseded)
	case s.Deceased:
		return nobody(ReasonDeceased)
	case s.Hidden:
		return nobody(ReasonHidden)
	case s.Cancelled && s.Purpose != Cancellation:
		return nobody(ReasonCancelled)
	case !s.Cancelled && s.Purpose == Cancellation:
		return nobody(ReasonNotCancelled)
	case s.Purpose == Change && s.Publication == Withheld:
		return nobody(ReasonNoChange)
	case onHelsenorge && s.Publication == Accepted && s.ActiveKnown:
		return Decision{Owner: Helsenorge, Reason: ReasonDelegated}
	case onHelsenorge && s.Publication == Accepted:
		return Decision{Owner: Helsenorge, Reason: ReasonDelegatedUnknown}
	case !reminder && !s.Now.Before(s.StartsAt):
		return nobody(ReasonExpired)
	case onHelsenorge && s.Publication == AwaitingReceipt && s.Now.Before(s.WaitUntil):
		return Decision{Owner: Pending, Reason: ReasonAwaitingReceipt, Until: s.WaitUntil}
	case !s.Gates.Open():
		return Decision{Owner: Nobody, Reason: s.Gates.Closed(), Case: onHelsenorge && s.failedThere()}
	case s.Now.After(s.latestHop()):
		return Decision{Owner: Nobody, Reason: ReasonExpired, Case: reminder}
	case (s.Purpose == Confirmation || s.Purpose == Change) && s.StartsAt.Sub(s.Now) < s.minLead():
		return nobody(ReasonTooNear)
	case len(s.Reachable) == 0 && s.Protected:
		return Decision{Owner: Nobody, Reason: ReasonProtected, Case: true}
	case len(s.Reachable) == 0:
		return Decision{Owner: Nobody, Reason: ReasonNoContact, Case: true}
	}
	return Decision{Owner: Clinic, Reason: s.whyNotHelsenorge()}
}

func nobody(reason string) Decision { return Decision{Owner: Nobody, Reason: reason} }

func (s Situation) minLead() time.Duration {
	if s.MinLead == 0 {
		return DefaultMinLead
	}
	return s.MinLead
}

// LatestTry is the last instant at which Decide may still let the clinic tell the
// patient: LatestHop, but MinLead before the start for a confirmation or a change.
func (s Situation) LatestTry() time.Time {
	latest := s.latestHop()
	if near := s.StartsAt.Add(-s.minLead()); (s.Purpose == Confirmation || s.Purpose == Change) && near.Before(latest) {
		return near
	}
	return latest
}

func (s Situation) latestHop() time.Time {
	switch {
	case !s.LatestHop.IsZero():
		return s.LatestHop
	case s.Purpose == Reminder:
		return s.StartsAt.Add(-24 * time.Hour)
	}
	return s.StartsAt
}

// failedThere: a message was to tell Helsenorge and did not. E35 is none: it is
// Helsenorge's way to say that the patient is the clinic's to tell.
func (s Situation) failedThere() bool {
	return slices.Contains([]Publication{AwaitingReceipt, Refused, Lost}, s.Publication)
}

func (s Situation) whyNotHelsenorge() string {
	switch {
	case s.Publication == Inactive:
		return ReasonInactive
	case s.ActiveKnown && !s.Active:
		return ReasonNotActive
	case s.ActiveKnown && !s.Consent:
		return ReasonNoConsent
	case s.Publication == Refused:
		return ReasonRefused
	case s.Publication == Lost:
		return ReasonLost
	case s.Publication == AwaitingReceipt:
		return ReasonReceiptLate
	case !s.ActiveKnown:
		return ReasonStatusUnknown
	}
	return ReasonNotPublished
}
