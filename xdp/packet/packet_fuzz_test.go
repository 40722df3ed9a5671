package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

// plainFrame is a frame written field by field, with none of what Put does.
func plainFrame(f *Flow, payload []byte, port uint16) []byte {
	var b []byte
	word := func(v uint16) { b = append(b, byte(v>>8), byte(v)) }
	b = append(append(b, f.NextHop[:]...), f.SourceMAC[:]...)
	if f.VLAN|uint16(f.Priority) != 0 {
		word(0x8100)
		word(uint16(f.Priority)*8192 + f.VLAN)
	}
	from, to := f.Source.Addr().AsSlice(), f.Destination.Addr().AsSlice()
	length, class := uint16(8+len(payload)), uint16(f.DSCP)*4
	if len(from) == 4 {
		word(0x0800)
		at := len(b)
		word(0x4500 + class)
		word(20 + length)
		word(0)
		word(0x4000)
		word(uint16(f.TTL)*256 + 17)
		word(0)
		b = append(append(b, from...), to...)
		binary.BigEndian.PutUint16(b[at+10:], ^plainSum(b[at:]))
	} else {
		word(0x86dd)
		word(0x6000 + class<<4)
		word(0)
		word(length)
		word(17*256 + uint16(f.TTL))
		b = append(append(b, from...), to...)
	}
	at := len(b)
	word(port)
	word(f.Destination.Port())
	word(length)
	word(0)
	b = append(b, payload...)
	if f.Checksum || len(from) == 16 {
		pseudo := append(append([]byte{}, from...), to...)
		pseudo = append(pseudo, 0, 0, byte(length>>8), byte(length), 0, 0, 0, 17)
		check := ^plainSum(append(pseudo, b[at:]...))
		if check == 0 {
			check = 0xffff
		}
		binary.BigEndian.PutUint16(b[at+6:], check)
	}
	return b
}

// plainAccepts says what a frame says, reading each field from the standards anew: the twin of Parse for what Parse accepts.
func plainAccepts(b []byte) (p Packet, ok bool) {
	word := func(at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
	at := 14
	if len(b) >= 18 && word(12) == 0x8100 {
		p.VLAN = uint16(word(14) % 4096)
		at = 18
	}
	var from, to netip.Addr
	end := 0
	switch {
	case len(b) >= at+28 && word(at-2) == 0x0800 && b[at] == 0x45 && b[at+9] == 17 && word(at+6)&^0xc000 == 0 && plainSum(b[at:at+20]) == 0xffff:
		from, _ = netip.AddrFromSlice(b[at+12 : at+16])
		to, _ = netip.AddrFromSlice(b[at+16 : at+20])
		p.TTL, p.DSCP, end = b[at+8], b[at+1]/4, at+word(at+2)
		at += 20
	case len(b) >= at+48 && word(at-2) == 0x86dd && b[at]/16 == 6 && b[at+6] == 17:
		from, _ = netip.AddrFromSlice(b[at+8 : at+24])
		to, _ = netip.AddrFromSlice(b[at+24 : at+40])
		p.TTL, p.DSCP, end = b[at+7], byte(word(at)>>6%64), at+40+word(at+4)
		at += 40
	default:
		return p, false
	}
	if end > len(b) || end < at+8 || word(at+4) < 8 || at+word(at+4) > end || from.IsMulticast() || from.IsUnspecified() || from.Is4In6() ||
		from == netip.MustParseAddr("255.255.255.255") {
		return p, false
	}
	p.Source, p.Destination = netip.AddrPortFrom(from, uint16(word(at))), netip.AddrPortFrom(to, uint16(word(at+2)))
	p.Payload = b[at+8 : at+word(at+4)]
	return p, true
}

func same(a, b Packet) bool {
	return a.Source == b.Source && a.Destination == b.Destination && a.VLAN == b.VLAN && a.TTL == b.TTL && a.DSCP == b.DSCP &&
		bytes.Equal(a.Payload, b.Payload)
}

// FuzzParse holds that Parse takes what its plain twin takes and reads the same, that the payload lies within the frame, and that what was
// taken is written again as it was read.
func FuzzParse(f *testing.F) {
	for _, flow := range []Flow{flow4(), flow6()} {
		f.Add(build(f, flow, "payload", 0))
		flow.VLAN, flow.DSCP, flow.Checksum = 5, 46, true
		frame := build(f, flow, "payload", 0)
		f.Add(frame)
		f.Add(frame[:20])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := bytes.Clone(frame)
		var p Packet
		reason := new(Parser).Parse(frame, &p)
		want, ok := plainAccepts(frame)
		if ok != (reason == Accepted) || ok && !same(p, want) {
			t.Fatalf("%s: %+v, not %v: %+v", reason, p, ok, want)
		}
		if !bytes.Equal(frame, before) {
			t.Fatal("Parse writes")
		}
		var q Packet
		checked := (&Parser{Checksum: true}).Parse(frame, &q)
		if checked != reason && (reason != Accepted || checked != BadUDPChecksum) {
			t.Fatalf("%s, and %s with the checksum", reason, checked)
		}
		if !ok {
			return
		}
		if n := len(p.Payload); n > 0 {
			p.Payload[0]++ // the frame's own byte
			if bytes.Equal(frame, before) || cap(p.Payload) != n {
				t.Fatal("the payload is not the frame's")
			}
			p.Payload[0]--
		}
		flow := Flow{Source: p.Source, Destination: p.Destination, VLAN: p.VLAN, TTL: p.TTL, DSCP: p.DSCP}
		tm, err := NewTemplate(flow)
		if err != nil || p.TTL == 0 {
			return // on the wire and yet nothing to send: port 0, VLAN 4095
		}
		again := append(make([]byte, tm.Size()), p.Payload...)
		if !tm.Put(again, 0) {
			return // longer than IPv4's length says, as IPv6's may be by a header
		}
		if reason := (&Parser{Checksum: true}).Parse(again, &q); reason != Accepted || !same(p, q) {
			t.Fatalf("%s: %+v, not %+v", reason, q, p)
		}
	})
}

// FuzzRoundTrip holds that Put writes what its plain twin writes, and that Parse reads that as the flow says.
func FuzzRoundTrip(f *testing.F) {
	f.Add(false, uint32(1), []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}, uint16(9000), uint16(9001), uint16(0), uint8(0), uint8(64), uint8(0), true, []byte("payload"))
	f.Add(true, uint32(5), []byte{0xfd, 15: 1}, []byte{0xff, 15: 2}, uint16(65000), uint16(1), uint16(7), uint8(3), uint8(1), uint8(46), false, []byte{})
	f.Fuzz(func(t *testing.T, six bool, lane uint32, from, to []byte, source, dest, vlan uint16, priority, ttl, dscp uint8, check bool, payload []byte) {
		addr := func(b []byte) netip.Addr {
			var a [16]byte
			copy(a[:], b)
			if six {
				return netip.AddrFrom16(a)
			}
			return netip.AddrFrom4([4]byte(a[:]))
		}
		flow := Flow{
			NextHop: macB, SourceMAC: macA, VLAN: vlan, Priority: priority, Ports: 4, TTL: ttl, DSCP: dscp, Checksum: check,
			Source: netip.AddrPortFrom(addr(from), source), Destination: netip.AddrPortFrom(addr(to), dest),
		}
		tm, err := NewTemplate(flow)
		if err != nil || ttl == 0 {
			return
		}
		frame := append(make([]byte, tm.Size()), payload...)
		if !tm.Put(frame, lane) {
			t.Fatalf("%d bytes are refused", len(frame))
		}
		port := source + uint16(lane%4)
		if want := plainFrame(&flow, payload, port); !bytes.Equal(frame, want) {
			t.Fatalf("\n%x, not\n%x", frame, want)
		}
		var got Packet
		want := Packet{
			Source: netip.AddrPortFrom(addr(from), port), Destination: flow.Destination, Payload: payload, VLAN: vlan, TTL: ttl, DSCP: dscp,
		}
		if reason := (&Parser{Port: dest, Checksum: true}).Parse(frame, &got); reason != Accepted || !same(got, want) {
			t.Fatalf("%s: %+v, not %+v", reason, got, want)
		}
	})
}
