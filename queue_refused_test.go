package transport_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/seal"
)

// What lies in a channel's queue and is none of its envelopes stops nothing: it is counted, and kept where the file says or beside the journals.
func TestWhatCannotBeTakenIsKept(t *testing.T) {
	for _, where := range []string{"", "elsewhere"} {
		dir := t.TempDir()
		file := queued(t, dir, "mode: message_queue", ports(8))
		kept := filepath.Join(dir, "journals", "dead", "right", "quotes.journal")
		if where != "" {
			kept = filepath.Join(dir, where, "right", "quotes.journal")
			rewrite(t, file, "journals }", "journals, dead_letters: "+filepath.Join(dir, where)+" }")
		}
		foreign := mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 7, Source: 9, Epoch: 1, Seq: 1}, Body: make([]byte, 24)}
		j, err := journal.Open(journal.Options{Dir: filepath.Join(dir, "journals", "quotes.from.left")})
		if err != nil {
			t.Fatal(err)
		}
		a, err := j.Appender()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := a.Put([]mqadapt.Envelope{foreign}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		left, right := openQueued(t, file, "left", "feed"), openQueued(t, file, "right", "desk")
		pub, err := left.Publisher("quotes")
		if err != nil {
			t.Fatal(err)
		}
		in, err := right.Subscriber("quotes")
		if err != nil {
			t.Fatal(err)
		}
		if err := sendUpTo(pub, 1000, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		o := &order{T: t, next: map[uint64]uint64{}}
		o.poll(in, 1000, 20*time.Second, carriages(t, left))
		all, err := right.Refused(t.Context())
		if err != nil || len(all) != 1 || all[0].Reasons["foreign"] != 1 || all[0].Kept != kept {
			t.Fatalf("%+v, %v; wanted in %s", all, err, kept)
		}
		found := 0
		if err := journal.Scan(kept, 0, func(e journal.Entry) error {
			if found++; e.Dead == nil || len(e.Envelope) != foreign.Size() {
				t.Errorf("%+v", e)
			}
			return nil
		}); err != nil || found != 1 {
			t.Error(found, err)
		}
	}
}

// rewrite replaces text in a file.
func rewrite(t *testing.T, file, old, by string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), old, by)
	if changed == string(text) {
		t.Fatalf("no %q in %s", old, file)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A channel's packing is that of its envelopes in the queue, and changes with the file: who takes expands whatever was put, under whichever
// setting.
func TestPackedEnvelopesOutliveTheirSetting(t *testing.T) {
	dir := t.TempDir()
	file := queued(t, dir, "mode: message_queue, compression: lz4", ports(8))
	left := openQueued(t, file, "left", "feed")
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	settled := func() bool {
		all, err := left.Carriages(t.Context())
		return err == nil && len(all) == 1 && all[0].Medium == "journal" && all[0].Lag == 0
	}
	last := uint64(0)
	for _, next := range []string{"zstd, compression_level: 3", "snappy", "none", "adaptive"} {
		last += 20_000
		if err := sendUpTo(pub, last, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		soon(t, "all is in the queue", settled)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(string(text), "compression: ")
		if err := os.WriteFile(file, []byte(before+"compression: "+next+" }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := left.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	last += 20_000
	if err := sendUpTo(pub, last, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	soon(t, "all is in the queue", settled)
	by := map[uint8]int{}
	if err := journal.Scan(filepath.Join(dir, "journals", "quotes.from.left"), 0, func(e journal.Entry) error {
		var h seal.Header
		if err := h.Parse(e.Envelope); err != nil {
			return err
		}
		by[h.Codec]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("envelopes by codec: %v", by)
	if by[0] == 0 || by[1] == 0 || by[2] == 0 || by[3] == 0 {
		t.Errorf("envelopes by codec: %v", by)
	}
	done, err := journal.Replay{Dir: filepath.Join(dir, "journals", "quotes.from.left")}.Run(t.Context(), func(seal.Frame) error { return nil })
	if err != nil || done.Messages != last || done.Foreign != 0 {
		t.Errorf("replayed %+v, %v", done, err)
	}
	right := openQueued(t, file, "right", "desk")
	in, err := right.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	o := &order{T: t, next: map[uint64]uint64{}}
	o.poll(in, last, 20*time.Second, func() any { all, err := right.Refused(t.Context()); return []any{all, err} })
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
}

// soon waits for a condition.
func soon(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not within 20 s: ", what)
		}
	}
}
