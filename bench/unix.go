package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The unix lane is a blocking ping-pong over a Unix stream socket, with net.UnixConn as a Go program would use it.
const unixStop = ^uint64(0) // the message that ends a slice

type unixNear struct {
	listener *net.UnixListener
	conn     *net.UnixConn
	msg, got []byte
	seq      uint64
}

func newUnixNear(s laneSpec, seed uint64) (*unixNear, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.Path + ".sock", Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &unixNear{listener: l, msg: newPayload(seed, s.Size), got: make([]byte, s.Size)}, nil
}

func (l *unixNear) run(s *slice) error {
	if err := l.ready(time.Duration(s.clock.ns(s.hard - s.clock.now()))); err != nil {
		return err
	}
	for more := true; more; {
		l.seq++
		t0 := s.clock.now()
		if err := l.trip(l.seq); err != nil {
			return err
		}
		more = s.lap(t0, s.clock.now())
	}
	return l.trip(unixStop)
}

// ready accepts the far side's connection, once, and bounds every wait of the slice.
func (l *unixNear) ready(within time.Duration) error {
	until := time.Now().Add(within)
	if l.conn == nil {
		if err := l.listener.SetDeadline(until); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		c, err := l.listener.AcceptUnix()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSilent, err)
		}
		l.conn = c
	}
	if err := l.conn.SetDeadline(until); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// trip sends one message and waits for its echo.
func (l *unixNear) trip(n uint64) error {
	binary.LittleEndian.PutUint64(l.msg, n)
	if _, err := l.conn.Write(l.msg); err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if _, err := io.ReadFull(l.conn, l.got); err != nil {
		return fmt.Errorf("%w: %w", ErrPeer, err)
	}
	if binary.LittleEndian.Uint64(l.got) != n {
		return ErrCorrupt
	}
	return nil
}

func (l *unixNear) close() error {
	err := l.listener.Close()
	if l.conn != nil {
		err = errors.Join(err, l.conn.Close())
	}
	return err
}

type unixFar struct {
	path string
	conn net.Conn
	msg  []byte
}

func newUnixFar(s laneSpec) (*unixFar, error) {
	c, err := net.Dial("unix", s.Path+".sock")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return &unixFar{path: s.Path, conn: c, msg: make([]byte, s.Size)}, nil
}

func (l *unixFar) serve(t *turn) error {
	for {
		if _, err := io.ReadFull(l.conn, l.msg); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if _, err := l.conn.Write(l.msg); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if binary.LittleEndian.Uint64(l.msg) == unixStop {
			return nil
		}
		t.messages++
	}
}

func (l *unixFar) close() error { return l.conn.Close() }
