package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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
	if err := l.SetDeadline(time.Now().Add(unixStep)); err != nil {
		return nil, errors.Join(fmt.Errorf("bench: %w", err), l.Close())
	}
	return &unixNear{listener: l, msg: newPayload(seed, s.Size), got: make([]byte, s.Size)}, nil
}

func (l *unixNear) run(s *slice) error {
	if err := l.accept(s); err != nil {
		return err
	}
	for more := true; more; {
		l.seq++
		t0 := s.clock.now()
		if err := l.trip(s, l.seq); err != nil {
			return err
		}
		more = s.lap(t0, s.clock.now())
	}
	return l.trip(s, unixStop)
}

// unixStep is how long one call into the socket blocks at most before the far side is looked after.
const unixStep = 100 * time.Millisecond

// again says whether err only means that a step is over and the slice has time left. It begins the next step.
func (l *unixNear) again(s *slice, err error, next func(time.Time) error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && s.look() == nil && next(time.Now().Add(unixStep)) == nil
}

// accept takes the far side's connection, once, and begins the slice's first step.
func (l *unixNear) accept(s *slice) (err error) {
	for l.conn == nil {
		if l.conn, err = l.listener.AcceptUnix(); err != nil && !l.again(s, err, l.listener.SetDeadline) {
			return fmt.Errorf("%w: %w", ErrSilent, err)
		}
	}
	if err := l.conn.SetDeadline(time.Now().Add(unixStep)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// trip sends one message and waits for its echo.
func (l *unixNear) trip(s *slice, n uint64) error {
	binary.LittleEndian.PutUint64(l.msg, n)
	for done := 0; done < len(l.msg); {
		k, err := l.conn.Write(l.msg[done:])
		if done += k; err != nil && !l.again(s, err, l.conn.SetDeadline) {
			return l.lost(err)
		}
	}
	for done := 0; done < len(l.got); {
		k, err := l.conn.Read(l.got[done:])
		if done += k; err != nil && !l.again(s, err, l.conn.SetDeadline) {
			return l.lost(err)
		}
	}
	if binary.LittleEndian.Uint64(l.got) != n {
		return ErrCorrupt
	}
	return nil
}

// lost tells a far side that does not answer from one that is gone.
func (l *unixNear) lost(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrSilent
	}
	return fmt.Errorf("%w: %w", ErrPeer, err)
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
