// Package routing decides whose inbox shows a dialogue (S31-S49), and never
// leaves one without a reader (F12).
package routing

import (
	"errors"
	"fmt"
	"slices"
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

// Recipient is one inbox.
type Recipient struct {
	Kind Kind `json:"kind"`
	// ID names the position, group, role, unit or staff member within the clinic.
	ID string `json:"id"`
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

// The reasons, in the order in which they are tried.
const (
	// NoFallback: the rule was followed.
	NoFallback Fallback = ""
	// NoPractitioner: the patient has no practitioner here, or he is not active.
	NoPractitioner Fallback = "practitioner-unknown-or-absent"
	// EmptyRecipients: nobody active stands behind some chosen recipient.
	EmptyRecipients Fallback = "recipient-without-members"
	// NobodyActive: the clinic has no active staff at all: an operator must act.
	NobodyActive Fallback = "nobody-active"
)

// Live is who can read at the instant of delivery.
type Live struct {
	// PractitionerID is the patient's active practitioner, "" when there is none.
	PractitionerID string
	// Active counts the active members behind each recipient that the rule names,
	// and behind WholeClinic.
	Active map[Recipient]int
}

// Resolve returns the inboxes that show the dialogue, and why the rule was left
// where it was. Recipients without an active member are dropped; when that leaves
// nobody, the whole clinic sees the message; when the clinic has no active staff,
// the result is empty and an operator must act.
func Resolve(rule Rule, live Live) ([]Recipient, Fallback) {
	var places []Recipient
	why := NoFallback
	if rule.Format != Selected {
		if live.PractitionerID != "" {
			places = append(places, Recipient{Kind: Personal, ID: live.PractitionerID})
		} else {
			why = NoPractitioner
		}
	}
	if rule.Format != Practitioner {
		for _, r := range rule.Recipients {
			switch {
			case live.Active[r] == 0:
				if why == NoFallback {
					why = EmptyRecipients
				}
			case !slices.Contains(places, r):
				places = append(places, r)
			}
		}
	}
	if len(places) > 0 {
		return places, why
	}
	if live.Active[WholeClinic] == 0 {
		return nil, NobodyActive
	}
	return []Recipient{WholeClinic}, why
}
