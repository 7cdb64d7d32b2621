package client

import (
	"context"
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/reachability"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// Activity asks Helsenorge which of the people, by national id, are active there. Whom
// it leaves out is not in the answer.
type Activity interface {
	Check(ctx context.Context, nationalIDs []string) (map[string]registry.Activity, error)
}

// Reachability says whether a dialogue can be sent to a patient, and if not, why and what
// to do instead.
type Reachability struct {
	PatientID string           `json:"patientId"`
	Kind      contract.Process `json:"kind"`
	pg.Reachability
	// Explained are the reasons in words, in the same order.
	Explained []string `json:"explained"`
	// CheckFailed is the kind of error when Helsenorge should have been asked and gave no
	// answer: the last known status counts, with its age.
	CheckFailed apperr.Kind `json:"checkFailed,omitempty"`
}

// Kinds lists the kinds of dialogue that a clinic may send to a patient.
func Kinds() []contract.Process {
	return []contract.Process{contract.ProcessEContact, contract.ProcessEConsultation, contract.ProcessEDialogue}
}

// Reachability tells whether a dialogue of the kind can be sent to a patient of the
// clinic, before anything is written (S25-S29). What is known of his activity on
// Helsenorge is asked for anew when it is older than the clinic's setting; when
// Helsenorge gives no answer, the last known counts.
func (c *Client) Reachability(ctx context.Context, by identity.Principal, clinicID, patientID string, kind contract.Process) (Reachability, error) {
	if err := allow(by, identity.RightAppointmentRead, clinicID); err != nil {
		return Reachability{}, err
	}
	if !slices.Contains(Kinds(), kind) {
		return Reachability{}, apperr.InvalidFields("no such dialogue is sent to a patient", apperr.Field{Path: "kind", Rule: "e-contact, e-consultation or e-dialogue"})
	}
	return c.reachability(ctx, by, clinicID, patientID, kind)
}

func (c *Client) reachability(ctx context.Context, by identity.Principal, clinicID, patientID string, kind contract.Process) (Reachability, error) {
	out := Reachability{PatientID: patientID, Kind: kind}
	var err error
	if out.Reachability, err = c.store.Reachability(ctx, by, clinicID, patientID, kind); err != nil {
		return Reachability{}, err
	}
	if out.Stale {
		asked, err := c.askActivity(ctx, clinicID, patientID)
		switch {
		case apperr.KindOf(err) == apperr.Unavailable || apperr.KindOf(err) == apperr.Forbidden:
			out.CheckFailed = apperr.KindOf(err)
		case err != nil:
			return Reachability{}, err
		case asked:
			if out.Reachability, err = c.store.Reachability(ctx, by, clinicID, patientID, kind); err != nil {
				return Reachability{}, err
			}
		}
	}
	out.Explained = make([]string, len(out.Reasons))
	for i, g := range out.Reasons {
		out.Explained[i] = Closed(g)
	}
	return out, nil
}

// reachable is nil when a dialogue of the kind can be sent to the patient, and else
// apperr.Conflict with the first closed gate as its state and what to do in words.
func (c *Client) reachable(ctx context.Context, by identity.Principal, clinicID, patientID string, kind contract.Process) error {
	r, err := c.reachability(ctx, by, clinicID, patientID, kind)
	if err != nil || r.Reachable {
		return err
	}
	return apperr.InState(string(r.Reasons[0]), "the patient cannot be contacted: %s", r.Explained[0])
}

// askActivity asks Helsenorge about one patient and keeps the answer. asked is false when
// he has no number to be asked about by.
func (c *Client) askActivity(ctx context.Context, clinicID, patientID string) (asked bool, err error) {
	q, ok, err := c.store.ActivityQuestion(ctx, clinicID, patientID)
	if err != nil || !ok {
		return false, err
	}
	_, err = c.ask(ctx, clinicID, []pg.PatientActivity{q})
	return err == nil, err
}

// ask asks Helsenorge about patients, at most registry.MaxActivityIDs, and keeps the
// answers, which it returns.
func (c *Client) ask(ctx context.Context, clinicID string, all []pg.PatientActivity) ([]pg.PatientActivity, error) {
	if c.activity == nil {
		return nil, apperr.New(apperr.Unavailable, "the digitally-active check is not configured: set HELSEBRO_ACTIVITY_URL")
	}
	ids := make([]string, len(all))
	for i, q := range all {
		ids[i] = q.NationalID
	}
	at := time.Now().UTC()
	said, err := c.activity.Check(ctx, ids)
	if err != nil {
		return nil, err
	}
	answered := make([]pg.PatientActivity, 0, len(all))
	for _, q := range all {
		if a, ok := said[q.NationalID]; ok {
			q.Self, q.Other = a.Self, a.Other
			answered = append(answered, q)
		}
	}
	if len(answered) == 0 {
		return nil, apperr.New(apperr.Unavailable, "the digitally-active check left out whom it was asked about")
	}
	return answered, c.store.RecordActivities(ctx, clinicID, answered, at)
}

// ActivityRefresh says what a refresh of activity came to.
type ActivityRefresh struct {
	// Asked patients are those whose status was too old, Answered those whom Helsenorge
	// answered about, Active those of them who can be reached there.
	Asked    int `json:"asked"`
	Answered int `json:"answered"`
	Active   int `json:"active"`
}

// RefreshActivity asks Helsenorge about every patient of the clinic whose status is older
// than the clinic's setting, 1000 at a time. What was answered before an error is kept;
// a repetition asks about the rest.
func (c *Client) RefreshActivity(ctx context.Context, by identity.Principal, clinicID string) (ActivityRefresh, error) {
	var out ActivityRefresh
	if err := allow(by, identity.RightPatientWrite, clinicID); err != nil {
		return out, err
	}
	after := ""
	for {
		all, next, err := c.store.ActivityQuestions(ctx, by, clinicID, after, registry.MaxActivityIDs)
		if err != nil {
			return out, err
		}
		if len(all) > 0 {
			answered, err := c.ask(ctx, clinicID, all)
			if err != nil {
				return out, err
			}
			out.Asked, out.Answered = out.Asked+len(all), out.Answered+len(answered)
			for _, a := range answered {
				if a.Self || a.Other {
					out.Active++
				}
			}
		}
		if next == "" {
			return out, nil
		}
		after = next
	}
}

// Closed says in words why a dialogue cannot be sent to a patient, and what to do.
func Closed(g reachability.Gate) string { return word(gates, g) }

var gates = map[reachability.Gate]string{
	reachability.NumberMissing:   "the patient has no birth number or D number here: add it in the record system",
	reachability.NumberInvalid:   "the patient's number is no birth number or D number: correct it in the record system",
	reachability.HelpNumber:      "the patient has a help number, and a dialogue needs a birth number or D number",
	reachability.SyntheticNumber: "the patient's number is of a test register, which this installation does not write to",
	reachability.Deceased:        "the patient is registered as dead",
	reachability.NotActivated:    "the integration with Helsenorge is not activated: ask the operator (clinic status)",
	reachability.Suspended:       "the integration with Helsenorge is suspended: ask the operator (clinic status)",
	reachability.NotOffered:      "neither the patient's GP nor the clinic has this service registered: see clinic status",
	reachability.NoConsent:       "the patient has not agreed to be contacted on Helsenorge: call, or ask for consent",
	reachability.NotActive:       "the patient is not on Helsenorge, nor is anybody for him: call, or write an e-dialogue",
	reachability.StatusUnknown:   "it is not known whether the patient is on Helsenorge, which does not answer: try again, or call",
}
