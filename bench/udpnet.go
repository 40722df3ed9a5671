package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// The netudp lanes are what a Go program does without this module: a connected net.UDPConn per side, blocking, one message per datagram.

// netStep is how long one receive blocks at most before the other side is looked after.
const netStep = 10 * time.Millisecond

func netSocket(local, peer *net.UDPAddr, at site) (c *net.UDPConn, err error) {
	err = at.in(func() (err error) {
		if peer == nil {
			c, err = net.ListenUDP("udp", local)
		} else {
			c, err = net.DialUDP("udp", local, peer)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return c, nil
}

// again says whether err only means that a step is over. It begins the next one.
func again(c *net.UDPConn, err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Now().Add(netStep)) == nil
}

// netEnd is a near side's socket, bound at first and connected once the far side has one.
type netEnd struct {
	spec laneSpec
	mem  sys.Mem
	conn *net.UDPConn
}

func openNetEnd(s laneSpec, mem sys.Mem) (netEnd, error) {
	c, err := netSocket(net.UDPAddrFromAddrPort(s.Net.Near.any()), nil, s.Net.Near)
	if err != nil {
		return netEnd{}, err
	}
	tellPort(mem, udpNearPort, c.LocalAddr().(*net.UDPAddr).AddrPort())
	return netEnd{s, mem, c}, nil
}

func (l *netEnd) dial() error {
	to, err := peerAt(l.mem, udpFarPort, l.spec.Net.Far)
	if err != nil {
		return err
	}
	here := l.conn.LocalAddr().(*net.UDPAddr)
	if err := l.conn.Close(); err != nil {
		return err
	}
	c, err := netSocket(here, net.UDPAddrFromAddrPort(to), l.spec.Net.Near)
	if err != nil {
		return err
	}
	l.conn = c
	return nil
}

func (l *netEnd) close() error {
	if err := l.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// openNetFar opens the far side's socket.
func openNetFar(s laneSpec, mem sys.Mem) (*net.UDPConn, error) {
	to, err := peerAt(mem, udpNearPort, s.Net.Near)
	if err != nil {
		return nil, err
	}
	c, err := netSocket(net.UDPAddrFromAddrPort(s.Net.Far.any()), net.UDPAddrFromAddrPort(to), s.Net.Far)
	if err != nil {
		return nil, err
	}
	tellPort(mem, udpFarPort, c.LocalAddr().(*net.UDPAddr).AddrPort())
	return c, nil
}

type netPing struct {
	netEnd
	msg, got []byte
	seq      uint64
}

func newNetPing(s laneSpec, mem sys.Mem, seed uint64) (*netPing, error) {
	end, err := openNetEnd(s, mem)
	if err != nil {
		return nil, err
	}
	return &netPing{end, newPayload(seed, s.Size), make([]byte, s.Size), 0}, nil
}

func (l *netPing) run(s *slice) error {
	if err := l.conn.SetReadDeadline(time.Now().Add(netStep)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for more := true; more; {
		l.seq++
		binary.LittleEndian.PutUint64(l.msg, l.seq)
		t0 := s.clock.now()
		if _, err := l.conn.Write(l.msg); err != nil {
			return fmt.Errorf("%w: %w", ErrPeer, err)
		}
		answered, err := l.await(s)
		switch {
		case err != nil:
			return err
		case answered:
			more = s.lap(t0, s.clock.now())
		default:
			s.giveUp()
		}
	}
	return nil
}

// await waits for the answer to the message sent last, and says whether it came. Those that were given up before are passed over.
func (l *netPing) await(s *slice) (bool, error) {
	w := wait{within: answerWithin}
	for {
		n, err := l.conn.Read(l.got)
		switch {
		case err == nil && binary.LittleEndian.Uint64(l.got) < l.seq && n == len(l.msg):
		case err == nil && (n != len(l.msg) || binary.LittleEndian.Uint64(l.got) != l.seq || l.got[n-1] != l.msg[n-1]):
			return false, ErrCorrupt
		case err == nil:
			return true, nil
		case !again(l.conn, err):
			return false, fmt.Errorf("%w: %w", ErrPeer, err)
		default:
			if over, err := w.over(s); over || err != nil {
				return false, err
			}
		}
	}
}

type netPong struct {
	conn *net.UDPConn
	msg  []byte
	seen uint64
}

func newNetPong(s laneSpec, mem sys.Mem) (*netPong, error) {
	c, err := openNetFar(s, mem)
	if err != nil {
		return nil, err
	}
	return &netPong{c, make([]byte, s.Size), 0}, nil
}

func (l *netPong) serve(t *turn) error {
	if err := l.conn.SetReadDeadline(time.Now().Add(netStep)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for {
		n, err := l.conn.Read(l.msg)
		switch {
		case err == nil:
		case !again(l.conn, err):
			return fmt.Errorf("bench: %w", err)
		case t.over():
			return nil
		default:
			continue
		}
		if _, err := l.conn.Write(l.msg[:n]); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if n != len(l.msg) {
			t.bad++
		}
		l.seen = t.follows(binary.LittleEndian.Uint64(l.msg), l.seen)
	}
}

func (l *netPong) close() error { return l.conn.Close() }
