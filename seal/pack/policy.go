package pack

import "time"

// The policy weighs, for each method, the time that a byte of a body needs to get through:
//
//	cost = CPU per byte + link per byte × share that is left after packing        cost of none = link per byte
//
// The link's time per byte is 1/capacity while a backlog lasts and 0 otherwise: on a link with room to spare a packed byte is not
// sooner anywhere, so nothing is packed and nothing measured. The cheapest method wins if it wins by an eighth, and gives way to none
// when it spares less than a 32nd.
//
// CPU and share come from measurements. Every body packed by the method in force refreshes that method's share; every probeEvery
// batches one body is packed, timed and sent by the next method in turn, so that changed data is noticed. A probe may cost at most
// 1/probeShare of the link's time since the one before. Nothing here reads a clock.
const (
	patience   = 1000 // a backlog is what the link needs more than 1/patience seconds for
	streakLong = 8    // batches that must agree before a backlog begins or ends: a burst is none
	probeEvery = 32   // batches between probes
	probeShare = 16
	learned    = 2 // measurements before a method may be chosen
	settleLong = 8 // batches between a choice and the next, except back to none
)

// policy is one channel's. open makes it valid.
type policy struct {
	now     Method // in force
	late    bool   // there is a backlog
	streak  int    // batches in a row that say otherwise
	waiting int64  // bytes, at the last Observe
	peak    float64
	link    float64 // ns per byte on the wire; 0 while there is no backlog

	seen    [methods]sample
	turn    Method  // whose probe is next
	probed  int     // batches since the last probe
	settled int     // batches since the last choice
	earned  float64 // ns of link time since the last probe
}

// sample is what is known of one method.
type sample struct {
	raw, packed float64 // bytes, moving averages; equal when nothing is saved
	cpu         float64 // ns per byte of body: the smaller of the last two, so that being preempted costs nobody its chance
	last        float64 // the last one
	times       int     // measurements, up to learned
}

// kept is the share of a body that is left after packing, at most 1.
func (s *sample) kept() float64 {
	if s.raw == 0 {
		return 1
	}
	return min(1, s.packed/s.raw)
}

func (s *sample) ratio() float64 { return 1 / s.kept() }

// share moves the averages towards one more body. n is 0 when it travelled as it is.
func (s *sample) share(size, n int, weight float64) {
	if n == 0 {
		n = size
	}
	if s.raw == 0 {
		weight = 1
	}
	s.raw += weight * (float64(size) - s.raw)
	s.packed += weight * (float64(n) - s.packed)
}

func (p *policy) open() { p.turn = Snappy }

// observe takes note of one batch's backlog and chooses.
func (p *policy) observe(waiting, rate int64) {
	p.waiting, waiting = max(0, waiting), max(0, waiting)
	carried := float64(max(0, rate))
	p.peak = max(carried, p.peak+(carried-p.peak)/64) // what it carried when it had to; forgets slowly
	p.probed++
	p.settled++
	if late := p.peak > 0 && float64(waiting)*patience >= p.peak; late == p.late {
		p.streak = 0
	} else if p.streak++; p.streak == streakLong {
		p.late, p.streak = late, 0
	}
	if !p.late {
		p.link, p.now, p.earned = 0, None, 0
		return
	}
	p.link = float64(time.Second) / max(1, p.peak)
	p.choose()
}

// cost of a byte by m, in ns. Meaningless for a method that is not learned.
func (p *policy) cost(m Method) float64 {
	if m == None {
		return p.link
	}
	return p.seen[m].cpu + p.link*p.seen[m].kept()
}

func (p *policy) knows(m Method) bool { return m == None || p.seen[m].times == learned }

func (p *policy) choose() {
	best := None
	for m := LZ4; m <= Snappy; m++ {
		if p.knows(m) && p.cost(m) < p.cost(best) {
			best = m
		}
	}
	switch {
	case best != p.now && better(p.cost(best), p.cost(p.now)) && (best == None || p.settled >= settleLong):
		p.now, p.settled = best, 0
	case p.now != None && !worthIt(p.cost(p.now), p.link):
		p.now, p.settled = None, 0
	}
}

// better: by an eighth, so that two methods of about the same cost do not take turns.
func better(a, b float64) bool { return a < b*7/8 }

// worthIt: a method that began with an eighth to spare stays while it spares a 32nd.
func worthIt(cost, none float64) bool { return cost < none*31/32 }

// pick says how the next body of size bytes is packed, and whether that is a probe to be measured.
func (p *policy) pick(size int) (m Method, timed bool) {
	if !p.late || !p.due(size) {
		return p.now, false
	}
	return p.turn, true
}

// due: unknown methods are tried one a batch; a known one once the link's time since the last probe pays for it.
func (p *policy) due(size int) bool {
	if !p.knows(p.turn) {
		return p.probed > 0
	}
	return p.probed >= probeEvery && p.seen[p.turn].cpu*float64(size)*probeShare <= p.earned
}

// learn takes note of a body that was packed from size to n bytes by the method in force.
func (p *policy) learn(m Method, size, n int) {
	if m != None {
		p.seen[m].share(size, n, 1.0/4)
	}
	p.earn(size, n)
}

// measure takes note of a probe that took so long.
func (p *policy) measure(m Method, size, n int, took time.Duration) {
	s := &p.seen[m]
	s.share(size, n, 1.0/2)
	cpu := float64(max(0, took)) / float64(size)
	if s.times == 0 {
		s.last = cpu
	}
	s.cpu, s.last = min(cpu, s.last), cpu
	s.times = min(s.times+1, learned)
	p.probed, p.earned = 0, 0
	p.turn = next(p.turn)
	p.earn(size, n)
}

// next is the turn of probes: the cheap ones first.
func next(m Method) Method {
	switch m {
	case Snappy:
		return LZ4
	case LZ4:
		return Zstd
	}
	return Snappy
}

func (p *policy) earn(size, n int) {
	if n == 0 {
		n = size
	}
	p.earned += p.link * float64(n)
}
