package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	event := func(action, test string) string {
		return `{"Action":"` + action + `","Test":"TestRequirements` + test + `","Output":"said of ` + test + `\n"}` + "\n"
	}
	in := event("run", "") + event("run", "/S89_all_gates") + event("output", "/S90_fails") +
		event("pass", "/S89_all_gates") + event("pass", "/S89_all_gates/000") + event("fail", "/S89_one_more/deeper") +
		event("run", "/S90_fails") + event("fail", "/S90_fails") + event("run", "/S92_hangs") + event("skip", "/S93") +
		"# a line of the compiler\n" + event("fail", "")
	var out, errs strings.Builder
	require.Equal(t, 1, run([]string{"S88-S93"}, strings.NewReader(in), &out, &errs))
	require.Equal(t, strings.Join([]string{
		"S88\tfail\tno test",
		"S89\tpass\tTestRequirements/S89_all_gates",
		"S90\tfail\tTestRequirements/S90_fails (fail)",
		"S91\theading\ta question; S92 to S94 answer it",
		"S92\tfail\tTestRequirements/S92_hangs (did not end)",
		"S93\tfail\tTestRequirements/S93 (skip)",
		"",
	}, "\n"), out.String())
	require.Contains(t, errs.String(), "said of /S90_fails")
	require.Contains(t, errs.String(), "a line of the compiler")

	out.Reset()
	require.Equal(t, 0, run([]string{"S89-S89"}, strings.NewReader(in), &out, &errs))
	require.Equal(t, "S89\tpass\tTestRequirements/S89_all_gates\n", out.String())
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"S94"}, {"S94-S69"}, {"S0-S1"}, {"S1-S2", "S3-S4"}} {
		var errs strings.Builder
		require.Equal(t, 2, run(args, strings.NewReader(""), &errs, &errs), args)
		require.Contains(t, errs.String(), "usage:")
	}
}
