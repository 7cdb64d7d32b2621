package helsenorge

import (
	"os"
	"testing"
)

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"consultation-SB", "contact-19", "renewal-RFER", "receipt-ok"} {
		raw, err := os.ReadFile("testdata/" + name + ".xml")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, problems := Read(raw); len(problems) > 0 {
					b.Fatal(problems)
				}
			}
		})
	}
}
