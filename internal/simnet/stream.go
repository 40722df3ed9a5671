package simnet

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// StreamRelay is a relay for TCP: it passes bytes on, ends connections at a byte that was named beforehand, or holds them without a word.
//
// Limits: what it has read and not passed on, 32 KiB a direction, is lost with a connection, as in any machine that falls over.
type StreamRelay struct {
	listener net.Listener
	target   string
	cutAt    atomic.Int64 // bytes towards the target after which the connection ends; 0: never
	held     sync.RWMutex // for writing while nothing passes
	holds    bool
	mu       sync.Mutex
	open     map[net.Conn]bool
	closed   bool
	done     sync.WaitGroup
}

// NewStreamRelay relays from a port of 127.0.0.1 to target.
func NewStreamRelay(target string) (*StreamRelay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &StreamRelay{listener: l, target: target, open: map[net.Conn]bool{}}
	r.done.Go(r.accept)
	return r, nil
}

// Addr is where the relay listens.
func (r *StreamRelay) Addr() *net.TCPAddr { return r.listener.Addr().(*net.TCPAddr) }

// CutAfter ends the connection once n bytes more have gone towards the target: these arrive, and none after them.
func (r *StreamRelay) CutAfter(n int64) { r.cutAt.Store(n) }

// Hold lets nothing pass, either way, and says nothing of it, or lets it pass again. It is not for several goroutines.
func (r *StreamRelay) Hold(on bool) {
	if on == r.holds {
		return
	}
	if r.holds = on; on {
		r.held.Lock()
	} else {
		r.held.Unlock()
	}
}

// Cut ends all connections.
func (r *StreamRelay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close() // both sides hear of it
	}
}

func (r *StreamRelay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		r.mu.Lock()
		if r.closed {
			_, _ = near.Close(), far.Close()
		} else {
			r.open[near], r.open[far] = true, true
		}
		r.mu.Unlock()
		r.done.Go(func() { r.pass(far, near, true) })
		r.done.Go(func() { r.pass(near, far, false) })
	}
}

// pass passes bytes on in one direction.
func (r *StreamRelay) pass(to, from net.Conn, counted bool) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		r.held.RLock()
		cut := false
		if left := r.cutAt.Load(); counted && left > 0 {
			if cut = int64(n) >= left; cut {
				n = int(left)
				r.cutAt.Store(0)
			} else {
				r.cutAt.Store(left - int64(n))
			}
		}
		if n > 0 {
			_, werr := to.Write(b[:n])
			err = errors.Join(err, werr)
		}
		r.held.RUnlock()
		if err != nil || cut {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, to)
	delete(r.open, from)
	_, _ = to.Close(), from.Close()
}

// Close ends all connections and waits until nothing passes any more.
func (r *StreamRelay) Close() error {
	r.Hold(false)
	err := r.listener.Close()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Cut()
	r.done.Wait()
	return err
}
