package xdp

import (
	"sync"
	"time"
)

// keeper asks the kernel what a hub has to know of its interface, of routes and of neighbours. Such questions wait for the lock that the kernel
// has for the network's configuration, one for the whole machine: while it takes a program off an interface because a process ended, or a
// namespace away, they take as long as that does, on a busy machine seconds. No loop waits so long. So a goroutine of its own asks, one question at a
// time, and the loop goes on with what was known before.
//
//	hub ── put ──► keeper ── the kernel answers ──► back ──► hub
type keeper struct {
	questions chan time.Time // holds one
	answers   chan error     // holds one
	away      bool           // the hub's: a question was put, and its answer not taken
	ended     sync.WaitGroup
}

// start begins with what answers a question.
func (k *keeper) start(ask func(now time.Time) error) {
	k.questions, k.answers = make(chan time.Time, 1), make(chan error, 1)
	questions, answers := k.questions, k.answers
	k.ended.Go(func() {
		for now := range questions {
			answers <- ask(now)
		}
	})
}

// put asks, and does not wait. There is no other question.
func (k *keeper) put(now time.Time) {
	k.away = true
	k.questions <- now
}

// back takes the answer if there is one.
func (k *keeper) back() (ok bool, err error) {
	select {
	case err = <-k.answers:
		k.away = false
		return true, err
	default:
		return false, nil
	}
}

// wait waits for the answer, if there was a question.
func (k *keeper) wait() (err error) {
	if k.away {
		err, k.away = <-k.answers, false
	}
	return err
}

// stop waits for the answer, and ends. It may be called again.
func (k *keeper) stop() {
	if k.questions == nil {
		return
	}
	_ = k.wait() // nobody is left to tell
	close(k.questions)
	k.questions = nil
	k.ended.Wait()
}
