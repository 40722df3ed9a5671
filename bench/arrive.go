package bench

import "errors"

// arriveNear publishes one message at a time, and takes the time until it was taken.
type arriveNear struct{ takenSource }

func newArrive(s laneSpec, seed uint64) (near, error) {
	l := &arriveNear{}
	if err := l.open(s, seed, s.Kind == kindQueue); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *arriveNear) run(s *slice) (err error) {
	end := l.begin(s)
	defer func() { err = errors.Join(err, end()) }()
	for more := true; more; {
		t0 := s.clock.now()
		if _, err := l.publish(s, 1); err != nil {
			return err
		}
		if err := l.await(s); err != nil {
			return err
		}
		more = s.lap(t0, max(t0, l.at.Load())) // two processors' counters may disagree by a few nanoseconds
	}
	return nil
}
