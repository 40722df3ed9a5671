package transport_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/quic"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/seal"
)

// What a node's publishers say in a channel reaches the subscribers of another node over QUIC, publishers that come later included.
func TestNodesAreJoinedOverQUIC(t *testing.T) {
	open := func() *transport.Node {
		n, err := transport.Open(t.Context(), transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		return n
	}
	from, to := open(), open()
	a := trusttest.Authority(t)
	inbox, err := to.Inbox("trades")
	if err != nil {
		t.Fatal(err)
	}
	rx, err := quic.Listen(quic.ListenOptions{Bind: netip.MustParseAddrPort("127.0.0.1:0"), Nodes: []string{"tx"}, Common: quic.Common{
		TLS: trusttest.Identity(t, a, "rx").Server(quic.Protocol), Link: link.Options{Node: "rx", Liveness: 5 * time.Second,
			Channels: []link.Channel{{Contract: link.Contract{Name: "trades", Takes: true}, Inbox: inbox}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rx.Close() })
	client, err := trusttest.Identity(t, a, "tx").Client(quic.Protocol, "rx")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := quic.Dial(quic.DialOptions{To: rx.Local(), Common: quic.Common{TLS: client, Link: link.Options{Node: "tx", Peer: "rx", Liveness: 5 * time.Second,
		Channels: []link.Channel{{Contract: link.Contract{Name: "trades", Sends: true}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Close() })
	if err := from.Carry("trades", tx.Channel("trades")); err != nil {
		t.Fatal(err)
	}
	sub, err := to.Subscriber("trades")
	if err != nil {
		t.Fatal(err)
	}
	const publishers, messages = 3, 200
	next := map[uint64]uint64{}
	got := 0
	read := func(want int) {
		for end := time.Now().Add(20 * time.Second); got < want; {
			n, err := sub.Poll(64, func(f seal.Frame) {
				if v := binary.LittleEndian.Uint64(f.Payload); v != next[f.Source] {
					t.Fatalf("message %d of source %x where %d is due", v, f.Source, next[f.Source])
				}
				next[f.Source]++
				got++
			})
			if err != nil || time.Now().After(end) {
				t.Fatalf("%d of %d: %v", got, want, err)
			}
			if n == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	for i := range publishers {
		p, err := from.Publisher("trades")
		if err != nil {
			t.Fatal(err)
		}
		for v := range messages {
			if err := p.Send(binary.LittleEndian.AppendUint64(nil, uint64(v))); err != nil {
				t.Fatal(err)
			}
		}
		read((i + 1) * messages)
	}
	if err := from.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if len(next) != publishers {
		t.Errorf("%d sources", len(next))
	}
}
