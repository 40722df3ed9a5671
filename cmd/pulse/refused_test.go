package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// letters are what nobody can take: bytes that are no envelope, and a whole envelope of another channel with one message in it.
func letters(t *testing.T) []mqadapt.Envelope {
	t.Helper()
	source, err := ring.Create(ring.Options{Heap: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := source.Writer()
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.Claim(8)
	if err != nil {
		t.Fatal(err)
	}
	copy(b, "from far")
	if err := w.Commit(8); err != nil {
		t.Fatal(err)
	}
	r, err := source.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	run, _ := r.PeekRun(1 << 10)
	h := seal.Header{Kind: seal.Data, Channel: seal.ChannelID("another"), Source: 9, Epoch: 1, Seq: 1}
	broken := h
	broken.Channel = seal.ChannelID("quotes")
	return []mqadapt.Envelope{{Header: h, Body: append([]byte(nil), run...)}, {Header: broken, Body: []byte("no records at all")}}
}

// What a node could not take of a queue is one line of its output for each reason, in explain, and in a journal that the program lists, checks
// and replays.
func TestDeadLettersAreToldListedAndReplayed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "refused.yaml")
	text := fmt.Sprintf(`
config_version: 1
name: refused
nodes:
  left:  { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
  right: { hostname: localhost, addresses: [127.0.0.1], site: here, ports: { control: %d, tcp: %d, udp: %d, quic: %d } }
actors:
  feed: { type: producer, outputs: [quotes], source_id: 1 }
  desk: { type: consumer, inputs: [quotes] }
placements:
  feed: { node: left }
  desk: { node: right }
queues: { journal: { directory: %s } }
channels:
  quotes: { mode: message_queue, backend: journal, encryption: none }
`, netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), netlab.Port(), filepath.Join(dir, "journals"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "journals", "quotes.from.left")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := j.Appender()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := a.Put(letters(t)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	right := start(t, "run", file, "--node", "right", "--dir", filepath.Join(dir, "right"))
	defer func() {
		if t.Failed() {
			t.Log(right.out.String(), right.words())
		}
	}()
	kept := filepath.Join(dir, "journals", "dead", "right", "quotes.journal")
	for _, why := range []string{"no envelope; 1 malformed in all", "does not belong into this queue; 1 foreign in all"} {
		eventually(t, why, func() bool {
			return strings.Contains(right.out.String(), why+", kept: pulse journal ls "+kept)
		})
	}
	eventually(t, "explain says it", func() bool {
		p := start(t, "explain", file, "--channel", "quotes", "--dir", filepath.Join(dir, "right"))
		return p.end() == 0 && strings.Contains(p.out.String(), "refused     1 deliveries of journal, malformed; kept: pulse journal ls "+kept) &&
			strings.Contains(p.out.String(), "1 deliveries of journal, foreign")
	})
	eventually(t, "and to programs", func() bool {
		p := start(t, "explain", file, "--channel", "quotes", "--dir", filepath.Join(dir, "right"), "-o", "json")
		return p.end() == 0 && strings.Contains(p.out.String(), `"refused"`)
	})
	right.signal(os.Interrupt)
	if code := right.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, right.words())
	}
	for _, verb := range []string{"ls", "verify"} {
		p := start(t, "journal", verb, kept)
		if p.end() != 0 || !strings.Contains(p.out.String(), "1 dead letters") || !strings.Contains(p.out.String(), "does not belong into this queue") {
			t.Errorf("journal %s: %s%s", verb, p.out.String(), p.words())
		}
	}
	p := start(t, "journal", "replay", kept, "--dir", filepath.Join(dir, "engine"), "--channel", "again", "--pace", "flat")
	if p.end() != 0 || !strings.Contains(p.out.String(), "1 messages") || !strings.Contains(p.out.String(), "1 entries of other kinds") {
		t.Errorf("replay: %s%s", p.out.String(), p.words())
	}
}
