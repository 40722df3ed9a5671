package quic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/ring"
)

// inLab has a side open its sockets in a namespace.
func inLab(l *netlab.Lab, host string) func(netip.AddrPort) (*net.UDPConn, error) {
	return func(bind netip.AddrPort) (c *net.UDPConn, err error) {
		err = l.In(host, func() error {
			c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(bind))
			return err
		})
		return c, err
	}
}

// A node that gets another address stays connected, whether it says so or its addresses change under it, and nothing is lost or repeated.
func TestConnectionOutlivesAnAddress(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("told %v", told), func(t *testing.T) {
			l, err := netlab.New("tx", "rx")
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
			b := newBed(t)
			b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
			b.dial.socket, b.listen.socket = inLab(l, "tx"), inLab(l, "rx")
			b.listen.Bind = netip.AddrPortFrom(l.Addr("rx"), 9300)
			if told {
				b.dial.Bind = netip.AddrPortFrom(l.Addr("tx"), 0)
			}
			b.open().connect()
			one := newSource(t, ring.Options{Capacity: 1 << 16})
			must(t, b.link.Add("ticks", one.ring))
			b.carried(one, 500, 100)
			run := func(words ...string) {
				t.Helper()
				if _, err := l.Exec("tx", append([]string{"ip"}, words...)...); err != nil {
					t.Fatal(err)
				}
			}
			second := netip.MustParseAddr("10.77.0.99")
			mac, err := l.Exec("tx", "cat", "/sys/class/net/"+netlab.Device+"/address")
			must(t, err)
			_, err = l.Exec("rx", "ip", "neigh", "replace", second.String(), "lladdr", strings.TrimSpace(mac), "dev", netlab.Device, "nud", "permanent")
			must(t, err)
			run("addr", "add", second.String()+"/25", "dev", netlab.Device) // of its own: it does not go with the first
			stop := make(chan struct{})
			moved := make(chan error, 1)
			go func() {
				defer close(stop)
				if told {
					moved <- b.link.Migrate(context.Background(), netip.AddrPortFrom(second, 0))
				} else {
					moved <- nil
				}
			}()
			for over := false; !over; { // under load
				select {
				case <-stop:
					over = true
				default:
					b.carried(one, 50, 100)
				}
			}
			must(t, <-moved)
			run("addr", "del", l.Addr("tx").String()+"/24", "dev", netlab.Device)
			b.carried(one, 500, 100)
			until(t, "all is confirmed", b.link.Drained)
			if n := b.link.Stats().Connections; n != 1 || b.tx.count(link.Disconnected) != 0 || b.rx.count(link.Disconnected) != 0 {
				t.Errorf("%d connections, %+v %+v", n, b.tx.all, b.rx.all)
			}
			rx := b.listener.Link("tx")
			rx.mu.Lock()
			s := rx.session
			rx.mu.Unlock()
			if from := s.conn.RemoteAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(); from != second {
				t.Errorf("the other node sees %s", from)
			}
			if m := b.link.Counters().Migrations; told && m != 1 {
				t.Errorf("%d migrations", m)
			}
		})
	}
}

func TestMigrationThatLeadsNowhereChangesNothing(t *testing.T) {
	b := newBed(t)
	b.dial.Connect = 500 * time.Millisecond
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open().connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, 100, 64)
	if err := b.link.Migrate(context.Background(), netip.MustParseAddrPort("192.0.2.1:0")); !errors.Is(err, ErrMigrate) {
		t.Error(err)
	}
	if err := b.link.Migrate(context.Background(), netip.MustParseAddrPort("[::1]:0")); !errors.Is(err, ErrMigrate) {
		t.Error(err)
	}
	if err := b.listener.Link("tx").Migrate(context.Background(), loopback); !errors.Is(err, ErrMigrate) {
		t.Error(err)
	}
	b.carried(one, 100, 64)
	must(t, b.link.Migrate(context.Background(), netip.MustParseAddrPort("127.0.0.2:0")))
	b.carried(one, 100, 64)
	if n := b.link.Stats().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
}

// The address that Migrate left behind does not keep a node from those of its others that are of the other family.
func TestNewSearchIsNotBoundToTheMigratedFamily(t *testing.T) {
	b := newBed(t)
	b.dial.Connect = 300 * time.Millisecond
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open().connect()
	one := newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, 100, 64)
	must(t, b.link.Migrate(context.Background(), netip.MustParseAddrPort("127.0.0.2:0")))
	b.link.mu.Lock()
	d := *b.link.dial
	b.link.mu.Unlock()
	d.To, d.at, d.wires = netip.MustParseAddrPort("[::1]:9"), 0, nil // where nobody answers
	_, err := d.connect()
	for _, w := range d.wires {
		must(t, w.close())
	}
	if err == nil || strings.Contains(err.Error(), "non-IPv4") { // it is tried, in vain
		t.Error(err)
	}
}
