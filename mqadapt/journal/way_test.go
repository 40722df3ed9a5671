package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

func init() {
	roles["ship"], roles["take"] = shipForEver, takeForEver
}

const wayChannel = "way"

// shipForEver carries the ring of the directory into its journal.
func shipForEver(p part) error {
	r, err := ring.Attach(filepath.Join(p.Dir, "source.ring"), ring.Options{})
	if err != nil {
		return err
	}
	j, err := Open(Options{Dir: filepath.Join(p.Dir, "journal"), Segment: leastSegment, Durability: p.Durability})
	if err != nil {
		return err
	}
	producer, err := j.Producer()
	if err != nil {
		return err
	}
	s, err := mqadapt.NewShipper(producer, mqadapt.ShipperOptions{Channel: wayChannel, Body: 2048})
	if err == nil {
		err = s.Add(r)
	}
	return runForEver(s.Do, err)
}

// takeForEver carries the journal of the directory into mirrors.
func takeForEver(p part) error {
	j, err := Open(Options{Dir: filepath.Join(p.Dir, "journal"), Segment: leastSegment})
	if err != nil {
		return err
	}
	c, err := j.Consumer("mirror")
	if err != nil {
		return err
	}
	t, err := mqadapt.NewTaker(c, mqadapt.TakerOptions{Channel: wayChannel, Inbox: netio.InboxOptions{Dir: filepath.Join(p.Dir, "mirrors"), Capacity: 64 << 10}})
	return runForEver(t.Do, err)
}

// runForEver says that it began, works until it is killed, and says after each piece of work that it is alive.
func runForEver(do func() (int, error), err error) error {
	if err != nil {
		return err
	}
	for i := 1; ; i++ {
		n, err := do()
		if err != nil {
			return err
		}
		if n == 0 {
			time.Sleep(50 * time.Microsecond)
		}
		if i&15 == 1 {
			fmt.Println(i)
		}
	}
}

// TestRingsComeOutOnceThoughBothSidesAreKilled: ring → journal → mirror, each side a process that is killed and replaced.
func TestRingsComeOutOnceThoughBothSidesAreKilled(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	dir := bedDir(t)
	source, err := ring.Create(ring.Options{Path: filepath.Join(dir, "source.ring"), Capacity: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := source.Writer()
	if err != nil {
		t.Fatal(err)
	}
	// Made here, so that its reader is there before the first frame is.
	mirrorPath := filepath.Join(dir, "mirrors", fmt.Sprintf("%016x.ring", source.Info().Instance))
	mirror, err := ring.Create(ring.Options{Path: mirrorPath, Capacity: 64 << 10, Instance: source.Info().Instance})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(writer.Close(), reader.Close(), source.Close(), mirror.Close()); err != nil {
			t.Error(err)
		}
	}()

	sent, got := uint64(0), uint64(0)
	batch := make([]ring.Record, 64)
	turn := func(to uint64) {
		for sent < to {
			b, err := writer.Claim(16 + int(sent*53%700))
			if errors.Is(err, ring.ErrFull) {
				break
			}
			if err == nil {
				binary.LittleEndian.PutUint64(b, sent+1)
				err = writer.Commit(len(b))
			}
			if err != nil {
				t.Fatal(err)
			}
			sent++
		}
		n := reader.Peek(batch)
		for i, r := range batch[:n] {
			if seq := reader.First() + uint64(i); seq != got+1 || binary.LittleEndian.Uint64(r.Payload()) != seq {
				t.Fatalf("message %d, number %d, where %d is due", binary.LittleEndian.Uint64(r.Payload()), seq, got+1)
			}
			got++
		}
		if err := errors.Join(reader.Err(), reader.Release(n)); err != nil {
			t.Fatal(err)
		}
	}
	start := func(role string) *child {
		return startChild(t, part{Role: role, Dir: dir, Durability: mqadapt.Durability(rnd.IntN(3))})
	}
	children := map[string]*child{"ship": start("ship"), "take": start("take")}
	kills := scaled(1000)
	for kill := range kills {
		role := []string{"ship", "take"}[rnd.IntN(2)]
		c := children[role]
		until := time.Now().Add(time.Duration(rnd.IntN(8000)) * time.Microsecond)
		if !comes(20*time.Second, func() bool {
			turn(min(sent+50, got+80)) // a ring goes on without a dead reader that it is full of: it never is
			return c.said.Load() > 0 && time.Now().After(until) || over(c)
		}) {
			t.Fatalf("kill %d: %s says nothing: %s", kill, role, c.errs.String())
		}
		c.kill()
		if c.errs.Len() > 0 {
			t.Fatalf("kill %d: %s: %s", kill, role, c.errs.String())
		}
		children[role] = start(role)
	}
	to := sent + 100
	if !comes(20*time.Second, func() bool { turn(to); return got == to }) {
		t.Fatalf("%d of %d came out: %s %s", got, to, children["ship"].errs.String(), children["take"].errs.String())
	}
	for _, c := range children {
		c.kill()
	}
	if reader.Lost() != 0 || got < uint64(kills) {
		t.Errorf("%d lost, %d messages", reader.Lost(), got)
	}
	t.Logf("%d kills, %d messages", kills, got)
	if _, err := Verify(filepath.Join(dir, "journal")); err != nil {
		t.Error(err)
	}
}
