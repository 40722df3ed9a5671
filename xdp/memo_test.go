package xdp

import (
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/xdp/packet"
)

// What the memo says is what the parser says: it knows a frame again only when every byte that the parser looks at is the same.
func TestMemoKnowsTheSameHeadersOnly(t *testing.T) {
	from, to := netip.MustParseAddrPort("10.1.0.1:7001"), netip.MustParseAddrPort("10.1.0.2:7002")
	frame := datagram([]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2}, from, to, []byte("a message of some length"))
	parser := packet.Parser{}
	var p packet.Packet
	if why := parser.Parse(frame, &p); why != packet.Accepted {
		t.Fatal(why)
	}
	var m memo
	if m.says(frame) {
		t.Error("the zero memo knows a frame")
	}
	e := &End{}
	m.keep(frame, &p, e)
	if !m.says(frame) || m.end != e || m.source != from || string(frame[m.from:m.to]) != string(p.Payload) {
		t.Fatalf("%+v", m)
	}
	for i := range frame {
		other := append([]byte(nil), frame...)
		other[i] ^= 1
		if known := m.says(other); known != (i >= memoSize) {
			t.Errorf("byte %d changed: known %t", i, known)
		}
	}
	for n := range frame {
		if m.says(frame[:n]) {
			t.Errorf("%d bytes of the frame are known", n)
		}
	}
	if m.says(append(frame, 0)) {
		t.Error("a longer frame is known")
	}
	tagged := datagram([]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2}, from, to, []byte("a message of some length"), 5)
	six := datagram([]byte{2, 0, 0, 0, 0, 1}, []byte{2, 0, 0, 0, 0, 2}, netip.MustParseAddrPort("[fd00::1]:7001"), netip.MustParseAddrPort("[fd00::2]:7002"), []byte("a message"))
	for _, frame := range [][]byte{tagged, six} {
		if why := parser.Parse(frame, &p); why != packet.Accepted {
			t.Fatal(why)
		}
		if m.keep(frame, &p, e); m.says(frame) {
			t.Error("headers of another layout are known")
		}
	}
}
