package simnet

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestFaultsAreWrittenAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]Faults{
		"":                        {},
		"loss=1%":                 {Loss: 0.01},
		"loss=100%,dup=0.5%":      {Loss: 1, Duplicate: 0.005},
		"burst=0.2%/8":            {Burst: Burst{Start: 0.002, Mean: 8}},
		"burst=0.2%/2.5/80%":      {Burst: Burst{Start: 0.002, Mean: 2.5, Loss: 0.8}},
		"delay=5ms,jitter=2ms":    {Delay: 5 * time.Millisecond, Jitter: 2 * time.Millisecond},
		"reorder=1%":              {Reorder: 0.01},
		"reorder=1%/7":            {Reorder: 0.01, ReorderBy: 7},
		"corrupt=0.1%":            {Corrupt: 0.001},
		"truncate=0.1%":           {Truncate: 0.001},
		"rate=10MB/s":             {Rate: 10_000_000},
		"rate=1GiB/s,queue=64KiB": {Rate: 1 << 30, Queue: 64 << 10},
		"partition=10s/1s/3":      {Outage: Outage{After: 10 * time.Second, For: time.Second, Times: 3}},
		"partition=0s/1s":         {Outage: Outage{For: time.Second}},
	} {
		got, err := ParseFaults(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%q is written %q", text, got)
		}
	}
	for text, canonical := range map[string]string{
		" loss=0.01 , delay=0.005s": "loss=1%,delay=5ms", "rate=1.5kB/s": "rate=1500B/s", "rate=2KB/s": "rate=2kB/s", "loss=0": "",
	} {
		if f, err := ParseFaults(text); err != nil || f.String() != canonical {
			t.Errorf("%q: %q, %v", text, f, err)
		}
	}
}

func TestEveryFaultInTheTextIsNamed(t *testing.T) {
	_, err := ParseFaults("loss=2,delay=5,speed=3,dup=x%,burst=1%,burst=1%/0.5,reorder=1%/0,rate=10MB,queue=1.5B,partition=1s,loss=1%,")
	if !errors.Is(err, ErrFaults) {
		t.Fatal(err)
	}
	for _, name := range []string{`"delay=5"`, `"speed=3"`, `"dup=x%"`, `"burst=1%"`, `"burst=1%/0.5"`, `"reorder=1%/0"`, `"rate=10MB"`,
		`"queue=1.5B"`, `"partition=1s"`, `"loss=1%": named twice`, `""`} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in\n%v", name, err)
		}
	}
	for _, text := range []string{"loss=101%", "loss=NaN", "loss=-1%", "burst=1%/2/0%", "burst=0/2", "reorder=0/2", "queue=1kB", "delay=-1s",
		"delay=2h", "partition=1s/0s", "partition=1s/1s/0", "rate=0B/s", "rate=5TB/s", "reorder=1%/5000"} {
		if _, err := ParseFaults(text); !errors.Is(err, ErrFaults) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEveryFaultInTheValuesIsNamed(t *testing.T) {
	bad := Faults{Loss: math.NaN(), Burst: Burst{Start: 1, Mean: 0, Loss: 2}, Delay: -1, Jitter: 2 * time.Hour, Reorder: 3, ReorderBy: -1,
		Duplicate: -1, Corrupt: 2, Truncate: 2, Rate: -1, Queue: 1 << 40, Outage: Outage{After: time.Second}}
	err := bad.Check()
	if !errors.Is(err, ErrFaults) {
		t.Fatal(err)
	}
	for _, name := range []string{"loss", "burst loss", "burst of", "delay", "jitter", "reorder 3", "reorder by", "dup", "corrupt", "truncate",
		"rate", "queue", "partition"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in\n%v", name, err)
		}
	}
}

func TestOutagesFollowTheirSchedule(t *testing.T) {
	o, err := ParseOutage("10s/1s/3")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]bool{
		-1: false, 0: false, 10*time.Second - 1: false, 10 * time.Second: true, 11*time.Second - 1: true, 11 * time.Second: false,
		21*time.Second - 1: false, 21 * time.Second: true, 22 * time.Second: false, 32 * time.Second: true, 33 * time.Second: false,
		43 * time.Second: false, time.Hour: false,
	} {
		if o.at(at) != want {
			t.Errorf("at %s: %v", at, !want)
		}
	}
	if (Outage{}).at(0) {
		t.Error("no outage is never on")
	}
	for _, text := range []string{"", "1s", "x/1s", "1s/1s/x", "2h/1s"} {
		if _, err := ParseOutage(text); !errors.Is(err, ErrFaults) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
