package packet

import (
	"encoding/binary"
	"testing"
)

// edit is a frame of the flow with bytes from at on replaced, counted from the IP header, and its IPv4 checksum put right again.
func edit(t *testing.T, f Flow, at int, with ...byte) []byte {
	t.Helper()
	frame := build(t, f, "abc", 0)
	copy(frame[14+at:], with)
	if f.Source.Addr().Is4() {
		copy(frame[24:], []byte{0, 0})
		binary.BigEndian.PutUint16(frame[24:], ^plainSum(frame[14:34]))
	}
	return frame
}

func TestEveryRefusalHasItsReason(t *testing.T) {
	four, six := flow4(), flow6()
	four.Checksum = true
	tagged := flow4()
	tagged.VLAN = 5
	good4, good6 := build(t, four, "abc", 0), build(t, six, "abc", 0)
	doubly := build(t, tagged, "abc", 0)
	copy(doubly[16:], []byte{0x81, 0x00})
	damaged := edit(t, four, 0)
	damaged[25]++
	for _, c := range []struct {
		name  string
		want  Reason
		frame []byte
	}{
		{"good", Accepted, good4},
		{"good, IPv6", Accepted, good6},
		{"padded", Accepted, append(edit(t, four, 0), make([]byte, 15)...)},
		{"padded, IPv6", Accepted, append(edit(t, six, 0), make([]byte, 15)...)},
		{"empty", Runt, nil},
		{"half an Ethernet header", Runt, good4[:13]},
		{"half a tag", Runt, build(t, tagged, "", 0)[:17]},
		{"half an IPv4 header", Runt, good4[:33]},
		{"half an IPv6 header", Runt, good6[:53]},
		{"long", Giant, append(edit(t, four, 0), make([]byte, 200)...)},
		{"ARP", NotIP, append(append([]byte{}, good4[:12]...), append([]byte{0x08, 0x06}, make([]byte, 28)...)...)},
		{"a length for a type", NotIP, append(append([]byte{}, good4[:12]...), append([]byte{0, 28}, make([]byte, 28)...)...)},
		{"two tags", NotIP, doubly},
		{"IPv6 that says IPv4", NotIP, edit(t, four, 0, 0x65)},
		{"IPv4 that says IPv6", NotIP, edit(t, six, 0, 0x40)},
		{"IPv4 options", IPv4Options, edit(t, four, 0, 0x46)},
		{"a header too short", LengthLies, edit(t, four, 0, 0x44)},
		{"total length beyond the frame", LengthLies, edit(t, four, 2, 0, 32)},
		{"total length within the header", LengthLies, edit(t, four, 2, 0, 19)},
		{"total length within the UDP header", LengthLies, edit(t, four, 2, 0, 27)},
		{"payload length beyond the frame", LengthLies, edit(t, six, 4, 0, 12)},
		{"payload length within the UDP header", LengthLies, edit(t, six, 4, 0, 7)},
		{"jumbogram", LengthLies, edit(t, six, 4, 0, 0)},
		{"UDP length beyond the packet", LengthLies, edit(t, four, 24, 0, 12)},
		{"UDP length within its header", LengthLies, edit(t, four, 24, 0, 7)},
		{"bad IPv4 checksum", BadIPv4Checksum, damaged},
		{"first fragment", Fragment, edit(t, four, 6, 0x20, 0)},
		{"last fragment", Fragment, edit(t, four, 6, 0, 1)},
		{"fragment, IPv6", Fragment, edit(t, six, 6, 44)},
		{"TCP", NotUDP, edit(t, four, 9, 6)},
		{"TCP, IPv6", NotUDP, edit(t, six, 6, 6)},
		{"ICMPv6", NotUDP, edit(t, six, 6, 58)},
		{"hop-by-hop options", IPv6Extension, edit(t, six, 6, 0)},
		{"routing header", IPv6Extension, edit(t, six, 6, 43)},
		{"from a group", BadSource, edit(t, four, 12, 224, 0, 0, 1)},
		{"from everybody", BadSource, edit(t, four, 12, 255, 255, 255, 255)},
		{"from nobody", BadSource, edit(t, four, 12, 0, 0, 0, 0)},
		{"from a group, IPv6", BadSource, edit(t, six, 8, 0xff)},
		{"IPv4 within IPv6", BadSource, edit(t, six, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)},
		{"another port", ForeignPort, edit(t, four, 22, 1, 2)},
		{"another port, IPv6", ForeignPort, edit(t, six, 42, 1, 2)},
		{"damaged payload", BadUDPChecksum, edit(t, four, 28, 'x')},
		{"damaged payload, IPv6", BadUDPChecksum, edit(t, six, 48, 'x')},
		{"a datagram for somebody else", BadUDPChecksum, edit(t, four, 16, 10, 77, 0, 3)},
		{"no checksum", Accepted, build(t, flow4(), "abc", 0)},
		{"no checksum, IPv6", BadUDPChecksum, edit(t, six, 46, 0, 0)},
	} {
		p, before := Packet{TTL: 99}, Packet{TTL: 99}
		r := Parser{Port: 9200, MaxFrame: 160, Checksum: true}
		if got := r.Parse(c.frame, &p); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
		if c.want == Accepted && string(p.Payload) != "abc" {
			t.Errorf("%s: %q", c.name, p.Payload)
		}
		if c.want != Accepted && (p.Payload != nil || p.TTL != before.TTL || p.Source.IsValid()) {
			t.Errorf("%s: refused and written: %+v", c.name, p)
		}
		if c.want == BadUDPChecksum || c.want == ForeignPort || c.want == Giant {
			if got := new(Parser).Parse(c.frame, &p); got != Accepted {
				t.Errorf("%s: the zero Parser says %s", c.name, got)
			}
		}
	}
	for r := range Reason(Reasons) {
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
}

// A datagram that ends before its packet does has options behind it (RFC 9868), which are not the payload.
func TestADatagramMayBeShorterThanItsPacket(t *testing.T) {
	var p Packet
	if reason := new(Parser).Parse(edit(t, flow4(), 24, 0, 10), &p); reason != Accepted || string(p.Payload) != "ab" || cap(p.Payload) != 2 {
		t.Errorf("%s: %q of %d", reason, p.Payload, cap(p.Payload))
	}
}

func TestAPriorityIsNoVLAN(t *testing.T) {
	f := flow6()
	f.Priority = 6
	var p Packet
	if reason := new(Parser).Parse(build(t, f, "", 0), &p); reason != Accepted || p.VLAN != 0 {
		t.Error(reason, p.VLAN)
	}
}

func TestPutAndParseAllocateNothing(t *testing.T) {
	for _, f := range []Flow{flow4(), flow6()} {
		f.VLAN, f.Checksum = 7, true
		tm, r := mustTemplate(t, f), Parser{Port: 9200, Checksum: true}
		frame := make([]byte, tm.Size()+1000)
		var p Packet
		accepted := 0
		if n := testing.AllocsPerRun(100, func() {
			if tm.Put(frame, 3) && r.Parse(frame, &p) == Accepted {
				accepted++
			}
		}); n != 0 || accepted != 101 {
			t.Errorf("%v allocations, %d accepted", n, accepted)
		}
	}
}

func benchmark(b *testing.B, do func(b *testing.B, f Flow, frame []byte)) {
	for _, c := range []struct {
		name  string
		flow  func() Flow
		check bool
		n     int
	}{
		{"IPv4/64", flow4, false, 64}, {"IPv4/1400", flow4, false, 1400}, {"IPv4-checksum/64", flow4, true, 64},
		{"IPv4-checksum/1400", flow4, true, 1400}, {"IPv6/64", flow6, true, 64}, {"IPv6/1400", flow6, true, 1400},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := c.flow()
			f.Checksum = c.check
			b.ReportAllocs()
			do(b, f, build(b, f, string(make([]byte, c.n)), 0))
		})
	}
}

func BenchmarkPut(b *testing.B) {
	benchmark(b, func(b *testing.B, f Flow, frame []byte) {
		tm := mustTemplate(b, f)
		for b.Loop() {
			tm.Put(frame, 0)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	benchmark(b, func(b *testing.B, f Flow, frame []byte) {
		r := Parser{Port: 9200, MaxFrame: 1518, Checksum: f.Checksum}
		var p Packet
		for b.Loop() {
			if reason := r.Parse(frame, &p); reason != Accepted {
				b.Fatal(reason)
			}
		}
	})
}
