package transport_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/xdp"
)

// express is a repaired channel past the kernel at both ends, from host a to host b.
type express struct {
	*pair
	lab  *netlab.Lab
	near *xdp.Hub
	far  *xdp.Hub
	pub  *transport.Publisher
	sub  *transport.Subscriber
	next uint64 // to publish
	got  uint64 // frames, in order
	told []string
	well int // times that trouble was over
}

const atMost = 1400 // bytes of a message

func newExpress(t *testing.T, o netlab.Options, d xdp.Options, before ...func(*netlab.Lab) error) *express {
	t.Helper()
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	o.Hosts = []string{"a", "b"}
	l, err := netlab.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, do := range before {
		if err := do(l); err != nil {
			t.Fatal(err)
		}
	}
	x := &express{lab: l, pair: &pair{T: t, from: open(t, transport.Config{}), to: open(t, transport.Config{}), rel: udp.Repaired}}
	from, to := netip.AddrPortFrom(l.Addr("a"), senderPort), netip.AddrPortFrom(l.Addr("b"), receiverPort)
	d.Interface = netlab.Device
	x.near, x.far = x.hub("a", d, senderPort), x.hub("b", d, receiverPort)
	near := endOf(t, l, x.near, "a", xdp.EndOptions{Local: from, Peers: []netip.Addr{to.Addr()}})
	far := endOf(t, l, x.far, "b", xdp.EndOptions{Local: to, Peers: []netip.Addr{from.Addr()}})
	inbox, err := x.to.Inbox("trades")
	if err == nil {
		x.recv, err = udp.NewReceiver(udp.ReceiverOptions{Channel: "trades", Lines: []udp.Listen{{Bind: to, Medium: far}}, Inbox: inbox, Reliability: x.rel})
	}
	if err == nil {
		x.send, err = udp.NewSender(udp.SenderOptions{Channel: "trades", Lines: []udp.Dial{{To: to, Bind: from, Medium: near}}, Reliability: x.rel, Events: x.hear})
	}
	if err == nil {
		err = x.from.Carry("trades", x.send)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(x.send.Close(), x.recv.Close()); err != nil {
			t.Error(err)
		}
	})
	x.pub, x.sub, x.next = publisher(t, x.from, "trades"), subscriber(t, x.to, "trades"), 1
	return x
}

func (x *express) hub(host string, d xdp.Options, port uint16) (h *xdp.Hub) {
	x.Helper()
	d.Ports = []uint16{port}
	if err := x.lab.In(host, func() (err error) {
		h, err = xdp.OpenHub(xdp.HubOptions{Device: d})
		return err
	}); err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() {
		if err := h.Close(); err != nil {
			x.Error(err)
		}
	})
	return h
}

func (x *express) hear(e udp.Event) {
	switch e.Kind {
	case udp.Trouble:
		x.told = append(x.told, e.Err.Error())
	case udp.Recovered:
		x.well++
	}
}

// refused is how many datagrams the sender gave up.
func (x *express) refused() uint64 {
	s := x.send.Stats()
	return s.Drops(udp.Unsendable)
}

// offer publishes one message, of any size up to atMost, if there is room.
func (x *express) offer() bool {
	msg := make([]byte, 8+x.next*373%(atMost-7))
	binary.LittleEndian.PutUint64(msg, x.next)
	if x.pub.Send(msg) != nil {
		return false
	}
	x.next++
	return true
}

// take polls what has arrived: the next frames, and no others.
func (x *express) take() {
	x.Helper()
	if _, err := x.sub.Poll(256, func(f seal.Frame) {
		n := binary.LittleEndian.Uint64(f.Payload)
		if n != x.got+1 || f.Seq != n || len(f.Payload) != 8+int(n*373%(atMost-7)) {
			x.Fatalf("after frame %d comes %d, which says it is %d, of %d bytes", x.got, f.Seq, n, len(f.Payload))
		}
		x.got++
	}); err != nil {
		x.Fatal(err)
	}
}

// flow publishes n messages and sees them arrive.
func (x *express) flow(n int) {
	x.Helper()
	for range n {
		x.until("room", x.offer, x.take)
	}
	x.arrive()
}

func (x *express) arrive() {
	x.Helper()
	x.until("delivery", func() bool { return x.got == x.next-1 && x.send.Drained() }, x.take)
}

// ends runs both ends until what one of them answers is want, or any error of both.
func (x *express) ends(want error) {
	x.Helper()
	for end := time.Now().Add(20 * time.Second); ; x.take() {
		x.offer()
		_, near := x.send.Do()
		_, far := x.recv.Do()
		err := errors.Join(near, far)
		if errors.Is(err, want) {
			x.Log(err)
			return
		}
		if err != nil || time.Now().After(end) {
			x.Fatalf("%v, and not %v: sender %+v, receiver %+v", err, want, x.send.Stats(), x.recv.Stats())
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var attaches = []xdp.Attach{xdp.AttachGeneric, xdp.AttachNative}

// The interface of either end goes down in full flow, and comes up again.
func TestExpressOutlivesAnInterfaceThatIsDown(t *testing.T) {
	for _, attach := range attaches {
		for _, host := range []string{"a", "b"} {
			t.Run(fmt.Sprint(attach, " ", host), func(t *testing.T) {
				x := newExpress(t, netlab.Options{}, xdp.Options{Attach: attach})
				for range 2 {
					x.flow(300)
					must(t, x.lab.LinkDown(host))
					refused := x.refused()
					x.until("a full ring", func() bool { return !x.offer() }, x.take)
					if host == "a" {
						x.until("a refusal", func() bool { return x.refused() > refused || len(x.told) > 0 }, x.take)
					}
					must(t, x.lab.LinkUp(host))
					x.arrive()
				}
				x.flow(300)
				if host == "a" && (len(x.told) == 0 || !strings.Contains(strings.Join(x.told, "\n"), "is down")) {
					t.Errorf("told %q", x.told)
				}
				if s := x.recv.Stats(); s.Lost != 0 {
					t.Errorf("%+v", s)
				}
				t.Logf("told %q, well %d times", x.told, x.well)
			})
		}
	}
}

// The path becomes smaller in full flow, and larger than it was.
func TestExpressFollowsTheMTU(t *testing.T) {
	for _, attach := range attaches {
		t.Run(attach.String(), func(t *testing.T) {
			x := newExpress(t, netlab.Options{}, xdp.Options{Attach: attach})
			mtu := func(n int, hosts ...string) {
				t.Helper()
				for _, host := range hosts {
					must(t, x.lab.MTU(host, n))
				}
			}
			x.flow(300)
			for x.offer() {
			}
			mtu(1280, "a", "b")
			x.arrive()
			x.flow(300)
			if x.refused() == 0 || len(x.told) == 0 || !strings.Contains(x.told[0], "message too long") {
				t.Errorf("nobody says that datagrams are too large: told %q, %+v", x.told, x.send.Stats())
			}
			mtu(1500, "a", "b")
			x.flow(300)
			mtu(3000, "a", "b")
			x.flow(300)
			x.until("recovery", func() bool { return x.well == len(x.told) })
			if s := x.recv.Stats(); s.Lost != 0 {
				t.Errorf("%+v", s)
			}
			t.Logf("told %q", x.told)
		})
	}
}

// What is too large vanishes at the far end only, and nobody is told.
func TestExpressFindsOutAPathThatDropsLargePackets(t *testing.T) {
	x := newExpress(t, netlab.Options{}, xdp.Options{})
	x.flow(300)
	must(t, x.lab.MTU("b", 1280))
	x.flow(100)
	if len(x.told) == 0 || x.recv.Stats().Lost != 0 {
		t.Errorf("told %q, %+v", x.told, x.recv.Stats())
	}
}

func TestExpressNamesAnInterfaceThatIsGone(t *testing.T) {
	for _, attach := range attaches {
		t.Run(attach.String(), func(t *testing.T) {
			x := newExpress(t, netlab.Options{}, xdp.Options{Attach: attach})
			x.flow(300)
			x.offer()
			if out, err := x.lab.Exec("b", "ip", "link", "del", netlab.Device); err != nil {
				t.Fatal(err, out)
			}
			x.ends(xdp.ErrGone)
		})
	}
}

// Queues come and go in full flow.
func TestExpressKnowsItsQueues(t *testing.T) {
	for _, attach := range attaches {
		t.Run(attach.String(), func(t *testing.T) {
			four := netlab.Options{Queues: 4}
			t.Run("none that has a socket goes", func(t *testing.T) {
				x := newExpress(t, four, xdp.Options{Attach: attach})
				x.flow(100)
				for _, host := range []string{"a", "b"} {
					if err := x.lab.Queues(host, 1, 1); err == nil {
						t.Error("the kernel takes a queue away that has a socket")
					}
				}
				x.flow(100)
			})
			t.Run("others may", func(t *testing.T) {
				x := newExpress(t, four, xdp.Options{Attach: attach, Queues: []int{0}}, func(l *netlab.Lab) error { return errors.Join(l.Queues("a", 4, 1), l.Queues("b", 1, 1)) })
				x.flow(100)
				must(t, x.lab.Queues("a", 2, 1))
				x.flow(100)
				must(t, x.lab.Queues("b", 3, 1))
				x.flow(100)
			})
			t.Run("a new one is told of", func(t *testing.T) {
				two := func(l *netlab.Lab) error { return errors.Join(l.Queues("a", 2, 2), l.Queues("b", 2, 2)) }
				x := newExpress(t, four, xdp.Options{Attach: attach}, two)
				x.flow(100)
				must(t, x.lab.Queues("b", 4, 2))
				x.ends(xdp.ErrQueues)
			})
		})
	}
}
