package phone

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/apperr"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"90000001":             "+4790000001",
		"900 00 001":           "+4790000001",
		"900\u00a000\u00a0001": "+4790000001",
		"+47 900 00 001":       "+4790000001",
		"0047 90000001":        "+4790000001",
		"(+47) 41-00-00-01":    "+4741000001",
		"22 00 00 01":          "+4722000001",
		"+46 70 123 45 67":     "+46701234567",
		"00 44 7400 123456":    "+447400123456",
	} {
		got, err := Normalise(written)
		require.NoError(t, err, written)
		require.Equal(t, want, got, written)
		again, err := Normalise(got)
		require.NoError(t, err)
		require.Equal(t, want, again, "the form is stable")
	}
}

func TestNormaliseRefuses(t *testing.T) {
	t.Parallel()
	for _, written := range []string{
		"", " ", "9000000", "900000011", "00000000", "+", "+999123456789", "ring 90000001", "90000001 x12", "90000001;ext=1",
		"tel:+4790000001", "90000001\r\nBcc: x", "۹۰۰۰۰۰۰۱", "+4790000001 +4790000002", "01234567890",
		"900000019000000190000001900000019000000190000001",
	} {
		_, err := Normalise(written)
		require.Equal(t, apperr.Invalid, apperr.KindOf(err), written)
		if len(written) > 3 {
			require.NotContains(t, err.Error(), written)
		}
		require.False(t, Mobile(written))
	}
}

func TestMobile(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]bool{
		"90000001": true, "+4741000001": true, "+46701234567": true, "+12025550123": true,
		"22000001": false, "+4780000001": false,
	} {
		require.Equal(t, want, Mobile(written), written)
	}
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"90000001", "+47 900 00 001", "0047", "+12025550123", "((((", "+47/1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		number, err := Normalise(written)
		if err != nil {
			require.Equal(t, apperr.Invalid, apperr.KindOf(err))
			return
		}
		require.Regexp(t, `^\+[1-9][0-9]{4,14}$`, number)
		again, err := Normalise(number)
		require.NoError(t, err)
		require.Equal(t, number, again)
	})
}
