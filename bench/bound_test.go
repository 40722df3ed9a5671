package bench

import (
	"testing"
	"time"
)

func TestStandstillIsNotSilence(t *testing.T) {
	c, jump := stepped()
	b := newBound(c, 80*time.Microsecond)
	jump(uint64(time.Hour)) // everything stood still: one step is gone, no more
	if b.passed() {
		t.Fatal("a standstill ended the wait")
	}
	looks := 0
	for !b.passed() {
		if looks++; looks > 100 {
			t.Fatal("the wait does not end")
		}
		jump(7_000)
	}
	if looks < 8 || looks > 11 {
		t.Errorf("70 µs of waiting took %d looks of 7 µs", looks)
	}
}

func TestWaitTellsLateFromClosed(t *testing.T) {
	c := make(chan int, 1)
	if _, _, timely := within(c, time.Millisecond); timely {
		t.Error("nothing came in time")
	}
	c <- 7
	if v, ok, timely := within(c, time.Hour); v != 7 || !ok || !timely {
		t.Error(v, ok, timely)
	}
	close(c)
	if _, ok, timely := within(c, time.Hour); ok || !timely {
		t.Error("a closed channel is late")
	}
}
