package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
)

func TestInspectShowsTheLastMessages(t *testing.T) {
	s := openStall(t, 1<<16)
	s.send(300) // a third of the ring: marks lie between
	if err := s.pub.Send([]byte("no message at all")); err != nil {
		t.Fatal(err)
	}
	out, code := verb(t.Context(), newInspect(), "ring", s.ring(), "--last", "3", "-o", "json")
	var got seenInside
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("code %d, %v: %s", code, err, out)
	}
	if got.Committed != 301 || got.Oldest != 1 || len(got.Marks) < 2 || len(got.Last) != 3 || got.Last[0].Seq != 299 || got.Last[2].Seq != 301 {
		t.Errorf("%+v", got)
	}
	if got.Last[2].Hex == "" || got.Last[2].Message != nil || got.Last[1].Message == nil || got.Last[1].Source != got.Instance {
		t.Errorf("%+v %+v", got.Last[1], got.Last[2])
	}
	out, code = verb(t.Context(), newInspect(), "ring", s.ring())
	for _, want := range []string{"messages   1 to 301 held", "last 10 messages", "market_data coinbase #300  Trade {", "6e6f206d657373616765", "alive"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in\n%s", code, want, out)
		}
	}
}

// A ring that has been lapped many times, one that is empty, and one whose owners are dead can be looked at.
func TestInspectShowsRingsInEveryState(t *testing.T) {
	s := openStall(t, 1<<12)
	see := func(want ...string) {
		t.Helper()
		out, code := verb(t.Context(), newInspect(), "ring", s.ring(), "--last", "2")
		for _, w := range want {
			if code != 0 || !strings.Contains(out, w) {
				t.Errorf("code %d, no %q in\n%s", code, w, out)
			}
		}
	}
	see("messages   1 to 0 held", "last 0 messages")
	s.send(1000)
	see("to 1000 held", "last 2 messages", "#999", "#1000")
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	see("dead", "#1000")
}

func TestInspectRefusesWhatIsNoRing(t *testing.T) {
	s := openStall(t, 1<<12)
	s.send(5)
	other := filepath.Join(s.dir, "trades", "other.0.ring")
	for want, harm := range map[string]func(b []byte) []byte{
		"wrong size":             func(b []byte) []byte { return b[:6000] },
		"another layout version": func(b []byte) []byte { b[8] = 9; return b },
		"no ring (magic":         func(b []byte) []byte { b[0] = 'X'; return b },
	} {
		for name, fn := range map[string]func(b []byte) []byte{"": harm, ".cursors": func(b []byte) []byte { return b }} {
			b, err := os.ReadFile(s.ring() + name)
			if err == nil {
				err = os.WriteFile(other+name, fn(b), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if out, code := verb(t.Context(), newInspect(), "ring", other); code != exitUsage || !strings.Contains(out, want) {
			t.Errorf("code %d: %s", code, out)
		}
	}
	for want, args := range map[string][]string{
		"no such file": {"ring", other + "x"},
		"negative":     {"ring", s.ring(), "--last", "-1"},
		"feed.0.ring":  {"ring", filepath.Join(s.dir, "trades")},
		"accepts 1":    {"ring"},
		"journal":      {"journal", s.dir},
		"where":        {"link"},
		"no pulse run": {"link", "--dir", s.dir},
	} {
		if out, code := verb(t.Context(), newInspect(), args...); code == 0 || !strings.Contains(out, want) {
			t.Errorf("%v: code %d: %s", args, code, out)
		}
	}
}

func TestInspectJournalVerifies(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.Producer()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.Put([]mqadapt.Envelope{{Body: []byte("an envelope of sorts")}}); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if out, code := verb(t.Context(), newInspect(), "journal", dir); code != 0 || !strings.Contains(out, "next entry 2") {
		t.Errorf("code %d: %s", code, out)
	}
	all, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	b, err := os.ReadFile(all[0])
	if err == nil {
		b[64+34]++ // in the envelope
		err = os.WriteFile(all[0], b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, code := verb(t.Context(), newInspect(), "journal", dir); code != exitCheck || !strings.Contains(out, ".seg") {
		t.Errorf("code %d: %s", code, out)
	}
}

// joinStall says what pulse run would say, and holds what says that it lives.
func (s *stall) joinStall(alive bool) {
	s.Helper()
	way := transport.CarriageWay{Medium: "tcp", Stripes: 1, Shares: []int{1}, Alive: true, Breaker: "closed"}
	b, err := json.Marshal(nodeStatus{Node: "here", Version: "abc", PID: os.Getpid(), At: time.Now(), Carriages: []transport.Carriage{
		{Channel: "trades", Node: "middle", Medium: "tcp", Rings: 1, Lag: 64, Ways: []transport.CarriageWay{way}},
		{Channel: "trades", Node: "right", Ways: []transport.CarriageWay{way}}},
		Accords: []transport.Accord{{Channel: "trades", Node: "middle", Connected: true, Agreed: true}}})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, statusFile), b, 0o600)
	}
	if err != nil {
		s.Fatal(err)
	}
	if s.fabric != nil {
		_ = s.fabric.Close()
	}
	if s.fabric, err = os.Create(filepath.Join(s.dir, ".fabric")); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = s.fabric.Close() }) // closed already by some tests
	if !alive {
		return
	}
	if ok, err := sys.LockByte(s.fabric, 0); err != nil || !ok {
		s.Fatal(ok, err)
	}
}

func TestInspectLinkShowsWaysAndAccords(t *testing.T) {
	s := openStall(t, 1<<12)
	s.joinStall(true)
	out, code := verb(t.Context(), newInspect(), "link", "--dir", s.dir, "--to", "middle")
	for _, want := range []string{"node here, topology abc", "alive", "channel trades to middle", "by tcp; 1 rings, 64 bytes", "channel trades with middle", "on what it means"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, no %q in\n%s", code, want, out)
		}
	}
	if strings.Contains(out, "right") {
		t.Error(out)
	}
	if out, code := verb(t.Context(), newInspect(), "link", "--dir", s.dir, "-o", "json"); code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, `"right"`) {
		t.Errorf("code %d: %s", code, out)
	}
	if out, code := verb(t.Context(), newInspect(), "link", "--dir", s.dir, "--to", "left"); code != exitUsage || !strings.Contains(out, "middle, right") {
		t.Errorf("code %d: %s", code, out)
	}
	if out, code := verb(t.Context(), newLs(), s.dir, "--for", "0"); code != 0 || !strings.Contains(out, "link trades to middle: by tcp, 1 rings, 64 B not confirmed") {
		t.Errorf("code %d: %s", code, out)
	}
	s.joinStall(false)
	if out, code := verb(t.Context(), newInspect(), "link", "--dir", s.dir); code != exitCheck || !strings.Contains(out, "is dead") {
		t.Errorf("code %d: %s", code, out)
	}
}
