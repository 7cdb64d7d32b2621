package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"
)

// steadySpread is how far apart the medians of a side's blocks may lie, as a part of
// their median. Beyond it the machine has changed during the run, and comparing the
// sides says nothing.
const steadySpread = 0.3

// report is the whole result. Durations are in milliseconds.
type report struct {
	Method   []string      `json:"method"`
	Machine  machine       `json:"machine"`
	Levels   []levelReport `json:"levels"`
	History  []history     `json:"history"`
	Warnings int           `json:"warnings"`
}

// machine is where it was measured.
type machine struct {
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	GOMAXPROCS int               `json:"gomaxprocs"`
	Go         string            `json:"go"`
	System     string            `json:"system"`
	Temporal   string            `json:"temporal"`
	SDK        string            `json:"sdk"`
	PostgreSQL map[string]string `json:"postgresql"`
	LoadBefore string            `json:"loadBefore"`
	LoadAfter  string            `json:"loadAfter"`
}

// levelReport is both sides at one number of messages in flight.
type levelReport struct {
	InFlight int    `json:"inFlight"`
	Bare     series `json:"bare"`
	Inbound  series `json:"inbound"`
	// Steady tells whether the sides may be compared.
	Steady bool `json:"steady"`
	// Ratios are inbound by bare at p50, for each pair of neighbouring blocks.
	Ratios []float64 `json:"ratios"`
	// Stations are medians on the way of an inbound message.
	Stations stations `json:"stations"`
}

// series is the samples of one side.
type series struct {
	Messages int     `json:"messages"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Max      float64 `json:"max"`
	PerS     float64 `json:"perSecond"`
	// CPU is what this process used of the processors for each message.
	CPU float64 `json:"cpu"`
	// Blocks are the medians of the blocks in their order, Spread the distance of
	// the outermost ones as a part of their median.
	Blocks []float64 `json:"blocks"`
	Spread float64   `json:"spread"`
}

// stations are medians of the time from the start.
type stations struct {
	Accepted float64 `json:"accepted"`
	Stored   float64 `json:"stored"`
	Placed   float64 `json:"placed"`
}

func newLevelReport(inFlight int, bare, inbound []blockResult) levelReport {
	l := levelReport{InFlight: inFlight, Bare: newSeries(bare), Inbound: newSeries(inbound)}
	for i, bare := range l.Bare.Blocks {
		l.Ratios = append(l.Ratios, l.Inbound.Blocks[i]/bare)
	}
	l.Steady = l.Bare.Spread <= steadySpread && l.Inbound.Spread <= steadySpread
	p50 := func(of func(sample) time.Duration) float64 { return quantile(durations(inbound, of), 0.5) }
	l.Stations = stations{
		Accepted: p50(func(s sample) time.Duration { return s.accepted }),
		Stored:   p50(func(s sample) time.Duration { return s.stored }),
		Placed:   p50(func(s sample) time.Duration { return s.placed }),
	}
	return l
}

func newSeries(results []blockResult) series {
	done := func(s sample) time.Duration { return s.done }
	all := durations(results, done)
	s := series{Messages: len(all), P50: quantile(all, 0.5), P99: quantile(all, 0.99), Max: quantile(all, 1)}
	var took, cpu time.Duration
	for _, r := range results {
		took, cpu = took+r.took, cpu+r.cpu
		s.Blocks = append(s.Blocks, quantile(durations([]blockResult{r}, done), 0.5))
	}
	n := float64(len(all))
	s.PerS, s.CPU = n/took.Seconds(), 1000*cpu.Seconds()/n
	s.Spread = (slices.Max(s.Blocks) - slices.Min(s.Blocks)) / median(s.Blocks)
	return s
}

// median is the middle one of an odd number of values.
func median(values []float64) float64 {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// durations gathers one duration of every sample, shortest first.
func durations(results []blockResult, of func(sample) time.Duration) []time.Duration {
	var all []time.Duration
	for _, r := range results {
		for _, s := range r.samples {
			all = append(all, of(s))
		}
	}
	slices.Sort(all)
	return all
}

// quantile is the nearest-rank quantile of sorted durations in milliseconds: the
// smallest that at least that part of them does not exceed.
func quantile(sorted []time.Duration, part float64) float64 {
	rank := int(part * float64(len(sorted)))
	if float64(rank) < part*float64(len(sorted)) {
		rank++
	}
	d := sorted[min(max(rank, 1), len(sorted))-1]
	return float64(d.Microseconds()) / 1000
}

// machine gathers the facts without which the numbers mean nothing.
func (b *bench) machine(ctx context.Context) (machine, error) {
	m := machine{
		CPU: cpu(), Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0), Go: runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH, SDK: temporal.SDKVersion,
	}
	info, err := b.temporal.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return m, err
	}
	m.Temporal = info.ServerVersion
	m.PostgreSQL, err = b.store.ServerSettings(ctx, postgresSettings...)
	return m, err
}

var postgresSettings = []string{"server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_connections"}

// cpu is the processor's name, where the system tells it.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// load is the system's load average over 1, 5 and 15 minutes.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// method says in words what is measured.
func method(cfg config) []string {
	one, twenty := cfg.levels[0], cfg.levels[1]
	durable := "PostgreSQL waits for the disk at each commit"
	if !cfg.stack.Durable {
		durable = "PostgreSQL does not wait for the disk"
	}
	if cfg.stack.DatabaseURL != "" {
		durable = "PostgreSQL is the one in HELSEBRO_DATABASE_URL"
	}
	return []string{
		"One process runs Temporal (one node, SQLite), Helsenorge's simulator with the queues (loopback over HTTP, one flush to the disk per message), " +
			"Helsebro's listener and worker, and the bench itself. PostgreSQL is a process beside it. " + durable + ".",
		fmt.Sprintf("Inbound: from the instant before the simulator puts an e-consultation on the queue until its inbox row is seen by a statement on another connection, "+
			"which looks for all messages in flight every %s. The true instant lies between \"row written\" (placed_at, taken before INSERT and COMMIT) and this one. "+
			"Journal entry and receipt of the same message are made beside it. %d invented citizens take turns.", lookEvery, citizens),
		"Bare: from the call of SignalWithStartWorkflow until the activity of a minimal workflow runs. The activity does nothing; the workflow takes the signal and runs it. " +
			"Same server, same process, same client options (payloads sealed), a task queue and a worker of its own.",
		fmt.Sprintf("Closed loop: a slot starts its next message when its last one is done. 1 in flight: %d messages of each kind; %d in flight: %d. "+
			"Both sides take turns in %d blocks each (bare, inbound, bare, inbound …), after %d of each that do not count.",
			one.messages, twenty.inFlight, twenty.messages, blocks, 2*cfg.warmUp),
		"Throughput (per s): messages by the time of their blocks, each until all that follows is done: inbox, journal entry and sent receipt; closed workflow. " +
			"cpu: processor time of this process, Temporal's included and PostgreSQL's not, for each message; it depends least on what else the machine does.",
		"p50, p99: nearest rank, nothing left out. Spread: how far the medians of a side's own blocks lie apart, as a part of their median. " +
			fmt.Sprintf("Over %.0f %% of either side there is no comparison.", 100*steadySpread),
		fmt.Sprintf("History: %d e-consultations, each at rest before it is answered once, and again after Helsenorge's receipt; the workflow then waits for the citizen. "+
			"The receipt for the citizen's message is a standalone activity and not in it.", cfg.dialogues),
	}
}

func writeMethod(out io.Writer, method []string) {
	fmt.Fprintln(out, "How it is measured")
	for _, m := range method {
		fmt.Fprintln(out, wrap(m, 100, "  - ", "    "))
	}
	fmt.Fprintln(out)
}

// wrap breaks text into lines of at most width runes where words allow it.
func wrap(text string, width int, first, rest string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		if i > 0 && len([]rune(line))+1+len([]rune(word)) > width {
			b.WriteString(line + "\n")
			line = rest + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	return b.String() + line
}

// write writes what was measured.
func (r *report) write(out io.Writer) {
	m := r.Machine
	fmt.Fprintf(out, "\nMachine\n  %s, %d cores (GOMAXPROCS %d), %s %s\n", m.CPU, m.Cores, m.GOMAXPROCS, m.Go, m.System)
	fmt.Fprintf(out, "  Temporal server %s, Go SDK %s\n  PostgreSQL", m.Temporal, m.SDK)
	for i, name := range postgresSettings {
		if i == 0 {
			fmt.Fprintf(out, " %s:", m.PostgreSQL[name])
			continue
		}
		fmt.Fprintf(out, " %s=%s", name, m.PostgreSQL[name])
	}
	fmt.Fprintf(out, "\n  load average before %s, after %s\n", m.LoadBefore, m.LoadAfter)

	fmt.Fprintf(out, "\n%-37s %8s %8s %8s %8s %8s %8s %8s\n", "milliseconds", "messages", "p50", "p99", "max", "spread", "per s", "cpu")
	for _, l := range r.Levels {
		fmt.Fprintf(out, "%d in flight\n", l.InFlight)
		l.Bare.write(out, "bare signal-with-start + activity")
		l.Inbound.write(out, "inbound message to inbox item")
		for _, s := range []struct {
			name string
			p50  float64
		}{{"queue has accepted it", l.Stations.Accepted}, {"listener begins to store it", l.Stations.Stored}, {"row written", l.Stations.Placed}} {
			fmt.Fprintf(out, "    %-33s %8s %8.1f\n", s.name, "", s.p50)
		}
		verdict := fmt.Sprintf("inbound is %.1f × bare", median(l.Ratios))
		if !l.Steady {
			verdict = "no comparison, the machine was not steady: repeat it when nothing else runs"
		}
		fmt.Fprintf(out, "  %s (p50, block by block: %.1f to %.1f)\n", verdict, slices.Min(l.Ratios), slices.Max(l.Ratios))
	}

	typical := r.History[len(r.History)/2]
	fmt.Fprintf(out, "\nHistory of an e-consultation answered once: %d events, %d bytes by the server's count", typical.Events, typical.Bytes)
	if least, most := r.History[0].Events, r.History[len(r.History)-1].Events; least != most {
		fmt.Fprintf(out, " (%d to %d events in %d dialogues)", least, most, len(r.History))
	}
	fmt.Fprintf(out, "\n  %-45s %8s %8s\n", "type", "events", "bytes")
	for _, t := range slices.SortedStableFunc(slices.Values(typical.Types), func(a, b eventType) int { return cmp.Compare(b.Bytes, a.Bytes) }) {
		fmt.Fprintf(out, "  %-45s %8d %8d\n", t.Type, t.Events, t.Bytes)
	}
	if r.Warnings > 0 {
		fmt.Fprintf(out, "\n%d warnings were logged: something was tried again, and the numbers show it\n", r.Warnings)
	}
}

func (s series) write(out io.Writer, name string) {
	fmt.Fprintf(out, "  %-35s %8d %8.1f %8.1f %8.1f %7.0f%% %8.1f %8.1f\n", name, s.Messages, s.P50, s.P99, s.Max, 100*s.Spread, s.PerS, s.CPU)
}
