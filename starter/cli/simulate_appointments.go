package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/simulator"
)

// asksFlags are the flags of every question: who asks, and whom.
func asksFlags(cmd *cobra.Command, q *simulator.Question) {
	f := cmd.Flags()
	f.IntVar(&q.To, "to", 0, "HER-id of the party that is asked (required)")
	f.IntVar(&q.Citizen, "citizen", 1, "who asks: the same number is the same invented person")
	_ = cmd.MarkFlagRequired("to") // the flag is defined above
}

// slotsFlags are the flags of a question for free slots.
func slotsFlags(cmd *cobra.Command, q *simulator.Question) {
	asksFlags(cmd, q)
	f := cmd.Flags()
	f.IntVar(&q.By, "by", 0, "number of another citizen who acts for him, as a parent")
	f.StringVar(&q.From, "from", "", "first day, as 2026-11-23 (default today)")
	f.StringVar(&q.Until, "until", "", "last day, at most four weeks later (default four weeks later)")
	f.StringVar(&q.HPR, "practitioner", "", "HPR number of the practitioner who is asked for (default the party's own)")
}

// ask asks a party and waits for its answer.
func (s *simulated) ask(ctx context.Context, q simulator.Question) (simulator.Answer, error) {
	a, err := s.client().Ask(ctx, q)
	return a, s.failed(err)
}

// asks runs a command that asks the question and shows the answer.
func (s *simulated) asks(q *simulator.Question, write func(io.Writer, simulator.Answer) error) func(*cobra.Command, []string) error {
	return runs(func(cmd *cobra.Command, _ []string) error {
		a, err := s.ask(cmd.Context(), *q)
		if err != nil {
			return err
		}
		return s.show(a, func(w io.Writer) error { return write(w, a) })
	})
}

// headline says what a party answered, and how soon.
func headline(w io.Writer, list codes.List, a simulator.Answer) error {
	words := []string{a.Code, codes.Name(list, a.Code)}
	if a.Text != "" {
		words = append(words, "-", oneLine(a.Text))
	}
	for _, p := range a.Problems {
		words = append(words, "- wrong:", oneLine(p))
	}
	_, err := fmt.Fprintf(w, "%s (%s)\n", strings.Join(words, " "), a.Took.Round(time.Millisecond))
	return err
}

// wall is an instant as a citizen reads it: the wall clock of Norway.
func wall(at time.Time) string { return oslo.In(at).Format("2006-01-02 15:04") }

func simulateSlotsCommand(env Environment) *cobra.Command {
	q := simulator.Question{Kind: simulator.FreeSlots}
	cmd := &cobra.Command{
		Use:   "slots",
		Short: "Ask a clinic for free slots as a citizen, and wait for the answer",
		Example: `  helsebro simulate slots --to 900001 --citizen 7
  helsebro simulate slots --to 900001 --citizen 7 --from 2026-11-30 --until 2026-12-04`,
		Args: cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	slotsFlags(cmd, &q)
	cmd.RunE = s.asks(&q, func(w io.Writer, a simulator.Answer) error {
		if err := headline(w, codes.Answers, a); err != nil {
			return err
		}
		if len(a.Slots) == 0 {
			return nil
		}
		return table(w, "", len(a.Slots), "STARTS\tENDS\tTYPE\tBOOK FROM\tPLACE\tSLOT", func(i int) []string {
			slot := a.Slots[i]
			from := "at once"
			if !slot.AvailableAt.IsZero() {
				from = wall(slot.AvailableAt)
			}
			return []string{wall(slot.StartsAt), wall(slot.EndsAt), strings.Join(slot.Categories, " "), from, slot.Place, slot.UID}
		})
	})
	return cmd
}

func simulateBookCommand(env Environment) *cobra.Command {
	q := simulator.Question{Kind: simulator.FreeSlots}
	a := simulator.Action{Kind: simulator.Reserve}
	var uid string
	cmd := &cobra.Command{
		Use:   "book",
		Short: "Book a free slot as a citizen",
		Long: `Book a free slot as a citizen: ask for the free slots, and reserve the one named or
the first that can be booked now. The clinic's answer is in simulate appointments.`,
		Example: `  helsebro simulate book --to 900001 --citizen 7 --text 'Vondt i kneet'
  helsebro simulate book --to 900001 --citizen 7 --slot 019ab000-0000-7000-8000-0000000000a1
  helsebro simulate book --to 900001 --citizen 8 --by 7`,
		Args: cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	slotsFlags(cmd, &q)
	f := cmd.Flags()
	f.StringVar(&uid, "slot", "", "the slot, as simulate slots shows it (default the first that can be booked)")
	f.StringVar(&a.Text, "text", "", "what it is about (default an invented one)")
	f.BoolVar(&a.AcceptsOther, "accept-other", false, "another practitioner will do")
	f.IntVar(&a.Times, "times", 1, "how often the same message is delivered")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		shown, err := s.ask(cmd.Context(), q)
		if err != nil {
			return err
		}
		for _, slot := range shown.Slots {
			if slot.UID == uid || uid == "" && slot.Bookable(time.Now()) {
				a.Slot = &slot
				break
			}
		}
		if a.Slot == nil {
			return s.failed(apperr.New(apperr.NotFound, "the clinic shows no such slot: it answered %s %s. %s",
				shown.Code, codes.Name(codes.Answers, shown.Code), shown.Text))
		}
		a.To, a.Citizen, a.By, a.HPR = q.To, q.Citizen, q.By, q.HPR
		return s.act(cmd.Context(), a)
	})
	return cmd
}

// meansFlags are the flags of an action about an appointment.
func meansFlags(cmd *cobra.Command, a *simulator.Action) {
	f := cmd.Flags()
	f.IntVar(&a.Citizen, "citizen", 1, "who writes: the same number is the same invented person")
	f.IntVar(&a.By, "by", 0, "number of another citizen who acts for him, as a parent")
	f.StringVar(&a.Text, "text", "", "text (default an invented one)")
	f.IntVar(&a.Times, "times", 1, "how often the same message is delivered")
}

func simulateCancelCommand(env Environment) *cobra.Command {
	a := simulator.Action{Kind: simulator.Cancel}
	cmd := &cobra.Command{
		Use:   "cancel",
		Short: "Cancel an appointment as a citizen",
		Example: `  helsebro simulate cancel --citizen 7 --appointment 019ab000-0000-7000-8000-0000000000a1
  helsebro simulate cancel --citizen 7 --appointment 019ab000-0000-7000-8000-0000000000a1 --alone`,
		Args: cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	meansFlags(cmd, &a)
	f := cmd.Flags()
	f.StringVar(&a.Appointment, "appointment", "", "the appointment, as simulate appointments shows it (required)")
	f.BoolVar(&a.Alone, "alone", false, "by the process that has nothing but cancelling (AVTALEAVBESTILLING)")
	_ = cmd.MarkFlagRequired("appointment") // the flag is defined above
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error { return s.act(cmd.Context(), a) })
	return cmd
}

func simulateWishCommand(env Environment) *cobra.Command {
	a := simulator.Action{Kind: simulator.Wish}
	var cancel, change string
	cmd := &cobra.Command{
		Use:   "wish",
		Short: "Wish for an appointment in words as a citizen, or for the end or change of one",
		Example: `  helsebro simulate wish --to 900001 --citizen 7 --text 'Helst neste uke'
  helsebro simulate wish --citizen 7 --cancel 019ab000-0000-7000-8000-0000000000a1`,
		Args: cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	meansFlags(cmd, &a)
	f := cmd.Flags()
	f.IntVar(&a.To, "to", 0, "HER-id of the party that is written to (default the one that has the appointment)")
	f.StringVar(&a.HPR, "practitioner", "", "HPR number of the practitioner who is asked for")
	f.BoolVar(&a.AcceptsOther, "accept-other", false, "another practitioner will do")
	f.StringVar(&cancel, "cancel", "", "the appointment that is to end")
	f.StringVar(&change, "change", "", "the appointment that is to be at another time")
	cmd.MarkFlagsMutuallyExclusive("cancel", "change")
	cmd.MarkFlagsOneRequired("to", "cancel", "change")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		switch {
		case cancel != "":
			a.Kind, a.Appointment = simulator.WishCancel, cancel
		case change != "":
			a.Kind, a.Appointment = simulator.WishChange, change
		}
		return s.act(cmd.Context(), a)
	})
	return cmd
}

func simulatePractitionersCommand(env Environment) *cobra.Command {
	q := simulator.Question{Kind: simulator.Practitioners}
	cmd := &cobra.Command{
		Use:     "practitioners",
		Short:   "Ask a clinic who has a calendar, as a citizen",
		Example: "  helsebro simulate practitioners --to 900001 --citizen 7",
		Args:    cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	asksFlags(cmd, &q)
	cmd.RunE = s.asks(&q, func(w io.Writer, a simulator.Answer) error {
		if err := headline(w, codes.Answers, a); err != nil || len(a.Practitioners) == 0 {
			return err
		}
		return table(w, "", len(a.Practitioners), "NAME\tHPR", func(i int) []string {
			return []string{a.Practitioners[i].Name, a.Practitioners[i].HPR}
		})
	})
	return cmd
}

func simulateTestCommand(env Environment) *cobra.Command {
	q := simulator.Question{Kind: simulator.CommunicationTest}
	cmd := &cobra.Command{
		Use:     "test",
		Short:   "Test the communication with a clinic",
		Example: "  helsebro simulate test --to 900001",
		Args:    cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	asksFlags(cmd, &q)
	cmd.RunE = s.asks(&q, func(w io.Writer, a simulator.Answer) error { return headline(w, codes.TestCodes, a) })
	return cmd
}

func simulateAppointmentsCommand(env Environment) *cobra.Command {
	var citizen int
	cmd := &cobra.Command{
		Use:   "appointments",
		Short: "List what a citizen sees under Timeavtaler",
		Long: `List what a citizen sees under Timeavtaler: the appointments that Helsenorge has
accepted, by the wall clock of Norway, and what it has told him of each.`,
		Example: "  helsebro simulate appointments --citizen 7\n  helsebro simulate appointments --citizen 7 --json",
		Args:    cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	cmd.Flags().IntVar(&citizen, "citizen", 1, "who looks")
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		all, err := s.client().Appointments(cmd.Context(), citizen)
		if err != nil {
			return s.failed(err)
		}
		return s.show(all, func(w io.Writer) error {
			return table(w, "The citizen sees no appointment.", len(all), "STARTS\tSTATUS\tPLACE\tWITH\tTOLD\tTEXT\tAPPOINTMENT", func(i int) []string {
				a := all[i]
				told := make([]string, len(a.Notices))
				for j, n := range a.Notices {
					told[j] = n.Tells + " " + stamp(n.At)
				}
				return []string{wall(a.StartsAt), a.Status, a.Place, a.Practitioner, strings.Join(told, ", "), a.Text, a.UID}
			})
		})
	})
	return cmd
}

func simulateActivityCommand(env Environment, name, short string) *cobra.Command {
	a := simulator.Activity{}
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		Example: "  helsebro simulate " + name + " --citizen 7\n  helsebro simulate " + name + " --citizen 7 --to 8000002",
	}
	s := callsSimulator(cmd, env)
	cmd.Flags().IntVar(&a.Citizen, "citizen", 1, "who it is")
	cmd.Flags().IntVar(&a.To, "to", 0, "HER-id of a party that is told of it (default none)")
	if name == "active" {
		cmd.Flags().BoolVar(&a.ViaOthers, "via-others", false, "through who represents him only, as a child is")
	}
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		a.Self = name == "active" && !a.ViaOthers
		if err := s.client().SetActivity(cmd.Context(), a); err != nil {
			return s.failed(err)
		}
		return s.show(a, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, "Citizen "+strconv.Itoa(a.Citizen)+" is "+name+" from now on.")
			return err
		})
	})
	return cmd
}
