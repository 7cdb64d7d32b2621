package client

import (
	"encoding/json"
	"strings"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/helsenorge/codes"
	"github.com/helsebro/helsebro/internal/pg"
)

// ExplainedLine is an intended effect, with what it was and what became of it in words.
type ExplainedLine struct {
	pg.LedgerLine
	Words string `json:"words"`
}

func explained(lines []pg.LedgerLine) []ExplainedLine {
	all := make([]ExplainedLine, len(lines))
	for i, l := range lines {
		all[i] = ExplainedLine{l, Effect(l)}
	}
	return all
}

// effectReason and effectResult are what the ledger says of effects, as far as it is told
// in words.
type (
	effectReason struct {
		Verdict pg.Verdict `json:"verdict"`
		Code    string     `json:"code"`
		Codes   []string   `json:"codes"`
		Opens   bool       `json:"opens"`
		// To is where an e-dialogue's message is shown.
		To    []string         `json:"to"`
		Fee   string           `json:"fee"`
		After contract.Outcome `json:"after"`
		// Step is an escalation's.
		Step contract.EscalationStep `json:"step"`
	}
	effectResult struct {
		Codes  []string `json:"codes"`
		Reason string   `json:"reason"`
	}
)

// Effect says an intended effect in words: what was intended, whether it was done again,
// and what became of it.
func Effect(l pg.LedgerLine) string {
	var why effectReason
	var result effectResult
	// Shapes differ by effect: what does not fit is not told here.
	_ = json.Unmarshal(l.Why, &why)
	_ = json.Unmarshal(l.Result, &result)
	words := []string{intention(l.Effect, why)}
	if why.After != "" {
		words = append(words, "the identical message was sent once more, after "+again[why.After])
	}
	end := effectOutcomes[l.Outcome]
	if l.Outcome == contract.OutcomeDone || l.Outcome == contract.OutcomeSent {
		end = "" // the intention says it
	}
	if l.Effect == pg.EffectAnswer && l.Outcome == contract.OutcomeFailed && len(result.Codes) > 0 {
		end = "it was not sent, since the patient could not be contacted: " + strings.Join(result.Codes, ", ")
		result.Codes = nil
	}
	if end != "" {
		words = append(words, end)
	}
	for _, code := range result.Codes {
		words = append(words, strings.TrimSpace(code+" "+codes.Name(codes.ReceiptErrors, code)))
	}
	if result.Reason != "" {
		words = append(words, Sentence(result.Reason))
	}
	return strings.Join(words, "; ")
}

// intention says what an effect is.
func intention(effect string, why effectReason) string {
	switch effect {
	case pg.EffectReceipt:
		if why.Verdict == pg.Rejected {
			return "Helsenorge is told that the message cannot be taken in (" + strings.Join(why.Codes, ", ") + ")"
		}
		return "Helsenorge is told that the message has come"
	case pg.EffectInbox:
		return "the message is put where people read it"
	case pg.EffectJournal:
		return "the message is added to the patient's journal"
	case pg.EffectAnswer:
		if why.Code == contract.InHouse {
			return "a message of the clinic that Helsenorge never sees, shown in " + strings.Join(why.To, ", ")
		}
		if why.Opens {
			return "a message of the clinic that begins a conversation on Helsenorge (" + why.Code + ")"
		}
		return "a message of the clinic, " + strings.TrimSpace(why.Code+" "+codes.Name(codes.Answers, why.Code))
	case pg.EffectConversion:
		how := "is told that a fee follows"
		if why.Fee == "ask" {
			how = "is asked whether he wants it"
		}
		return "the e-contact becomes an e-consultation: its whole thread is in the journal, and the patient " + how
	case pg.EffectEscalation:
		return "an answer is owed for too long: " + word(steps, why.Step)
	case pg.EffectRefusal:
		return "the citizen is told that the clinic does not take the message (" + strings.Join(why.Codes, ", ") + ")"
	case pg.EffectReport:
		return "the sender is told that the message could not be read"
	case pg.EffectPublication:
		return "Helsenorge is told of the appointment (" + why.Code + ")"
	case pg.EffectNotice:
		return "the patient is told of the appointment"
	}
	return effect
}

// steps say what a step of the answer clock does (F13).
var steps = map[contract.EscalationStep]string{
	contract.StepWarn:          "the dialogue is marked where it lies",
	contract.StepDeputy:        "the deputy of whoever has it is shown it, too",
	contract.StepAdministrator: "the clinic's administrators are shown it, too",
	contract.StepOverdue:       "the limit has passed, and an operator is asked to look",
}

// again says why a message was sent once more.
var again = map[contract.Outcome]string{
	contract.OutcomeOverdue:    "its receipt was overdue",
	contract.OutcomeErrorQueue: "it was reported on the error queue",
}

// effectOutcomes say what an outcome means to whoever reads it.
var effectOutcomes = map[contract.Outcome]string{
	"":                           "it is under way",
	contract.OutcomeAcknowledged: "Helsenorge has it",
	contract.OutcomeRejected:     "Helsenorge refused it: see to the reason and write a new message",
	contract.OutcomeErrorQueue:   "Helsenorge could not read it: see to the reason, then it may be sent again once",
	contract.OutcomeOverdue:      "no receipt came in time: ask Helsenorge, or send it again once",
	contract.OutcomeFailed:       "it could not be done: see the operator case",
	contract.OutcomeSuperseded:   "another effect took its place",
	contract.OutcomeExpired:      "it came too late to be of use",
	contract.OutcomeSuppressed:   "it was not wanted any more",
}
