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
	Method  []string `json:"method"`
	Machine machine  `json:"machine"`
	// Inbound is a citizen's message to its inbox item, Reservations RT to 05, both
	// beside the least that Temporal needs for a message.
	Inbound      []levelReport `json:"inbound,omitempty"`
	Reservations []levelReport `json:"reservations,omitempty"`
	Histories    []lifeReport  `json:"histories,omitempty"`
	FreeSlots    *slotsReport  `json:"freeSlots,omitempty"`
	Open         *openReport   `json:"open,omitempty"`
	Burst        *burstReport  `json:"burst,omitempty"`
	Warnings     int           `json:"warnings"`
}

// lifeReport is the histories of one kind of life, the smallest first.
type lifeReport struct {
	Name  string    `json:"name"`
	Lives []history `json:"lives"`
}

// slotsReport is how long a citizen waits for free slots, beside the communication
// test, which goes the same way and looks at no calendar.
type slotsReport struct {
	GPs   int `json:"gps"`
	Slots int `json:"slots"`
	// Offered and Bytes are of the last answer.
	Offered int           `json:"offered"`
	Bytes   int           `json:"bytes"`
	Levels  []levelReport `json:"levels"`
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
	Base     series `json:"base"`
	Measured series `json:"measured"`
	// Steady tells whether the sides may be compared.
	Steady bool `json:"steady"`
	// Ratios are measured by base at p50, for each pair of neighbouring blocks.
	Ratios []float64 `json:"ratios"`
	// Stations are medians on the way of an inbound message.
	Stations stations `json:"stations,omitzero"`
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

func newLevelReport(inFlight int, base, measured []blockResult) levelReport {
	l := levelReport{InFlight: inFlight, Base: newSeries(base), Measured: newSeries(measured)}
	for i, base := range l.Base.Blocks {
		l.Ratios = append(l.Ratios, l.Measured.Blocks[i]/base)
	}
	l.Steady = l.Base.Spread <= steadySpread && l.Measured.Spread <= steadySpread
	p50 := func(of func(sample) time.Duration) float64 { return quantile(durations(measured, of), 0.5) }
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

	writeLevels(out, r.Inbound, "inbound", "bare", "bare signal-with-start + activity", "inbound message to inbox item")
	writeLevels(out, r.Reservations, "RT to 05", "bare", "bare signal-with-start + activity", "RT on the queue to 05 at Helsenorge")
	if f := r.FreeSlots; f != nil {
		fmt.Fprintf(out, "\nFree slots: %d GPs, %d slots in PostgreSQL, %d of them in an answer of %d bytes", f.GPs, f.Slots, f.Offered, f.Bytes)
		writeLevels(out, f.Levels, "free slots", "the test", "communication test (KT to RKT)", "question for free slots (HLT to 03)")
	}
	for _, l := range r.Histories {
		l.write(out)
	}
	if r.Open != nil {
		r.Open.write(out)
	}
	if r.Burst != nil {
		r.Burst.write(out)
	}
	if r.Warnings > 0 {
		fmt.Fprintf(out, "\n%d warnings were logged: something was tried again, and the numbers show it\n", r.Warnings)
	}
}

// writeLevels writes a comparison: base is what the measured side stands beside.
func writeLevels(out io.Writer, levels []levelReport, measured, base, baseRow, measuredRow string) {
	if len(levels) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%-37s %8s %8s %8s %8s %8s %8s %8s\n", "milliseconds", "messages", "p50", "p99", "max", "spread", "per s", "cpu")
	for _, l := range levels {
		fmt.Fprintf(out, "%d in flight\n", l.InFlight)
		l.Base.write(out, baseRow)
		l.Measured.write(out, measuredRow)
		if l.Stations != (stations{}) {
			for _, s := range []struct {
				name string
				p50  float64
			}{{"queue has accepted it", l.Stations.Accepted}, {"listener begins to store it", l.Stations.Stored}, {"row written", l.Stations.Placed}} {
				fmt.Fprintf(out, "    %-33s %8s %8.1f\n", s.name, "", s.p50)
			}
		}
		verdict := fmt.Sprintf("%s is %.1f × %s", measured, median(l.Ratios), base)
		if !l.Steady {
			verdict = "no comparison, the machine was not steady: repeat it when nothing else runs"
		}
		fmt.Fprintf(out, "  %s (p50, block by block: %.1f to %.1f)\n", verdict, slices.Min(l.Ratios), slices.Max(l.Ratios))
	}
}

func (l lifeReport) write(out io.Writer) {
	typical := l.Lives[len(l.Lives)/2]
	fmt.Fprintf(out, "\nHistory of %s: %d events, %d bytes by the server's count", l.Name, typical.Events, typical.Bytes)
	if least, most := l.Lives[0].Events, l.Lives[len(l.Lives)-1].Events; least != most {
		fmt.Fprintf(out, " (%d to %d events in %d lives)", least, most, len(l.Lives))
	}
	fmt.Fprintf(out, "\n  %-45s %8s %8s\n", "type", "events", "bytes")
	for _, t := range slices.SortedStableFunc(slices.Values(typical.Types), func(a, b eventType) int { return cmp.Compare(b.Bytes, a.Bytes) }) {
		fmt.Fprintf(out, "  %-45s %8d %8d\n", t.Type, t.Events, t.Bytes)
	}
}

func (o *openReport) write(out io.Writer) {
	fmt.Fprintf(out, "\n%-30s %8s %12s %12s %10s %10s %8s\n", "open and asleep, bytes each", "open", "Temporal", "PostgreSQL", "heap", "RSS", "per s")
	for _, row := range []struct {
		name string
		f    footprint
	}{{"bare reminder", o.Bare}, {"appointment", o.Appointments}} {
		fmt.Fprintf(out, "  %-28s %8d %12.0f %12.0f %10.0f %10.0f %8.1f\n",
			row.name, row.f.Open, row.f.Temporal, row.f.PostgreSQL, row.f.Heap, row.f.RSS, row.f.PerS)
	}
	if o.Again > 0 {
		fmt.Fprintf(out, "  %d times a booking was told to try again, because its lifecycle took longer than 10 s to answer\n", o.Again)
	}
}

func (r *burstReport) write(out io.Writer) {
	fmt.Fprintf(out, "\n%-30s %9s %8s %10s %10s %10s\n", "due in one second, ms late", "reminders", "per s", "p50", "p99", "max")
	for _, row := range []struct {
		name string
		s    burstSeries
	}{{"bare: activity runs", r.Bare}, {"delegated: decided, on ledger", r.Delegated}, {"by SMS: at the gateway", r.SMS}} {
		fmt.Fprintf(out, "  %-28s %9d %8.1f %10.1f %10.1f %10.1f\n", row.name, row.s.Reminders, row.s.PerS, row.s.P50, row.s.P99, row.s.Max)
	}
	fmt.Fprintf(out, "  all reminders of appointments: %.1f per s, due within %.0f ms of each other\n", r.PerS, r.Spread)
	fmt.Fprintf(out, "  workflow tasks that timed out: %d in %d histories of appointments and notices, %d in those of bare reminders\n",
		r.TimedOut, r.Histories, r.Bare.TimedOut)
}

func (s series) write(out io.Writer, name string) {
	fmt.Fprintf(out, "  %-35s %8d %8.1f %8.1f %8.1f %7.0f%% %8.1f %8.1f\n", name, s.Messages, s.P50, s.P99, s.Max, 100*s.Spread, s.PerS, s.CPU)
}
