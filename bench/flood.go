package bench

import "errors"

// floodNear publishes as much as its ring has room for, and counts what was taken.
type floodNear struct {
	takenSource
	batch int
}

func newFlood(s laneSpec, seed uint64) (near, error) {
	l := &floodNear{batch: s.Batch}
	if err := l.open(s, seed, s.Kind == kindQueue); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *floodNear) run(s *slice) (err error) {
	end := l.begin(s)
	defer func() { err = errors.Join(err, end()) }()
	first := l.next
	for more := true; more; more = s.counting(s.clock.now(), l.seen.Load()) {
		if _, err := l.publish(s, l.batch); err != nil {
			return err
		}
	}
	s.sent = l.next - first
	return l.await(s)
}
