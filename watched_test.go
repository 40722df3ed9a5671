package transport

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	stats "github.com/alphapulse/transport/internal/tally"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/seal"
)

func noFault(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever asks a node that is closed to tell what it knows asks for nothing; the stats file's memory is gone.
func TestTellAfterCloseDoesNothing(t *testing.T) {
	n, err := Open(t.Context(), Config{Dir: t.TempDir(), Source: "one"})
	noFault(t, err)
	noFault(t, n.Close())
	n.Tell(t.Context())
}

// A stats file that somebody cuts short ends what is told, and neither the process nor a message on its way.
func TestStatsFileCutShortCostsNoMessage(t *testing.T) {
	dir := t.TempDir()
	notes := make(chan netio.Note, 16)
	n, err := Open(t.Context(), Config{Dir: dir, Source: "one", Notes: func(one netio.Note) { notes <- one }})
	noFault(t, err)
	pub, err := n.Publisher("c")
	noFault(t, err)
	sub, err := n.Subscriber("c")
	noFault(t, err)
	noFault(t, os.Truncate(filepath.Join(dir, watch.Directory, "one.stats"), 0))
	n.Tell(t.Context())
	select {
	case one := <-notes:
		if !errors.Is(one.Err, stats.ErrCorrupt) {
			t.Error(one.Err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody is told")
	}
	came := 0
	for range 3 * timeEvery {
		pub.SetStamp(1)
		noFault(t, pub.Send([]byte("m")))
		_, err := sub.Poll(10, func(seal.Frame) { came++ })
		noFault(t, err)
	}
	if came != 3*timeEvery {
		t.Errorf("%d messages", came)
	}
	noFault(t, n.Close())
}

// Who polls does not wait for the node, which may be attaching rings, to say how many messages it lost.
func TestPollDoesNotWaitForWhoLooksForRings(t *testing.T) {
	n, err := Open(t.Context(), Config{Dir: t.TempDir(), Source: "one"})
	noFault(t, err)
	defer func() { noFault(t, n.Close()) }()
	pub, err := n.Publisher("c")
	noFault(t, err)
	sub, err := n.Subscriber("c")
	noFault(t, err)
	noFault(t, pub.Send([]byte("m")))
	_, err = sub.Poll(0, nil)
	noFault(t, err)
	sub.asked.Store(true)
	sub.mu.Lock()
	done := make(chan int)
	go func() {
		k, _ := sub.Poll(1, func(seal.Frame) {})
		done <- k
	}()
	select {
	case k := <-done:
		if sub.mu.Unlock(); k != 1 {
			t.Errorf("%d messages", k)
		}
	case <-time.After(5 * time.Second):
		sub.mu.Unlock()
		t.Error("it waits")
		<-done
	}
	if !sub.asked.Load() {
		t.Error("it is not asked again")
	}
}

// A message that is sent until there is room for it counts once: back pressure does not have every message traced.
func TestMessageThatFindsNoRoomIsSampledOnce(t *testing.T) {
	n, err := Open(t.Context(), Config{Dir: t.TempDir(), Source: "one", Channels: map[string]Channel{"c": {TraceEvery: 1000, Capacity: 64 << 10}}})
	noFault(t, err)
	defer func() { noFault(t, n.Close()) }()
	pub, err := n.Publisher("c")
	noFault(t, err)
	sub, err := n.Subscriber("c")
	noFault(t, err)
	sent, came, traced := 0, 0, 0
	for full := 0; full < 20; {
		switch err := pub.Send(make([]byte, 1000)); {
		case err == nil:
			sent++
			continue
		case !errors.Is(err, ring.ErrFull):
			t.Fatal(err)
		}
		for range 1000 { // it is tried again and again
			if err := pub.Send(make([]byte, 1000)); !errors.Is(err, ring.ErrFull) {
				t.Fatal(err)
			}
		}
		full++
		_, err := sub.Poll(1<<20, func(f seal.Frame) {
			came++
			if _, ok := sub.Trace(f); ok {
				traced++
			}
		})
		noFault(t, err)
	}
	if traced > came/1000+1 {
		t.Errorf("%d of %d messages are traced", traced, came)
	}
}
