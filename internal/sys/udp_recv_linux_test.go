package sys

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestLargerDatagramIsFlagged(t *testing.T) {
	for _, c := range []struct {
		name string
		recv func(*UDP, *RecvBatch) (int, error)
	}{{"Recv", (*UDP).Recv}, {"RecvOne", (*UDP).RecvOne}} {
		t.Run(c.name, func(t *testing.T) {
			to, from := udpPair(t, loop4, UDPOptions{})
			in := recvBatch(t, 4, 10)
			for _, n := range []int{10, 11, 100, 9} {
				sent := bytes.Repeat([]byte{byte(n)}, n)
				if err := from.SendOne(sent); err != nil {
					t.Fatal(err)
				}
				until(t, to, "a datagram", func() bool {
					got, err := c.recv(to, in)
					if err != nil {
						t.Fatal(err)
					}
					return got == 1
				})
				data, _ := in.Message(0)
				if !bytes.Equal(data, sent[:min(n, 10)]) || in.Truncated(0) != (n > 10) || in.From(0).AddrPort() != from.Local() {
					t.Errorf("%d bytes: %d arrived, truncated %t", n, len(data), in.Truncated(0))
				}
			}
		})
	}
}

func TestOneAndManyMixOnOneBatch(t *testing.T) {
	to, from := udpPair(t, loop6, UDPOptions{})
	to4, from4 := udpPair(t, loop4, UDPOptions{GRO: true})
	in := recvBatch(t, 4, 100)
	for i := range 20 {
		r, s := to, from
		if i%3 == 0 {
			r, s = to4, from4
		}
		if err := errors.Join(s.SendOne([]byte{byte(i)}), s.SendOne([]byte{byte(i + 100)})); err != nil {
			t.Fatal(err)
		}
		until(t, r, "the first", func() bool { n, err := r.RecvOne(in); return n == 1 && err == nil })
		if data, _ := in.Message(0); data[0] != byte(i) || in.From(0) != *addr(t, s.Local()) {
			t.Fatalf("%v from %s", data, in.From(0).AddrPort())
		}
		recvAny(t, r, in)
		if data, _ := in.Message(0); data[0] != byte(i+100) || in.From(0) != *addr(t, s.Local()) {
			t.Fatalf("%v from %s", data, in.From(0).AddrPort())
		}
	}
}

func TestNothingWaitingIsNoError(t *testing.T) {
	u := openUDP(t, UDPOptions{Bind: loop4})
	in := recvBatch(t, 4, 100)
	if n, err := u.Recv(in); n != 0 || err != nil || in.Len() != 0 {
		t.Error(n, err)
	}
	if n, err := u.RecvOne(in); n != 0 || err != nil || in.Len() != 0 {
		t.Error(n, err)
	}
}

func TestMessageBeyondTheBatchPanics(t *testing.T) {
	in := recvBatch(t, 4, 100)
	for _, f := range []func(){func() { in.Message(0) }, func() { in.From(-1) }, func() { in.Stamp(4) }, func() { in.Truncated(0) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("read what nobody sent")
				}
			}()
			f()
		}()
	}
}

func TestRecvBatchKeepsItsBounds(t *testing.T) {
	for _, c := range [][2]int{{0, 1}, {MaxMessages + 1, 1}, {1, 0}, {1, 1<<16 + 1}} {
		if b, err := NewRecvBatch(c[0], c[1]); err == nil {
			t.Errorf("%v: made, %v", c, b.Close())
		}
	}
}

func TestArrivalsAreStamped(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		to, from := udpPair(t, loopback, UDPOptions{GRO: true, Timestamps: StampsSoftware})
		if to.Features().Timestamps != StampsSoftware {
			t.Fatal(to.Features())
		}
		in := recvBatch(t, 4, 1000)
		start := time.Now()
		until(t, to, "a stamp", func() bool { // the kernel begins to stamp a little after it was asked
			if err := from.SendOne([]byte("x")); err != nil {
				t.Fatal(err)
			}
			recvAny(t, to, in)
			ns, hardware := in.Stamp(0)
			if ns == 0 {
				return false
			}
			if at := time.Unix(0, ns); hardware || at.Before(start.Add(-time.Hour)) || at.After(start.Add(time.Hour)) {
				t.Errorf("stamped %s by hardware %t", at, hardware)
			}
			return true
		})
	})
}

func TestBytesAloneComeWithoutTheirSender(t *testing.T) {
	to, from := udpPair(t, loop4, UDPOptions{GRO: true})
	in := recvBatch(t, 2, 64)
	for i, recv := range []func(*RecvBatch) (int, error){to.RecvBytes, to.RecvBare, to.Recv, to.RecvBytes, to.Recv} {
		if n, err := recv(in); n != 0 || err != nil { // nothing is there, and what comes next is as if nobody had looked
			t.Fatal(n, err)
		}
		if err := from.SendOne([]byte{byte(i), 7}); err != nil {
			t.Fatal(err)
		}
		for n := 0; n == 0; {
			var err error
			if n, err = recv(in); err != nil {
				t.Fatal(err)
			}
		}
		data, _ := in.Message(0)
		if named := i != 0 && i != 3; len(data) != 2 || data[0] != byte(i) || in.Truncated(0) || (in.From(0).AddrPort() == from.Local()) != named {
			t.Errorf("%d: % x from %s, truncated %t", i, data, in.From(0).AddrPort(), in.Truncated(0))
		}
	}
}
