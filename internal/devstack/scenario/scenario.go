// Package scenario plays Helsebro's main job on a running stack, from outside:
// citizens write and book through the simulated Helsenorge, the clinic answers, books
// and moves through the HTTP API and the CLI, notices arrive in the sink, and every
// step is told in words.
package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	// patience bounds every wait of the play.
	patience = 2 * time.Minute
	// poll is how often the play looks for what it waits for.
	poll = 50 * time.Millisecond
	// width is how many characters of a sentence stand on a line.
	width = 100
)

// Result is what a play leaves to look at.
type Result struct {
	// Earlier tells that the clinic was there from an earlier run.
	Earlier bool
	// Patients are the ids of the citizens at the clinic.
	Patients []string
	Threads  []*Thread
	// Request is the renewal request that is answered prescription by prescription.
	Request string
	// Booked is the appointment that a citizen booked on Helsenorge, Made the one that
	// the clinic made for who is not there.
	Booked, Made *Visit
	// PatientID is who Made is for, Free are two slots or more that nobody has taken.
	PatientID string
	Free      []pg.Slot
}

// play is one run of the scenario.
type play struct {
	stack  *stack.Stack
	out    io.Writer
	steps  int
	result Result
	// before are the dialogues that were there before the citizens wrote.
	before map[string]bool
}

// Play writes the demonstration clinic with its patients and plays the main job
// once, telling it on out. The stack's parts must run (stack.Run). It may be played
// again on the same stack or the same data: clinic and patients keep their ids, and
// the citizens write and book anew. Whatever fails, or does not come within two minutes, is
// an error that says which step it was.
func Play(ctx context.Context, s *stack.Stack, out io.Writer) (Result, error) {
	p := &play{stack: s, out: out, result: Result{Threads: threads()}}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"writing the clinic", p.seed},
		{"sending what the citizens write", p.send},
		{"reading the receipts", p.receipts},
		{"reading the inboxes", p.inboxes},
		{"reading the journal", p.journal},
		{"answering", p.answer},
		{"following the answers", p.follow},
		{"explaining", p.explain},
		{"starting a dialogue", p.begin},
		{"converting an e-contact", p.convert},
		{"renewing prescriptions", p.renew},
		{"opening the calendar", p.openCalendar},
		{"booking on Helsenorge", p.bookOnline},
		{"booking at the desk", p.bookAtDesk},
		{"confirming", p.confirm},
		{"moving the appointment", p.move},
		{"reminding", p.remind},
		{"explaining the appointment", p.explainVisit},
	} {
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return p.result, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return p.result, nil
}

// Written asks the audit whether the database has the demonstration clinic: whether
// an earlier run has played on it.
func Written(ctx context.Context, s *stack.Stack) (bool, error) {
	auditor := identity.Principal{Subject: "helsebro-dev", ClinicID: demo.ClinicID, Role: identity.RoleAuditor}
	var rows api.List[pg.AuditRow]
	if err := (&play{stack: s}).call(ctx, auditor, http.MethodGet, fmt.Sprintf("/audit?limit=%d", client.MaxLimit), nil, &rows); err != nil {
		return false, err
	}
	// The auditor's own reading is a row too.
	return slices.ContainsFunc(rows.Items, func(r pg.AuditRow) bool { return r.Role != string(identity.RoleAuditor) }), nil
}

// seed writes clinic and patients as the clinic's record system.
func (p *play) seed(ctx context.Context) error {
	began := time.Now()
	var err error
	if p.result.Earlier, err = Written(ctx, p.stack); err != nil {
		return err
	}
	clinic := demo.Clinic()
	if err := p.call(ctx, demo.Service, http.MethodPut, "", clinic, nil); err != nil {
		return err
	}
	if err := p.activate(ctx, clinic); err != nil {
		return err
	}
	for i := range p.result.Threads {
		who := simulator.Citizen(i)
		var written api.PatientID
		if err := p.call(ctx, demo.Service, http.MethodPut, "/patients", api.PatientRequest{
			GivenName: who.GivenName, FamilyName: who.FamilyName, NationalID: who.NationalID, Phone: who.Phone, PractitionerID: demo.GPID,
		}, &written); err != nil {
			return err
		}
		p.result.Patients = append(p.result.Patients, written.PatientID)
	}
	if p.result.Earlier {
		p.tell(began, "%s and its patients are there from an earlier run. The record system writes them once more through the HTTP API, which changes nothing.", clinic.Name)
		return nil
	}
	p.tell(began, "The record system writes the clinic through the HTTP API: %s with %d staff, and %d patients of %s. The operator activates it on Helsenorge: the address registry has all that it needs.",
		clinic.Name, len(clinic.Staff), len(p.result.Threads), clinic.Staff[0].Name)
	return nil
}

// activate activates clinic and GP as the operator. On the data of an earlier run it
// changes nothing.
func (p *play) activate(ctx context.Context, clinic pg.Clinic) error {
	for _, c := range demo.Activation(clinic) {
		if err := p.keyed(ctx, demo.Operator, http.MethodPost, "/integration/"+string(c.Kind), c.ID, api.ActivationRequest{
			StaffID: c.StaffID, Key: string(c.Key),
		}, nil); err != nil {
			return err
		}
	}
	return nil
}
