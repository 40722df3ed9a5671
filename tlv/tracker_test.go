package tlv

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestTrackerReadsTheGoldenGaps(t *testing.T) {
	s := NewStream(FramingNone, nil)
	s.Feed(goldenBytes(t, "derived.json", "stream_sequence_gaps"))
	var tr Tracker
	var got []string
	for {
		m, err := s.Next()
		if err != nil {
			break
		}
		v := tr.Observe(m)
		line := v.Arrival.String()
		if v.Action == Recover {
			r := v.Request
			line += fmt.Sprintf(" missing %d: %s %d..%d in %s", v.Missing, r.Request.Request,
				r.Request.LastSequence, r.Request.CurrentSequence, r.Domain)
		}
		got = append(got, line)
	}
	want := []string{"in_order", "in_order", "in_order",
		"gap missing 2: retransmit 3..6 in market_data", "in_order", "late", "duplicate",
		"gap missing 142: snapshot 7..150 in market_data"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestTrackerNeverUnderflows(t *testing.T) {
	var tr Tracker
	for _, n := range []uint64{math.MaxUint64, 1, math.MaxUint64 - 1, math.MaxUint64 - 999, math.MaxUint64 - 1000, 0} {
		v := tr.Sequence(MarketData, 1, n)
		if v.Action == Recover || v.Missing != 0 {
			t.Errorf("%d: %+v", n, v)
		}
	}
	if v := tr.Sequence(Signal, 1, 5); v.Arrival != InOrder {
		t.Error("streams share state")
	}
}

func TestTrackerDoesNotBelieveAForgedJump(t *testing.T) {
	var tr Tracker
	tr.Sequence(MarketData, 1, 10)
	if v := tr.Sequence(MarketData, 1, math.MaxUint64); v.Arrival != TooFar || v.Request.Request.Request != FullState {
		t.Errorf("%+v", v)
	}
	if _, last := tr.Phase(MarketData, 1); last != 10 {
		t.Errorf("position moved to %d", last)
	}
	if v := tr.Sequence(MarketData, 1, 11+DefaultMaxGap); v.Arrival != Gap {
		t.Errorf("the largest gap: %v", v.Arrival)
	}
}

func TestTrackerThresholdsSplitRetransmitFromSnapshot(t *testing.T) {
	for _, c := range []struct {
		thresholds Thresholds
		domain     Domain
		missing    uint64
		want       RequestType
	}{
		{Thresholds{}, MarketData, 99, Retransmit}, {Thresholds{}, MarketData, 100, FullState},
		{OldestThresholds, MarketData, 50, Retransmit}, {OldestThresholds, MarketData, 51, FullState},
		{OldestThresholds, Execution, 10, Retransmit}, {OldestThresholds, Execution, 11, FullState},
		{OldestThresholds, System, 99, Retransmit},
		{Thresholds{Signal: 5000}, Signal, 999, Retransmit}, {Thresholds{Signal: 5000}, Signal, 1000, FullState},
	} {
		tr := Tracker{Thresholds: c.thresholds}
		tr.Sequence(c.domain, 1, 1)
		if v := tr.Sequence(c.domain, 1, 2+c.missing); v.Request.Request.Request != c.want || v.Missing != c.missing {
			t.Errorf("%+v: %+v", c, v)
		}
	}
}

func TestTrackerPhases(t *testing.T) {
	var tr Tracker
	phase := func(want Phase) {
		t.Helper()
		if got, _ := tr.Phase(Signal, 20); got != want {
			t.Fatalf("phase %s, want %s", got, want)
		}
	}
	tr.Sequence(Signal, 20, 1)
	v := tr.Sequence(Signal, 20, 4)
	phase(PhaseGapDetected)
	tr.Requested(v.Request)
	phase(PhaseRecoveryRequested)
	if v := tr.Sequence(Signal, 20, 5); v.Action != Hold {
		t.Error("not held while recovering")
	}
	tr.Sequence(Signal, 20, 2)
	tr.Sequence(Signal, 20, 3)
	phase(PhaseNormal)

	v = tr.Sequence(Signal, 20, 9)
	tr.Requested(v.Request)
	next, err := tr.Failed(v.Request)
	if err != nil || next.Request.Request != FullState {
		t.Fatal("a failed retransmission does not become a snapshot", err)
	}
	tr.Requested(next)
	phase(PhaseSnapshotLoading)
	if v := tr.Sequence(Signal, 20, 20); v.Action != Hold {
		t.Error("a second request while the snapshot loads")
	}
	tr.Resume(Signal, 20, 20)
	phase(PhaseResynchronising)
	if v := tr.Sequence(Signal, 20, 21); v.Action != Process {
		t.Error("held after the snapshot")
	}
	phase(PhaseNormal)

	for range maxRetries {
		_, err = tr.Failed(next)
	}
	if !errors.Is(err, ErrRecoveryFailed) {
		t.Error("retries are not bounded")
	}
	tr.Forget(Signal, 20)
	if v := tr.Sequence(Signal, 20, 1); v.Arrival != InOrder {
		t.Error("a forgotten stream does not start anew")
	}
}

// TestTrackerAgreesWithASlowTwin compares the bitmap with a set over random histories.
func TestTrackerAgreesWithASlowTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr Tracker
		first := rapid.Uint64Range(1, 5000).Draw(t, "first")
		tr.Sequence(MarketData, 3, first)
		seen, last := map[uint64]bool{first: true}, first
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			n := uint64(max(1, int64(last)+rapid.Int64Range(-1200, 1200).Draw(t, "delta")))
			v := tr.Sequence(MarketData, 3, n)
			want := Gap
			switch {
			case n == last+1:
				want = InOrder
			case n <= last && (n < first || last-n >= DefaultWindow):
				want = TooOld
			case seen[n]:
				want = Duplicate
			case n < last:
				want = Late
			}
			if v.Arrival != want {
				t.Fatalf("%d after %d: %s, want %s", n, last, v.Arrival, want)
			}
			seen[n] = true
			last = max(last, n)
		}
	})
}

func TestRecoveryRequestCarriesTheDomainOfTheGap(t *testing.T) {
	var tr Tracker
	tr.Consumer = 12345
	tr.Sequence(Execution, SourceExecutionEngine, 100)
	v := tr.Sequence(Execution, SourceExecutionEngine, 150)
	buf := make([]byte, 128)
	n, err := v.Request.Put(buf, Aligned, Header{Source: SourceDashboard, Sequence: 3}, From1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(buf[:n])
	if err != nil || m.Domain() != Execution || m.Source() != SourceDashboard {
		t.Fatal(m.Domain(), m.Source(), err)
	}
	tl, _ := m.Find(TypeRecoveryRequest)
	if got, ok := tl.RecoveryRequest(); !ok || got != v.Request.Request {
		t.Errorf("%+v", got)
	}
}
