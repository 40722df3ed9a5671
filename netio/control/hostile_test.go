package control

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

// stranger is a connection to a listener, past what an honest node would do with it.
func (n *town) stranger(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := n.dial(context.Background(), addr)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// TestHandshakesEndInTimeHoweverTheyStall: at every step a peer stops, or dribbles a byte a second, and is put out after Handshake (F19).
func TestHandshakesEndInTimeHoweverTheyStall(t *testing.T) {
	greeting, err := link.AppendGreeting(nil, link.Greeting{Node: "b", Start: 1, Channels: both("x")})
	must(t, err)
	secure := func(t *testing.T, i *trust.Identity, c net.Conn) *tls.Conn {
		config, err := i.Client(Protocol)
		must(t, err)
		s := tls.Client(c, config)
		must(t, s.Handshake())
		return s
	}
	for _, c := range []struct {
		name  string
		stall func(t *testing.T, i *trust.Identity, c net.Conn) (dribble func() error)
	}{
		{"silent", func(*testing.T, *trust.Identity, net.Conn) func() error { return nil }},
		{"dribbles TLS", func(_ *testing.T, _ *trust.Identity, c net.Conn) func() error {
			hello := append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252}, make([]byte, 500)...)
			return func() error {
				_, err := c.Write(hello[:1])
				hello = hello[1:]
				return err
			}
		}},
		{"no greeting", func(t *testing.T, i *trust.Identity, c net.Conn) func() error { secure(t, i, c); return nil }},
		{"dribbles a greeting", func(t *testing.T, i *trust.Identity, c net.Conn) func() error {
			s, rest := secure(t, i, c), greeting
			return func() error {
				_, err := s.Write(rest[:1])
				rest = rest[1:]
				return err
			}
		}},
		{"half a greeting", func(t *testing.T, i *trust.Identity, c net.Conn) func() error {
			_, err := secure(t, i, c).Write(greeting[:len(greeting)/2])
			must(t, err)
			return nil
		}},
		{"no root", func(t *testing.T, i *trust.Identity, c net.Conn) func() error {
			_, err := secure(t, i, c).Write(greeting)
			must(t, err)
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := trusttest.Authority(t)
				var n town
				o, d := options(t, ca, "a", both("x")...)
				listener, _ := n.listenAt(t, "a:1", o)
				peer := trusttest.Identity(t, ca, "b")
				conn := n.stranger(t, "a:1")
				dribble := c.stall(t, peer, conn)
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					for dribble != nil && dribble() == nil {
						select {
						case <-stop:
							return
						case <-time.After(time.Second):
						}
					}
				}()
				pass(DefaultHandshake - time.Millisecond)
				if s := listener.Stats(); s.Failed != 0 {
					t.Fatal("put out early:", d.all)
				}
				pass(2 * time.Millisecond)
				if s := listener.Stats(); s.Failed != 1 || len(listener.slots) != 0 {
					t.Errorf("%+v, %d handshakes under way", s, len(listener.slots))
				}
				d.one(t, Trouble)
				if all := d.of(Connected); len(all) != 0 {
					t.Error(all)
				}
			})
		})
	}
}

// TestAStallAfterTheHandshakeIsSilence: dribbling keeps no link up.
func TestAStallAfterTheHandshakeIsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := trusttest.Authority(t)
		var n town
		o, d := options(t, ca, "a", both("x")...)
		n.listenAt(t, "a:1", o)
		config, err := trusttest.Identity(t, ca, "b").Client(Protocol)
		must(t, err)
		s := tls.Client(n.stranger(t, "a:1"), config)
		must(t, s.Handshake())
		b, err := link.AppendGreeting(nil, link.Greeting{Node: "b", Start: 1, Channels: both("x")})
		must(t, err)
		_, err = s.Write((&message{kind: rootKind}).append(b))
		must(t, err)
		var dribble sync.WaitGroup
		defer dribble.Wait()
		dribble.Go(func() {
			for b := range slices.Values((&message{kind: endKind, reason: "a byte at a time"}).append(nil)) {
				if _, err := s.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
		synctest.Wait()
		d.one(t, Connected)
		pass(3*DefaultHeartbeat + time.Millisecond)
		if e := d.one(t, Disconnected); !errors.Is(e.Err, ErrSilent) {
			t.Error(e.Err)
		}
	})
}

// TestSilentStrangersKeepNobodyOutForLong: as many handshakes as there is room for stall; the next is closed at once, and once they are
// put out nodes come in again. They are told of once a second, not each.
func TestSilentStrangersKeepNobodyOutForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := trusttest.Authority(t)
		var n town
		ao, ad := options(t, ca, "a", both("x")...)
		listener, _ := n.listenAt(t, "a:1", ao)
		for range maxHandshakes {
			n.stranger(t, "a:1")
		}
		synctest.Wait()
		bo, bd := options(t, ca, "b", both("x")...)
		n.dialTo(t, "a", "a:1", bo)
		pass(time.Second)
		if s := listener.Stats(); s.Crowded == 0 || len(bd.of(Connected)) != 0 {
			t.Fatalf("%+v", s)
		}
		pass(DefaultHandshake + mostWait)
		bd.one(t, Connected)
		if all := ad.of(Trouble); len(all) != 1 {
			t.Errorf("told %d times of %d strangers", len(all), listener.Stats().Failed)
		}
	})
}

// TestStrangersWithoutACertificateLearnNothing: no greeting leaves before the peer is believed.
func TestStrangersWithoutACertificateLearnNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := trusttest.Authority(t)
		var n town
		o, d := options(t, ca, "a", both("x")...)
		n.listenAt(t, "a:1", o)
		s := tls.Client(n.stranger(t, "a:1"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{Protocol}})
		must(t, s.Handshake())
		if n, err := s.Read(make([]byte, 100)); n != 0 || err == nil {
			t.Errorf("%d bytes for a stranger, %v", n, err)
		}
		var r *trust.Refusal
		if e := d.one(t, Trouble); !errors.As(e.Err, &r) || r.Reason != trust.NoCertificate {
			t.Error(e.Err)
		}
	})
}

// TestWhatNoNodeSaysEndsTheLink, with a reason.
func TestWhatNoNodeSaysEndsTheLink(t *testing.T) {
	for name, m := range map[string]message{
		"second root":           {kind: rootKind},
		"a secret for no group": {kind: keyKind, number: 1, channel: "z"},
		"a secret of a channel that only the other takes": {kind: keyKind, number: 1, channel: "y"},
		"a turn to nothing": {kind: turnedKind, number: 1, channel: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, []link.Contract{takes("x"), sends("y")}, []link.Contract{sends("x"), takes("y")}, nil)
				p.link.mu.Lock()
				s := p.link.live
				p.link.mu.Unlock()
				s.send(m)
				synctest.Wait()
				if e := p.ad.one(t, Disconnected); !errors.Is(e.Err, ErrMessage) {
					t.Error(e.Err)
				}
				if e := p.bd.one(t, Disconnected); !errors.Is(e.Err, ErrEnded) {
					t.Error("the other side is not told why:", e.Err)
				}
			})
		})
	}
}

// TestAListenerRemembersAsManyPeersAsItMay: the one that left first makes room; while all are there nobody else comes in.
func TestAListenerRemembersAsManyPeersAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := trusttest.Authority(t)
		var n town
		o, d := options(t, ca, "a", both("x")...)
		o.Peers = 2
		listener, _ := n.listenAt(t, "a:1", o)
		links := map[string]*Link{}
		for _, name := range []string{"b", "c", "d"} {
			po, _ := options(t, ca, name, both("x")...)
			links[name] = n.dialTo(t, "a", "a:1", po)
			pass(time.Second)
		}
		if all := d.of(Trouble); len(all) == 0 || !errors.Is(all[0].Err, ErrCrowded) || listener.Link("d") != nil {
			t.Fatal(all)
		}
		must(t, links["b"].Close())
		pass(mostWait)
		if listener.Link("b") != nil || listener.Link("d") == nil || !links["d"].Connected() || listener.Stats().Peers != 2 {
			t.Errorf("%+v", listener.Stats())
		}
	})
}
