package text_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/domain/notice"
	"github.com/helsebro/helsebro/internal/domain/oslo"
	"github.com/helsebro/helsebro/internal/domain/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	purposes = []notice.Purpose{notice.Confirmation, notice.Change, notice.Cancellation, notice.Reminder}
	channels = []notice.Channel{notice.Email, notice.SMS, notice.Push}
)

func values(start time.Time) text.Values {
	return text.Values{ClinicName: "Fjordgata legekontor", Start: start, Place: "Fjordgata 1, 2. etasje", Phone: "+47 22 33 44 55"}
}

// F20, F7: 4 languages x 4 notices x 3 channels, on both sides of both clock changes.
// 08:00 is 08:00 on each.
func TestGolden(t *testing.T) {
	t.Parallel()
	days := []time.Time{
		time.Date(2026, time.March, 27, 7, 0, 0, 0, time.UTC), time.Date(2026, time.March, 30, 6, 0, 0, 0, time.UTC),
		time.Date(2026, time.October, 23, 6, 0, 0, 0, time.UTC), time.Date(2026, time.October, 26, 7, 0, 0, 0, time.UTC),
	}
	for _, language := range oslo.Languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, purpose := range purposes {
				for _, channel := range channels {
					for _, day := range days {
						tpl, ok := text.Builtin(text.Key{Purpose: purpose, Channel: channel, Language: language})
						require.True(t, ok)
						subject, body, err := text.Render(tpl, values(day))
						require.NoError(t, err)
						require.Contains(t, body, "08:00")
						require.Equal(t, channel == notice.SMS, subject == "")
						fmt.Fprintf(&b, "=== %s %s v%d %s\n%s\n---\n%s\n", purpose, channel, tpl.Version, day.Format(time.RFC3339), subject, body)
					}
				}
			}
			file := filepath.Join("testdata", language+".golden")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), b.String(), "run with -update when the change is meant, and raise the template's Version")
		})
	}
}

func TestNoTemplateForWhatIsUnknown(t *testing.T) {
	t.Parallel()
	for _, k := range []text.Key{
		{}, {Purpose: "other", Channel: notice.SMS, Language: "nb"},
		{Purpose: notice.Reminder, Channel: "fax", Language: "nb"}, {Purpose: notice.Reminder, Channel: notice.SMS, Language: "de"},
	} {
		_, ok := text.Builtin(k)
		require.False(t, ok, k)
	}
}

// An SMS is one segment in nb, nn and en on every day of two years, with the longest
// name that is promised room; Northern Sami takes at most three. None names a place
// (D14), and no template has a word that the linter refuses.
func TestBuiltinSizes(t *testing.T) {
	t.Parallel()
	v := values(time.Time{})
	v.ClinicName = strings.Repeat("Å", 30)
	for _, language := range oslo.Languages() {
		for _, purpose := range purposes {
			tpl, _ := text.Builtin(text.Key{Purpose: purpose, Channel: notice.SMS, Language: language})
			require.NotContains(t, tpl.Body, "{{place}}")
			for day := range 730 {
				v.Start = oslo.At(2026, time.January, 1+day, 23, 59, 0)
				_, body, err := text.Render(tpl, v)
				require.NoError(t, err)
				n, encoding := text.Segments(body)
				if language == "se" {
					require.LessOrEqual(t, n, 3, body)
					continue
				}
				require.Equal(t, 1, n, body)
				require.Equal(t, text.GSM7, encoding, body)
			}
		}
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	start := oslo.At(2026, time.October, 26, 8, 0, 0)
	for name, c := range map[string]struct {
		template text.Template
		change   func(*text.Values)
		body     string
		err      string
	}{
		"all five": {text.Template{Body: "{{date}}|{{time}}|{{clinic}}|{{phone}}|{{place}}"}, nil,
			"mandag 26. oktober 2026|08:00|Fjordgata legekontor|+47 22 33 44 55|Fjordgata 1, 2. etasje", ""},
		"twice and none":         {text.Template{Body: "{{time}}{{time}} x"}, nil, "08:0008:00 x", ""},
		"a line without a place": {text.Template{Body: "a\nb {{place}}\nc"}, func(v *text.Values) { v.Place = " " }, "a\nc", ""},
		"a name that looks like a placeholder": {text.Template{Body: "{{clinic}}"}, func(v *text.Values) { v.ClinicName = "{{place}" },
			"{{place}", ""},
		"a place with braces": {text.Template{Body: "{{place}} {{time}}"}, func(v *text.Values) { v.Place = "Rom {{2}}" }, "Rom {{2}} 08:00", ""},
		"unknown":             {text.Template{Body: "{{name}}"}, nil, "", "body: unknown placeholder {{name}}"},
		"type":                {text.Template{Subject: "{{type}}"}, nil, "", "subject: unknown placeholder {{type}}"},
		"with blanks":         {text.Template{Body: "{{ date }}"}, nil, "", "body: unknown placeholder {{ date }}"},
		"not closed":          {text.Template{Body: "{{date"}, nil, "", "body: a placeholder is not closed"},
		"not opened":          {text.Template{Body: "date}}"}, nil, "", "body: }} without a placeholder"},
		"no phone":            {text.Template{Body: "{{phone}}"}, func(v *text.Values) { v.Phone = "" }, "", "body: {{phone}} has no value"},
		"no start":            {text.Template{Body: "{{date}}"}, func(v *text.Values) { v.Start = time.Time{} }, "", "body: {{date}} has no value"},
		"a header":            {text.Template{Subject: "{{clinic}}"}, func(v *text.Values) { v.ClinicName = "a\r\nBcc: b" }, "", "subject: the value of {{clinic}} must be one line"},
		"language":            {text.Template{Language: "de"}, nil, "", "language: one of nb, nn, en, se"},
		"a revealing body":    {text.Template{Body: "Time hos psykolog"}, nil, "", "body: must not reveal health, leave out psykolog"},
		"a revealing clinic": {text.Template{Body: "{{time}}"}, func(v *text.Values) { v.ClinicName = "Byen Rus og Psykiatri" },
			"", "clinic: must not reveal health, leave out rus, psykiatri"},
		"a revealing place": {text.Template{Body: "{{time}}"}, func(v *text.Values) { v.Place = "HIV-poliklinikken" }, "",
			"place: must not reveal health, leave out hiv"},
		"several": {text.Template{Subject: "abort", Body: "{{x}}"}, nil, "", "subject: must not reveal health, leave out abort\nbody: unknown placeholder"},
	} {
		v := values(start)
		if c.change != nil {
			c.change(&v)
		}
		subject, body, err := text.Render(c.template, v)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, name)
			require.Empty(t, subject+body, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.body, body, name)
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s        string
		n        int
		encoding string
	}{
		"empty":                         {"", 0, text.GSM7},
		"160":                           {strings.Repeat("a", 160), 1, text.GSM7},
		"161":                           {strings.Repeat("a", 161), 2, text.GSM7},
		"2 x 153":                       {strings.Repeat("a", 306), 2, text.GSM7},
		"2 x 153 + 1":                   {strings.Repeat("a", 307), 3, text.GSM7},
		"Norwegian":                     {strings.Repeat("æøåÆØÅ", 26), 1, text.GSM7},
		"80 euro signs take two each":   {strings.Repeat("€", 80), 1, text.GSM7},
		"81 euro signs":                 {strings.Repeat("€", 81), 2, text.GSM7},
		"76 fit a segment, not 76.5":    {strings.Repeat("€", 153), 3, text.GSM7},
		"every character of both sets":  {"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡§¿äöñüà^{}\\[~]|€\f", 1, text.GSM7},
		"one Sami letter":               {strings.Repeat("a", 69) + "č", 1, text.UCS2},
		"one Sami letter too many":      {strings.Repeat("a", 70) + "č", 2, text.UCS2},
		"2 x 67":                        {strings.Repeat("đ", 134), 2, text.UCS2},
		"2 x 67 + 1":                    {strings.Repeat("đ", 135), 3, text.UCS2},
		"35 pairs":                      {strings.Repeat("😀", 35), 1, text.UCS2},
		"33 pairs fit a segment in row": {strings.Repeat("😀", 67), 3, text.UCS2},
		"á is not in GSM 03.38":         {"á", 1, text.UCS2},
	} {
		n, encoding := text.Segments(c.s)
		require.Equal(t, c.n, n, name)
		require.Equal(t, c.encoding, encoding, name)
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	for s, want := range map[string][]string{
		"Timen er bekreftet hos Rustad legesenter":       nil,
		"Bruset legekontor, Skogens sti 4, Virusgata":    nil,
		"Nautisk vei 2, laboratoriet, oppgi fødselsdato": nil,
		"Essex Street Surgery":                           nil,
		"Psykolog":                                       {"psykolog"},
		"BARNEPSYKIATRISK avdeling":                      {"barnepsykiatrisk"},
		"Rus og avhengighet":                             {"rus", "avhengighet"},
		"ruspoliklinikken":                               {"ruspoliklinikken"},
		"HIV-test":                                       {"hiv"},
		"abortnemnda":                                    {"abortnemnda"},
		"Gynekologisk undersøking, kreftavdelinga":       {"gynekologisk", "kreftavdelinga"},
		"pregnancy and contraception clinic":             {"pregnancy", "contraception"},
		"sjølvmordsfare":                                 {"sjølvmordsfare"},
		"psy\u00adko\u200blog":                           {"psykolog"},
		"psykalaš dearvvašvuohta":                        {"psykalaš"},
		"":                                               nil,
	} {
		require.Equal(t, want, text.Lint(s), s)
	}
}
