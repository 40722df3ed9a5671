package transport

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/topo"
	"github.com/alphapulse/transport/route/watch"
)

// An observer puts what a node's process knows into its stats file, where any process may read it. It pulls: cursors, counters and states are
// looked at four times a second; nobody on a message's way is asked.
//
//	rings' headers and cursors ─┐
//	subscribers' words ─────────┤ observer ─► DIR/.watch/NAME.stats ─► whoever wants to know
//	ways' and queues' counts ───┘
//
// A process that joins its node to others tells of all rings in the node's directory; another one of those that it writes, and only while none
// joins the node.
type observer struct {
	node  *Node
	board *watch.Board

	turns sync.Mutex         // a round
	over  bool               // closed, or the file is no good
	rings map[string]outfile // attached here, by path

	mu    sync.Mutex
	gone  map[string]passed          // by channel, of subscribers that are closed
	spare map[string][]*watch.Spread // theirs, for those to come
	hops  map[hopKey]*watch.Spread   // of ways: they stay, since a way that is opened anew goes on with its own

}

// passed is what subscribers that are closed were handed and lost.
type passed struct{ taken, lost uint64 }

// hopKey names the histogram of a hop by a way.
type hopKey struct{ channel, hop, node, medium, stripe string }

const (
	observeEvery = 250 * time.Millisecond
	lastWords    = time.Second // that a node which closes has for them
)

// watch opens the node's stats file. A node without a directory has none, and one whose directory has no room for it does without and says so.
func (n *Node) watch(name string) {
	if n.config.Dir == "" || n.config.Unwatched {
		return
	}
	at := ""
	if l := n.layout.Load(); l != nil {
		at = l.at
	}
	b, err := watch.Post(n.config.Dir, at, name)
	if err != nil {
		n.note(netio.Note{What: "trouble", Err: fmt.Errorf("transport: nothing is told of this process: %w", err)})
		return
	}
	n.observer = &observer{node: n, board: b, rings: map[string]outfile{}, gone: map[string]passed{}, spare: map[string][]*watch.Spread{},
		hops: map[hopKey]*watch.Spread{}}
}

func (n *Node) note(one netio.Note) {
	if n.config.Notes != nil {
		n.config.Notes(one)
	}
}

// processName is what the process is called among those of its node.
func (n *Node) processName() string {
	if n.config.Actor != "" {
		return n.config.Actor
	}
	return n.config.Source
}

// observe goes on until ctx ends, and looks once more.
func (o *observer) observe(ctx context.Context) {
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		o.round(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Tell puts what is known now into the stats file; a node does so four times a second by itself. It does nothing where there is none.
func (n *Node) Tell(ctx context.Context) {
	if n.observer != nil {
		n.observer.round(ctx)
	}
}

func (o *observer) round(ctx context.Context) {
	o.turns.Lock()
	defer o.turns.Unlock()
	if o.over {
		return
	}
	if err := sys.Guard(func() error { o.say(ctx); return nil }); err != nil { // somebody cut the file short
		o.over = true
		o.node.note(netio.Note{What: "trouble", Err: fmt.Errorf("transport: nothing more is told of this process: %w", err)})
	}
}

func (o *observer) say(ctx context.Context) {
	o.board.Round(time.Now(), func() bool {
		l := o.node.layout.Load()
		if l != nil {
			o.board.Gauge(watch.NodeInfo, 1, l.version)
		} else {
			o.board.Gauge(watch.NodeInfo, 1)
		}
		o.disks(l)
		o.subscribers()
		o.readRings()
		if o.node.fabric != nil {
			return o.carriages(ctx) && o.beside(ctx)
		}
		return true
	})
}

// disks says what is left where rings and journals are.
func (o *observer) disks(l *layout) {
	places := map[string]string{"rings": o.node.config.Dir}
	if l != nil {
		if q := l.topology.Queue(topo.Journal); q != nil && q.Directory != "" {
			places["journal"] = q.Directory
		}
	}
	for place, dir := range places {
		if free, size, err := sys.DiskSpace(dir); err == nil { // a directory that is not there yet has none
			o.board.Gauge(watch.DiskFree, float64(free), place)
			o.board.Gauge(watch.DiskSize, float64(size), place)
		}
	}
}

// delivered is the histogram of a new subscriber: one that another had, or a new one.
func (o *observer) delivered(channel string) *watch.Spread {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if had := o.spare[channel]; len(had) > 0 {
		o.spare[channel] = had[:len(had)-1]
		return had[len(had)-1]
	}
	return o.board.Spread(watch.HopLatency, channel, watch.Delivered)
}

// closed takes what a subscriber leaves.
func (o *observer) closed(s *Subscriber) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.gone[s.channel]
	o.gone[s.channel] = passed{p.taken + s.seen.Load64(seenTaken), p.lost + s.seen.Load64(seenLost)}
	if s.delivered != nil {
		o.spare[s.channel] = append(o.spare[s.channel], s.delivered)
	}
}

// hop is the histogram of a hop by a way, the same for whoever is the way.
func (o *observer) hop(k hopKey) *watch.Spread {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.hops[k]
	if !ok {
		s = o.board.Spread(watch.HopLatency, k.channel, k.hop, k.node, k.medium, k.stripe)
		o.hops[k] = s
	}
	return s
}

// times has a way's workers say how old messages are.
func (o *observer) times(key linkKey, far netio.Far) {
	if o == nil {
		return
	}
	for i := range far.Exchanges {
		e, stripe := &far.Exchanges[i], strconv.Itoa(key.stripe)
		if e.Sends {
			e.Carried = o.hop(hopKey{e.Channel, watch.Carried, key.node, key.protocol, stripe})
		}
		if e.Takes {
			e.Received = o.hop(hopKey{e.Channel, watch.Received, key.node, key.protocol, stripe})
		}
	}
}

// timesQueue has a queue's worker say how old messages are: one that puts into it, or one that takes from it.
func (o *observer) timesQueue(worker any, hop, channel, node, backend string) {
	t, ok := worker.(netio.Timed)
	if o == nil || !ok {
		return
	}
	s := o.hop(hopKey{channel, hop, node, backend, ""})
	if hop == watch.Carried {
		t.Time(s, nil)
	} else {
		t.Time(nil, s)
	}
}

// subscribers says what this process's subscribers were handed.
func (o *observer) subscribers() {
	n := o.node
	n.mu.Lock()
	o.mu.Lock()
	all := map[string]passed{}
	for channel, p := range o.gone {
		all[channel] = p
	}
	for _, s := range n.subs {
		p := all[s.channel]
		all[s.channel] = passed{p.taken + s.seen.Load64(seenTaken), p.lost + s.seen.Load64(seenLost)}
		s.asked.Store(true)
	}
	o.mu.Unlock()
	n.mu.Unlock()
	for channel, p := range all {
		o.board.Count(watch.SubscriberMessages, p.taken, channel)
		o.board.Count(watch.SubscriberLost, p.lost, channel)
	}
	n.slowest.mu.Lock()
	defer n.slowest.mu.Unlock()
	for channel, evicted := range n.slowest.evicted {
		o.board.Count(watch.RingEvictions, evicted, channel)
	}
}

// readRings says how far rings and their readers are.
func (o *observer) readRings() {
	if o.node.fabric != nil {
		o.scan()
		for path, f := range o.rings {
			o.ring(filepath.Base(filepath.Dir(path)), f.ring)
		}
		return
	}
	if watch.Joined(o.node.config.Dir) {
		return
	}
	o.node.mu.Lock()
	defer o.node.mu.Unlock() // no publisher closes its ring meanwhile
	for _, p := range o.node.pubs {
		if !p.closed.Load() {
			o.ring(p.channel, p.ring)
		}
	}
}

// scan attaches the rings that have come, and leaves those that are gone.
func (o *observer) scan() {
	there := map[string]bool{}
	_ = filepath.WalkDir(o.node.config.Dir, func(path string, d fs.DirEntry, err error) error { // what cannot be read is not told
		if err != nil || d.IsDir() {
			if d != nil && strings.HasPrefix(d.Name(), ".") && path != o.node.config.Dir {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ringSuffix) || filepath.Dir(filepath.Dir(path)) != filepath.Clean(o.node.config.Dir) {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		had, ok := o.rings[path]
		if there[path] = true; ok && os.SameFile(had.info, info) {
			return nil
		}
		if ok {
			_ = had.ring.Close()
			delete(o.rings, path)
		}
		if r, err := ring.Attach(path, ring.Options{}); err == nil {
			o.rings[path] = outfile{info, r}
		}
		return nil
	})
	for path, f := range o.rings {
		if !there[path] {
			_ = f.ring.Close()
			delete(o.rings, path)
		}
	}
}

// ring says how a ring and its readers stand.
func (o *observer) ring(channel string, r *ring.Ring) {
	info := r.Info()
	name := strings.TrimSuffix(filepath.Base(info.Path), ringSuffix)
	end, seq, err := r.Extent()
	if err != nil {
		return // cut short, or closed: whoever reads it says so
	}
	b := o.board
	b.Count(watch.RingBytes, end-uint64(info.Capacity), channel, name)
	b.Count(watch.RingMessages, seq-1, channel, name)
	b.Gauge(watch.RingCapacity, float64(info.Capacity), channel, name)
	b.Gauge(watch.RingEpoch, float64(info.Epoch), channel, name)
	if alive, err := r.WriterAlive(); err == nil {
		b.Fact(watch.RingWriterAlive, alive, channel, name)
	}
	readers, err := r.Readers()
	if err != nil {
		return
	}
	for _, one := range readers {
		b.Gauge(watch.ReaderLag, float64(one.Lag), channel, name, one.Name)
		b.Fact(watch.ReaderGating, one.Gating, channel, name, one.Name)
		b.Fact(watch.ReaderAlive, one.Alive, channel, name, one.Name)
	}
}

// close gives the stats file up.
func (o *observer) close() error {
	if o == nil {
		return nil
	}
	o.turns.Lock()
	defer o.turns.Unlock()
	o.over = true
	var faults []error
	for _, f := range o.rings {
		faults = append(faults, f.ring.Close())
	}
	return errors.Join(append(faults, o.board.Close())...)
}
