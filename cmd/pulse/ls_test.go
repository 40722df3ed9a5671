package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/tlv"
)

// stall is a node's directory with channels in it, as the views' tests need one.
type stall struct {
	*testing.T
	dir    string
	node   *transport.Node
	pub    *transport.Publisher
	sent   uint64
	fabric *os.File // whose lock says that pulse run lives
}

// openStall has a publisher of trades, with a durable subscriber that has read nothing.
func openStall(t *testing.T, capacity int) *stall {
	t.Helper()
	s := &stall{T: t, dir: filepath.Join(t.TempDir(), "pulse-stall-here")}
	var err error
	s.node, err = transport.Open(t.Context(), transport.Config{Dir: s.dir, Source: "feed", Channels: map[string]transport.Channel{
		"trades": {Capacity: capacity, Mode: ring.Gate, Durable: "strategy"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.node.Close() }) // closed already by some tests
	if s.pub, err = s.node.Publisher("trades"); err != nil {
		t.Fatal(err)
	}
	return s
}

// send publishes trades of two products in turn.
func (s *stall) send(n int) {
	s.Helper()
	for range n {
		if err := s.pub.Send(s.trade()); err != nil {
			s.Fatal(err)
		}
	}
}

// trade is the next message.
func (s *stall) trade() []byte {
	s.sent++
	trade := tlv.Trade{AssetID: tlv.SymbolID([]string{"ETH-USD", "BTC-USD"}[s.sent%2]), Price: int64(s.sent), Venue: tlv.VenueCoinbase, AssetType: tlv.AssetCoin}
	header := tlv.Header{RelayDomain: 1, Source: tlv.SourceCoinbase, Sequence: s.sent}
	msg := make([]byte, tlv.TradeMessageSize)
	if _, err := tlv.PutTrade(msg, &header, &trade); err != nil {
		s.Fatal(err)
	}
	tlv.SetChecksum(msg)
	return msg
}

func (s *stall) ring() string { return filepath.Join(s.dir, "trades", "feed.0.ring") }

func TestLsShowsRingsAndWhoReadsThem(t *testing.T) {
	s := openStall(t, 1<<16)
	sub, err := s.node.Subscriber("trades")
	if err != nil {
		t.Fatal(err)
	}
	s.send(10)
	out, code := verb(t.Context(), newLs(), s.dir, "--for", "0", "-o", "json")
	var all []seenNode
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all) != 1 || len(all[0].Channels) != 1 {
		t.Fatalf("code %d, %v: %s", code, err, out)
	}
	r := all[0].Channels[0].Rings[0]
	if r.Name != "feed.0.ring" || r.Committed != 10 || !r.Alive || r.PID != os.Getpid() || r.Capacity != 1<<16 || r.Mirror || r.Bytes == 0 || r.PerSecond != 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Readers) != 1 || r.Readers[0].Name != "strategy" || !r.Readers[0].Gating || !r.Readers[0].Durable || !r.Readers[0].Alive || r.Readers[0].Lag == 0 {
		t.Errorf("%+v", r.Readers)
	}
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	out, code = verb(t.Context(), newLs(), s.dir, "--for", "0")
	for _, want := range []string{"no pulse run", "channel trades", "feed.0.ring", "alive", `reader "strategy"  gate, durable`, "dead"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in\n%s", code, want, out)
		}
	}
}

func TestLsMeasuresRates(t *testing.T) {
	s := openStall(t, 1<<20)
	s.send(1)
	before := seeNode(s.dir)
	s.send(500)
	now := seeNode(s.dir)
	now.rates(before, 2*time.Second)
	if r := now.Channels[0].Rings[0]; r.PerSecond != 250 || r.BytesRate < 250*64 {
		t.Errorf("%+v", r)
	}
}

// A ring that was replaced, or that cannot be read, is shown as it is, and the others beside it.
func TestLsGoesOnBesideWhatItCannotRead(t *testing.T) {
	s := openStall(t, 1<<16)
	s.send(3)
	for name, text := range map[string]string{"short.0.ring": "PLSERING", "text.0.ring": strings.Repeat("no ring ", 3000)} {
		if err := os.WriteFile(filepath.Join(s.dir, "trades", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "trades", name+".cursors"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, code := verb(t.Context(), newLs(), s.dir, "--for", "1ms")
	for _, want := range []string{"ring file of the wrong size", "no ring (magic", "feed.0.ring"} {
		if code != exitCheck || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in\n%s", code, want, out)
		}
	}
}

func TestLsRefusesWhatIsNotThere(t *testing.T) {
	s := openStall(t, 1<<16)
	file := filepath.Join(t.TempDir(), "t.yaml")
	if out, code := verb(t.Context(), newInit(), "single_host", file); code != 0 {
		t.Fatal(out)
	}
	for want, args := range map[string][]string{
		"no such file":                          {s.dir + "x"},
		"is a directory":                        {s.dir, "--node", "here"},
		"belongs to a topology":                 {"--node", "here"},
		"has here":                              {file, "--node", "there"},
		"has run here":                          {file, "--node", "here"},
		"is neither a directory nor a topology": {s.ring()},
		"is not text or json":                   {s.dir, "-o", "xml"},
	} {
		out, code := verb(t.Context(), newLs(), args...)
		want = strings.Replace(want, "nor a topology", "nor a sound topology", 1)
		if code != exitUsage || !strings.Contains(out, want) {
			t.Errorf("%v: code %d: %s", args, code, out)
		}
	}
}

func TestNearestChannelIsSuggested(t *testing.T) {
	n := &seenNode{Dir: "d", Channels: []seenChannel{{Name: "trades"}, {Name: "signals"}}}
	for name, want := range map[string]string{"trade": "do you mean trades?", "signlas": "do you mean signals?", "x": "there are trades, signals"} {
		if _, err := n.channel(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := n.channel("zzzzzzzz"); strings.Contains(err.Error(), "mean") {
		t.Error(err)
	}
}
