package express

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/xdp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is one end of a way.
type node struct {
	name  string
	at    netip.AddrPort
	ways  netio.Ways
	notes chan netio.Note
}

func openNode(t *testing.T, l *netlab.Lab, name string, m Medium) *node {
	t.Helper()
	n := &node{name: name, at: netip.AddrPortFrom(l.Addr(name), 7403), notes: make(chan netio.Note, 1000)}
	if err := l.In(name, func() (err error) {
		n.ways, err = m.Open(netio.Station{Node: name, Start: 1, Bind: n.at, Notes: func(one netio.Note) { n.notes <- one }})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.ways.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *node) to(t *testing.T, l *netlab.Lab, far *node, e netio.Exchange) (w netio.Way) {
	t.Helper()
	if err := l.In(n.name, func() (err error) {
		w, err = n.ways.To(netio.Far{Node: far.name, Addresses: []netip.AddrPort{far.at}, Exchanges: []netio.Exchange{e}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// fallbacks takes what was noted and returns why ends have sockets.
func (n *node) fallbacks() (all []string) {
	for {
		select {
		case one := <-n.notes:
			if one.What == "fallback" {
				all = append(all, one.Err.Error())
			}
		default:
			return all
		}
	}
}

// A node that goes past the kernel and one that cannot are joined nevertheless, and the latter says once why. Channels that are opened later
// have their ports, too.
func TestWhereItCannotBeSocketsCarryAndOneNoteSaysWhy(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	l, err := netlab.New("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	var foreign *xdp.Device
	if err := l.In("b", func() (err error) {
		foreign, err = xdp.Open(xdp.Options{Interface: netlab.Device, Ports: []uint16{9}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	a, b := openNode(t, l, "a", Medium{}), openNode(t, l, "b", Medium{Hub: xdp.HubOptions{Device: xdp.Options{Interface: netlab.Device}}})
	for number, channel := range []string{"first", "second", "third"} {
		from, to := a, b
		if number == 1 {
			from, to = b, a
		}
		arrives(t, l, from, to, netio.Exchange{Channel: channel, Capacity: 1 << 16, Number: number})
	}
	if all := a.fallbacks(); len(all) != 0 {
		t.Errorf("a falls back: %q", all)
	}
	if all := b.fallbacks(); len(all) != 1 || !strings.Contains(all[0], "another XDP program is attached") {
		t.Errorf("b says %q", all)
	}
}

// arrives publishes one message in a channel from one node to another and waits for it.
func arrives(t *testing.T, l *netlab.Lab, from, to *node, e netio.Exchange) {
	t.Helper()
	arrived := make(chan *ring.Ring, 1)
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 16, Opened: func(r *ring.Ring) { arrived <- r }})
	if err != nil {
		t.Fatal(err)
	}
	sends, takes := e, e
	sends.Sends, takes.Takes, takes.Mirrors = true, true, mirrors
	to.to(t, l, from, takes)
	out := from.to(t, l, to, sends)
	own, err := ring.Create(ring.Options{Capacity: 1 << 16, Instance: uint64(e.Number + 1)})
	if err != nil {
		t.Fatal(err)
	}
	w, err := own.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Add(e.Channel, own); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Claim(8); err != nil {
		t.Fatal(err)
	}
	w.Commit(8)
	select {
	case <-arrived:
	case <-time.After(10 * time.Second):
		t.Fatalf("nothing of %s arrives", e.Channel)
	}
	if err := errors.Join(out.Close(), w.Close(), own.Close()); err != nil { // the way first: it reads the ring
		t.Error(err)
	}
}

// What goes past the kernel to an address that is not by way of the interface would get nowhere: all channels to that node have sockets, and one
// note says why.
func TestANodeThatIsElsewhereHasSockets(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	l, err := netlab.New("a", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	a := openNode(t, l, "a", Medium{})
	elsewhere := &node{name: "twin", at: netip.AddrPortFrom(a.at.Addr(), 7503)} // on the same host
	for number, channel := range []string{"first", "second"} {
		a.to(t, l, elsewhere, netio.Exchange{Channel: channel, Sends: true, Number: number})
	}
	if all := a.fallbacks(); len(all) != 1 || !strings.Contains(all[0], "by way of "+netlab.Device) {
		t.Errorf("a says %q", all)
	}
}
