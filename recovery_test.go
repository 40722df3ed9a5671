package transport_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/tlv"
)

func trade(t *testing.T, p *transport.Publisher, source tlv.Source, n uint64) {
	t.Helper()
	buf, err := p.Claim(tlv.TradeMessageSize)
	if err != nil {
		t.Fatal(err)
	}
	h := tlv.Header{RelayDomain: 1, Source: source, Sequence: n, Timestamp: 1000 + n}
	size, err := tlv.PutTrade(buf, &h, &tlv.Trade{Price: int64(n)})
	if err == nil {
		err = p.Commit(size)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func recover1(t *testing.T, n *transport.Node, o transport.RecoveryOptions) *transport.Recovery {
	t.Helper()
	r, err := n.Recover(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// requests reads all recovery requests there are, of which before were read already.
func requests(t *testing.T, s *transport.Subscriber, before int) (all []tlv.RecoveryRequest) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = s.Poll(64, func(f seal.Frame) {
			m, err := tlv.Parse(f.Payload)
			if err != nil {
				t.Fatal(err)
			}
			one, _ := m.Find(tlv.TypeRecoveryRequest)
			v, ok := one.RecoveryRequest()
			if !ok || m.Domain() != tlv.MarketData || m.Sequence() != uint64(before+len(all)+1) || m.Header().Timestamp <= 1000 {
				t.Fatalf("%+v is no request of its kind", m.Header())
			}
			all = append(all, v)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// The network loses messages of a best-effort channel; each gap is asked for, exactly, and nothing else is.
func TestEachGapOfALossyChannelIsAskedFor(t *testing.T) {
	from, to := open(t, transport.Config{}), open(t, transport.Config{})
	pub, sub, back := publisher(t, from, "trades"), subscriber(t, to, "trades"), subscriber(t, to, "recovery")
	r := recover1(t, to, transport.RecoveryOptions{Channel: "trades", Requests: "recovery", Consumer: 42, Source: 1})
	p := join(t, from, to, udp.BestEffort, through(t, 3, "loss=5%"))
	const total = 2000
	var want []tlv.RecoveryRequest
	last, got, missing := uint64(0), 0, uint64(0)
	poll := func() {
		for n := 1; n > 0; {
			var err error
			if n, err = sub.Poll(64, func(f seal.Frame) {
				m, err := tlv.Parse(f.Payload)
				if err != nil {
					t.Fatal(err)
				}
				if got++; last > 0 && m.Sequence() > last+1 {
					want = append(want, tlv.RecoveryRequest{LastSequence: last, CurrentSequence: m.Sequence(), Consumer: 42, Request: tlv.Retransmit})
					missing += m.Sequence() - last - 1
				}
				last = m.Sequence()
			}); err != nil {
				t.Fatal(err)
			}
		}
		for n := 1; n > 0; {
			var err error
			if n, err = r.Do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := uint64(1); n <= total; n++ {
		trade(t, pub, 1, n)
		p.step()
		poll()
	}
	p.until("the end", func() bool { s := p.recv.Stats(); return s.Frames+s.Lost >= total-5 && last > total-50 }, poll)
	poll()
	asked := requests(t, back, 0)
	if len(want) < 20 || len(asked) != len(want) {
		t.Fatalf("%d gaps, %d requests: %+v", len(want), len(asked), r.RecoveryStats)
	}
	for i := range want {
		if asked[i] != want[i] {
			t.Errorf("asked %+v for gap %+v", asked[i], want[i])
		}
	}
	if r.Missing != missing || r.Requests != uint64(len(want)) || r.Messages != uint64(got) || r.Foreign+r.Covered+r.Dropped != 0 {
		t.Errorf("%d missing of %d: %+v", missing, got, r.RecoveryStats)
	}
}

func TestRecoveryKnowsRestartsSnapshotsAndForeignFrames(t *testing.T) {
	n := open(t, transport.Config{Channels: map[string]transport.Channel{"recovery": {Capacity: 1 << 12}}})
	pub, back := publisher(t, n, "trades"), subscriber(t, n, "recovery")
	r := recover1(t, n, transport.RecoveryOptions{Channel: "trades", Requests: "recovery", Source: 1})
	do := func() {
		t.Helper()
		for k := 1; k > 0; {
			var err error
			if k, err = r.Do(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := pub.Send([]byte("no message of protocol_v2, by far")); err != nil {
		t.Fatal(err)
	}
	trade(t, pub, 1, 7)
	trade(t, pub, 1, 10)   // 8 and 9: asked for
	trade(t, pub, 1, 1000) // too many: a snapshot
	trade(t, pub, 1, 1010) // is on its way
	do()
	if got := requests(t, back, 0); len(got) != 2 || got[0].Request != tlv.Retransmit || got[1].Request != tlv.FullState || got[1].CurrentSequence != 1000 {
		t.Fatalf("%+v", got)
	}
	want := transport.RecoveryStats{Messages: 4, Missing: 2 + 989 + 9, Requests: 2, Covered: 1, Foreign: 1}
	if r.RecoveryStats != want {
		t.Errorf("%+v, want %+v", r.RecoveryStats, want)
	}
	buf, err := pub.Claim(256)
	if err != nil {
		t.Fatal(err)
	}
	w := tlv.Build(buf, tlv.Aligned, &tlv.Header{RelayDomain: 1, Source: 1, Sequence: 1011, Timestamp: 2000})
	w.Snapshot(&tlv.Snapshot{Sequence: 1010, Body: []byte("state")})
	size, err := w.Finish()
	if err != nil || pub.Commit(size) != nil {
		t.Fatal(err)
	}
	trade(t, pub, 1, 1020)
	do()
	if got := requests(t, back, 2); r.Requests != 3 || len(got) != 1 {
		t.Errorf("after the snapshot: %+v, %+v", got, r.RecoveryStats)
	}
	other := publisher(t, n, "trades") // another life of the source counts from 1 again
	before := r.RecoveryStats
	for k := uint64(1); k <= 3; k++ {
		trade(t, other, 1, k)
	}
	do()
	if r.Missing != before.Missing || r.Requests != before.Requests || r.Messages != before.Messages+3 {
		t.Errorf("a new life: %+v after %+v", r.RecoveryStats, before)
	}
	// Requests without room wait, and the oldest come first.
	for k := uint64(1); k <= 300; k++ {
		trade(t, other, 1, 3+2*k)
	}
	do()
	if r.Dropped == 0 || r.Requests == before.Requests {
		t.Fatalf("a full channel: %+v", r.RecoveryStats)
	}
	for i := 0; i < 300 && r.Requests+r.Dropped < before.Requests+300; i++ {
		if _, err := back.Poll(1, func(seal.Frame) {}); err != nil {
			t.Fatal(err)
		}
		do()
	}
	if r.Requests+r.Dropped != before.Requests+300 {
		t.Errorf("%+v: requests are neither sent nor counted", r.RecoveryStats)
	}
}

func TestRecoveryNamesItsChannels(t *testing.T) {
	n := open(t, transport.Config{})
	for _, o := range []transport.RecoveryOptions{{Channel: "no/name", Requests: "recovery"}, {Channel: "trades", Requests: ""}} {
		if _, err := n.Recover(o); !errors.Is(err, transport.ErrConfig) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func ExampleRecovery() {
	node, err := transport.Open(context.Background(), transport.Config{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = node.Close() }()
	recovery, err := node.Recover(transport.RecoveryOptions{Channel: "trades", Requests: "recovery", Consumer: 7, Source: 1})
	if err != nil {
		panic(err)
	}
	defer func() { _ = recovery.Close() }()
	trades, _ := node.Publisher("trades")
	requests, _ := node.Subscriber("recovery")
	for _, n := range []uint64{1, 2, 5} { // 3 and 4 were lost on the way
		buf, _ := trades.Claim(tlv.TradeMessageSize)
		size, _ := tlv.PutTrade(buf, &tlv.Header{RelayDomain: 1, Source: 1, Sequence: n}, &tlv.Trade{})
		_ = trades.Commit(size)
	}
	if _, err := recovery.Do(); err != nil {
		panic(err)
	}
	_, _ = requests.Poll(1, func(f seal.Frame) {
		m, _ := tlv.Parse(f.Payload)
		t, _ := m.Find(tlv.TypeRecoveryRequest)
		v, _ := t.RecoveryRequest()
		fmt.Println(v.LastSequence, v.CurrentSequence, v.Request)
	})
	stats := recovery.RecoveryStats
	fmt.Printf("%d missing of %d, %d requests\n", stats.Missing, stats.Messages+stats.Missing, stats.Requests)
	// Output:
	// 2 5 retransmit
	// 2 missing of 5, 1 requests
}
