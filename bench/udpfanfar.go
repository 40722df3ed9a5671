package bench

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
)

// fanSink is the far side of the fan-out: one thread that runs all members in turns, with one reading of the clock a cycle, as a loop does.
type fanSink struct {
	mem     sys.Mem
	members []*member
	last    *member // the fourth, if it is there
	full    bool    // and does not read
	batch   [peekAtMost]ring.Record
	copied  [payloadSize]byte
}

// member is a receiver and the reader of its mirror.
type member struct {
	*inlet
	want uint64 // number that comes next
}

func newFanSink(s laneSpec, mem sys.Mem) (*fanSink, error) {
	l := &fanSink{mem: mem, full: s.Fan.Last == lastIsFull}
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	for i := range fanTimed + 1 {
		fourth := i == fanTimed
		if fourth && s.Fan.Last == "" {
			break
		}
		o := udp.ReceiverOptions{
			Lines:       []udp.Listen{{Bind: at, Group: s.Fan.Group, Interface: s.Net.Device}},
			Reliability: udp.Repaired, Tag: fanTag, Socket: udp.Socket{ReusePort: true},
		}
		capacity := streamCapacity
		if fourth {
			o.Tag = 0
			switch s.Fan.Last {
			case lastIsFull:
				capacity = pingCapacity
			case lastWakes:
				o.Socket.RecvBuffer = sleeperBuffer
			}
		}
		in, err := openInletAs(o, s.Net.Far, capacity)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		m := &member{in, 1}
		l.members = append(l.members, m)
		if at = in.local(); fourth {
			l.last = m
		}
	}
	tellPort(mem, udpFarPort, at)
	return l, nil
}

func (l *fanSink) serve(t *turn) error {
	for idle := 1; ; idle++ {
		moved, err := l.once(t)
		if err != nil {
			return err
		}
		if moved == 0 && idle%tendEvery == 0 {
			l.mem.Store64(udpSeen, l.level())
			if l.over(t) {
				return nil
			}
		}
	}
}

// once runs every member that is awake.
func (l *fanSink) once(t *turn) (moved int, err error) {
	now := time.Now()
	for _, m := range l.members {
		if m == l.last && l.mem.Load64(udpAwake) == 0 {
			continue
		}
		m.receiver.SetNow(now)
		n, err := l.cycle(t, m)
		if err != nil {
			return moved, err
		}
		moved += n
	}
	return moved, nil
}

// cycle runs one member and reads what it brought.
func (l *fanSink) cycle(t *turn, m *member) (n int, err error) {
	if m == l.last && l.full && m.want > 1 { // it has met the sender
		return m.receiver.Do()
	}
	if n, err = m.poll(l.batch[:]); n == 0 || err != nil {
		return 0, err
	}
	for _, r := range l.batch[:n] {
		l.take(t, m, r)
	}
	return n, errors.Join(m.reader.Release(n), m.reader.Err())
}

// take checks a message's number, which it carries twice, and copies it out. Only the fourth may miss some.
func (l *fanSink) take(t *turn, m *member, r ring.Record) {
	p := r.Payload()
	if len(p) != payloadSize {
		t.bad++
		return
	}
	number := binary.LittleEndian.Uint64(p)
	if number < m.want || number > m.want && m != l.last || uint64(r.Seq32()) != number&math.MaxUint32 {
		t.bad++
	}
	m.want = number + 1
	l.copied = *(*[payloadSize]byte)(p)
	if m != l.last {
		t.messages++
		recordSince(t, r.Stamp())
	}
}

// level is the number before which every member that reads has all, or knows what it missed.
func (l *fanSink) level() uint64 {
	low := uint64(math.MaxUint64)
	for _, m := range l.members {
		switch {
		case m != l.last:
			low = min(low, m.want)
		case !l.full || m.want == 1:
			s := m.receiver.Stats()
			low = min(low, 1+s.Frames+s.Lost)
		}
	}
	return low
}

// over reports whether the near side has stopped and the members that are waited for have seen all. The turn counts their messages, the
// near side counts each once.
func (l *fanSink) over(t *turn) bool {
	seen := t.messages
	t.messages /= fanTimed
	if t.board.stopped() && t.over() {
		return true
	}
	t.messages = seen
	return false
}

func (l *fanSink) close() (err error) {
	for _, m := range l.members {
		err = errors.Join(err, m.close())
	}
	return err
}
