package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/ring"
)

// tapLine is a line of tap -o jsonl.
type tapLine struct {
	Channel, Ring, Source, Hex string
	Epoch, Seq, Lost           uint64
	Message                    struct {
		Domain string
		Source string `json:"source_name"`
		TLVs   []struct {
			Name   string
			Fields struct {
				Asset json.Number `json:"asset_id"`
				Price int64
			}
		}
	}
}

func tapLines(t *testing.T, out string) (all []tapLine) {
	t.Helper()
	for line := range strings.Lines(out) {
		var l tapLine
		if !strings.HasPrefix(line, "{") {
			continue
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, l)
	}
	return all
}

func TestTapDecodesAndFilters(t *testing.T) {
	s := openStall(t, 1<<16)
	s.send(100)
	if err := s.pub.Send([]byte("no message at all")); err != nil {
		t.Fatal(err)
	}
	tapped := func(args ...string) (all []tapLine, out string) {
		t.Helper()
		args = append([]string{"trades", "--dir", s.dir, "--from", "oldest", "-o", "jsonl", "--for", "30ms"}, args...)
		out, code := verb(t.Context(), newTap(), args...)
		if code != 0 {
			t.Fatalf("%v: code %d: %s", args, code, out)
		}
		return tapLines(t, out), out
	}
	all, out := tapped()
	if len(all) != 101 || all[0].Seq != 1 || all[100].Seq != 101 || all[100].Hex == "" || !strings.Contains(out, "101 messages, 0 others, 0 lost") {
		t.Errorf("%d messages: %s", len(all), out)
	}
	for _, c := range []struct {
		want int
		args []string
	}{
		{50, []string{"--instrument", "BTC-USD"}},
		{50, []string{"--instrument", string(all[0].Message.TLVs[0].Fields.Asset)}},
		{0, []string{"--instrument", "DOGE-USD"}},
		{100, []string{"--domain", "market_data"}},
		{0, []string{"--domain", "execution"}},
		{100, []string{"--type", "trade"}},
		{100, []string{"--type", "1", "--source", "coinbase"}},
		{0, []string{"--type", "quote"}},
		{101, []string{"--source", all[0].Source}},
		{0, []string{"--source", "kraken"}},
		{7, []string{"--count", "7"}},
		{3, []string{"--count", "3", "--instrument", "ETH-USD"}},
	} {
		some, out := tapped(c.args...)
		if len(some) != c.want {
			t.Errorf("%v: %d messages, want %d: %s", c.args, len(some), c.want, out)
		}
	}
	if out, code := verb(t.Context(), newTap(), "trades", "--dir", s.dir, "--from", "oldest", "--count", "1"); code != 0 ||
		!strings.Contains(out, "trades/feed.0.ring") || !strings.Contains(out, `Trade {"asset_id":`) {
		t.Errorf("code %d: %s", code, out)
	}
	if got, err := seeNode(s.dir).channel("trades"); err != nil || len(got.Rings[0].Readers) != 0 {
		t.Errorf("a tap left something behind: %+v, %v", got, err)
	}
}

// A tap that has stopped does not hold the publisher: the ring goes round many times, and the tap says what it missed.
func TestStoppedTapNeverHoldsThePublisher(t *testing.T) {
	s := openStall(t, 1<<12)
	p := start(t, "tap", "trades", "--dir", s.dir, "-o", "jsonl")
	eventually(t, "the tap listens", func() bool { s.send(1); return len(tapLines(t, whole(p.out.String()))) > 0 })
	p.signal(syscall.SIGSTOP)
	for range 20_000 {
		s.send(1) // ErrFull ends the test
	}
	if _, waits := s.pub.Slowest(); waits {
		t.Error("the publisher waits for somebody")
	}
	p.signal(syscall.SIGCONT)
	last := func() (l tapLine) {
		if all := tapLines(t, whole(p.out.String())); len(all) > 0 {
			l = all[len(all)-1]
		}
		return l
	}
	eventually(t, "the tap goes on", func() bool { s.send(1); time.Sleep(time.Millisecond); return last().Seq > 20_000 })
	p.signal(syscall.SIGTERM)
	if code := p.end(); code != 0 {
		t.Fatalf("code %d: %s", code, p.words())
	}
	all := tapLines(t, p.out.String())
	lost, due := uint64(0), all[0].Seq
	for _, l := range all {
		if due += l.Lost; l.Seq != due {
			t.Fatalf("message %d with %d lost, want %d", l.Seq, l.Lost, due)
		}
		lost += l.Lost
		due++
	}
	if lost < 10_000 || !strings.Contains(p.words(), "lost: this tap was lapped") {
		t.Errorf("%d lost: %s", lost, p.words())
	}
}

// whole is a text without the line that is not whole yet.
func whole(text string) string { return text[:strings.LastIndexByte(text, '\n')+1] }

// A tap takes publishers up that come later, and lets rings go that are removed.
func TestTapFollowsTheRingsOfItsChannel(t *testing.T) {
	s := openStall(t, 1<<14)
	s.send(1)
	f := tapFlags{at: s.dir, from: "oldest", format: "jsonl"}
	var out bytes.Buffer
	tap, err := f.open("trades", &out)
	if err != nil {
		t.Fatal(err)
	}
	step := func() {
		t.Helper()
		tap.look(time.Now())
		if _, err := tap.cycle(); err != nil {
			t.Fatal(err)
		}
	}
	step()
	late, err := transport.Open(t.Context(), transport.Config{Dir: s.dir, Source: "late"})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := late.Publisher("trades")
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Send(s.trade()); err != nil {
		t.Fatal(err)
	}
	step()
	if tap.told != 2 || len(tap.rings) != 2 {
		t.Errorf("%d messages of %d rings", tap.told, len(tap.rings))
	}
	if err := late.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ring.Remove(filepath.Join(s.dir, "trades", "late.0.ring")); err != nil {
		t.Fatal(err)
	}
	step()
	if len(tap.rings) != 1 || tap.faults != 0 {
		t.Errorf("%d rings, %v", len(tap.rings), tap.fault)
	}
	if err := os.Truncate(s.ring(), 0); err != nil {
		t.Fatal(err)
	}
	step()
	if len(tap.rings) != 0 || tap.faults == 0 {
		t.Errorf("%d rings, %v", len(tap.rings), tap.fault)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := tap.run(ctx); err != nil || len(tapLines(t, out.String())) != 2 {
		t.Errorf("%v: %s", err, out.String())
	}
}

// What tap writes as pcapng, libpcap reads: the messages, byte for byte.
func TestTapWritesPcapng(t *testing.T) {
	s := openStall(t, 1<<14)
	s.send(9)
	var out bytes.Buffer
	c := newTap()
	c.SetArgs([]string{"trades", "--dir", s.dir, "--from", "oldest", "-o", "pcapng", "--count", "9"})
	c.SetOut(&out)
	c.SetErr(&bytes.Buffer{})
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.sent = 0
	for range 9 {
		if !bytes.Contains(out.Bytes(), s.trade()) {
			t.Error("a message is missing")
		}
	}
	if !bytes.Contains(out.Bytes(), []byte("seq 9 stamp 0")) {
		t.Error("a frame's name is missing")
	}
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("no tcpdump command (package tcpdump)")
	}
	read := exec.Command(tcpdump, "-r", "-", "--count")
	read.Stdin = &out
	if said, err := read.CombinedOutput(); err != nil || !strings.Contains(string(said), "9 packets") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestTapRefusesWhatCannotBe(t *testing.T) {
	s := openStall(t, 1<<12)
	out, code := verb(t.Context(), newTap(), "trade", "--dir", s.dir, "--from", "then", "-o", "xml", "--domain", "news", "--type", "tradde")
	for _, want := range []string{"--from then", `output "xml"`, "--domain news", "--type tradde", `no channel "trade"`, "do you mean trades?"} {
		if code != exitUsage || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in %s", code, want, out)
		}
	}
	if out, code := verb(t.Context(), newTap(), "trades", "--dir", s.dir+"x"); code != exitUsage || !strings.Contains(out, "no such file") {
		t.Errorf("code %d: %s", code, out)
	}
}
