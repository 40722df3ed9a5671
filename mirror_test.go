package transport_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
)

// A receiver that fills the very directory the sender's rings lie in mirrors what is here already.
func TestMirrorOfARingThatIsHereIsNotReadTwice(t *testing.T) {
	eachNetwork(t, func(t *testing.T, named bool, rel udp.Reliability) {
		var c transport.Config
		if named {
			c.Dir = t.TempDir()
		}
		n := open(t, c)
		p := join(t, n, n, rel, nil)
		s, pub := subscriber(t, n, "trades"), publisher(t, n, "trades")
		var g got
		send(t, pub, 0, 100)
		p.until("a mirror", func() bool { return p.recv.Stats().Frames == 100 }, polls(t, s, &g))
		late := subscriber(t, n, "trades")
		var l got
		send(t, pub, 100, 200)
		g.poll(t, s, 200)
		l.poll(t, late, 100)
		p.until("the rest", func() bool { return p.recv.Stats().Frames == 200 }, polls(t, s, &g), polls(t, late, &l))
		g.want(t, 0, 200)
		l.want(t, 100, 200)
		if s.Publishers() != 1 || s.Err() != nil || s.Lost() != 0 {
			t.Errorf("%d rings, %v, lost %d", s.Publishers(), s.Err(), s.Lost())
		}
	})
}

// handMade is the mirror of source in dir, written by the test.
func handMade(t *testing.T, dir string, source uint64) *ring.Writer {
	t.Helper()
	r, err := ring.Open(ring.Options{Path: filepath.Join(dir, "trades", fmt.Sprintf("%016x.ring", source)), Instance: source})
	if err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), r.Close()); err != nil && !errors.Is(err, ring.ErrClosed) {
			t.Error(err)
		}
	})
	return w
}

// record appends the record seq that carries seq − 1.
func record(t *testing.T, w *ring.Writer, seq uint64) {
	t.Helper()
	b := binary.LittleEndian.AppendUint64(nil, ring.HeaderSize+8|seq<<32)
	b = binary.LittleEndian.AppendUint64(b, 0)
	if err := w.Append(binary.LittleEndian.AppendUint64(b, seq-1), 1); err != nil {
		t.Fatal(err)
	}
	w.Flush()
}

// The mirror of a ring takes over when that is gone, beyond what the subscriber had and without what neither has.
func TestMirrorTakesOverFromABrokenRing(t *testing.T) {
	dir := t.TempDir()
	n := open(t, transport.Config{Dir: dir, Source: "feed"})
	s, pub := subscriber(t, n, "trades"), publisher(t, n, "trades")
	send(t, pub, 0, 7)
	var g got
	g.poll(t, s, 7)
	w := handMade(t, dir, pub.Source())
	for seq := range uint64(6) {
		record(t, w, seq+1)
	}
	if err := w.Continue(1, 20, 12); err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(6) {
		record(t, w, seq+20)
	}
	path := filepath.Join(dir, "trades", "feed.0.ring")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); len(g.frames) < 13; {
		if _, err := s.Poll(64, g.take); err != nil && !errors.Is(err, ring.ErrCorrupt) {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d frames; %v", len(g.frames), s.Err())
		}
		_ = s.Wait(time.Millisecond)
	}
	for i, f := range g.frames[7:] {
		if f.Seq != uint64(20+i) || f.Source != pub.Source() {
			t.Errorf("%+v, want seq %d", f, 20+i)
		}
	}
	if err := os.Truncate(path, 4096+ring.DefaultCapacity); err != nil { // the publisher closes there
		t.Fatal(err)
	}
}

// No Source makes a publisher's ring bear a mirror's name, nor does Drain wait for a mirror's readers.
func TestMirrorsAreNoPublishersRings(t *testing.T) {
	const source = 0x0123456789abcdef
	dir := t.TempDir()
	n := open(t, transport.Config{Dir: dir, Source: "0123456789abcdef"})
	w := handMade(t, dir, source)
	s := subscriber(t, n, "trades")
	record(t, w, 1)
	pub := publisher(t, n, "trades")
	if pub.Source() == source {
		t.Fatal("the mirror was taken over")
	}
	if err := w.Close(); err != nil { // nobody owns it now
		t.Fatal(err)
	}
	if two := publisher(t, n, "trades"); two.Source() == source {
		t.Fatal("the mirror was taken over")
	}
	if err := n.Drain(t.Context()); err != nil {
		t.Errorf("with one frame of a mirror to read: %v", err)
	}
	var g got
	g.poll(t, s, 1)
	if g.frames[0].Source != source {
		t.Errorf("%+v", g.frames[0])
	}
}
