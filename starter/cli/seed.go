package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
	"github.com/helsebro/helsebro/starter/client"
)

const (
	// seedTokenLife is above what seeding takes.
	seedTokenLife = 5 * time.Minute
	// bookingCitizen is the simulator's citizen who is a patient on Helsenorge: the one
	// that its commands mean where none is named.
	bookingCitizen = 1
)

func demoSeedCommand(env Environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seed DIR",
		Short: "Write the demonstration clinic over the API, with calendar, slots and patients",
		Long: `Write the demonstration clinic over the API: settings, one calendar, three types of
appointment (one hidden), online slots of the next two weeks, and two patients: one
who books on Helsenorge, and one whose e-mail bounces and whose phone works. It
activates the clinic and its GP on Helsenorge. It acts as the clinic's administrator,
its record system and the operator, by tokens of the development issuer in DIR, as
demo init made it. It prints what to do next, with the ids.

It is safe to repeat; on another day it adds the slots of that day's two weeks.`,
		Example: `  helsebro demo seed .docker/config`,
		Args:    cobra.ExactArgs(1),
	}
	var url string
	cmd.Flags().StringVar(&url, "api", "", "URL of the API (HELSEBRO_API_URL)")
	cmd.RunE = runs(func(cmd *cobra.Command, args []string) error {
		issuer, err := identity.OpenDevIssuer(demoFiles{args[0]}.key())
		if err != nil {
			return err
		}
		as := func(p identity.Principal) (*remote, error) {
			token, err := issuer.Issue(p, seedTokenLife)
			return &remote{env: env, api: url, token: token, clinic: demo.ClinicID}, err
		}
		admin, err := as(demo.Admin)
		if err != nil {
			return err
		}
		record, err := as(demo.Service)
		if err != nil {
			return err
		}
		operator, err := as(demo.Operator)
		if err != nil {
			return err
		}
		return seed(cmd.Context(), env.Out, admin, record, operator)
	})
	return cmd
}

// seed writes what the administrator sets up and what the record system knows, and
// activates the clinic.
func seed(ctx context.Context, out io.Writer, admin, record, operator *remote) error {
	slots := demo.Slots(time.Now())
	patient := demo.Patient()
	written := []struct {
		as         *remote
		path, what string
		in         any
	}{
		{admin, "", "the clinic with its staff", demo.Clinic()},
		{admin, "/settings", "settings: online booking and notices are on", demo.Settings()},
		{record, "/calendars", "calendar " + demo.CalendarID, api.CalendarList{Calendars: demo.Calendars()}},
		{record, "/appointment-types", fmt.Sprintf("%d types of appointment", len(demo.Types())), api.TypeList{Types: demo.Types()}},
		{record, "/slots", fmt.Sprintf("%d online slots", len(slots)), api.SlotList{Slots: slots}},
	}
	for _, w := range written {
		if _, err := w.as.call(ctx, http.MethodPut, w.path, w.in); err != nil {
			return err
		}
		fmt.Fprintln(out, "written ", w.what)
	}
	if err := activate(ctx, operator, demo.Clinic()); err != nil {
		return err
	}
	fmt.Fprintln(out, "activated the clinic and its GP on Helsenorge")
	citizen := simulator.Citizen(bookingCitizen)
	raw, err := record.call(ctx, http.MethodPut, "/patients/bulk", api.PatientList{Patients: []client.PatientRecord{
		{
			Patient: client.Patient{
				GivenName: patient.GivenName, FamilyName: patient.FamilyName, NationalID: patient.NationalID, PractitionerID: patient.PractitionerID,
			},
			Contacts: patient.Contacts,
		},
		{Patient: client.Patient{
			GivenName: citizen.GivenName, FamilyName: citizen.FamilyName, NationalID: citizen.NationalID, PractitionerID: patient.PractitionerID,
		}},
	}})
	if err != nil {
		return err
	}
	var ids api.PatientIDs
	if err := record.decode(raw, &ids); err != nil {
		return err
	}
	if len(ids.PatientIDs) == 0 || len(slots) < 2 {
		return errors.New("nothing can be booked: the API named no patient, or there is no working day in the next two weeks")
	}
	fmt.Fprintf(out, "written  %d patients\n", len(ids.PatientIDs))
	made := uuid.NewString()
	_, err = fmt.Fprintf(out, `
What comes next, for staff or a practitioner, in the repository. The first patient is
told by the clinic itself, a minute after the last change: the e-mail bounces, the SMS
arrives. The other one books on Helsenorge, which tells him.

  go run ./starter simulate inactive --citizen %d
  go run ./starter appointment book --patient %s --slot %s --appointment %s
  go run ./starter appointment move %s --slot %s
  go run ./starter explain %s
  go run ./starter simulate book --to %d --citizen %d
  go run ./starter simulate appointments --citizen %d
`, demo.Inactive, ids.PatientIDs[0], slots[len(slots)-2].ID, made, made, slots[len(slots)-1].ID, made,
		demo.GPHerID, bookingCitizen, bookingCitizen)
	return err
}

// activate activates a clinic and its GPs, where that is not done already.
func activate(ctx context.Context, operator *remote, clinic pg.Clinic) error {
	var l api.List[pg.Integration]
	if _, err := operator.get(ctx, "/integration", &l); err != nil {
		return err
	}
	for _, c := range demo.Activation(clinic) {
		if slices.ContainsFunc(l.Items, func(i pg.Integration) bool { return i.StaffID == c.StaffID && i.Status == contract.StatusActive }) {
			continue
		}
		if _, err := operator.call(ctx, http.MethodPost, "/integration/"+string(c.Kind), api.ActivationRequest{
			StaffID: c.StaffID, Key: string(c.Key),
		}, "Idempotency-Key", c.ID); err != nil {
			return err
		}
	}
	return nil
}
