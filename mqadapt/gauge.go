package mqadapt

import "sync"

// gauge asks a queue what a group has not acknowledged, beside the shipper: a broker that does not answer holds nobody up. One question is out
// at a time; Backlogged bounds how long.
type gauge struct {
	queue  Backlogged // nil: it does not say
	out    bool
	answer chan answer // room for the one
	asking sync.WaitGroup
}

// answer is what a queue said, and how its way stood when it was asked.
type answer struct {
	backlog uint64
	err     error
	idle    bool
	moves   uint64
}

func newGauge(q Queue) *gauge {
	b, _ := q.(Backlogged)
	return &gauge{queue: b, answer: make(chan answer, 1)}
}

// ask asks, unless a question is out.
func (g *gauge) ask(group string, idle bool, moves uint64) {
	if g.queue == nil || g.out {
		return
	}
	g.out = true
	g.asking.Go(func() {
		n, err := g.queue.Backlog(group)
		g.answer <- answer{n, err, idle, moves}
	})
}

// heard returns the answer, if there is one.
func (g *gauge) heard() (a answer, ok bool) {
	select {
	case a = <-g.answer:
		g.out = false
		return a, true
	default:
		return a, false
	}
}

// end waits for the question that is out. Its queue is closed by then, which ends it.
func (g *gauge) end() { g.asking.Wait() }
