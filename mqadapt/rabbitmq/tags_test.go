package rabbitmq

import (
	"math/rand/v2"
	"testing"
)

// A broker closes the channel over a tag that it does not know any more. It is told each tag once, in whatever order they are done with, and what
// is remembered of them is no more than what is lent.
func TestBrokerIsToldEachTagOnce(t *testing.T) {
	const lent, all = 50, 20_000
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var s tags
	broker, open, given, upTo := map[uint64]bool{}, []uint64{}, uint64(0), uint64(0)
	for given < all {
		for len(broker) < lent {
			given++
			broker[given] = true
			open = append(open, given)
		}
		if rnd.IntN(20) > 0 && len(open) > 1 { // the first one stays
			i := 1 + rnd.IntN(len(open)-1)
			if tag := open[i]; s.one(tag) {
				if !broker[tag] {
					t.Fatalf("%d, which the broker does not know", tag)
				}
				delete(broker, tag)
			}
			open = append(open[:i], open[i+1:]...)
		} else if rnd.IntN(10) == 0 {
			i := rnd.IntN(len(open))
			upTo, open = open[i], open[i+1:]
			if last := s.all(upTo); last > 0 {
				if !broker[last] {
					t.Fatalf("up to %d, which the broker does not know", last)
				}
				for tag := range broker {
					if tag <= last {
						delete(broker, tag)
					}
				}
			}
			if s.one(upTo) || s.all(upTo) != 0 {
				t.Fatal("said twice")
			}
			for tag := range broker {
				if tag <= upTo {
					t.Fatalf("%d was not told", tag)
				}
			}
		}
		if len(s.left) > lent {
			t.Fatalf("%d are remembered", len(s.left))
		}
	}
}
