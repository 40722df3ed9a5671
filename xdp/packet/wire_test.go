package packet

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

// lane is one kind of frames from host a to host b.
type lane struct {
	name, ifname string
	from, to     netip.Addr
	vlan         uint16
}

// lanes are IPv4, IPv6 and, where the kernel has such devices, VLAN 5. Priorities tag the frames of the others too, with VLAN 0.
func lanes(t *testing.T, l *netlab.Lab) []lane {
	t.Helper()
	all := []lane{
		{"IPv4", netlab.Device, l.Addr("a"), l.Addr("b"), 0},
		{"IPv6", netlab.Device, l.Addr6("a"), l.Addr6("b"), 0},
	}
	for i, host := range []string{"a", "b"} {
		if _, err := l.Exec(host, "ip", "link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", "5"); err != nil {
			t.Logf("without a VLAN device: %v", err) // TestTheKernelReadsOurTags needs none
			return all
		}
		exec(t, l, host, "ip link set eth0.5 up", fmt.Sprintf("ip addr add 192.0.2.%d/24 dev eth0.5", i+1))
	}
	return append(all, lane{"VLAN", "eth0.5", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), 5})
}

// The kernel takes a tag out of a frame and tells it apart: what comes together again is what was sent.
func TestTheKernelReadsOurTags(t *testing.T) {
	l := newLab(t, "a", "b")
	a, b := openTap(t, l, "a"), openTap(t, l, "b")
	f := flow4()
	f.VLAN, f.Priority, f.Destination = 5, 3, netip.AddrPortFrom(l.Addr("b"), 9)
	sent, got := build(t, f, "tagged", 0), make([]byte, 2000)
	must(t, a.Send(sent))
	for deadline := time.Now().Add(patience); ; {
		n, err := b.Recv(got, patience)
		must(t, err)
		var p Packet
		if new(Parser).Parse(got[:n], &p) == Accepted && p.VLAN == 5 && bytes.Equal(got[:n], sent) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("only other frames")
		}
	}
}

func TestAKernelsSocketReceivesWhatPutWrites(t *testing.T) {
	l := newLab(t, "a", "b")
	tap := openTap(t, l, "a")
	for _, w := range lanes(t, l) {
		r := openResolver(t, l, "a", w.ifname)
		path, err := r.Resolve(w.to, patience)
		must(t, err)
		if path.Source != w.from {
			t.Errorf("%s: from %s", w.name, path.Source)
		}
		b := bind(t, l, "b", netip.AddrPortFrom(w.to, 0))
		port := b.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		buf := make([]byte, 2000)
		for i, n := range []int{0, 1, 7, 64, 1001, path.MTU - 48} {
			for _, check := range []bool{false, true} {
				f := Flow{
					NextHop: path.NextHop, SourceMAC: path.SourceMAC, VLAN: w.vlan, Priority: uint8(i), DSCP: 46, Ports: 8, Checksum: check,
					Source: netip.AddrPortFrom(w.from, 9100), Destination: netip.AddrPortFrom(w.to, port),
				}
				payload := make([]byte, n)
				for j := range payload {
					payload[j] = byte(j * i)
				}
				frame := build(t, f, string(payload), uint32(i))
				if damaged := bytes.Clone(frame); check || w.to.Is6() {
					damaged[len(damaged)-1] ^= 1 // the kernel looks at the checksum: this one does not arrive
					must(t, tap.Send(damaged))
				}
				must(t, tap.Send(frame))
				got, from, err := b.ReadFromUDPAddrPort(buf)
				must(t, err)
				if want := netip.AddrPortFrom(w.from, 9100+uint16(i)); string(buf[:got]) != string(payload) || from.Port() != want.Port() || from.Addr().Unmap() != want.Addr() {
					t.Errorf("%s: %d bytes from %s, not %d from %s", w.name, got, from, n, want)
				}
			}
		}
	}
}

func TestWhatAKernelsSocketSendsParses(t *testing.T) {
	l := newLab(t, "a", "b")
	tap := openTap(t, l, "b")
	frame := make([]byte, 65600)
	for _, w := range lanes(t, l) {
		a := bind(t, l, "a", netip.AddrPortFrom(w.from, 0))
		local := a.LocalAddr().(*net.UDPAddr).AddrPort()
		to := netip.AddrPortFrom(w.to, 9300)
		// next is what the parser says of the next frame that is not somebody else's.
		next := func(r Parser) (p Packet, reason Reason) {
			t.Helper()
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
				n, err := tap.Recv(frame, patience)
				must(t, err)
				if reason = r.Parse(frame[:n], &p); reason != NotIP && reason != NotUDP && reason != IPv6Extension && reason != ForeignPort {
					return p, reason
				}
			}
			t.Fatal("only other frames")
			return p, reason
		}
		for _, n := range []int{0, 1, 64, 1001, 1452} {
			payload := fmt.Sprintf("%0*d", n, 7)[:n]
			_, err := a.WriteToUDPAddrPort([]byte(payload), to)
			must(t, err)
			p, reason := next(Parser{Port: 9300, MaxFrame: 1518})
			if reason != Accepted || p.Source != local || p.Destination != to || string(p.Payload) != payload || p.VLAN != w.vlan || p.TTL != 64 {
				t.Errorf("%s: %s: %d bytes, %+v", w.name, reason, len(p.Payload), Packet{p.Source, p.Destination, nil, p.VLAN, p.TTL, p.DSCP})
			}
		}
		// The device would have completed the checksum, and there is none: only who asks is told.
		_, err := a.WriteToUDPAddrPort([]byte("partial"), to)
		must(t, err)
		if p, reason := next(Parser{Port: 9300, Checksum: true}); reason != BadUDPChecksum {
			t.Errorf("%s: %s: %+v", w.name, reason, p)
		}
		// The kernel fragments what does not fit.
		_, err = a.WriteToUDPAddrPort(make([]byte, 2000), to)
		must(t, err)
		for range 2 {
			if p, reason := next(Parser{}); reason != Fragment {
				t.Errorf("%s: %s: %+v", w.name, reason, p)
			}
		}
	}
}

// A frame goes through the loopback device with the addresses that a Resolver says.
func TestLoopbackCarriesFrames(t *testing.T) {
	l := newLab(t, "a", "b")
	r := openResolver(t, l, "a", "lo")
	path, err := r.Resolve(netip.MustParseAddr("::1"), patience)
	must(t, err)
	c := bind(t, l, "a", netip.MustParseAddrPort("[::1]:0"))
	f := Flow{
		NextHop: path.NextHop, SourceMAC: path.SourceMAC, Source: netip.AddrPortFrom(path.Source, 9),
		Destination: c.LocalAddr().(*net.UDPAddr).AddrPort(),
	}
	tap := openTapOn(t, l, "a", "lo")
	must(t, tap.Send(build(t, f, "round", 0)))
	buf := make([]byte, 10)
	n, err := c.Read(buf)
	if must(t, err); string(buf[:n]) != "round" {
		t.Errorf("%q", buf[:n])
	}
}
