package transport_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// failing is a journal that says it is dead when it is told to.
type failing struct {
	journal.Medium
	dead atomic.Bool
}

func (f *failing) Open(s netio.QueueSite) (netio.Queues, error) {
	q, err := f.Medium.Open(s)
	return failingQueues{q, f}, err
}

type failingQueues struct {
	netio.Queues
	of *failing
}

func (q failingQueues) Ship(l netio.QueueLine) (netio.QueueWay, error) {
	w, err := q.Queues.Ship(l)
	return failingWay{w, q.of}, err
}

type failingWay struct {
	netio.QueueWay
	of *failing
}

func (w failingWay) Alive(channel string) bool { return !w.of.dead.Load() && w.QueueWay.Alive(channel) }

// A queue that comes before a link hands over to it, behind its own end, and gets the channel back.
func TestQueueFailsOverToALinkAndBack(t *testing.T) {
	file := queued(t, t.TempDir(), "mode: mq_with_direct_fallback, breaker: { open: 200ms, window: 200ms }", ports(8))
	q := &failing{}
	left := openPlace(t, transport.Config{File: file, At: "left", Actor: "feed", Dir: filepath.Join(filepath.Dir(file), "left"), Media: []transport.Medium{tcp.Medium{}},
		Queues: []transport.QueueMedium{q}, HoldDown: 300 * time.Millisecond})
	right := openQueued(t, file, "right", "desk", tcp.Medium{})
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	in, err := right.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	o := &order{T: t, next: map[uint64]uint64{}}
	flow := func(medium string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; {
			if err := sendUpTo(pub, pub.Seq()+49, 0); err != nil && !errors.Is(err, ring.ErrFull) { // which lasts while the queue's end is read below
				t.Fatal(err, carriages(t, left)())
			}
			if _, err := in.Poll(1000, o.take); err != nil {
				t.Fatal(err)
			}
			all, err := left.Carriages(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if all[0].Medium == medium {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("not by %s: %+v", medium, all)
			}
		}
		o.poll(in, pub.Seq()-1, 20*time.Second, carriages(t, left))
	}
	for range 2 {
		flow("journal")
		q.dead.Store(true)
		flow("tcp")
		q.dead.Store(false)
	}
	flow("journal")
	if in.Lost() != 0 {
		t.Errorf("%d lost", in.Lost())
	}
}

// A file that no longer names a queue from which a node has not taken everything is refused, and a journal between two machines is, too.
func TestQueueThatHoldsSomethingIsNotAbandoned(t *testing.T) {
	dir, at := t.TempDir(), ports(8)
	file := queued(t, dir, "mode: direct_with_mq_fallback", at)
	left := openQueued(t, file, "left", "feed", tcp.Medium{})
	pub, err := left.Publisher("quotes")
	if err != nil {
		t.Fatal(err)
	}
	if err := sendUpTo(pub, 30_000, 20*time.Second); err != nil { // more than the ring has room for
		t.Fatal(err)
	}
	queued(t, dir, "mode: direct", at)
	if err := left.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), `node "right" has not taken all that is in queue quotes of journal`) {
		t.Errorf("%v", err)
	}
	until(t, left, "by queue as before", carriedBy("journal"))
	queued(t, dir, "mode: direct_with_mq_fallback", at)
	right := openQueued(t, file, "right", "desk", tcp.Medium{})
	in, err := right.Subscriber("quotes")
	if err != nil {
		t.Fatal(err)
	}
	o := &order{T: t, next: map[uint64]uint64{}}
	o.poll(in, 30_000, 20*time.Second, carriages(t, left))
	until(t, left, "direct", carriedBy("tcp"))
	queued(t, dir, "mode: direct", at)
	for _, n := range []*transport.Node{left, right} {
		if err := n.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := sendUpTo(pub, 30_100, time.Second); err != nil {
		t.Fatal(err)
	}
	o.poll(in, 30_100, 20*time.Second, carriages(t, left))
}
