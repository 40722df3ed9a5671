package ring

import "testing"

// TestCursorBelowTheRingHoldsNobody: a gate that was never seen, with a cursor below what the ring still holds, is a
// reader about to start further on, or forged. The writer waits for neither.
func TestCursorBelowTheRingHoldsNobody(t *testing.T) {
	r := bedRing(t, 4096, false)
	w := bedWriter(t, r)
	for i := range 400 {
		if i == 200 { // laps later
			r.slot(9).Store64(slotCursor, r.geo.capacity)
			r.slot(9).Add32(slotLife, 1)
			r.cur.Or64(curGates, 1<<9)
		}
		if _, err := w.Claim(100); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if err := w.Commit(100); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Evictions(); n != 0 {
		t.Errorf("%d readers evicted that never came", n)
	}
}
