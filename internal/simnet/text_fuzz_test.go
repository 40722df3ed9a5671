package simnet

import (
	"errors"
	"testing"
)

func FuzzParseFaults(f *testing.F) {
	f.Add("loss=1%,burst=0.1%/8/50%,delay=5ms,jitter=2ms,reorder=1%/3,dup=0.5%,corrupt=0.1%,truncate=0.1%,rate=10MB/s,queue=64KiB,partition=10s/1s/3")
	f.Add("loss=0x1p-4,rate=1e3kB/s")
	f.Fuzz(func(t *testing.T, text string) {
		faults, err := ParseFaults(text)
		if err != nil {
			if !errors.Is(err, ErrFaults) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := ParseFaults(faults.String())
		if err != nil || again != faults {
			t.Fatalf("%q: %+v, written %q, read %+v, %v", text, faults, faults, again, err)
		}
	})
}
