package bench

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	netRound  = 32      // messages between two looks at clock and board
	netWindow = 128     // messages on their way: what a socket's buffer holds with room to spare unless the system is told otherwise
	netSlab   = 1 << 16 // no datagram is larger
)

// netSource is the near side of a stream over net.UDPConn.
type netSource struct {
	netEnd
	flow
	msg []byte
}

func newNetSource(s laneSpec, mem sys.Mem, seed uint64) (*netSource, error) {
	end, err := openNetEnd(s, mem)
	if err != nil {
		return nil, err
	}
	l := &netSource{netEnd: end, flow: newFlow(mem, s), msg: newPayload(seed, s.Size)}
	l.round = netRound
	l.window = netWindow
	return l, nil
}

func (l *netSource) run(s *slice) error { return l.flow.run(s, l.send, pause) }

func (l *netSource) send(_ *slice, n int) error {
	for i := range n {
		binary.LittleEndian.PutUint64(l.msg, l.next+uint64(i))
		if _, err := l.conn.Write(l.msg); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
	}
	return nil
}

func (l *netSource) close() error { return l.netEnd.close() }

// netSink is the far side.
type netSink struct {
	ledger
	conn   *net.UDPConn
	size   int
	msg    []byte
	copied [maxSize]byte
}

func newNetSink(s laneSpec, mem sys.Mem) (*netSink, error) {
	c, err := openNetFar(s, mem)
	if err != nil {
		return nil, err
	}
	return &netSink{ledger: newLedger(mem), conn: c, size: s.Size, msg: make([]byte, netSlab)}, nil
}

func (l *netSink) serve(t *turn) error {
	if err := l.conn.SetReadDeadline(time.Now().Add(netStep)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for {
		n, err := l.conn.Read(l.msg)
		switch {
		case err == nil && n == l.size:
			number := binary.LittleEndian.Uint64(l.msg)
			if number == l.want {
				l.want++
			} else {
				l.other(t, number)
			}
			move(l.copied[:n], l.msg[:n])
			l.took(t, 1)
		case err == nil:
			t.bad++
		case !again(l.conn, err):
			return fmt.Errorf("bench: %w", err)
		case l.over(t):
			return nil
		}
	}
}

func (l *netSink) close() error { return l.conn.Close() }
