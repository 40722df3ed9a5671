package tcp

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// secureBytes is how much waits on each way between the worker and TLS.
const secureBytes = 256 << 10

// secure is a TLS connection that does not block. crypto/tls has no such mode: one goroutine writes what the worker left, another reads
// ahead as far as there is room.
type secure struct {
	conn *tls.Conn
	out  pipe
	in   pipe
	done sync.WaitGroup
}

// pipe is bytes that one goroutine leaves and another takes.
type pipe struct {
	mu     sync.Mutex
	turn   sync.Cond
	bytes  []byte
	spare  []byte // where bytes are while they are being written
	err    error  // why there will be no more
	closed bool
}

func serve(c *tls.Conn) *secure {
	s := &secure{conn: c}
	for _, p := range []*pipe{&s.out, &s.in} {
		p.turn.L = &p.mu
		p.bytes = make([]byte, 0, secureBytes)
	}
	s.out.spare = make([]byte, 0, secureBytes)
	s.done.Go(s.write)
	s.done.Go(s.read)
	return s
}

// Send leaves what there is room for.
func (s *secure) Send(pieces [][]byte) (n int, err error) {
	p := &s.out
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	for _, b := range pieces {
		k := min(len(b), secureBytes-len(p.bytes))
		p.bytes = append(p.bytes, b[:k]...)
		if n += k; k < len(b) {
			break
		}
	}
	p.turn.Signal()
	return n, nil
}

// Recv takes what was read.
func (s *secure) Recv(b []byte) (n int, err error) {
	p := &s.in
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bytes) == 0 {
		return 0, p.err
	}
	n = copy(b, p.bytes)
	p.bytes = p.bytes[:copy(p.bytes, p.bytes[n:])]
	p.turn.Signal()
	return n, nil
}

// write writes what Send left, until the connection ends.
func (s *secure) write() {
	p := &s.out
	for {
		p.mu.Lock()
		for len(p.bytes) == 0 && !p.closed {
			p.turn.Wait()
		}
		p.bytes, p.spare = p.spare[:0], p.bytes
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return
		}
		if _, err := s.conn.Write(p.spare); err != nil {
			p.end(err)
			return
		}
	}
}

// read reads ahead, until the connection ends.
func (s *secure) read() {
	p, b := &s.in, make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(b)
		p.mu.Lock()
		for len(p.bytes)+n > secureBytes && !p.closed {
			p.turn.Wait()
		}
		p.bytes = append(p.bytes, b[:n]...)
		closed := p.closed
		p.mu.Unlock()
		if err != nil {
			p.end(err)
			return
		}
		if closed {
			return
		}
	}
}

func (p *pipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// Close ends the connection and waits for both goroutines. It does not say goodbye: who is left hears of it from the socket, and writing
// might block.
func (s *secure) Close() error {
	for _, p := range []*pipe{&s.out, &s.in} {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.turn.Broadcast()
	}
	err := s.conn.NetConn().Close()
	s.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
