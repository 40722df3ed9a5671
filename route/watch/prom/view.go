package prom

import (
	"sync"
	"time"

	"github.com/alphapulse/transport/route/watch"
)

const (
	shared    = 100 * time.Millisecond // how old a reading may be that another scrape made
	forgotten = 10 * time.Minute       // after its last words; every run of an actor would leave its series behind for good
)

// View is a node as its stats files show it. Its methods may be called from any goroutine.
type View struct {
	read func() ([]*watch.Snapshot, error)
	now  func() time.Time
	most int // series of a scrape

	mu   sync.Mutex
	at   time.Time
	last reading
}

// reading is what the files said at once.
type reading struct {
	all    []*watch.Snapshot
	unread error
}

// Of is the view of a node's directory. It need not be there yet.
func Of(dir string) *View {
	return &View{read: func() ([]*watch.Snapshot, error) { return watch.ReadDir(dir) }, now: time.Now, most: mostSeries}
}

// Snapshots is what the node's processes said last, the node's own first; at most 100 ms old. Actors that died more than ten minutes ago are left out;
// the process that joins the node never is: that it is gone must not be forgotten. The snapshots are shared: nobody changes them. An error says which
// files could not be read, beside the others.
func (v *View) Snapshots() ([]*watch.Snapshot, error) {
	v.mu.Lock() // whoever comes meanwhile waits for this reading instead of making its own
	defer v.mu.Unlock()
	now := v.now()
	if age := now.Sub(v.at); v.at.IsZero() || age < 0 || age >= shared {
		all, err := v.read()
		v.last = reading{unread: err}
		for _, s := range all {
			if s.Alive || s.Process == watch.NodeProcess || now.Sub(s.At) < forgotten {
				v.last.all = append(v.last.all, s)
			}
		}
		v.at = now
	}
	return v.last.all, v.last.unread
}

// Health judges the node.
func (v *View) Health() watch.Health {
	all, _ := v.Snapshots() // files that cannot be read are a metric of their own
	if len(all) == 0 {
		return watch.Health{State: watch.Failing, Faults: []watch.Fault{{State: watch.Failing, What: nodeIsProcess, Why: "it has said nothing yet: no stats file is there"}}}
	}
	return watch.HealthOf(v.now(), all...)
}
