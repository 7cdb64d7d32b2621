package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/starter/api"
)

func contactCommand(env Environment) *cobra.Command {
	list := &cobra.Command{
		Use:     "list PATIENT",
		Short:   "List the ways to reach a patient",
		Example: "  helsebro contact list 0198c0de-0000-7000-8000-000000009a71",
		Args:    noNationalID(cobra.ExactArgs(1)),
	}
	r := callsAPI(list, env)
	list.RunE = runs(func(cmd *cobra.Command, args []string) error {
		var l api.List[pg.Contact]
		raw, err := r.get(cmd.Context(), "/patients/"+url.PathEscape(args[0])+"/contacts", &l)
		if err != nil {
			return err
		}
		return r.show(raw, func(w io.Writer) error {
			return table(w, "No way to reach the patient is known.", len(l.Items), "CHANNEL\tADDRESS\tWHOSE\tCONFIRMED\tSTATE\tCONTACT", func(i int) []string {
				c := l.Items[i]
				state := "in use"
				if !c.GoneAt.IsZero() {
					state = "gone since " + when(c.GoneAt)
				}
				return []string{string(c.Channel), shortened(c.Address), either(c.Relation == "", "the patient's own", c.Relation), when(c.ConfirmedAt), state, c.ID}
			})
		})
	})
	put := fromFile(env, &cobra.Command{
		Use:   "put PATIENT -f FILE",
		Short: "Write the ways to reach a patient, the whole of them",
		Long: `Write the ways to reach a patient from a YAML or JSON file, the whole of them: what
the file does not name is no longer used. Channels are e-mail, sms and push; relation
is a code of 7611 (FO, VE, FU, TD) for a representative's.

  contacts:
    - {channel: e-mail, address: kari@example.invalid}
    - {channel: sms, address: "+4790000001"}`,
		Example: "  helsebro contact put 0198c0de-0000-7000-8000-000000009a71 -f contacts.yaml",
		Args:    noNationalID(cobra.ExactArgs(1)),
	}, func(cmd *cobra.Command, r *remote, file string, args []string) error {
		var l api.ContactList
		if err := decodeInput(env, file, "a list of contacts", &l); err != nil {
			return err
		}
		if _, err := r.call(cmd.Context(), http.MethodPut, "/patients/"+url.PathEscape(args[0])+"/contacts", l); err != nil {
			return err
		}
		return r.done(map[string]any{"patientId": args[0], "contacts": len(l.Contacts)}, "%d contacts of patient %s are written.", len(l.Contacts), args[0])
	})
	return parent("contact", "How patients are reached", list, put)
}

// shortened keeps a push subscription from filling the screen.
func shortened(address string) string {
	const most = 40
	if r := []rune(address); len(r) > most {
		return fmt.Sprintf("%s… (%d characters)", string(r[:most]), len(r))
	}
	return address
}
