package pack

import (
	"strings"
	"testing"
	"time"
)

// ticking is a clock on which each method takes its own time for 64 KiB: it looks at whose turn it is.
func ticking(c *Codec, took [methods]time.Duration) func() time.Duration {
	var now time.Duration
	reads := 0
	return func() time.Duration {
		if reads++; reads%2 == 0 {
			now += took[c.policy.turn]
		}
		return now
	}
}

// drive feeds batches of one body each and returns how many of them each codec packed.
func drive(c *Codec, batches int, b backlog, body func(i int) []byte) (packed [methods]int) {
	dst := make([]byte, 64<<10)
	for i := range batches {
		c.Observe(b.waiting, b.rate)
		_, codec := c.Pack(dst, body(i))
		packed[codec]++
	}
	return packed
}

func TestAnAdaptiveCodecPacksWhatPays(t *testing.T) {
	took := [methods]time.Duration{LZ4: 170 * time.Microsecond, Zstd: 550 * time.Microsecond, Snappy: 130 * time.Microsecond}
	c := open(t, Options{Method: Adaptive})
	c.clock = ticking(c, took)
	src, dense := market(1, 64<<10), noise(1, 64<<10)
	records := func(int) []byte { return src }
	random := func(int) []byte { return dense }
	idle, slow, fast := backlog{0, 1e6}, backlog{1e6, 1e6}, backlog{1e9, 2e9}

	if n := drive(c, 100, idle, records); n[None] != 100 || c.Method() != None {
		t.Errorf("idle: %v, %s", n, c.Explain())
	}
	if n := drive(c, 300, slow, records); n[Zstd] < 250 || c.Method() != Zstd || !strings.HasPrefix(c.Explain(), "zstd: ratio ") {
		t.Errorf("slow: %v, %s", n, c.Explain())
	}
	if n := drive(c, 300, slow, random); n[None] != 300 || c.Method() != None {
		t.Errorf("slow, noise: %v, %s", n, c.Explain())
	}
	if n := drive(c, 600, slow, records); n[Zstd] < 300 || c.Method() != Zstd {
		t.Errorf("slow, records again: %v, %s", n, c.Explain())
	}
	if n := drive(c, 300, fast, records); n[None] < 250 || c.Method() != None {
		t.Errorf("fast: %v, %s", n, c.Explain())
	}
}

func TestTheClockIsReadOnlyAroundProbes(t *testing.T) {
	reads := 0
	c := open(t, Options{Method: Adaptive, Clock: func() time.Duration { reads++; return time.Duration(reads) * time.Microsecond }})
	src, dst := market(1, 1400), make([]byte, 1400)
	c.Pack(dst, src)
	drive(c, 100, backlog{0, 1e6}, func(int) []byte { return src })
	if reads != 0 {
		t.Fatalf("%d reads without a backlog", reads)
	}
	const batches, envelopes = 1000, 10
	for range batches {
		busy(c)
		for range envelopes {
			c.Pack(dst, src)
		}
	}
	if most := 2 * (batches/probeEvery + 2*(methods-1) + 1); reads == 0 || reads > most {
		t.Errorf("%d reads in %d batches, at most %d", reads, batches, most)
	}
}

func TestAFixedMethodIgnoresTheBacklog(t *testing.T) {
	each(t, func(t *testing.T, m Method) {
		c := open(t, Options{Method: m, Clock: func() time.Duration { t.Error("the clock was read"); return 0 }})
		src := market(1, 4096)
		if n := drive(c, 50, backlog{0, 1e9}, func(int) []byte { return src }); n[m] != 50 || c.Method() != m {
			t.Errorf("%v", n)
		}
		if got, want := c.Explain(), m.String()+": as configured"; got != want {
			t.Errorf("%q, not %q", got, want)
		}
	})
}
