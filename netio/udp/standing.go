package udp

import "sync/atomic"

// standing is how a sender's rings fare, as of its last look at time, for whoever asks from another goroutine.
type standing struct {
	rings atomic.Int64  // that it carries
	heard atomic.Int64  // of them, those of which a receiver that lives said where it stands
	lag   atomic.Uint64 // bytes that are not released
	sick  atomic.Bool   // the network refuses
}

// stand says so.
func (s *Sender) stand() {
	heard, lag := 0, uint64(0)
	for _, f := range s.feeds {
		if f.ended {
			continue
		}
		lag += f.reader.Lag()
		if len(f.receivers) > 0 {
			heard++
		}
	}
	sick := false
	for _, w := range s.wires {
		sick = sick || w.trouble
	}
	s.standing.rings.Store(int64(len(s.feeds)))
	s.standing.heard.Store(int64(heard))
	s.standing.lag.Store(lag)
	s.standing.sick.Store(sick)
}
