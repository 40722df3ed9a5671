package bench

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
)

// The channel lane is what a Go program does without a ring: a buffered channel of 64-byte values between two goroutines, each locked
// to a thread on the same two processors. Both ends live on the near side, since a channel does not leave its process.
type channelNear struct {
	ch   chan [payloadSize]byte
	cpu  int
	msg  [payloadSize]byte
	next uint64
	bad  atomic.Uint64
	seen atomic.Uint64
	done chan error
}

func newChannelNear(s laneSpec, seed uint64) *channelNear {
	l := &channelNear{ch: make(chan [payloadSize]byte, slotCount), cpu: s.CPU, done: make(chan error, 1)}
	copy(l.msg[:], newPayload(seed, payloadSize))
	go l.drain()
	return l
}

// drain is the far side. It ends when the channel is closed.
func (l *channelNear) drain() {
	runtime.LockOSThread() // never unlocked: the thread's processor is narrowed and it must end with this goroutine
	if err := pin(l.cpu); err != nil {
		l.done <- err
	}
	var want uint64
	for m := range l.ch {
		if binary.LittleEndian.Uint64(m[:]) != want {
			l.bad.Add(1)
		}
		want++
		l.seen.Store(want)
	}
	close(l.done)
}

func (l *channelNear) run(s *slice) error {
	for {
		for range 256 {
			binary.LittleEndian.PutUint64(l.msg[:], l.next)
			l.ch <- l.msg
			l.next++
		}
		s.sent += 256
		if !s.running(s.clock.now()) {
			return l.settle(s)
		}
	}
}

// settle waits until the far side has taken everything, and checks it.
func (l *channelNear) settle(s *slice) error {
	for l.seen.Load() != l.next {
		select {
		case err := <-l.done:
			return err
		default:
			runtime.Gosched()
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	if l.bad.Load() > 0 {
		return ErrCorrupt
	}
	return nil
}

func (l *channelNear) close() error {
	close(l.ch)
	for err := range l.done {
		return err
	}
	return nil
}
