package quic

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/numa"
)

const (
	keptWords = 127                   // that one sleep takes, beside the keeper's own
	soon      = time.Millisecond      // between two looks at a lane that heard something lately, or that no word stands for
	lately    = 20 * time.Millisecond // how long ago that may be
	doze      = 5 * time.Microsecond  // between two looks of a writer whose rings were empty only lately
	dozes     = 40                    // of them in a row, before it has itself woken: that costs a publisher a system call
)

// keeper is the one thread of a link that waits for all its lanes: for a ring to have something new, as its futex says, and for what time
// brings. A thread for each lane would be simpler, and a node has a thousand channels.
//
// A writer that found nothing arms its rings and hangs their words up here, all under its lane's lock; the keeper takes them down and wakes
// the writer once one has changed. It looks at words under its own lock only, so that drop, once it returns, has made sure that the memory
// of a ring is not looked at any more.
type keeper struct {
	mu     sync.Mutex
	hung   []*lane
	dozing []*lane
	spare  []*lane // of dozing, in turns
	asleep bool
	word   *uint32 // changed to wake the keeper itself. Apart, so that it has a line of its own
	words  []*uint32
	values []uint32
}

func newKeeper() keeper {
	return keeper{word: &new([16]uint32)[0], words: make([]*uint32, 0, keptWords+1), values: make([]uint32, 0, keptWords+1)}
}

// hang has the keeper wake n once one of its words has changed.
func (k *keeper) hang(n *lane) {
	k.mu.Lock()
	if !n.hung {
		n.hung = true
		k.hung = append(k.hung, n)
	}
	asleep := k.asleep
	k.asleep = false
	k.mu.Unlock()
	if asleep {
		k.wake()
	}
}

// doze has the keeper wake n in a little while.
func (k *keeper) doze(n *lane) {
	k.mu.Lock()
	k.dozing = append(k.dozing, n)
	asleep := k.asleep
	k.asleep = false
	k.mu.Unlock()
	if asleep {
		k.wake()
	}
}

// drop forgets the words of n.
func (k *keeper) drop(n *lane) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, one := range k.hung {
		if one == n {
			k.take(i)
			return
		}
	}
}

// take takes lane i down.
func (k *keeper) take(i int) {
	last := len(k.hung) - 1
	k.hung[i].hung = false
	k.hung[i], k.hung[last] = k.hung[last], nil
	k.hung = k.hung[:last]
}

func (k *keeper) wake() { _ = numa.Wake(k.word) } // an error would only mean that the nap runs out first

// look wakes the lanes that have something new, and lists the words of the others.
func (k *keeper) look() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asleep = true
	k.words, k.values = append(k.words[:0], k.word), append(k.values[:0], atomic.LoadUint32(k.word))
	for i := len(k.hung) - 1; i >= 0; i-- {
		n := k.hung[i]
		if n.changed() {
			k.take(i)
			n.kick()
			continue
		}
		room := min(len(n.words), keptWords-len(k.words)+1)
		k.words, k.values = append(k.words, n.words[:room]...), append(k.values, n.values[:room]...)
	}
	return nil
}

// sleep sleeps until a word has changed, at most nap.
func (k *keeper) sleep(nap time.Duration) {
	if err := sys.Guard(k.look); err != nil {
		k.clear()
	}
	if len(k.words) > keptWords {
		nap = min(nap, soon)
	}
	k.mu.Lock()
	dozing := k.dozing
	k.dozing, k.spare = k.spare[:0], dozing
	k.mu.Unlock()
	if len(dozing) > 0 {
		nap = min(nap, doze)
	}
	if sys.FutexWaitv(k.words, k.values, nap) != nil { // a mapping was cut short: whoever reads it says so
		time.Sleep(min(nap, soon))
	}
	for _, n := range dozing {
		n.kick()
	}
}

// clear wakes all lanes: one of their rings is broken, and its lane will say which.
func (k *keeper) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.words, k.values = k.words[:1], k.values[:1]
	for len(k.hung) > 0 {
		k.hung[0].kick()
		k.take(0)
	}
}
