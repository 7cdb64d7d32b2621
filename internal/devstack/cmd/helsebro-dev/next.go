package main

import (
	"path/filepath"
	"strings"
	"text/template"

	"github.com/google/uuid"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
)

// goOn is what is printed when the story is told: addresses, and commands that can be
// pasted as they are.
var goOn = template.Must(template.New("").Funcs(template.FuncMap{"quoted": quoted}).Parse(`
Temporal UI         {{.UI}}
HTTP API            {{.API}}/readyz, described at {{.API}}/openapi.json
Helsenorge          {{.Simulator}}/simulator/book, what the simulator sent and received
Patients' messages  {{.Sink}}, every e-mail and text message that left the clinic

To go on, paste this into another terminal, in this repository. You are the practitioner for a day.

  export HELSEBRO_API_URL={{.API}} HELSEBRO_LOOPBACK_URL={{.Simulator}} HELSEBRO_CLINIC={{.Clinic}}
  export HELSEBRO_TOKEN={{.Token}}

Messages:

  go run ./starter inbox
  go run ./starter dialogue show {{.Dialogue}}
  go run ./starter dialogue answer {{.Dialogue}} --code {{.Code}} --follow-up --text 'Ring oss om det haster.'
  go run ./starter explain {{.Dialogue}}
  go run ./starter simulate send --kind {{.Kind}} --to {{.Party}}
  go run ./starter simulate received
  go run ./starter prescription show {{.Request}}
  go run ./starter simulate threads --citizen 0
  go run ./starter clinic status
  go run ./starter patient reachability {{.Patient}} --kind {{.Kind}}

Appointments. What is booked, moved or hidden within a minute is told once, on {{.Sink}}:

  go run ./starter calendar list
  go run ./starter calendar show {{.Calendar}} --days 14
  go run ./starter appointment book --patient {{.Patient}} --slot {{.Slot}} --appointment {{.New}}
  go run ./starter appointment move {{.New}} --slot {{.Other}}
  go run ./starter explain {{.New}} --verbose
  go run ./starter appointment hide {{.Made}} --acknowledge

A citizen who books on Helsenorge, and one who cancels there:

  go run ./starter simulate slots --to {{.Party}} --citizen 1
  go run ./starter simulate book --to {{.Party}} --citizen 1 --text 'Vondt i kneet'
  go run ./starter simulate cancel --citizen 0 --appointment {{.UID}}
  go run ./starter simulate appointments --citizen 0

Somebody else, such as the desk or the administrator:

  export HELSEBRO_TOKEN=$(go run ./starter token --key {{quoted .Key}} --role {{.Desk.Role}} --subject {{.Desk.Subject}})

Ctrl-C stops everything.
`))

// tellHowToGoOn prints goOn.
func (p *program) tellHowToGoOn(s *stack.Stack, played scenario.Result) error {
	token, err := s.Token(demo.GP)
	if err != nil {
		return err
	}
	var dialogue string
	for _, t := range played.Threads {
		if t.Process == contract.ProcessEConsultation {
			dialogue = t.DialogueID
		}
	}
	return goOn.Execute(p.out, map[string]any{
		"UI":  s.Temporal.UIURL() + "/namespaces/" + s.Temporal.Namespace() + "/workflows",
		"API": s.APIURL(), "Simulator": s.SimulatorURL(), "Sink": s.Sink.URL(),
		"Clinic": demo.ClinicID, "Token": token, "Key": filepath.Join(s.Dir, "issuer-key.json"), "Desk": demo.Desk,
		"Dialogue": dialogue, "Code": contract.AnswerFromPractitioner, "Kind": simulator.EContact, "Request": played.Request, "Party": demo.GPHerID,
		"Calendar": demo.CalendarID, "Patient": played.PatientID, "Slot": played.Free[0].ID, "Other": played.Free[1].ID,
		"New": uuid.NewString(), "Made": played.Made.ID, "UID": played.Booked.UID,
	})
}

// quoted is a word for a shell.
func quoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
