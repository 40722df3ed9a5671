package bench

import (
	"errors"

	"github.com/alphapulse/transport/internal/sys"
)

// The publish lanes time what a publisher spends on a batch of messages. The next batch comes when the last one was seen, so that nobody is
// timed while he waits, and where the lane has a rate not before its instant. Beside a queue that answers after milliseconds a ring needs one:
// published into without a pause its memory is warm, and the difference would be the pause's.
const publishAtOnce = 256

// publishNear is the publisher.
type publishNear struct {
	takenSource
	rate float64 // batches per second at most; 0: as many as are seen
}

func newPublish(s laneSpec, seed uint64) (near, error) {
	l := &publishNear{rate: s.Rate}
	if err := l.open(s, seed, false); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *publishNear) run(s *slice) (err error) {
	if err := l.countAllocs(s); err != nil {
		return err
	}
	end := l.begin(s)
	defer func() { err = errors.Join(err, end()) }()
	if err := l.await(s); err != nil {
		return err
	}
	var every uint64
	if l.rate > 0 {
		every = uint64(s.clock.facts.Hz / l.rate)
	}
	for more := true; more; {
		t0 := s.clock.now()
		waited, err := l.publish(s, publishAtOnce)
		if err != nil {
			return err
		}
		if t1 := s.clock.now(); waited { // what was seen was not given back yet
			s.sent++
		} else {
			more = s.lap(t0, t1)
		}
		if err := l.await(s); err != nil {
			return err
		}
		for s.clock.now() < t0+every {
			sys.Pause()
		}
	}
	return nil
}

// countAllocs counts what the publisher alone allocates, while nobody takes: the libraries that do have goroutines in this process.
func (l *publishNear) countAllocs(s *slice) error {
	before := mallocs()
	_, err := l.publish(s, publishAtOnce)
	s.own, s.ownOps = mallocs()-before, publishAtOnce
	return err
}
