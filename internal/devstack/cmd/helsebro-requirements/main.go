// Command helsebro-requirements prints one line per requirement of the customer's
// page, with the test that holds it: requirement, pass or fail or heading, test,
// separated by tabs.
//
//	go test -json -run '^TestRequirements$' ./e2e | helsebro-requirements S1-S94
//
// It reads the output of `go test -json` on standard input. A test belongs to the
// requirement that its name begins with: TestRequirements/S75_in_the_calendar. A
// requirement without a test, with a failed or skipped one, or with one that did not
// end, fails. It exits with 0 when nothing fails, 1 when something does, 2 for wrong
// usage.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// headings are the lines of the page that ask for nothing by themselves.
var headings = map[int]string{52: "a heading", 57: "a caption", 91: "a question; S92 to S94 answer it"}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

var (
	span  = regexp.MustCompile(`^S(\d+)-S(\d+)$`)
	named = regexp.MustCompile(`^TestRequirements/S(\d+)(_[^/]*)?$`)
)

func run(args []string, in io.Reader, out, errs io.Writer) int {
	var from, to int
	if len(args) == 1 {
		if m := span.FindStringSubmatch(args[0]); m != nil {
			from, _ = strconv.Atoi(m[1]) // digits
			to, _ = strconv.Atoi(m[2])
		}
	}
	if from == 0 || to < from {
		fmt.Fprintln(errs, "usage: go test -json -run '^TestRequirements$' ./e2e | helsebro-requirements S1-S94")
		return 2
	}
	tests, said, err := read(in)
	if err != nil {
		fmt.Fprintf(errs, "helsebro-requirements: what go test -json prints cannot be read: %v\n", err)
		return 2
	}
	failed := 0
	for id := from; id <= to; id++ {
		name := "S" + strconv.Itoa(id)
		if why, ok := headings[id]; ok {
			fmt.Fprintf(out, "%s\theading\t%s\n", name, why)
			continue
		}
		outcome, test := verdict(tests[id])
		if outcome != "pass" {
			failed++
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", name, outcome, test)
	}
	if failed > 0 {
		fmt.Fprint(errs, said)
		fmt.Fprintf(errs, "%d of %s fail\n", failed, args[0])
		return 1
	}
	return 0
}

// result is what became of one test.
type result struct{ name, action string }

// verdict is that of a requirement's tests: all must pass, and there must be one.
func verdict(tests []result) (outcome, test string) {
	if len(tests) == 0 {
		return "fail", "no test"
	}
	var names []string
	outcome = "pass"
	for _, t := range tests {
		if t.action != "pass" {
			outcome = "fail"
			t.name += " (" + t.action + ")"
		}
		names = append(names, t.name)
	}
	return outcome, strings.Join(names, " ")
}

// read gathers the requirements' tests, and what the failed ones said.
func read(in io.Reader) (tests map[int][]result, said string, err error) {
	tests = map[int][]result{}
	output := map[string]*strings.Builder{}
	var failures []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			// A build error is no JSON: the tests are then missing.
			failures = append(failures, lines.Text()+"\n")
			continue
		}
		switch e.Action {
		case "output":
			if output[e.Test] == nil {
				output[e.Test] = &strings.Builder{}
			}
			output[e.Test].WriteString(e.Output)
			continue
		case "fail":
			if b := output[e.Test]; b != nil {
				failures = append(failures, b.String())
			}
		}
		m := named.FindStringSubmatch(e.Test)
		if m == nil {
			continue
		}
		id, _ := strconv.Atoi(m[1]) // digits
		i := slices.IndexFunc(tests[id], func(r result) bool { return r.name == e.Test })
		if i < 0 {
			tests[id] = append(tests[id], result{e.Test, "did not end"})
			i = len(tests[id]) - 1
		}
		if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
			tests[id][i].action = e.Action
		}
	}
	return tests, strings.Join(failures, ""), lines.Err()
}
