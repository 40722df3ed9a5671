package xdp

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
)

// heapRing is a ring whose other side is not the kernel; its numbers begin where they are about to wrap.
func heapRing(size uint32) sys.XSKRing {
	r := sys.XSKRing{Mem: sys.Heap(256 + 16*int(size)), Producer: 0, Consumer: 64, Flags: 128, Entries: 192, Size: size}
	r.Store32(r.Producer, -5&0xffffffff)
	r.Store32(r.Consumer, -5&0xffffffff)
	return r
}

func TestEntriesCrossInOrderWhileNumbersWrap(t *testing.T) {
	const size = 64
	n := uint64(scaled(2_000_000, 100_000))
	r := heapRing(size)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := newProducer(r, r.Descs())
		rng := rand.New(rand.NewPCG(1, 2))
		for next := uint64(0); next < n; {
			k := min(p.room(1+rng.IntN(size)), 1+rng.IntN(size), int(n-next))
			if k == 0 {
				runtime.Gosched()
				continue
			}
			for i := range k {
				*p.at(i) = sys.XSKDesc{Addr: next, Len: uint32(next), Options: ^uint32(next)}
				next++
			}
			p.publish(k)
		}
		for p.left() > 0 {
			runtime.Gosched()
		}
	}()
	c := newConsumer(r, r.Descs())
	rng := rand.New(rand.NewPCG(3, 4))
	held := uint64(0) // the first that is not given back
	for next := uint64(0); next < n; {
		k := c.ready(1 + rng.IntN(size))
		for i := range k {
			if d := *c.at(i); d != (sys.XSKDesc{Addr: next + uint64(i), Len: uint32(next) + uint32(i), Options: ^(uint32(next) + uint32(i))}) {
				t.Fatalf("entry %d is %+v", next+uint64(i), d)
			}
		}
		c.advance(k)
		next += uint64(k)
		if c.out() != int(next-held) {
			t.Fatalf("%d are out, not %d", c.out(), next-held)
		}
		back := rng.IntN(c.out() + 1)
		if k == 0 {
			back = c.out() // or nothing moves any more
			runtime.Gosched()
		}
		for i := range back {
			if d := c.held(i); d.Addr != held+uint64(i) {
				t.Fatalf("%d is held, not %d", d.Addr, held+uint64(i))
			}
		}
		c.release(back)
		held += uint64(back)
	}
	c.release(c.out())
	<-done
}

func TestAFullRingHasNoRoomAndAnEmptyOneNothing(t *testing.T) {
	r := heapRing(64)
	p, c := newProducer(r, r.Addrs()), newConsumer(r, r.Addrs())
	if p.room(1) != 64 || c.ready(64) != 0 || p.left() != 0 {
		t.Fatal("a new ring is not empty")
	}
	p.publish(64)
	if p.room(1) != 0 || c.ready(100) != 64 || p.left() != 64 {
		t.Fatal("a full ring is not full")
	}
	c.advance(10)
	if p.room(1) != 0 || c.ready(100) != 54 {
		t.Fatal("what is only looked at is free")
	}
	c.release(10)
	if p.room(1) != 10 || c.ready(100) != 54 || p.left() != 54 {
		t.Fatal("what is given back is not free")
	}
	if r.Or32(r.Flags, sys.XSKWakeup); !p.asleep() {
		t.Fatal("a sleeper is not seen")
	}
}
