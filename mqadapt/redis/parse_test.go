package redis

import (
	"encoding/json"
	"math"
	"testing"
)

func TestPositionRisesAsIDsDo(t *testing.T) {
	last := uint64(0)
	for _, i := range []id{{0, 1}, {1, 0}, {1, 1}, {1_800_000_000_000, 0}, {1_800_000_000_000, 1<<seqBits - 1}, {1_800_000_000_000, 1 << seqBits},
		{1_800_000_000_000, 1<<seqBits + 1}, {1_800_000_000_001, 0}, {1_800_000_000_002, 0}, {math.MaxUint64, math.MaxUint64 - 1}} {
		p := i.position(last)
		if p <= last {
			t.Errorf("%s: %d after %d", i, p, last)
		}
		last = p
	}
	if p := (id{1_800_000_000_002, 7}).position(5); p != 1_800_000_000_002<<seqBits|7 {
		t.Error(p)
	}
	if n := (id{1, math.MaxUint64}).next(); n != (id{2, 0}) {
		t.Error(n)
	}
}

func FuzzID(f *testing.F) {
	for _, s := range []string{"0-0", "1800000000000-12", "18446744073709551615-18446744073709551615", "1", "-", "1-2-3", "+1-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		i, err := parseID(text)
		if err != nil {
			return
		}
		if again, err := parseID(i.String()); err != nil || again != i {
			t.Fatalf("%q is %s, which is %s: %v", text, i, again, err)
		}
		if n := i.next(); !i.before(n) && i != (id{math.MaxUint64, math.MaxUint64}) {
			t.Fatalf("%s is not before %s", i, n)
		}
	})
}

func FuzzVersion(f *testing.F) {
	f.Add("redis_version:7.0.15\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := versionOf(text); err == nil && (v[0] < 0 || v[1] < 0) {
			t.Fatal(v)
		}
	})
}

// FuzzLot has a reply as JSON: the shapes are those of the protocol.
func FuzzLot(f *testing.F) {
	f.Add(`[1,[["1-1",["e","x"]],["1-2",null],["1-3",["f","y"]]],3,3,"1-1"]`)
	f.Add(`[1,0]`)
	f.Add(`[0]`)
	f.Add(`[1,[["1-1"]],1,2,3]`)
	f.Fuzz(func(t *testing.T, text string) {
		var reply []any
		if json.Unmarshal([]byte(text), &reply) != nil {
			return
		}
		l, err := parseLot(whole(reply).([]any), nil)
		if err != nil {
			return
		}
		if !l.ours && len(l.entries) > 0 {
			t.Fatal("entries without the lease")
		}
		for _, e := range l.entries {
			if e.gone && e.envelope != nil {
				t.Fatal("gone, and has an envelope")
			}
		}
	})
}

// whole has numbers as the protocol does.
func whole(v any) any {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	}
	return v
}
