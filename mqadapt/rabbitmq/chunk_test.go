package rabbitmq

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
)

// A stream is lent in chunks, whatever the bound. Who acknowledges one after the other while the first waits is lent all of them, and a member that
// takes nothing can be closed.
func TestFollowerIsLentMoreForSingleOnes(t *testing.T) {
	const all = 500
	q := open(t, fresh(t, Options{Kind: Stream, Prefetch: 4}))
	p, err := q.Producer()
	if err != nil {
		t.Fatal(err)
	}
	var batch []mqadapt.Envelope
	for i := range uint64(all) {
		batch = append(batch, envelope(i+1, 100))
	}
	for len(batch) > 0 {
		n, err := p.Put(batch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := settle(t, p, n); err != nil {
			t.Fatal(err)
		}
		batch = batch[n:]
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := q.Consumer("g")
		if err != nil {
			t.Error(err)
			return
		}
		one := c.(mqadapt.Selective)
		got := make([]mqadapt.Delivery, 64)
		for n, end := 0, time.Now().Add(10*time.Second); n < all && !t.Failed(); {
			k, err := c.Get(got, 10*time.Millisecond)
			if err != nil {
				t.Error(err)
				return
			}
			n += k
			for _, d := range got[:k] {
				if d.Position == 1 {
					continue
				}
				if err := one.AckOne(d.Position); err != nil {
					t.Error(err)
				}
			}
			if n < all && time.Now().After(end) {
				t.Errorf("%d of %d are lent", n, all)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		idle, err := q.Consumer("g")
		if err != nil {
			t.Error(err)
			return
		}
		f := idle.(*follower)
		for end := time.Now().Add(10 * time.Second); len(f.in) < cap(f.in); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Error("not enough is lent")
				break
			}
		}
		if err := idle.Close(); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
	case <-time.After(40 * time.Second):
		t.Fatal("it hangs")
	}
}
