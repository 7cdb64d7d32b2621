// Package reachability decides whether a dialogue may be sent to a patient (S25-S29,
// A7): which gates are closed, in the order in which a person would look at them.
package reachability

// Gate names what keeps a dialogue from a patient. It is a code: what people read is
// the client's.
type Gate string

// The gates, in their order.
const (
	// NumberMissing to SyntheticNumber: a dialogue needs a full birth number or D number
	// (S25); the numbers of test registers count where the installation says so.
	NumberMissing   Gate = "number-missing"
	NumberInvalid   Gate = "number-invalid"
	HelpNumber      Gate = "help-number"
	SyntheticNumber Gate = "synthetic-number"
	// Deceased: his family would read it.
	Deceased Gate = "deceased"
	// NotActivated and Suspended: the integration of the clinic, or of the GP who alone
	// offers the service, is not active (S1).
	NotActivated Gate = "integration-not-activated"
	Suspended    Gate = "integration-suspended"
	// NotOffered: neither the patient's GP nor the clinic has the service registered (S12).
	NotOffered Gate = "service-not-offered"
	// NoConsent: the patient does not want to be contacted on Helsenorge (S26).
	NoConsent Gate = "no-consent"
	// NotActive: he is not on Helsenorge, nor is anybody for him (S27, S29).
	NotActive Gate = "not-active"
	// StatusUnknown: nobody has been able to ask.
	StatusUnknown Gate = "status-unknown"
)

// Integration is how an integration with Helsenorge stands.
type Integration string

// The states that close a gate; every other is active.
const (
	IntegrationNotActivated Integration = "not-activated"
	IntegrationSuspended    Integration = "suspended"
)

// Facts is what the gates look at.
type Facts struct {
	// InHouse is true for what never meets Helsenorge: only the number matters (A7).
	InHouse bool
	// Number is the gate that the patient's number closes, "" for a good one.
	Number   Gate
	Deceased bool
	// Clinic is the clinic's integration, Practitioner that of the patient's GP, "" for a
	// patient without one or a GP who has no party of his own.
	Clinic, Practitioner Integration
	// Offered is true when an active party offers the service to the patient.
	Offered  bool
	Consents bool
	// Active is nil when it was never known.
	Active *bool
}

// Closed lists the gates that are closed, each once, in their order. The dialogue may
// be sent when there is none.
func Closed(f Facts) []Gate {
	var closed []Gate
	add := func(is bool, g Gate) {
		if is {
			closed = append(closed, g)
		}
	}
	add(f.Number != "", f.Number)
	if f.InHouse {
		return closed
	}
	add(f.Deceased, Deceased)
	integration := f.Clinic
	if integration != IntegrationNotActivated && integration != IntegrationSuspended && !f.Offered {
		integration = f.Practitioner // his is what keeps the service from being offered
	}
	switch integration {
	case IntegrationNotActivated:
		add(true, NotActivated)
	case IntegrationSuspended:
		add(true, Suspended)
	default:
		add(!f.Offered, NotOffered)
	}
	add(!f.Consents, NoConsent)
	add(f.Active != nil && !*f.Active, NotActive)
	add(f.Active == nil, StatusUnknown)
	return closed
}
