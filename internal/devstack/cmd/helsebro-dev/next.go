package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/demo"
	"github.com/helsebro/helsebro/internal/devstack/scenario"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/simulator"
)

// tellHowToGoOn prints addresses, and commands that can be pasted as they are.
func (p *program) tellHowToGoOn(s *stack.Stack, played scenario.Result) error {
	token, err := s.Token(demo.GP)
	if err != nil {
		return err
	}
	var id string
	for _, t := range played.Threads {
		if t.Process == contract.ProcessEConsultation {
			id = t.DialogueID
		}
	}
	fmt.Fprintf(p.out, `
Temporal UI   %s/namespaces/%s/workflows
HTTP API      %s/readyz, described at %s/openapi.json
Helsenorge    %s/simulator/book, what the simulator sent and received

To go on, paste this into another terminal, in this repository. You are the practitioner for a day.

  export HELSEBRO_API_URL=%s HELSEBRO_LOOPBACK_URL=%s HELSEBRO_CLINIC=%s
  export HELSEBRO_TOKEN=%s
  go run ./starter inbox
  go run ./starter dialogue show %s
  go run ./starter dialogue answer %s --code %s --follow-up --text 'Ring oss om det haster.'
  go run ./starter explain %s
  go run ./starter simulate send --kind %s --to %d
  go run ./starter simulate received

Somebody else, such as the desk or the administrator:

  export HELSEBRO_TOKEN=$(go run ./starter token --key %s --role %s --subject %s)

Ctrl-C stops everything.
`,
		s.Temporal.UIURL(), s.Temporal.Namespace(), s.APIURL(), s.APIURL(), s.SimulatorURL(),
		s.APIURL(), s.SimulatorURL(), demo.ClinicID, token,
		id, id, contract.AnswerFromPractitioner, id, simulator.EContact, demo.GPHerID,
		quoted(filepath.Join(s.Dir, "issuer-key.json")), demo.Desk.Role, demo.Desk.Subject)
	return nil
}

// quoted is a word for a shell.
func quoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
