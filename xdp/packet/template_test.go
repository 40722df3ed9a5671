package packet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustTemplate(t testing.TB, f Flow) Template {
	t.Helper()
	tm, err := NewTemplate(f)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// build is a whole frame.
func build(t testing.TB, f Flow, payload string, lane uint32) []byte {
	t.Helper()
	tm := mustTemplate(t, f)
	frame := append(bytes.Repeat([]byte{0xaa}, tm.Size()), payload...)
	if !tm.Put(frame, lane) {
		t.Fatalf("%d bytes are refused", len(frame))
	}
	return frame
}

var (
	macA = MAC{0x02, 0, 0x0a, 0x4d, 0, 1}
	macB = MAC{0x02, 0, 0x0a, 0x4d, 0, 2}
)

func flow4() Flow {
	return Flow{
		NextHop: macB, SourceMAC: macA,
		Source: netip.MustParseAddrPort("10.77.0.1:9100"), Destination: netip.MustParseAddrPort("10.77.0.2:9200"),
	}
}

func flow6() Flow {
	f := flow4()
	f.Source, f.Destination = netip.MustParseAddrPort("[fd77::1]:9100"), netip.MustParseAddrPort("[fd77::2]:9200")
	return f
}

// Each frame was sent by a kernel socket with UDP checksums done in software, and taken from the wire.
func TestPutWritesWhatTheKernelWrites(t *testing.T) {
	for name, c := range map[string]struct {
		flow  func() Flow
		frame string
	}{
		"IPv4": {flow4, `
			02000a4d0002 02000a4d0001 0800 4500002f00004000401126220a4d00010a4d0002
			238c23f0001b65a3 74686520717569636b2062726f776e20666f78`},
		"IPv4, a class and a hop limit": {func() Flow { f := flow4(); f.DSCP, f.TTL = 46, 3; return f }, `
			02000a4d0002 02000a4d0001 0800 45b8002900004000031162700a4d00010a4d0002
			238c23f00015ef52 6a756d7073206f766572206974`},
		"IPv6": {flow6, `
			02000a4d0002 02000a4d0001 86dd 60000000001b1140 fd770000000000000000000000000001 fd770000000000000000000000000002
			238c23f0001b7f4d 74686520717569636b2062726f776e20666f78`},
		"IPv6, a class and a hop limit": {func() Flow { f := flow6(); f.DSCP, f.TTL = 46, 3; return f }, `
			02000a4d0002 02000a4d0001 86dd 6b80000000151103 fd770000000000000000000000000001 fd770000000000000000000000000002
			238c23f0001508fd 6a756d7073206f766572206974`},
		"to a group": {func() Flow {
			f := flow4()
			f.NextHop, f.Destination = MAC{}, netip.MustParseAddrPort("239.1.2.3:9200")
			return f
		}, `
			01005e010203 02000a4d0001 0800 450000260000400001117e750a4d0001ef010203
			238c23f000121fe4 746f20612067726f7570`},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.flow()
			f.Checksum = true
			want := unhex(t, c.frame)
			tm := mustTemplate(t, f)
			if got := build(t, f, string(want[tm.Size():]), 0); !bytes.Equal(got, want) {
				t.Errorf("\n%x, not\n%x", got, want)
			}
			var p Packet
			if reason := (&Parser{Port: 9200, Checksum: true}).Parse(want, &p); reason != Accepted || p.Source != f.Source ||
				p.Destination != f.Destination || p.DSCP != f.DSCP || string(p.Payload) != string(want[tm.Size():]) {
				t.Errorf("%s: %+v", reason, p)
			}
		})
	}
}

func TestPutWritesEveryHeader(t *testing.T) {
	tagged := flow4()
	tagged.VLAN, tagged.Priority, tagged.DSCP, tagged.TTL = 5, 3, 46, 7
	if got, want := build(t, tagged, "abc", 0), unhex(t, `
		02000a4d0002 02000a4d0001 8100 6005 0800
		45 b8 001f 0000 4000 07 11 5e7a 0a4d0001 0a4d0002
		238c 23f0 000b 0000 616263`); !bytes.Equal(got, want) {
		t.Errorf("\n%x, not\n%x", got, want)
	}
	six := flow6()
	six.DSCP = 46
	got, want := build(t, six, "abc", 0), unhex(t, `
		02000a4d0002 02000a4d0001 86dd
		6b800000 000b 11 40 fd770000000000000000000000000001 fd770000000000000000000000000002
		238c 23f0 000b 0000 616263`)
	check := ^plainSum(append(unhex(t, "fd77000000000000000000000000000 1 fd770000000000000000000000000002 0000000b 00000011"), want[54:]...))
	want[60], want[61] = byte(check>>8), byte(check)
	if !bytes.Equal(got, want) {
		t.Errorf("\n%x, not\n%x", got, want)
	}
	priority := flow4()
	priority.Priority = 7
	if got := build(t, priority, "", 0)[12:18]; !bytes.Equal(got, unhex(t, "8100 e000 0800")) {
		t.Errorf("%x", got)
	}
}

func TestAChecksumOfZeroIsWrittenAsOnes(t *testing.T) {
	for _, f := range []Flow{flow4(), flow6()} {
		f.Checksum = true
		found := false
		for n := range 1 << 16 {
			frame := build(t, f, string([]byte{byte(n >> 8), byte(n)}), 0)
			switch at := len(frame) - 4; string(frame[at : at+2]) {
			case "\x00\x00":
				t.Fatalf("%x", frame)
			case "\xff\xff":
				found = true
			}
		}
		if !found {
			t.Error("no payload of two bytes has that sum")
		}
	}
}

func TestLanesSpreadOverThePorts(t *testing.T) {
	f := flow4()
	f.Source, f.Ports, f.Checksum = netip.MustParseAddrPort("10.77.0.1:65532"), 4, true
	all := map[uint16]int{}
	for lane := range uint32(64) {
		var p Packet
		if reason := (&Parser{Checksum: true}).Parse(build(t, f, "abc", lane<<16|lane), &p); reason != Accepted {
			t.Fatal(reason)
		}
		if want := 65532 + uint16(lane%4); p.Source.Port() != want {
			t.Errorf("lane %d: port %d, not %d", lane, p.Source.Port(), want)
		}
		all[p.Source.Port()]++
	}
	if len(all) != 4 {
		t.Error(all)
	}
}

func TestPutRefusesWhatNoLengthCanSay(t *testing.T) {
	for _, c := range []struct {
		f    Flow
		most int
	}{{flow4(), MaxPayload4}, {flow6(), MaxPayload6}} {
		tm := mustTemplate(t, c.f)
		frame := make([]byte, tm.Size()+c.most+1)
		for n, ok := range map[int]bool{0: false, tm.Size() - 1: false, tm.Size(): true, len(frame) - 1: true, len(frame): false} {
			if tm.Put(frame[:n], 0) != ok {
				t.Errorf("%d bytes: %v", n, !ok)
			}
			if !ok && !bytes.Equal(frame[:n], make([]byte, n)) {
				t.Errorf("%d bytes: refused and written", n)
			}
			clear(frame)
		}
	}
	var zero Template
	if zero.Put(make([]byte, 100), 0) {
		t.Error("the zero Template writes")
	}
}

func TestGroupsHaveTheirOwnAddressAndHopLimit(t *testing.T) {
	for group, mac := range map[string]string{
		"224.0.0.1": "01:00:5e:00:00:01", "239.129.2.3": "01:00:5e:01:02:03", "ff02::1:ff28:9c5a": "33:33:ff:28:9c:5a", // RFC 2464's own
	} {
		f := flow4()
		f.NextHop, f.Destination = MAC{}, netip.AddrPortFrom(netip.MustParseAddr(group), 9)
		if f.Destination.Addr().Is6() {
			f.Source = flow6().Source
		}
		frame := build(t, f, "", 0)
		if got := MAC(frame[:6]).String(); got != mac {
			t.Errorf("%s: %s, not %s", group, got, mac)
		}
		var p Packet
		if reason := new(Parser).Parse(frame, &p); reason != Accepted || p.TTL != 1 {
			t.Errorf("%s: %s, TTL %d", group, reason, p.TTL)
		}
	}
	if mac := GroupMAC(netip.MustParseAddr("10.0.0.1")); mac != (MAC{}) {
		t.Error(mac)
	}
}

func TestFlowsThatCannotBeAreRefusedWithAllFaults(t *testing.T) {
	ap := netip.MustParseAddrPort
	for want, change := range map[string]func(*Flow){
		"not an address":          func(f *Flow) { f.Source = netip.AddrPort{} },
		"without a zone":          func(f *Flow) { f.Source, f.Destination = ap("[fe80::1%1]:1"), ap("[fe80::2]:1") },
		"of IPv4 or of IPv6":      func(f *Flow) { f.Source, f.Destination = ap("[::ffff:10.0.0.1]:1"), ap("[fd77::1]:1") },
		"two families":            func(f *Flow) { f.Source = ap("[fd77::1]:1") },
		"224.0.0.1: no source":    func(f *Flow) { f.Source = ap("224.0.0.1:1") },
		"0.0.0.0: no source":      func(f *Flow) { f.Source = ap("0.0.0.0:1") },
		"0.0.0.0: no destination": func(f *Flow) { f.Destination = ap("0.0.0.0:1") },
		"port 0":                  func(f *Flow) { f.Destination = ap("10.0.0.1:0") },
		"3 ports: not a power":    func(f *Flow) { f.Ports = 3 },
		"-4 ports: not a power":   func(f *Flow) { f.Ports = -4 },
		"2 ports from 65535":      func(f *Flow) { f.Source, f.Ports = ap("10.0.0.1:65535"), 2 },
		"VLAN 4095":               func(f *Flow) { f.VLAN = 4095 },
		"priority 8":              func(f *Flow) { f.Priority = 8 },
		"DSCP 64: not 0 to 63\nport": func(f *Flow) {
			f.DSCP, f.Source = 64, ap("10.0.0.1:0")
		},
	} {
		f := flow4()
		change(&f)
		_, err := NewTemplate(f)
		for _, part := range strings.Split(want, "\n") {
			if !errors.Is(err, ErrFlow) || !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v", part, err)
			}
		}
	}
}

// What is left to the device is the checksum alone, and from what is written in its place the device comes to the right one.
func TestAnOffloadedChecksumIsFinishedByAPlainSum(t *testing.T) {
	for _, f := range []Flow{flow4(), flow6()} {
		f.Ports, f.Checksum = 4, true
		for n := range 50 {
			payload := strings.Repeat("x", n) + "\xff"
			want := build(t, f, payload, uint32(n))
			f.Offload = true
			got := build(t, f, payload, uint32(n))
			tm := mustTemplate(t, f)
			at := tm.Offloads()
			if at != tm.Size()-UDPSize {
				t.Fatalf("%d", at)
			}
			check := ^plainSum(got[at:])
			got[at+udpChecksum], got[at+udpChecksum+1] = byte(check>>8), byte(check)
			if !bytes.Equal(got, want) {
				t.Errorf("\n%x, not\n%x", got, want)
			}
			f.Offload = false
			if plain := mustTemplate(t, f); plain.Offloads() != 0 {
				t.Error("something is left to the device unasked")
			}
		}
	}
	none := flow4()
	none.Offload = true
	if tm := mustTemplate(t, none); tm.Offloads() != 0 {
		t.Error("a checksum that there is not is left to the device")
	}
	if got := build(t, none, "abc", 0); got[40] != 0 || got[41] != 0 {
		t.Errorf("%x", got)
	}
}
