package nationalid

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

// The numbers are published test and example numbers.
func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		number  string
		allowed Marks
		form    Form // "" is refused
		mark    Marks
		new     bool
	}{
		{number: "02013299997", form: FNR},
		{number: "02013299903", form: FNR, new: true},
		{number: "30108299920", form: FNR},
		{number: "30108299939", form: FNR, new: true},
		{number: "13116900216", form: FNR},
		{number: "13115700217"}, // the guide's own example: both check digits are wrong
		{number: "15720255178"},
		{number: "15720255178", allowed: NHN, form: FNR, mark: NHN},
		{number: "15720255178", allowed: Tenor},
		{number: "21905297101", allowed: Tenor, form: FNR, mark: Tenor},
		{number: "10915596784", allowed: AllMarks, form: FNR, mark: Tenor},
		{number: "10915596784"},
		{number: "13527248013", form: HNR},
		{number: "13527248013", allowed: Tenor | NHN, form: HNR},
		{number: "13527248013", allowed: Dolly, form: FNR, mark: Dolly},
		{number: "68467038838"},
		{number: "68467038838", allowed: Dolly, form: DNR, mark: Dolly},
		{number: "45069800525", form: DNR},
		{number: "45088649080", form: DNR},
		{number: "81234567802", form: FHN},
		{number: "00000000000"},
		{number: "13116900217"},
		{number: "13116900226"},
		{number: "1311690021"},
		{number: "131169002160"},
		{number: "131169 0216"},
		{number: "1311690021x"},
		{number: "１3116900216"},
		{number: ""},
	}
	for _, tt := range tests {
		id, err := Parse(tt.number, Options{Synthetic: tt.allowed})
		if tt.form == "" {
			require.Equal(t, apperr.Invalid, apperr.KindOf(err), tt.number)
			if tt.number != "" {
				require.NotContains(t, err.Error(), tt.number)
			}
			continue
		}
		require.NoError(t, err, tt.number)
		require.Equal(t, ID{Number: tt.number, Form: tt.form, Synthetic: tt.mark, Only2032: tt.new}, id, tt.number)
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		day, month, year int
		ok               bool
	}{
		{29, 2, 0, true}, {29, 2, 4, true}, {29, 2, 1, false}, {30, 2, 4, false},
		{31, 4, 50, false}, {30, 4, 50, true}, {31, 12, 99, true}, {0, 1, 1, false}, {1, 0, 1, false}, {1, 13, 1, false},
	}
	for _, tt := range tests {
		require.Equal(t, tt.ok, isDate(tt.day, tt.month, tt.year), "%v", tt)
	}
}

func TestPrintingShowsNoNumber(t *testing.T) {
	t.Parallel()
	id, err := Parse("13116900216", Options{})
	require.NoError(t, err)
	for _, format := range []string{"%v", "%s", "%+v", "%#v"} {
		require.NotContains(t, fmt.Sprintf(format, id), "131169", format)
	}
}

func TestSynthetic(t *testing.T) {
	t.Parallel()
	for _, year := range []int{1925, 1984, 1999, 2000, 2015, 2026} {
		birth := time.Date(year, 2, 28, 13, 0, 0, 0, time.UTC)
		seen := map[string]bool{}
		for serial := 0; serial < 350; serial += 10 {
			number := Synthetic(birth, serial)
			id, err := Parse(number, Options{Synthetic: Tenor})
			require.NoError(t, err)
			require.Equal(t, FNR, id.Form)
			require.False(t, id.Only2032)
			require.Equal(t, birth.Format("02")+"82"+birth.Format("06"), number[:6])
			require.False(t, seen[number])
			seen[number] = true
			_, err = Parse(number, Options{})
			require.Error(t, err, "production refuses it")
		}
		again := Synthetic(birth, 3)
		require.Equal(t, again, Synthetic(birth, 3))
		require.NotPanics(t, func() { Synthetic(birth, -1_000_000) })
	}
}

func FuzzParse(f *testing.F) {
	f.Add("13116900216", uint8(0))
	f.Add("68467038838", uint8(AllMarks))
	f.Fuzz(func(t *testing.T, s string, marks uint8) {
		id, err := Parse(s, Options{Synthetic: Marks(marks)})
		if err == nil {
			require.Len(t, id.Number, 11)
			require.Zero(t, id.Synthetic&^Marks(marks))
		}
	})
}
