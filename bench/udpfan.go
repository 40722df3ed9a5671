package bench

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
)

// The fan-out over UDP: the near side publishes to a multicast group, and one thread of the far side runs the group's receivers, which
// share its port, and reads their mirrors. The sender goes by three of them, by their tag. A fourth may be there, too: it is sent what the
// others are, asks for what it misses, and is told what the ring has no more.

// fan says who is in the group of a lane.
type fan struct {
	Group netip.Addr `json:"group"`
	Last  string     `json:"last,omitempty"` // what the fourth does; empty: there is none
}

// What the fourth does.
const (
	lastRuns   = "runs"
	lastStops  = "stops" // while a slice lasts
	lastWakes  = "wakes" // in the middle of a slice, with most of what it slept through lost: its socket has little room
	lastIsFull = "full"  // its consumer does not read
)

const (
	fanTimed = 3 // members that are waited for, and whose messages are timed
	fanTag   = 1 // theirs

	sleeperBuffer = 16 << 10
)

// fanSource is the near side.
type fanSource struct {
	spec   laneSpec
	mem    sys.Mem
	out    *outlet
	msg    []byte
	next   uint64 // number of the next message, from 1
	awake  bool   // the fourth
	wakeAt uint64 // reading from which on it is
}

func newFanSource(s laneSpec, mem sys.Mem, seed uint64) *fanSource {
	return &fanSource{spec: s, mem: mem, msg: newPayload(seed, s.Size), next: 1}
}

func (l *fanSource) dial() error {
	to, err := peerAt(l.mem, udpFarPort, site{Addr: l.spec.Fan.Group})
	if err == nil {
		l.out, err = openOutletAs(udp.SenderOptions{
			Lines: []udp.Dial{{To: to, Interface: l.spec.Net.Device}}, Socket: udp.Socket{Loopback: true},
			Reliability: udp.Repaired, Flow: udp.FlowTagged, Tag: fanTag,
		}, l.spec.Net.Near, streamCapacity)
	}
	return err
}

func (l *fanSource) run(s *slice) error {
	if l.next == 1 { // all members begin with the first message, before the first slice
		err := l.publish(s, s.clock.now())
		s.sent++
		if err == nil {
			err = l.settle(s)
		}
		if err != nil {
			return err
		}
	}
	switch l.spec.Fan.Last {
	case lastStops:
		l.wake(false)
		l.wakeAt = s.end
	case lastWakes:
		l.wake(false)
		l.wakeAt = s.warm + (s.end-s.warm)/2
	}
	if err := pace(s, l.spec.Rate, l.publish, l.tend); err != nil {
		return err
	}
	return l.settle(s)
}

func (l *fanSource) wake(awake bool) {
	l.awake = awake
	v := uint64(0)
	if awake {
		v = 1
	}
	l.mem.Store64(udpAwake, v)
}

// publish publishes a message that carries the instant it was meant for, and has it carried.
func (l *fanSource) publish(s *slice, intended uint64) error {
	if !l.awake && intended >= l.wakeAt {
		l.wake(true)
	}
	l.out.writer.SetStamp(intended)
	buf, err := l.out.writer.Claim(len(l.msg))
	for ; errors.Is(err, ring.ErrFull); buf, err = l.out.writer.Claim(len(l.msg)) {
		if err := errors.Join(l.tend(), s.look()); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	move(buf, l.msg)
	binary.LittleEndian.PutUint64(buf, l.next)
	l.next++
	if err := l.out.writer.Commit(len(l.msg)); err != nil {
		return err
	}
	return l.tend()
}

func (l *fanSource) tend() error {
	_, err := l.out.sender.Do()
	return err
}

// settle wakes the fourth and waits until all members have what was published, or know what they missed.
func (l *fanSource) settle(s *slice) error {
	l.wake(true)
	for !l.out.sender.Drained() || l.mem.Load64(udpSeen) < l.next {
		if err := errors.Join(l.tend(), s.look()); err != nil {
			return err
		}
	}
	return nil
}

func (l *fanSource) close() error { return l.out.close() }
