package mqadapt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// slowlyRead is a taker of a getter whose mirror, of the least size, is read by hand.
func slowlyRead(t *testing.T, q *getter, o mqadapt.TakerOptions) (k *mqadapt.Taker, drain func()) {
	t.Helper()
	var r *ring.Reader
	o.Channel = "c"
	o.Inbox = netio.InboxOptions{Capacity: 4096, Opened: func(m *ring.Ring) {
		var err error
		if r, err = m.Reader(ring.ReaderOptions{Name: "slow", From: ring.Oldest}); err != nil {
			t.Error(err)
		}
	}}
	k, err := mqadapt.NewTaker(q, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k, func() {
		batch := make([]ring.Record, 64)
		for n := r.Peek(batch); n > 0; n = r.Peek(batch) {
			if err := r.Release(n); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

func do(t *testing.T, k *mqadapt.Taker, times int) {
	t.Helper()
	for range times {
		if _, err := k.Do(); err != nil {
			t.Fatal(err)
		}
	}
}

// fitting is how many of the messages such a mirror has room for.
func fitting(t *testing.T, all [][]byte) int {
	k, _ := slowlyRead(t, &getter{kept: all}, mqadapt.TakerOptions{})
	do(t, k, 100)
	n := int(k.Stats().Frames)
	if n < 10 || n+10 > len(all) {
		t.Fatalf("%d of %d fit", n, len(all))
	}
	return n
}

// A message that has come and finds the mirror full is not missing, however long its reader sleeps.
func TestWhatWaitsForRoomIsNotMissing(t *testing.T) {
	all := shipped(t, 2000)
	m := fitting(t, all)
	q := &getter{kept: slices.Concat(all[:m], all[m+1:m+2], all[m:m+1])}
	k, drain := slowlyRead(t, q, mqadapt.TakerOptions{Patience: time.Millisecond})
	do(t, k, 100)
	for begun := time.Now(); time.Since(begun) < 5*time.Millisecond; {
		do(t, k, 1)
	}
	drain()
	do(t, k, 10)
	if s := k.Stats(); s.Lost != 0 || int(s.Frames) != m+2 || int(q.acked) != m+2 {
		t.Errorf("%+v, acknowledged %d of %d", s, q.acked, m+2)
	}
}

// While one that came early waits for room in the mirror no more are taken from the queue than may wait.
func TestEarlyDeliveriesAreBoundedWhileTheMirrorIsFull(t *testing.T) {
	all := shipped(t, 2000)
	m := fitting(t, all)
	q := &getter{kept: slices.Concat(all[:m-1], all[m:m+3], all[m-1:m], all[m+3:])}
	k, drain := slowlyRead(t, q, mqadapt.TakerOptions{Early: 100})
	do(t, k, 100)
	if q.given > m+100 {
		t.Errorf("%d taken from the queue, and %d fit", q.given, m)
	}
	for range 200 {
		drain()
		do(t, k, 1)
	}
	if s := k.Stats(); s.Lost != 0 || int(s.Frames) != len(all) || int(q.acked) != len(all) {
		t.Errorf("%+v, acknowledged %d of %d", s, q.acked, len(all))
	}
}

// What is given up is what did not come: not what came in another order.
func TestOnlyTheMissingIsGivenUp(t *testing.T) {
	all := shipped(t, 6)
	q := &getter{kept: [][]byte{all[0], all[4], all[3], all[2], all[5]}}
	k, _ := slowlyRead(t, q, mqadapt.TakerOptions{Early: 3})
	do(t, k, 5)
	if s := k.Stats(); s.Lost != 1 || s.Frames != 5 || q.acked != 5 {
		t.Errorf("%+v, acknowledged %d", s, q.acked)
	}
}
