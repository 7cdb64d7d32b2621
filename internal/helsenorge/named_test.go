package helsenorge

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	p, ok := Named(" Frida Ann  Fastlege ", "9144889")
	require.True(t, ok)
	require.Equal(t, []string{"Frida Ann", "Fastlege", "9144889"}, []string{p.GivenName, p.FamilyName, p.Idents[0].ID})
	for _, c := range [][2]string{{"", "1"}, {"Fastlege", "1"}, {"Frida Fastlege", ""}} {
		_, ok := Named(c[0], c[1])
		require.False(t, ok, c)
	}
}
