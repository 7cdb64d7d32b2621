package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/devstack/stack"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/failpoint"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/client"
)

// atLast calls the API, and repeats the call with the same key until it succeeds: what a
// client does that meets a dying server.
func (c *clinic) atLast(who identity.Principal, path string, in, out any) {
	c.Helper()
	key := newID()
	c.eventually(path+" succeeds", func() error {
		status, body, err := c.call(who, http.MethodPost, path, key, in)
		if err == nil && status >= http.StatusMultipleChoices {
			err = fmt.Errorf("%d %s", status, body)
		}
		if err == nil {
			err = json.Unmarshal([]byte(body), out)
		}
		return err
	})
}

// TestKilledBetweenEachTwoStepsOfAnEDialogue: API and worker die at every instant between
// an effect of an e-dialogue and its record. Each dialogue is there once, with each message
// once, whoever wrote it.
func TestKilledBetweenEachTwoStepsOfAnEDialogue(t *testing.T) { // S19, S20
	w := newWorld(t, stack.Config{Parties: clinicParties(1)})
	n := newClinic(0)
	w.write(n.Service, n.masterData())
	p := w.spawn()
	c := w.clinic(t, 0)
	points := failpoint.EDialoguePoints()
	for i, point := range points {
		citizen := c.patient(nil)
		victim := p.owner(point)
		before := victim.Died(point)
		victim.DieAt(point, 1)
		secret := fmt.Sprintf("hemmelig-%d", i)
		var started, among client.Started
		c.atLast(c.GP, "/dialogues", client.StartDialogue{Kind: contract.ProcessEDialogue, PatientID: citizen.ID, Text: secret}, &started)
		var written client.PortalWritten
		c.portalThread(citizen, started.DialogueID, 1)
		c.atLast(c.Portal, "/portal/patients/"+citizen.ID+"/dialogues/"+started.DialogueID+"/messages", client.PortalWriting{ViewerID: citizen.ID, Text: secret}, &written)
		c.inboxItem(c.Desk, started.DialogueID, true)
		c.atLast(c.Desk, "/dialogues", client.StartDialogue{
			Kind: contract.ProcessEDialogue, Participants: []routing.Recipient{{Kind: routing.Personal, ID: c.ColleagueID}}, Text: secret,
		}, &among)
		c.inboxItem(c.Colleague, among.DialogueID, true)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoErrorf(t, victim.AwaitDeath(ctx, point, before), "nothing died at %s", point)
		cancel()

		require.Len(t, c.portalDialogues(citizen), 1)
		require.Len(t, c.portalThread(citizen, started.DialogueID, 2).Messages, 2)
		require.Len(t, c.readDialogue(c.Colleague, among.DialogueID).Answers, 1)
		for _, id := range []string{started.DialogueID, among.DialogueID} {
			var e client.Explanation
			c.must(c.GP, http.MethodGet, "/dialogues/"+id+"/explain", nil, &e)
			for _, l := range e.Lines {
				require.Equalf(t, contract.OutcomeDone, l.Outcome, "%s, died at %s", l.Key, point)
			}
		}
	}
	require.Len(t, c.inboxOf(c.Colleague), 2*len(points), "one from a patient and one from a colleague, each time")
	c.nothingAtHelsenorge()
	w.requireNobody([]string{"hemmelig-"})
}
