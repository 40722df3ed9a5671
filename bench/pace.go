package bench

// pace calls send at instants fixed beforehand, rate times a second, until they reach the slice's end. An instant that has passed while an
// earlier message was held up is not moved: its message leaves late and carries the instant it was meant for, so the wait is in its
// latency. Until an instant comes it calls rest.
func pace(s *slice, rate float64, send func(s *slice, intended uint64) error, rest func() error) error {
	every := s.clock.facts.Hz / rate
	start := s.clock.now()
	for n, intended := uint64(0), start; intended < s.end; n++ {
		now := s.clock.now()
		for now < intended {
			if err := rest(); err != nil {
				return err
			}
			now = s.clock.now()
		}
		if err := send(s, intended); err != nil {
			return err
		}
		s.sent++
		s.running(now)
		intended = start + uint64(float64(n+1)*every)
	}
	return nil
}

// recordSince notes the time since an intended instant. Two processors' counters may disagree by a few nanoseconds: then it is zero.
func recordSince(t *turn, intended uint64) {
	now := t.clock.now()
	if intended < t.board.Load64(boardWarm) {
		return
	}
	var ns uint64
	if now > intended {
		ns = t.clock.ns(now - intended)
	}
	record(t.hist, ns)
}
