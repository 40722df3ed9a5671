package seal

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawRanges draws ranges in order, apart or side by side.
func drawRanges(t *rapid.T) []Range {
	var all []Range
	next := rapid.Uint64Range(1, 1<<40).Draw(t, "first")
	for range rapid.IntRange(1, MaxRanges).Draw(t, "ranges") {
		r := Range{First: next}
		r.Last = r.First + rapid.Uint64Range(0, 1<<50).Draw(t, "size")
		next = r.Last + 1 + rapid.Uint64Range(0, 9).Draw(t, "gap")
		all = append(all, r)
	}
	return all
}

func TestNaksComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		missing := drawRanges(t)
		var got [MaxRanges]Range
		b := AppendNak([]byte("kept"), missing)
		if n, err := ParseNak(b[4:], &got); err != nil || !slices.Equal(got[:n], missing) {
			t.Fatalf("%v, %v; want %v", got[:n], err, missing)
		}
		if string(b[:4]) != "kept" {
			t.Fatal("what lay before it is gone")
		}
	})
}

func TestNaksAreBounded(t *testing.T) {
	many := make([]Range, MaxRanges+5)
	for i := range many {
		many[i] = Range{uint64(10*i + 1), uint64(10*i + 2)}
	}
	var got [MaxRanges]Range
	b := AppendNak(nil, many)
	if n, err := ParseNak(b, &got); n != MaxRanges || err != nil || !slices.Equal(got[:], many[:MaxRanges]) {
		t.Errorf("%d ranges, %v", n, err)
	}
	for n := range len(b) + rangeSize + 1 {
		body := append(bytes.Clone(b), AppendNak(nil, many[MaxRanges:MaxRanges+1])...)[:n]
		want := n > 0 && n <= len(b) && n%rangeSize == 0
		if count, err := ParseNak(body, &got); (err == nil) != want || err != nil && (err != ErrMalformed || count != 0) {
			t.Errorf("%d bytes: %d ranges, %v", n, count, err)
		}
	}
}

func TestRangesThatMeanNothingAreRefused(t *testing.T) {
	const most = math.MaxUint64
	for name, ranges := range map[string][]Range{
		"number 0":      {{0, 1}},
		"backwards":     {{5, 4}},
		"overlap":       {{1, 5}, {5, 6}},
		"out of order":  {{7, 8}, {1, 2}},
		"repeated":      {{1, 2}, {1, 2}},
		"no end":        {{1, most}},
		"after the end": {{most, most}},
	} {
		var got [MaxRanges]Range
		if n, err := ParseNak(AppendNak(nil, ranges), &got); err != ErrMalformed || n != 0 {
			t.Errorf("%s: %d ranges, %v", name, n, err)
		}
	}
	var got [MaxRanges]Range
	if n, err := ParseNak(AppendNak(nil, []Range{{1, 1}, {2, most - 1}}), &got); n != 2 || err != nil {
		t.Errorf("side by side up to the last number: %d ranges, %v", n, err)
	}
}

func TestStatusComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := StatusBody{rapid.Uint64().Draw(t, "next"), rapid.Uint64().Draw(t, "window"), rapid.Uint64().Draw(t, "tag"), rapid.Uint64Min(1).Draw(t, "receiver")}
		var got StatusBody
		b := make([]byte, StatusSize+1)
		s.Put(b)
		if err := got.Parse(b[:StatusSize]); err != nil || got != s {
			t.Fatalf("%+v, %v; want %+v", got, err, s)
		}
		for n := range len(b) + 1 {
			if err := got.Parse(b[:n]); n != StatusSize && err != ErrMalformed {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	})
}

func TestBeatComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := BeatBody{rapid.Uint64().Draw(t, "sent"), rapid.Uint64().Draw(t, "echo"), rapid.Uint64().Draw(t, "held")}
		var got BeatBody
		b := make([]byte, BeatSize+1)
		s.Put(b)
		if err := got.Parse(b[:BeatSize]); err != nil || got != s {
			t.Fatalf("%+v, %v; want %+v", got, err, s)
		}
		for n := range len(b) + 1 {
			if err := got.Parse(b[:n]); n != BeatSize && err != ErrMalformed {
				t.Fatalf("%d bytes: %v", n, err)
			}
		}
	})
}

func TestLostComesBackAsItWas(t *testing.T) {
	b := make([]byte, LostSize+1)
	for _, c := range []struct {
		first, last uint64
		ok          bool
	}{{1, 1, true}, {5, 9, true}, {9, math.MaxUint64 - 1, true}, {6, 5, false}, {1, 0, false}, {1, math.MaxUint64, false}} {
		PutLost(b, c.last)
		last, err := ParseLost(b[:LostSize], c.first)
		if (err == nil) != c.ok || c.ok && last != c.last || !c.ok && (err != ErrMalformed || last != 0) {
			t.Errorf("%+v: %d, %v", c, last, err)
		}
	}
	PutLost(b, 9)
	for n := range len(b) + 1 {
		if _, err := ParseLost(b[:n], 1); n != LostSize && err != ErrMalformed {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestFragmentsMakeTheirRecordAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := record(9, rapid.IntRange(1, 3000).Draw(t, "payload"))
		total := RecordSize(whole, 9, len(whole))
		step := 8 * rapid.IntRange(1, 50).Draw(t, "step")
		got := make([]byte, total)
		for at := 0; at < total; at += step {
			body := append(make([]byte, FragmentHeader), whole[at:min(at+step, total)]...)
			PutFragment(body, at, total)
			offset, size, part, err := ParseFragment(body, total)
			if err != nil || offset != at || size != total {
				t.Fatalf("part at %d of %d: at %d of %d, %v", at, total, offset, size, err)
			}
			copy(got[offset:], part)
			if _, _, _, err := ParseFragment(body, total-1); err != ErrMalformed {
				t.Fatalf("a record larger than the ring takes: %v", err)
			}
		}
		if !bytes.Equal(got, whole[:total]) {
			t.Fatal("the record is another")
		}
	})
}

func TestFragmentsThatDoNotFitAreRefused(t *testing.T) {
	const largest = 1000
	fragment := func(offset, total uint32, n int) []byte {
		b := binary.LittleEndian.AppendUint32(nil, offset)
		b = binary.LittleEndian.AppendUint32(b, total)
		return append(b, make([]byte, n)...)
	}
	for _, b := range [][]byte{fragment(0, 17, 16), fragment(16, 17, 1), fragment(992, 1000, 8), fragment(0, 1000, 8), fragment(0, 17, 17)} {
		if _, _, part, err := ParseFragment(b, largest); err != nil || len(part) != len(b)-FragmentHeader {
			t.Errorf("%x: %v", b[:FragmentHeader], err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing of it":           fragment(0, 100, 0),
		"no payload":              fragment(0, 16, 16),
		"nothing at all":          fragment(0, 0, 8),
		"too large":               fragment(0, largest+1, 8),
		"far too large":           fragment(0, math.MaxUint32, 8),
		"beyond its end":          fragment(96, 100, 8),
		"behind its end":          fragment(104, 100, 8),
		"an offset without end":   fragment(math.MaxUint32&^7, 100, 8),
		"an offset in between":    fragment(4, 100, 8),
		"a part that is no eight": fragment(0, 100, 12),
	} {
		if offset, total, part, err := ParseFragment(b, largest); err != ErrMalformed || offset|total|len(part) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range FragmentHeader + 1 {
		if _, _, _, err := ParseFragment(fragment(0, 100, 8)[:n], largest); err != ErrMalformed {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
}
