package bench

import "github.com/alphapulse/transport/internal/sys"

// The line lane is the floor under every ring: a counter per direction, each on its own pair of cache lines, stored plainly where the
// system offers it and awaited with PAUSE. Nothing that two processors tell each other through memory can be faster.
//
//	0    ping   near side
//	128  pong   far side
const (
	linePing = 0
	linePong = 128
	lineArea = 256
)

type lineNear struct {
	mem sys.Mem
	seq uint64
}

func newLineNear(s laneSpec, b board) *lineNear { return &lineNear{mem: b.At(s.Offset)} }

func (l *lineNear) run(s *slice) error {
	mem := l.mem
	for {
		l.seq++
		want := l.seq
		t0 := s.clock.now()
		mem.Store64(linePing, want)
		for spins := 1; mem.Load64(linePong) != want; spins++ {
			sys.Pause()
			if spins%lookEvery == 0 {
				if err := s.look(); err != nil {
					return err
				}
			}
		}
		if t1 := s.clock.now(); !s.lap(t0, t1) {
			return nil
		}
	}
}

func (l *lineNear) close() error { return nil }

type lineFar struct {
	mem  sys.Mem
	seen uint64
}

func newLineFar(s laneSpec, b board) *lineFar { return &lineFar{mem: b.At(s.Offset)} }

func (l *lineFar) serve(t *turn) error {
	mem := l.mem
	for {
		at := mem.Load64(linePing)
		for spins := 1; at == l.seen; spins++ {
			sys.Pause()
			if spins%lookEvery == 0 && t.over() {
				return nil
			}
			at = mem.Load64(linePing)
		}
		mem.Store64(linePong, at)
		if at != l.seen+1 {
			t.bad++
		}
		l.seen = at
		t.messages++
	}
}

func (l *lineFar) close() error { return nil }
