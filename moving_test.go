package transport_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// A source that moves between a UDP sender and a TCP link while messages flow arrives whole: each epoch's numbers once, in order.
func TestASourceThatMovesBetweenMediaIsWhole(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "sealed"}[sealed], func(t *testing.T) { moveBetweenMedia(t, sealed) })
	}
}

func moveBetweenMedia(t *testing.T, sealed bool) {
	arrived := make(chan *ring.Reader, 1)
	mirrors, err := netio.NewMirrors(netio.InboxOptions{Capacity: 1 << 18, Opened: func(r *ring.Ring) {
		in, err := r.Reader(ring.ReaderOptions{From: ring.Oldest}) // before the first frame is in it
		if err != nil {
			t.Error(err)
		}
		arrived <- in
	}})
	if err != nil {
		t.Fatal(err)
	}
	e := netio.Exchange{Channel: "quotes", Capacity: 1 << 18, Number: 1}
	if sealed {
		secret := seal.NewSecret()
		e.Sealed, e.Secret = true, &secret
	}
	sends, takes := e, e
	sends.Sends, takes.Takes, takes.Mirrors = true, true, mirrors
	local := netip.MustParseAddr("127.0.0.1")
	var ways [2]netio.Way
	for i, m := range []interface {
		Open(netio.Station) (netio.Ways, error)
	}{udp.Medium{}, tcp.Medium{}} {
		l, r := netip.AddrPortFrom(local, netlab.Port()), netip.AddrPortFrom(local, netlab.Port())
		left, err := m.Open(netio.Station{Node: "left", Start: 1, Bind: l, Notes: func(n netio.Note) { t.Logf("left: %+v", n) }})
		if err != nil {
			t.Fatal(err)
		}
		right, err := m.Open(netio.Station{Node: "right", Start: 1, Bind: r, Notes: func(n netio.Note) { t.Logf("right: %+v", n) }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(left.Close(), right.Close()); err != nil {
				t.Error(err)
			}
		}()
		if _, err := right.To(netio.Far{Node: "left", Addresses: []netip.AddrPort{l}, Exchanges: []netio.Exchange{takes}}); err != nil {
			t.Fatal(err)
		}
		if ways[i], err = left.To(netio.Far{Node: "right", Addresses: []netip.AddrPort{r}, Dials: true, Exchanges: []netio.Exchange{sends}}); err != nil {
			t.Fatal(err)
		}
	}
	own, err := ring.Open(ring.Options{Path: filepath.Join(t.TempDir(), "7.ring"), Capacity: 1 << 16, Instance: 7})
	if err != nil {
		t.Fatal(err)
	}
	var epochs []uint64
	const total = 200_000
	published := make(chan error, 1)
	go func() { published <- publishInLives(own, total) }()
	at, moves := 0, 0
	if err := ways[at].Add("quotes", own); err != nil {
		t.Fatal(err)
	}
	var in *ring.Reader
	leaving, moved := false, time.Now()
	batch, next := make([]ring.Record, 256), uint64(1)
	for end := time.Now().Add(40 * time.Second); next <= total; {
		if time.Now().After(end) {
			t.Fatalf("%d of %d arrived, %d moves, alive %v %v", next-1, total, moves, ways[0].Alive("quotes"), ways[1].Alive("quotes"))
		}
		if leaving = leaving || time.Since(moved) > 10*time.Millisecond; leaving {
			done, err := ways[at].Remove("quotes", own)
			if err != nil {
				t.Fatal(err)
			}
			if done {
				at = 1 - at
				moves++
				if err := ways[at].Add("quotes", own); err != nil {
					t.Fatal(err)
				}
				leaving, moved = false, time.Now()
			}
		}
		if in == nil {
			select {
			case in = <-arrived:
			case <-time.After(time.Millisecond):
				continue
			}
		}
		n := in.Peek(batch)
		for i := range n {
			if got := binary.LittleEndian.Uint64(batch[i].Payload()); in.First()+uint64(i) != next || got != next {
				t.Fatalf("message %d has number %d where %d is due, after %d moves", got, in.First()+uint64(i), next, moves)
			}
			next++
		}
		if n > 0 {
			if k := len(epochs); k == 0 || epochs[k-1] != in.Epoch() {
				epochs = append(epochs, in.Epoch())
			}
			if err := in.Release(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
	if in.Lost() != 0 || moves < 4 {
		t.Errorf("%d lost, %d moves", in.Lost(), moves)
	}
	for i := 1; i < len(epochs); i++ {
		if epochs[i] <= epochs[i-1] {
			t.Errorf("epochs %v", epochs)
		}
	}
	if len(epochs) < 2 {
		t.Errorf("%d lives of the publisher", len(epochs))
	}
	t.Logf("%d moves, epochs %v", moves, epochs)
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// publishInLives writes 1 to total, a quarter of it in each life of the writer.
func publishInLives(r *ring.Ring, total uint64) error {
	for life := range uint64(4) {
		w, err := r.Writer()
		if err != nil {
			return err
		}
		for n := total/4*life + 1; n <= total/4*(life+1); n++ {
			p, err := w.Claim(8)
			for ; errors.Is(err, ring.ErrFull); p, err = w.Claim(8) {
				time.Sleep(50 * time.Microsecond) // full: what carries it is the slower one
			}
			if err != nil {
				return err
			}
			binary.LittleEndian.PutUint64(p, n)
			w.Commit(8)
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}
