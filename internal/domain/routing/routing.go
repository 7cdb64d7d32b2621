// Package routing decides whose inbox shows a dialogue (S31-S49), and never
// leaves one without a reader (F12).
package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Format is where a message type goes.
type Format string

// The three formats of the clinic's set-up.
const (
	// Practitioner: the inbox of the patient's own practitioner (S35).
	Practitioner Format = "practitioner"
	// Selected: the recipients that the clinic has chosen (S37).
	Selected Format = "selected"
	// Both: one dialogue, visible in both places with one state (S42).
	Both Format = "both"
)

// Kind is what sort of recipient an inbox belongs to.
type Kind string

// The four kinds a clinic may choose (S38-S41), and the practitioner, whom only
// Practitioner and Both choose.
const (
	Position  Kind = "position"
	Group     Kind = "group"
	Role      Kind = "role"
	Unit      Kind = "unit"
	Personal  Kind = "practitioner"
	clinicAll      = "clinic"
)

// personal is a staff member's own inbox.
func personal(id string) Recipient { return Recipient{Kind: Personal, ID: id} }

// Recipient is one inbox.
type Recipient struct {
	Kind Kind `json:"kind"`
	// ID names the position, group, role, unit or staff member within the clinic.
	ID string `json:"id"`
}

// String is kind:id, as people write it.
func (r Recipient) String() string { return string(r.Kind) + ":" + r.ID }

// ParseRecipient reads what String writes, of any kind.
func ParseRecipient(s string) (Recipient, error) {
	kind, id, ok := strings.Cut(s, ":")
	r := Recipient{Kind: Kind(kind), ID: id}
	if !ok || id == "" || !slices.Contains([]Kind{Position, Group, Role, Unit, Personal}, r.Kind) {
		return r, fmt.Errorf("kind:id, where kind is one of %s, %s, %s, %s, %s", Position, Group, Role, Unit, Personal)
	}
	return r, nil
}

// WholeClinic is the organisation unit that every staff member belongs to (S41).
var WholeClinic = Recipient{Kind: Unit, ID: clinicAll}

// Rule is the clinic's choice for one message type.
type Rule struct {
	Format     Format      `json:"format"`
	Recipients []Recipient `json:"recipients,omitempty"`
}

// Process names for which a clinic has a rule.
const (
	EConsultation = "e-consultation"
	EContact      = "e-contact"
	Prescription  = "prescription"
)

// Default is the rule of a clinic that has changed nothing: e-consultations go to
// the patient's practitioner (S44), e-contacts and renewal requests to the whole
// clinic (S45, S46).
func Default(process string) Rule {
	if process == EConsultation {
		return Rule{Format: Practitioner}
	}
	return Rule{Format: Selected, Recipients: []Recipient{WholeClinic}}
}

// Validate refuses a rule that contradicts itself: a recipient beside the format
// that fixes it (S36), none where one must be chosen (A9), an unknown kind, a
// recipient twice.
func (r Rule) Validate() error {
	var errs []error
	switch r.Format {
	case Practitioner:
		if len(r.Recipients) > 0 {
			errs = append(errs, errors.New("recipients: must be empty, the format practitioner fixes the recipient"))
		}
	case Selected, Both:
		if len(r.Recipients) == 0 {
			errs = append(errs, fmt.Errorf("recipients: choose at least one for the format %s", r.Format))
		}
	default:
		errs = append(errs, fmt.Errorf("format: one of %s, %s, %s", Practitioner, Selected, Both))
	}
	for i, rec := range r.Recipients {
		if !slices.Contains([]Kind{Position, Group, Role, Unit}, rec.Kind) {
			errs = append(errs, fmt.Errorf("recipients[%d].kind: one of %s, %s, %s, %s", i, Position, Group, Role, Unit))
		}
		if rec.ID == "" {
			errs = append(errs, fmt.Errorf("recipients[%d].id: must not be empty", i))
		}
		if slices.Contains(r.Recipients[:i], rec) {
			errs = append(errs, fmt.Errorf("recipients[%d]: named twice", i))
		}
	}
	return errors.Join(errs...)
}

// Fallback says why a rule could not be followed as it stands.
type Fallback string

// The reasons. Of several, the first that was met is told.
const (
	// NoFallback: the rule was followed.
	NoFallback Fallback = ""
	// WishedAbsent: the practitioner whom the citizen wished for is not at work here.
	WishedAbsent Fallback = "wished-practitioner-absent"
	// NoPractitioner: the patient has no practitioner here, or he is not at work.
	NoPractitioner Fallback = "practitioner-unknown-or-absent"
	// EmptyRecipients: nobody at work stands behind some chosen recipient.
	EmptyRecipients Fallback = "recipient-without-members"
	// NobodyPresent: nobody of the clinic is at work: an operator must act.
	NobodyPresent Fallback = "nobody-present"
)

// Via says by what a dialogue came to lie in an inbox.
type Via string

// The ways.
const (
	ViaRule        Via = "rule"
	ViaWished      Via = "wished"      // the citizen named the practitioner
	ViaOwner       Via = "owner"       // he has taken it
	ViaDeputy      Via = "deputy"      // for somebody who is not at work
	ViaFallback    Via = "fallback"    // nobody at work stands behind the rule
	ViaForward     Via = "forward"     // a colleague sent it there
	ViaAssign      Via = "assign"      // a colleague gave it to him
	ViaEscalation  Via = "escalation"  // the answer is owed for too long
	ViaLeaver      Via = "leaver"      // whoever read it has left
	ViaParticipant Via = "participant" // colleagues talk with each other
)

// Place is an inbox that shows a dialogue, and why.
type Place struct {
	Recipient
	Via Via `json:"via"`
}

// Asked is what a message says about who should read it.
type Asked struct {
	// PractitionerID is the patient's own practitioner at the time of receipt, "" for
	// none.
	PractitionerID string
	// Wished says that the citizen named a practitioner (role 23), WishedID who of the
	// clinic that is, "" for nobody.
	Wished   bool
	WishedID string
	// OwnerID has taken the dialogue, "" for nobody.
	OwnerID string
	// Forwarded are where colleagues have sent the dialogue: it lies there from then on,
	// in place of what the rule says.
	Forwarded []Recipient
}

// Placement is where a message goes.
type Placement struct {
	Places   []Place
	Fallback Fallback
	// Nobody is true when nobody who is at work can read it now: an operator must act.
	Nobody bool
}

// Resolve decides whose inboxes show a message. The rule is followed as far as
// somebody who is at work stands behind it: a wished practitioner takes the place of
// the patient's own, and is added to selected recipients; whoever has taken the
// dialogue sees it too. What the rule cannot reach goes to the deputies of those whom
// it means, and where there are none to the whole clinic, so that no inbox is ever
// empty of readers (F12).
func Resolve(rule Rule, asked Asked, roster Roster) Placement {
	p := Placement{}
	reason := func(f Fallback) {
		if p.Fallback == NoFallback {
			p.Fallback = f
		}
	}
	wished := asked.WishedID != "" && roster.Present(asked.WishedID)
	if asked.Wished && !wished {
		reason(WishedAbsent)
	}
	var missed []Recipient
	switch {
	case len(asked.Forwarded) > 0:
		missed = p.addReached(roster, asked.Forwarded, ViaForward)
		if wished {
			p.add(Place{personal(asked.WishedID), ViaWished})
		}
	default:
		switch {
		case wished:
			p.add(Place{personal(asked.WishedID), ViaWished})
		case rule.Format == Selected:
		case roster.Present(asked.PractitionerID):
			p.add(Place{personal(asked.PractitionerID), ViaRule})
		default:
			reason(NoPractitioner)
			if deputy := roster.StandIn(asked.PractitionerID); deputy != "" {
				p.add(Place{personal(deputy), ViaDeputy})
			}
		}
		if rule.Format != Practitioner {
			missed = p.addReached(roster, rule.Recipients, ViaRule)
		}
	}
	if len(missed) > 0 {
		reason(EmptyRecipients)
	}
	if asked.OwnerID != "" && roster.Present(asked.OwnerID) {
		p.add(Place{personal(asked.OwnerID), ViaOwner})
	}
	if len(p.Places) == 0 {
		for _, r := range missed {
			p.add(roster.deputies(r)...)
		}
	}
	if len(p.Places) == 0 {
		p.add(Place{WholeClinic, ViaFallback})
		if p.Nobody = !roster.reaches(WholeClinic); p.Nobody {
			p.Fallback = NobodyPresent
		}
	}
	return p
}

// add adds places that are not there yet.
func (p *Placement) add(places ...Place) {
	for _, place := range places {
		if !slices.ContainsFunc(p.Places, func(other Place) bool { return other.Recipient == place.Recipient }) {
			p.Places = append(p.Places, place)
		}
	}
}

// addReached adds the recipients behind whom somebody is at work, and returns the others.
func (p *Placement) addReached(roster Roster, all []Recipient, via Via) (missed []Recipient) {
	for _, r := range all {
		if roster.reaches(r) {
			p.add(Place{r, via})
		} else {
			missed = append(missed, r)
		}
	}
	return missed
}
