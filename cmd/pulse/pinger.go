package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/bench"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// A ping, little-endian:
//
//	0 magic 8 │ run 8 │ number 8, 0 before the measurement │ intended instant 8, ns since the run began │ zeroes up to its size
//
// The answer is the same bytes. run tells the answers of this run from those that another's left on their way.
const (
	pingMagic = 0x474e495045534c50 // "PLSEPING"
	pingSize  = 32

	pingBatch = 256
	pingHello = 20 * time.Millisecond // between two pings while no answer has come
	pingSpin  = 200 * time.Microsecond
	pingMost  = 1 << 30 // pings of one run whose answers are told apart
)

// errNoEcho: nobody answers.
var errNoEcho = errors.New("no answer: is pulse ping --echo running as the actor at the other end, and pulse run at both nodes?")

// pingOptions say how pings leave.
type pingOptions struct {
	Rate          float64
	Count         uint64
	Size          int
	Timeout, Wait time.Duration
}

func (o *pingOptions) check() error {
	var faults []error
	if !(o.Rate > 0) || o.Rate > 1e7 {
		faults = append(faults, fmt.Errorf("--rate %g is not above 0, at most 10 million", o.Rate))
	}
	if o.Size < pingSize {
		faults = append(faults, fmt.Errorf("--size %d is below %d", o.Size, pingSize))
	}
	if o.Timeout <= 0 || o.Wait <= 0 {
		faults = append(faults, errors.New("--timeout and --wait are above 0"))
	}
	if o.Count > pingMost {
		faults = append(faults, fmt.Errorf("--count %d is above %d", o.Count, pingMost))
	}
	return errors.Join(faults...)
}

// echo answers pings: a worker.
type echo struct {
	pub            *transport.Publisher
	sub            *transport.Subscriber
	answered, full uint64
	fault          error
}

func openEcho(n *transport.Node, out, in string) (*echo, error) {
	pub, err := n.Publisher(out)
	if err != nil {
		return nil, err
	}
	sub, err := n.Subscriber(in)
	if err != nil {
		return nil, err
	}
	return &echo{pub: pub, sub: sub}, nil
}

func (e *echo) run(ctx context.Context) error {
	loop := numa.Loop{Name: "echo"}
	return asked(ctx, loop.Run(ctx, e))
}

// asked is nil for a loop that ended since ctx did.
func asked(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// Do answers what is there.
func (e *echo) Do() (int, error) {
	n, err := e.sub.Poll(pingBatch, e.answer)
	return n, errors.Join(err, e.fault)
}

// answer leaves a ping without answer when its ring is full: who waits for it counts it as lost.
func (e *echo) answer(f seal.Frame) {
	if len(f.Payload) < pingSize || binary.LittleEndian.Uint64(f.Payload) != pingMagic {
		return
	}
	switch err := e.pub.Send(f.Payload); {
	case err == nil:
		e.answered++
	case errors.Is(err, ring.ErrFull):
		e.full++
	default:
		e.fault = err
	}
}

// Sleepers are what wakes it.
func (e *echo) Sleepers() []numa.Sleeper { return e.sub.Sleepers() }

// pinger sends on one goroutine and takes answers in a loop on another.
type pinger struct {
	pingOptions
	pub   *transport.Publisher
	run   uint64
	began time.Time
	waits uint64

	greeted chan struct{} // closed at the first answer
	taken   taker
}

// taker counts answers: a worker.
type taker struct {
	of       *pinger
	sub      *transport.Subscriber
	hist     *hdrhistogram.Histogram
	seen     []uint64 // a bit for each number
	answered atomic.Uint64
	late     uint64
	repeated uint64
	hello    bool
}

const (
	pingLongest = 10_000_000_000 // ns: what takes longer counts as that
	pingDigits  = 3
)

// ping measures.
func ping(ctx context.Context, n *transport.Node, out, in string, o pingOptions) (*pinged, error) {
	pub, err := n.Publisher(out)
	if err != nil {
		return nil, err
	}
	if o.Size > pub.MaxPayload() {
		return nil, fmt.Errorf("--size %d: a ring of %s takes %d", o.Size, out, pub.MaxPayload())
	}
	sub, err := n.Subscriber(in)
	if err != nil {
		return nil, err
	}
	p := &pinger{pingOptions: o, pub: pub, greeted: make(chan struct{}), began: time.Now()}
	var run [8]byte
	_, _ = rand.Read(run[:]) // never fails (crypto/rand)
	p.run = binary.LittleEndian.Uint64(run[:])
	p.taken = taker{of: p, sub: sub, hist: hdrhistogram.New(1, pingLongest, pingDigits)}

	taking, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		loop := numa.Loop{Name: "ping"}
		ended <- asked(taking, loop.Run(taking, &p.taken))
	}()
	sent, err := p.send(ctx, ended)
	end()
	if fault := <-ended; err == nil {
		err = fault
	}
	if err != nil {
		return nil, err
	}
	r := &pinged{Out: out, In: in, Rate: o.Rate, Size: o.Size, Sent: sent, Answered: p.taken.answered.Load(), Late: p.taken.late,
		Repeated: p.taken.repeated, Waits: p.waits, Latency: bench.LatencyOf(p.taken.hist)}
	r.Lost = r.Sent - min(r.Answered, r.Sent)
	return r, nil
}

// send sends until ctx ends or there were enough, and then waits for the last answers. What ends the taker ends it, too.
func (p *pinger) send(ctx context.Context, ended chan error) (sent uint64, err error) {
	if err := p.greet(ctx, ended); err != nil {
		return 0, err
	}
	every := float64(time.Second) / p.Rate
	start := time.Since(p.began)
	for ; (p.Count == 0 || sent < p.Count) && sent < pingMost && ctx.Err() == nil; sent++ {
		due := start + time.Duration(float64(sent)*every)
		if !p.until(ctx, due) {
			break
		}
		if err := p.put(ctx, sent+1, due); err != nil {
			if ctx.Err() != nil {
				break
			}
			return sent, err
		}
	}
	for last := time.Now().Add(p.Timeout); p.taken.answered.Load() < sent && time.Now().Before(last); {
		select {
		case err := <-ended:
			ended <- err
			return sent, err
		case <-time.After(time.Millisecond):
		}
	}
	return sent, nil
}

// greet sends until an answer has come: the way is there from end to end.
func (p *pinger) greet(ctx context.Context, ended chan error) error {
	for last := time.Now().Add(p.Wait); time.Now().Before(last); {
		if err := p.put(ctx, 0, 0); err != nil {
			return err
		}
		select {
		case <-p.greeted:
			return nil
		case err := <-ended:
			ended <- err
			return err
		case <-ctx.Done():
			return fmt.Errorf("%w (asked to end)", errNoEcho)
		case <-time.After(pingHello):
		}
	}
	return fmt.Errorf("%w (within %s)", errNoEcho, p.Wait)
}

// until sleeps to just before an instant, and looks at the clock for the rest: the kernel's timers are late by more than a round trip takes.
func (p *pinger) until(ctx context.Context, due time.Duration) bool {
	if wait := due - time.Since(p.began) - pingSpin; wait > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
	for time.Since(p.began) < due {
	}
	return true
}

// put sends one ping, and waits while the ring is full. The wait is in its latency.
func (p *pinger) put(ctx context.Context, number uint64, intended time.Duration) error {
	for {
		b, err := p.pub.Claim(p.Size)
		if err == nil {
			clear(b)
			le := binary.LittleEndian
			le.PutUint64(b, pingMagic)
			le.PutUint64(b[8:], p.run)
			le.PutUint64(b[16:], number)
			le.PutUint64(b[24:], uint64(intended))
			return p.pub.Commit(p.Size)
		}
		if !errors.Is(err, ring.ErrFull) {
			return err
		}
		p.waits++
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Microsecond):
		}
	}
}

// Do takes what is there.
func (t *taker) Do() (int, error) { return t.sub.Poll(pingBatch, t.take) }

// Sleepers are what wakes it.
func (t *taker) Sleepers() []numa.Sleeper { return t.sub.Sleepers() }

// take counts one answer. Those of other runs are not looked at.
func (t *taker) take(f seal.Frame) {
	now := time.Since(t.of.began)
	le := binary.LittleEndian
	if len(f.Payload) != t.of.Size || le.Uint64(f.Payload) != pingMagic || le.Uint64(f.Payload[8:]) != t.of.run {
		return
	}
	if !t.hello {
		t.hello = true
		close(t.of.greeted)
	}
	number := le.Uint64(f.Payload[16:])
	if number == 0 || number > pingMost {
		return
	}
	for number/64 >= uint64(len(t.seen)) {
		t.seen = append(t.seen, 0)
	}
	if t.seen[number/64]>>(number%64)&1 == 1 {
		t.repeated++
		return
	}
	t.seen[number/64] |= 1 << (number % 64)
	took := now - time.Duration(le.Uint64(f.Payload[24:]))
	if took > t.of.Timeout {
		t.late++
	}
	_ = t.hist.RecordValue(min(max(int64(took), 0), pingLongest)) // within its range
	t.answered.Add(1)
}
