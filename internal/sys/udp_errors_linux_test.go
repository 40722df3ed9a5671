package sys

import (
	"errors"
	"net/netip"
	"testing"
)

// closedPort returns an address where nobody listens, known to be free a moment ago.
func closedPort(t *testing.T, loopback netip.AddrPort) netip.AddrPort {
	t.Helper()
	u := openUDP(t, UDPOptions{Bind: loopback})
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	return u.Local()
}

func TestRefusalComesWithTheNextCallOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		nowhere := closedPort(t, loopback)
		u := openUDP(t, UDPOptions{Connect: nowhere})
		in, out, mem := recvBatch(t, 1, 10), sendBatch(t, 1, 1), slab(t, 8, 1)
		out.Begin(nil, 0)
		out.Add(mem)
		for _, next := range []struct {
			name string
			call func() error
		}{
			{"SendOne", func() error { return u.SendOne(mem) }},
			{"Send", func() error { _, err := u.Send(out); return err }},
			{"Recv", func() error { _, err := u.Recv(in); return err }},
			{"RecvOne", func() error { _, err := u.RecvOne(in); return err }},
		} {
			_, _ = u.Recv(in) // takes what an earlier turn left
			if err := u.SendOne(mem); err != nil {
				t.Fatal(err)
			}
			if err := next.call(); !errors.Is(err, ErrRefused) || err != ErrRefused {
				t.Errorf("%s: %v", next.name, err)
			}
			if n, err := u.Recv(in); n != 0 || err != nil {
				t.Errorf("after %s: %d, %v", next.name, n, err)
			}
		}
		if out.Unsent() != 1 {
			t.Error("a refused message counts as sent")
		}
		home := openUDP(t, UDPOptions{Bind: nowhere}) // the port opens: everything goes on
		if err := u.SendOne(mem); err != nil {
			t.Fatal(err)
		}
		if got := recvAll(t, home, in, len(mem)); len(got) != 1 {
			t.Error(got)
		}
	})
}

func TestErrorQueueTellsWhoAndWhere(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		nowhere := closedPort(t, loopback)
		u := openUDP(t, UDPOptions{Bind: loopback, ErrorQueue: true})
		if err := u.SendOneTo([]byte("x"), addr(t, nowhere)); err != nil {
			t.Fatal(err)
		}
		var q QueuedError
		until(t, u, "an error", func() bool {
			got, err := u.NextError(&q)
			if err != nil {
				t.Fatal(err)
			}
			return got
		})
		if !errors.Is(q.Err, ErrRefused) || q.Local || q.To.AddrPort() != nowhere || q.From.AddrPort().Addr() != loopback.Addr() || q.Stamp != 0 {
			t.Errorf("%+v to %s from %s", q, q.To.AddrPort(), q.From.AddrPort())
		}
		if got, err := u.NextError(&q); got || err != nil {
			t.Error("told twice", err)
		}
		in := recvBatch(t, 1, 10)
		if n, err := u.Recv(in); n != 0 || err != nil {
			t.Errorf("after the queue: %d, %v", n, err)
		}
	})
}

func TestErrorQueueTellsTheMTU(t *testing.T) {
	to := openUDP(t, UDPOptions{Bind: loop4})
	u := openUDP(t, UDPOptions{Connect: to.Local(), ErrorQueue: true, PathMTU: PathMTUStrict})
	mtu, err := u.MTU()
	if err != nil {
		t.Fatal(err)
	}
	if err := u.SendOne(make([]byte, min(mtu, MaxDatagram+1))); !errors.Is(err, ErrTooBig) {
		t.Fatal(err)
	}
	var q QueuedError
	if got, err := u.NextError(&q); !got || err != nil || !errors.Is(q.Err, ErrTooBig) || !q.Local || int(q.MTU) != mtu {
		t.Errorf("%t, %v, %+v, want %d", got, err, q, mtu)
	}
}

func TestSendsAreStampedInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, loopback netip.AddrPort) {
		to := openUDP(t, UDPOptions{Bind: loopback})
		u := openUDP(t, UDPOptions{Connect: to.Local(), Timestamps: StampsSoftware, SendStamps: true})
		if !u.Features().SendStamps {
			t.Fatal(u.Features())
		}
		last := int64(0)
		for i := range uint32(5) {
			if err := u.SendOne([]byte("x")); err != nil {
				t.Fatal(err)
			}
			var q QueuedError
			until(t, u, "a stamp", func() bool {
				got, err := u.NextError(&q)
				if err != nil {
					t.Fatal(err)
				}
				return got
			})
			if q.Err != nil || q.Sent != i || q.Stamp == 0 || q.Hardware {
				t.Errorf("send %d: %+v, after %d", i, q, last)
			}
			last = q.Stamp
		}
	})
}
