package transport_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/seal"
)

// A channel of one node is carried over TCP to the subscribers of another, by the same two calls as over UDP.
func TestChannelsAreCarriedOverTCP(t *testing.T) {
	open := func() *transport.Node {
		n, err := transport.Open(t.Context(), transport.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		return n
	}
	a, b := open(), open()
	inbox, err := b.Inbox("orders")
	if err != nil {
		t.Fatal(err)
	}
	sends, takes := link.Contract{Name: "orders", Sends: true}, link.Contract{Name: "orders", Takes: true}
	far, err := tcp.Listen(tcp.ListenOptions{Bind: netip.MustParseAddrPort("127.0.0.1:0"), Nodes: []string{"a"},
		Link: link.Options{Node: "b", Channels: []link.Channel{{Contract: takes, Inbox: inbox}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.Close() }()
	near, err := tcp.Dial(tcp.DialOptions{To: far.Local(), Link: link.Options{Node: "a", Peer: "b", Channels: []link.Channel{{Contract: sends}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	if err := a.Carry("orders", near.Channel("orders")); err != nil {
		t.Fatal(err)
	}
	p, err := a.Publisher("orders")
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Subscriber("orders")
	if err != nil {
		t.Fatal(err)
	}
	const n = 100
	for i := range n {
		if err := p.Send(fmt.Append(nil, "order ", i)); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	for end := time.Now().Add(10 * time.Second); got < n; {
		if _, err := near.Do(); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Do(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Poll(16, func(f seal.Frame) {
			if string(f.Payload) != fmt.Sprint("order ", got) {
				t.Errorf("%q", f.Payload)
			}
			got++
		}); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d arrived; %+v", got, n, near.Stats())
		}
	}
}
