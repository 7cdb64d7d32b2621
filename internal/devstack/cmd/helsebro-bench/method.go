package main

import (
	"fmt"
	"slices"
)

// method says in words what is measured.
func method(cfg config) []string {
	durable := "PostgreSQL waits for the disk at each commit"
	if !cfg.stack.Durable {
		durable = "PostgreSQL does not wait for the disk"
	}
	if cfg.stack.DatabaseURL != "" {
		durable = "PostgreSQL is the one in HELSEBRO_DATABASE_URL"
	}
	said := []string{
		"One process runs Temporal (one node, SQLite), Helsenorge's simulator with the queues (loopback over HTTP, one flush to the disk per message), " +
			"Helsebro's listener, worker and API, the SMS gateway's stand-in, and the bench itself. PostgreSQL is a process beside it. " + durable + ".",
	}
	for _, p := range parts {
		if slices.ContainsFunc(cfg.parts, func(c part) bool { return c.name == p.name }) {
			said = append(said, methods[p.name](cfg)...)
		}
	}
	return append(said,
		"p50, p99: nearest rank, nothing left out. Spread: how far the medians of a side's own blocks lie apart, as a part of their median. "+
			fmt.Sprintf("Over %.0f %% of either side there is no comparison.", 100*steadySpread),
		"Throughput (per s): messages by the time of their blocks, each until all that follows is done: inbox, journal entry and sent receipt; the 05's receipt; "+
			"closed workflow. cpu: processor time of this process, Temporal's included and PostgreSQL's not, for each message; it depends least on what else the machine does.",
	)
}

// methods are what is said of each part.
var methods = map[string]func(config) []string{
	"inbound": func(cfg config) []string {
		return []string{
			fmt.Sprintf("Inbound: from the instant before the simulator puts an e-consultation on the queue until its inbox row is seen by a statement on another connection, "+
				"which looks for all messages in flight every %s. The true instant lies between \"row written\" (placed_at, taken before INSERT and COMMIT) and this one. "+
				"Journal entry and receipt of the same message are made beside it. %d invented citizens take turns.", lookEvery, citizens),
			bareMethod, loopMethod(cfg, cfg.levels, "bare", "inbound"),
		}
	},
	"rt": func(cfg config) []string {
		said := []string{fmt.Sprintf("RT to 05: from the instant before the simulator puts a reservation (RT) on the queue until Helsenorge has taken the 05 from its own queue. "+
			"Each is for a free slot of the patient's own GP, %d GPs take turns. Our receipt, Helsenorge's and the decision who confirms are made beside it.", cfg.practice.gps)}
		return append(said, bareMethod, loopMethod(cfg, cfg.levels, "bare", "RT to 05"))
	},
	"hlt": func(cfg config) []string {
		return []string{
			fmt.Sprintf("Free slots (HLT): from the instant before the simulator puts the question on the GP's synchronous queue until it has the answer of the listener. "+
				"%d GPs of one clinic, each with one calendar and a party of his own, have %d slots in four weeks, all open to citizens; a question is for the four weeks of the patient's own GP. "+
				"Beside it the communication test (KT), which takes the same way and looks at no calendar.", cfg.practice.gps, cfg.practice.gps*slotsPerGP),
			loopMethod(cfg, cfg.questions, "test", "free slots"),
		}
	},
	"history": func(cfg config) []string {
		return []string{
			fmt.Sprintf("History: %d lives of each kind. The e-consultation is at rest before it is answered once, and again after Helsenorge's receipt; its workflow then waits for the citizen. "+
				"The receipt for a citizen's message is a standalone activity and not in it.", cfg.lives),
			"An appointment is reserved by a citizen (RT), confirmed (05), receipted, reminded of, and over. With an SMS the notice's own workflow is counted in, and the gateway's report that the patient has it. " +
				"The bare workflow has one timer and one activity. Time is skipped in single executions, and the events that say so are left out of events and bytes.",
		}
	},
	"open": func(cfg config) []string {
		return []string{fmt.Sprintf("Open: %d appointments, booked by the record system through the client, told to Helsenorge, confirmed, and asleep until their reminders; as many bare workflows asleep in a timer. "+
			"At least %d appointments before them do not count: caches with a bound are full then. Temporal is the pages in use of its SQLite file after a checkpoint, PostgreSQL the size of its database; nothing else is added up or extrapolated. "+
			"Heap (live objects and stacks, after a collection) and RSS are of the one process: the worker's cache of workflows, which holds all of them, and what the server keeps.", cfg.open, cfg.openFirst)}
	},
	"burst": func(cfg config) []string {
		return []string{fmt.Sprintf("Burst: %d sleeping appointments are brought so close to their reminders that all are due in the same second; every other patient's reminder is delegated to Helsenorge "+
			"(late: until the decision is on the ledger), the others' is the clinic's by SMS (late: until the gateway has it). Beside it as many bare reminders (late: until the activity runs). "+
			"Every history is read, and the workflow tasks in it that timed out are counted.", cfg.burst)}
	},
}

const bareMethod = "Bare: from the call of SignalWithStartWorkflow until the activity of a minimal workflow runs. The activity does nothing; the workflow takes the signal and runs it. " +
	"Same server, same process, same client options (payloads sealed), a task queue and a worker of its own."

func loopMethod(cfg config, levels []level, base, measured string) string {
	one, more := levels[0], levels[1]
	return fmt.Sprintf("Closed loop: a slot starts its next message when its last one is done. %d in flight: %d messages of each kind; %d in flight: %d. "+
		"Both sides take turns in %d blocks each (%s, %s, %s, %s …), after %d of each that do not count.",
		one.inFlight, one.messages, more.inFlight, more.messages, blocks, base, measured, base, measured, 2*cfg.warmUp)
}
