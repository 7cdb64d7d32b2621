package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/simulator"
)

func simulateFaultsCommand(env Environment) *cobra.Command {
	var f simulator.Faults
	var none bool
	cmd := &cobra.Command{
		Use:   "faults",
		Short: "Let things go wrong on Helsenorge's side, or show what does",
		Long: `Say what goes wrong on Helsenorge's side from now on. What is not named goes right
again. Without flags it is shown.

--message is about what citizens send: doubled, reordered (each second one before the
first), spoofed (another sender on the envelope), unreadable. Over AMQP also a fault of
sealing: an unknown one is answered with the list.`,
		Example: `  helsebro simulate faults --receipt none
  helsebro simulate faults --receipt E35 --receipt-delay 30s --receipt-times 2
  helsebro simulate faults --message doubled
  helsebro simulate faults --none`,
		Args: cobra.NoArgs,
	}
	s := callsSimulator(cmd, env)
	fl := cmd.Flags()
	fl.StringVar(&f.Receipt, "receipt", "", "receipts to the clinic's messages: none, or the code of 8221 of a negative one")
	fl.DurationVar(&f.ReceiptDelay, "receipt-delay", 0, "how late receipts are")
	fl.IntVar(&f.ReceiptTimes, "receipt-times", 0, "how often each receipt comes (default once)")
	fl.StringVar(&f.Message, "message", "", "what is wrong with the messages of citizens")
	fl.StringVar(&f.Activity, "activity", "", "the digitally-active check: down, slow")
	fl.BoolVar(&none, "none", false, "nothing goes wrong any more")
	for _, other := range []string{"receipt", "receipt-delay", "receipt-times", "message", "activity"} {
		cmd.MarkFlagsMutuallyExclusive("none", other)
	}
	cmd.RunE = runs(func(cmd *cobra.Command, _ []string) error {
		var err error
		if !none && f == (simulator.Faults{}) {
			f, err = s.client().Faults(cmd.Context())
		} else {
			err = s.client().SetFaults(cmd.Context(), f)
		}
		if err != nil {
			return s.failed(err)
		}
		return s.show(f, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, faultsInWords(f))
			return err
		})
	})
	return cmd
}

// faultsInWords tells what goes wrong.
func faultsInWords(f simulator.Faults) string {
	var said []string
	switch f.Receipt {
	case "":
	case simulator.NoReceipt:
		said = append(said, "the clinic's messages get no receipt")
	default:
		said = append(said, "the clinic's messages get a negative receipt "+f.Receipt)
	}
	if f.ReceiptDelay > 0 {
		said = append(said, "receipts come "+f.ReceiptDelay.Round(time.Millisecond).String()+" late")
	}
	if f.ReceiptTimes > 1 {
		said = append(said, fmt.Sprintf("each receipt comes %d times", f.ReceiptTimes))
	}
	if f.Message != "" {
		said = append(said, "the messages of citizens are "+f.Message)
	}
	if f.Activity != "" {
		said = append(said, "the digitally-active check is "+f.Activity)
	}
	if len(said) == 0 {
		return "Nothing goes wrong"
	}
	return "From now on: " + strings.Join(said, "; ")
}
