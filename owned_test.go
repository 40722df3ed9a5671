package transport_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// A node leaves places in rings that come up, and is at them for a moment. The subscriber whose place it is waits that moment, and does not take it
// for a second one of its name; one that stays is told.
func TestPlaceInANewRingMayBeAnothersForAMoment(t *testing.T) {
	dir := t.TempDir()
	n := openPlace(t, transport.Config{Dir: dir, Channels: map[string]transport.Channel{"quotes": {Durable: "brain"}}})
	sub, err := n.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	r, err := ring.Open(ring.Options{Path: filepath.Join(dir, "later", "feed.0.ring"), Capacity: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	place, err := r.Reader(ring.ReaderOptions{Name: "brain", Durable: true, From: ring.Oldest})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "later"), filepath.Join(dir, "quotes")); err != nil { // the ring comes up with its place taken
		t.Fatal(err)
	}
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err := sub.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := place.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := r.Writer()
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.Claim(5)
	if err != nil {
		t.Fatal(err)
	}
	copy(b, "quote")
	if err := w.Commit(5); err != nil {
		t.Fatal(err)
	}
	came := 0
	for end := time.Now().Add(10 * time.Second); came == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := sub.Poll(1, func(seal.Frame) { came++ }); err != nil {
			t.Fatal(err)
		}
	}
	if came != 1 || sub.Err() != nil {
		t.Errorf("%d came: %v", came, sub.Err())
	}
}

func TestSecondSubscriberOfANameIsTold(t *testing.T) {
	dir := t.TempDir()
	c := transport.Config{Dir: dir, Channels: map[string]transport.Channel{"quotes": {Durable: "brain"}}}
	first, second := openPlace(t, c), openPlace(t, c)
	if _, err := first.Subscriber("quotes"); err != nil {
		t.Fatal(err)
	}
	sub, err := second.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Publisher("quotes"); err != nil { // a ring that comes after both
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !errors.Is(sub.Err(), ring.ErrOwned); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nobody is told: %v", sub.Err())
		}
	}
}
