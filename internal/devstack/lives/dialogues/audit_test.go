package dialogues_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/simulator"
	"github.com/helsebro/helsebro/starter/api"
)

// always lists what PostgreSQL must never show, at any instant: each query finds nothing.
var always = map[string]string{
	"a message is in two dialogues, or twice in one": `
		SELECT msg_id, count(*) FROM inbound_message WHERE verdict = 'taken' GROUP BY 1 HAVING count(*) > 1`,
	"a conversation is split over two dialogues": `
		SELECT conversation, count(DISTINCT dialogue_id) FROM inbound_message WHERE verdict = 'taken' GROUP BY 1 HAVING count(DISTINCT dialogue_id) > 1`,
	"a message is twice in a journal": `
		SELECT message_id, count(*) FROM journal_message GROUP BY 1 HAVING count(*) > 1`,
	"what is not an e-consultation is journalled": `
		SELECT e.dialogue_id, d.process FROM journal_entry e JOIN dialogue d ON d.id = e.dialogue_id WHERE d.process <> 'e-consultation'`,
	"a closed dialogue owes an answer": `
		SELECT id, closed_at, owed_since FROM dialogue WHERE closed_at IS NOT NULL AND owed_since IS NOT NULL`,
	"an answer is owed and no clock runs, or the other way round": `
		SELECT id, owed_since, answer_due FROM dialogue WHERE (owed_since IS NULL) <> (answer_due IS NULL)`,
	"the latest message has no answer and none is owed": `
		SELECT d.id, d.latest_message_id FROM dialogue d WHERE d.owed_since IS NULL AND d.closed_at IS NULL AND d.process <> 'prescription'
			AND EXISTS (SELECT FROM inbox_item i WHERE i.message_id = d.latest_message_id)
			AND NOT EXISTS (SELECT FROM outbound_message o WHERE o.in_reply_to = d.latest_message_id AND o.kind = 'answer' AND o.prepared_at IS NOT NULL)`,
	"a conversion has not one fee notice": `
		SELECT d.id, count(o.id) FROM dialogue d LEFT JOIN outbound_message o ON o.id = d.fee_notice_id AND o.dialogue_id = d.id
		WHERE d.converted_at IS NOT NULL GROUP BY 1 HAVING count(o.id) <> 1`,
	"a conversion is twice on the ledger, or not": `
		SELECT d.id FROM dialogue d WHERE (d.converted_at IS NOT NULL) <> EXISTS (SELECT FROM ledger l WHERE l.key = 'conversion/' || d.id AND l.outcome = 'done')`,
	"a fee is taken before the patient knows": `
		SELECT d.id FROM dialogue d JOIN outbound_message o ON o.id = d.fee_notice_id WHERE d.billable_at IS NOT NULL AND o.outcome IS DISTINCT FROM 'acknowledged'`,
}

// finally lists what PostgreSQL must not show once nothing is under way.
var finally = map[string]string{
	"a message that was taken is in no inbox": `
		SELECT m.id FROM inbound_message m WHERE m.verdict = 'taken' AND NOT EXISTS (SELECT FROM inbox_item i WHERE i.message_id = m.id)`,
	"a message that was accepted has no outcome": `
		SELECT id, dialogue_id FROM outbound_message WHERE outcome IS NULL`,
	"a message and its line have different outcomes": `
		SELECT o.id, o.outcome, l.outcome FROM outbound_message o LEFT JOIN ledger l ON l.key = 'answer/' || o.id
		WHERE o.kind = 'answer' AND l.outcome IS DISTINCT FROM o.outcome`,
	"a command is left behind": `
		SELECT id, kind FROM dialogue_command WHERE applied_at IS NULL`,
	"what did not arrive has no case": `
		SELECT o.id, o.outcome FROM outbound_message o WHERE o.kind = 'answer' AND o.outcome IN ('overdue', 'failed', 'rejected', 'error-queue')
			AND NOT EXISTS (SELECT FROM operator_case c WHERE c.message_id = o.id)`,
	"an e-consultation has not one entry": `
		SELECT d.id FROM dialogue d WHERE d.process = 'e-consultation'
			AND (EXISTS (SELECT FROM inbound_message m WHERE m.dialogue_id = d.id AND m.verdict = 'taken' AND m.function <> 'VUS')
				OR EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND o.kind = 'answer' AND o.sent_at IS NOT NULL))
			AND (SELECT count(*) FROM journal_entry e WHERE e.dialogue_id = d.id) <> 1`,
	"a message of an e-consultation is not in its entry": `
		SELECT d.id, m.id, m.sent_at FROM dialogue d JOIN (
			SELECT id, dialogue_id, coalesce(written_at, received_at) AS sent_at FROM inbound_message WHERE verdict = 'taken' AND function <> 'VUS'
			UNION ALL SELECT id, dialogue_id, sent_at FROM outbound_message WHERE kind = 'answer' AND sent_at IS NOT NULL) m ON m.dialogue_id = d.id
		WHERE d.process = 'e-consultation' AND NOT EXISTS (SELECT FROM journal_message j JOIN journal_entry e ON e.id = j.entry_id WHERE j.message_id = m.id AND e.dialogue_id = d.id)`,
	"a message is elsewhere in the entry than it was sent": `
		SELECT j.message_id, j.sent_at, m.sent_at FROM journal_message j JOIN (
			SELECT id, coalesce(written_at, received_at) AS sent_at FROM inbound_message
			UNION ALL SELECT id, sent_at FROM outbound_message WHERE resent_at IS NULL) m ON m.id = j.message_id
		WHERE j.sent_at <> date_trunc('second', m.sent_at)`,
	"a message of another dialogue is in an entry": `
		SELECT j.message_id, e.dialogue_id FROM journal_message j JOIN journal_entry e ON e.id = j.entry_id JOIN dialogue d ON d.id = e.dialogue_id
			JOIN (SELECT id, dialogue_id FROM inbound_message UNION ALL SELECT id, dialogue_id FROM outbound_message) m ON m.id = j.message_id
		WHERE m.dialogue_id <> e.dialogue_id AND m.dialogue_id IS DISTINCT FROM d.turned_from`,
	"what never left is in an entry": `
		SELECT j.message_id FROM journal_message j JOIN outbound_message o ON o.id = j.message_id WHERE o.sent_at IS NULL AND o.resent_at IS NULL`,
}

// look holds an instant against what is always so.
func (v *village) look() {
	v.none(always)
	v.staff.Lock()
	defer v.staff.Unlock()
	staff := roster(v.clinic)
	rows, err := v.sql.SQL(v.Context(), `SELECT d.id, coalesce(string_agg(DISTINCT i.recipient_kind || ':' || i.recipient_id, ',') FILTER (WHERE i.left_at IS NULL), '')
		FROM dialogue d JOIN dialogue_status st ON st.id = d.id AND st.status <> 'closed' JOIN inbox_item i ON i.dialogue_id = d.id GROUP BY d.id`)
	if err != nil {
		v.Errorf("no look: %v", err)
		return
	}
	for _, row := range fields(rows) {
		if row[0] == "" {
			continue
		}
		reads := slices.ContainsFunc(strings.Split(row[1], ","), func(place string) bool {
			r, err := routing.ParseRecipient(place)
			return err == nil && slices.ContainsFunc(staff, func(m routing.Member) bool { return m.Present && staff.Reads(m.ID, r) })
		})
		if !reads {
			v.Errorf("nobody at work reads dialogue %s: it lies in %q", row[0], row[1])
		}
	}
}

// none demands that each query finds nothing, at one instant.
func (v *village) none(queries map[string]string) {
	var all []string
	for what, query := range queries {
		all = append(all, fmt.Sprintf("SELECT '%s', x::text FROM (%s) x", what, query))
	}
	rows, err := v.sql.SQL(v.Context(), strings.Join(all, "\nUNION ALL\n"))
	if err != nil {
		v.Errorf("no look: %v", err)
	} else if rows != "" {
		v.Errorf("what must not be:\n%s", rows)
	}
}

// audit holds what has become of everything against what must be.
func (v *village) audit(lives []*dialogueLife) {
	v.look()
	v.none(finally)
	book, err := v.Simulator.Book(v.Context())
	require.NoError(v, err)
	for _, l := range lives {
		l.audit(book)
	}
	v.auditInboxes()
	v.auditLifecycles(lives)
}

// row is a line of a table by its id.
func (v *village) table(query string) map[string][]string {
	rows, err := v.sql.SQL(v.Context(), query)
	require.NoError(v, err)
	all := map[string][]string{}
	for _, row := range fields(rows) {
		all[row[0]] = row
	}
	return all
}

// audit holds a life against both sides.
func (l *dialogueLife) audit(book simulator.Book) {
	taken := l.table("SELECT msg_id, verdict, coalesce(dialogue_id::text, ''), coalesce(patient_id::text, '') FROM inbound_message WHERE msg_id IS NOT NULL AND patient_id = '" + l.patient + "'")
	dialogueOf := map[string]string{}
	for _, s := range l.sent {
		row := taken[s.MsgID]
		switch {
		case row == nil:
			l.wrong("the citizen's message %s is lost", s.MsgID)
			continue
		case row[1] != string(pg.Taken) || row[2] == "" || row[3] != l.patient:
			l.wrong("the citizen's message %s is %v", s.MsgID, row)
		case dialogueOf[s.Conversation] != "" && dialogueOf[s.Conversation] != row[2]:
			l.wrong("conversation %s is in two dialogues", s.Conversation)
		}
		dialogueOf[s.Conversation] = row[2]
		receipts := 0
		for _, r := range book.Receipts {
			if r.Original == s.MsgID {
				receipts++
				if !r.OK {
					l.wrong("the citizen's message %s has a negative receipt %v", s.MsgID, r.Codes)
				}
			}
		}
		if receipts != 1 {
			l.wrong("the citizen's message %s has %d receipts", s.MsgID, receipts)
		}
	}
	stored := l.table("SELECT o.id, coalesce(o.msg_id, ''), o.outcome, coalesce(o.sent_at::text, '') FROM outbound_message o JOIN dialogue d ON d.id = o.dialogue_id WHERE o.kind = 'answer' AND d.patient_id = '" + l.patient + "'")
	for id, word := range l.accepted {
		if stored[id] == nil {
			l.wrong("the clinic's message %s is lost", id)
			continue
		}
		l.arrived(book, stored[id], word)
		delete(stored, id)
	}
	for id, word := range l.refusals {
		if stored[id] != nil || arrivals(book, word) != 0 {
			l.wrong("the clinic's message %s was refused, and is there: %v", id, stored[id])
		}
	}
	// Each conversion tells of the fee, also the one that tells anew what did not arrive.
	fees := l.table("SELECT c.output->>'outboundId' FROM dialogue_command c JOIN dialogue d ON d.id = c.dialogue_id WHERE c.kind = 'convert' AND c.applied_at IS NOT NULL AND d.patient_id = '" + l.patient + "'")
	for id, row := range stored {
		if fees[id] == nil {
			l.wrong("nobody has written message %v", row)
		}
		l.arrived(book, row, "")
	}
}

// arrivals counts the messages at Helsenorge that have the word.
func arrivals(book simulator.Book, word string) (n int) {
	for _, r := range book.Received {
		if strings.Contains(r.Text, word) {
			n++
		}
	}
	return n
}

// arrived holds a message of the clinic against what Helsenorge has of it.
func (l *dialogueLife) arrived(book simulator.Book, row []string, word string) {
	id, msgID, outcome := row[0], row[1], contract.Outcome(row[2])
	var at []simulator.Received
	for _, r := range book.Received {
		if r.MsgID == msgID && msgID != "" {
			at = append(at, r)
		}
	}
	if word != "" && arrivals(book, word) != len(at) {
		l.wrong("the clinic's message %s is %d times at Helsenorge under other ids", id, arrivals(book, word)-len(at))
	}
	l.count("outcome " + string(outcome))
	switch {
	case len(at) == 0 && outcome == contract.OutcomeFailed:
		return
	case len(at) != 1:
		l.wrong("the clinic's message %s, %s, is %d times at Helsenorge", id, outcome, len(at))
		return
	case at[0].Changed > 0:
		l.wrong("a retry changed the bytes of the clinic's message %s", id)
	case len(at[0].Problems) > 0:
		l.wrong("the clinic's message %s breaks the standard: %v", id, at[0].Problems)
	}
	ok := outcome == contract.OutcomeAcknowledged || outcome == contract.OutcomeOverdue || outcome == contract.OutcomeErrorQueue
	if at[0].Refused != "" {
		ok = outcome == contract.OutcomeRejected || outcome == contract.OutcomeErrorQueue
	}
	if !ok {
		l.wrong("Helsenorge has the clinic's message %s (refused %q), the ledger says %s", id, at[0].Refused, outcome)
	}
}

// auditInboxes holds what staff see, over the API, against what they must: together those
// who are no administrators see every open dialogue.
func (v *village) auditInboxes() {
	seen := map[string]bool{}
	for _, who := range []identity.Principal{doctor, colleague, desk} {
		for cursor := ""; ; {
			status, body := v.atLast(who, http.MethodGet, "/inbox?limit=100&cursor="+cursor, "", nil)
			var page api.List[pg.InboxItem]
			if status != http.StatusOK || json.Unmarshal(body, &page) != nil {
				v.Errorf("an inbox does not read: %d %s", status, body)
				return
			}
			for _, i := range page.Items {
				seen[i.DialogueID] = true
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
	}
	for id := range v.table("SELECT d.id FROM dialogue d JOIN dialogue_status st ON st.id = d.id WHERE st.status <> 'closed' AND EXISTS (SELECT FROM inbox_item i WHERE i.dialogue_id = d.id)") {
		if id != "" && !seen[id] {
			v.Errorf("no inbox shows dialogue %s", id)
		}
	}
}

// auditLifecycles holds Temporal against PostgreSQL.
func (v *village) auditLifecycles(lives []*dialogueLife) {
	const asked = "m.dialogue_id = d.id AND m.verdict = 'taken'"
	dialogues := v.table(`SELECT d.id, d.process, st.status, coalesce(d.latest_message_id::text, ''), d.owed_since IS NOT NULL,
			(SELECT count(*) FROM inbound_message m WHERE ` + asked + `), coalesce(extract(epoch FROM d.owed_since)::text, ''),
			(SELECT count(*) FROM outbound_message o WHERE o.dialogue_id = d.id AND o.kind = 'answer' AND o.prepared_at IS NOT NULL), d.patient_id
		FROM dialogue d JOIN dialogue_status st ON st.id = d.id`)
	byPatient := map[string]*dialogueLife{}
	for _, l := range lives {
		byPatient[l.patient] = l
	}
	for id, row := range dialogues {
		if id == "" {
			continue
		}
		l := byPatient[row[8]]
		owed := row[4] == "t"
		says := func(what string, there, here any) {
			if fmt.Sprint(there) != fmt.Sprint(here) {
				l.wrong("%s %s: %s is %v in Temporal and %v in PostgreSQL", row[1], id, what, there, here)
			}
		}
		if contract.Process(row[1]) == contract.ProcessPrescription {
			var s contract.PrescriptionState
			if l.query(contract.PrescriptionWorkflowID(id), &s) {
				// A run that ended with an overdue answer is not told of the receipt that came after.
				late := s.Status == contract.StatusNeedsOperator && slices.Contains([]string{string(contract.StatusAnswered), string(contract.StatusClosed)}, row[2])
				if !late {
					says("status", s.Status, row[2])
				}
				says("messages", s.Messages, row[5])
				says("the answer is owed", s.Clock != nil, owed)
				says("open deliveries", len(s.Open), 0)
			}
			continue
		}
		var s contract.DialogueState
		if l.query(contract.DialogueWorkflowID(id), &s) {
			process := s.Process
			if process == "" {
				process = contract.Process(row[1])
			}
			says("process", process, row[1])
			says("status", s.Status, row[2])
			says("latest message", s.LatestMessageID, row[3])
			says("messages", s.Messages, row[5])
			says("the clinic's messages", s.Answers, row[7])
			says("an answer is owed", s.AnswerOwed, owed)
			says("the clock runs", s.Clock != nil, owed)
			says("open deliveries", len(s.Open), 0)
		}
	}
	v.auditExecutions(dialogues)
}

// query asks a lifecycle how it stands.
func (l *dialogueLife) query(workflowID string, state any) bool {
	var failed error
	ok := l.eventually("a lifecycle answers", func() error {
		value, err := l.temporal.QueryWorkflow(l.Context(), workflowID, "", contract.QueryState)
		if err == nil {
			err = value.Get(state)
		}
		if apperr.Is(apperr.FromTemporal(err), apperr.NotFound) {
			failed = err
			return nil
		}
		return err
	})
	if failed != nil {
		l.wrong("%s is not there: %v", workflowID, failed)
	}
	return ok && failed == nil
}

// auditExecutions demands that each dialogue has one lifecycle, that none has failed, and
// that nothing else runs than those and the clinic's own.
func (v *village) auditExecutions(dialogues map[string][]string) {
	v.eventually("Temporal lists what there is", func() error {
		running := map[string]int{}
		var token []byte
		for {
			page, err := v.temporal.ListWorkflow(v.Context(), &workflowservice.ListWorkflowExecutionsRequest{NextPageToken: token})
			if err != nil {
				return err
			}
			for _, e := range page.Executions {
				kind, id, _ := strings.Cut(e.Execution.WorkflowId, "/")
				switch e.Status {
				case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
					if kind == "activation" {
						continue
					}
					if dialogues[id] == nil {
						if time.Since(e.StartTime.AsTime()) < time.Hour && v.dropped(id) {
							continue // the run ends when nothing comes of the command that was refused
						}
						return fmt.Errorf("%s runs, and is no dialogue", e.Execution.WorkflowId)
					}
					running[id]++
				case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
				default:
					return fmt.Errorf("%s has %s", e.Execution.WorkflowId, e.Status)
				}
			}
			if token = page.NextPageToken; len(token) == 0 {
				break
			}
		}
		for id, row := range dialogues {
			// A renewal request's lifecycle ends with its answer.
			if id == "" || running[id] == 1 || running[id] == 0 && row[1] == string(contract.ProcessPrescription) && row[4] == "f" {
				continue
			}
			return errors.New(fmt.Sprint(running[id], " lifecycles of ", id))
		}
		return nil
	})
}

// dropped tells whether a dialogue was begun and refused.
func (v *village) dropped(id string) bool {
	rows, err := v.sql.SQL(v.Context(), "SELECT count(*) FROM outbound_message WHERE dialogue_id = '"+id+"'")
	return err == nil && rows == "0"
}

// requireVariety holds that enough was lived through, by so many lives that it must have.
func (v *village) requireVariety(lives int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	const many = 100
	for _, what := range []string{
		"citizen e-consultation", "citizen e-contact", "citizen renewal-items", "citizen reply", "citizen gone", "citizen back",
		"clinic start", "clinic answer", "clinic take", "clinic assign", "clinic forward", "clinic close", "clinic convert",
		"refused answer", "refused convert", "outcome acknowledged", "outcome overdue", "outcome rejected",
	} {
		if lives >= many && v.counts[what] == 0 && !v.Failed() {
			v.Errorf("it did not happen: %s", what)
		}
	}
	var all []string
	for what, n := range v.counts {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	v.Logf("%d commands and messages, %d times weather\n%s", v.acts, len(v.events), strings.Join(all, ", "))
}
