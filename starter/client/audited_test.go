package client_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/starter/client"
)

// nobodys are what the client asks of the database for nobody in particular. Each is a step
// of an operation that was in the audit before it, and shows the caller nothing of a patient.
var nobodys = map[string]string{
	"DropDraft":            "takes back an answer that no lifecycle took",
	"DropChange":           "takes back a change that no lifecycle took",
	"DropDialogueChange":   "takes back a change that no lifecycle took",
	"DropActivation":       "takes back a change that no lifecycle took",
	"Started":              "whether a dialogue has the message already",
	"DialogueChanged":      "what a repeated command is told, which was told before",
	"ActivityQuestion":     "whom Helsenorge is asked about, once a patient's reachability was read",
	"RecordActivity":       "what Helsenorge has said to that",
	"RecordActivities":     "the same of many",
	"HandedOver":           "a portal's message has a lifecycle",
	"RecordDeliveryReport": "a provider's report by an opaque key",
	"Alone":                "nobody else writes meanwhile; it asks for nothing",
}

// Whatever the client asks of the database for somebody names him, since the database can
// note in the audit only who it is told of.
func TestWhoAsksIsTold(t *testing.T) {
	t.Parallel()
	var asked int
	for m := range reflect.TypeFor[client.Store]().Methods() {
		require.Equal(t, reflect.TypeFor[context.Context](), m.Type.In(0), m.Name)
		named := m.Type.NumIn() > 1 && m.Type.In(1) == reflect.TypeFor[identity.Principal]()
		require.NotEqual(t, named, nobodys[m.Name] != "", "%s: it names who asks, or is listed with the reason why not", m.Name)
		if named {
			asked++
		}
	}
	require.Greater(t, asked, 50)
}
