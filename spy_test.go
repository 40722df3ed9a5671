package transport_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
)

// spy carries what two nodes say, hears it, and says it again with something changed.
type spy struct {
	control, data uint16 // where it listens
	datagrams     atomic.Int64
	forged        atomic.Int64
	read          atomic.Bool // it could read a message
	dialled       atomic.Int64
	cut           atomic.Bool // the control link

	mu    sync.Mutex
	conns []net.Conn
}

func newSpy(t *testing.T, control, data uint16) *spy {
	t.Helper()
	s := &spy{control: netlab.Port(), data: netlab.Port()}
	tcp, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.control))
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() { s.links(tcp, fmt.Sprintf("127.0.0.1:%d", control), &done) })
	var sockets []io.Closer
	for number := range uint16(2) { // of channels
		near, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback(s.data+number)))
		if err != nil {
			t.Fatal(err)
		}
		far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(loopback(data+number)))
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, near, far)
		var left atomic.Pointer[netip.AddrPort]
		done.Go(func() { s.there(near, far, &left) })
		done.Go(func() { s.back(far, near, &left) })
	}
	t.Cleanup(func() {
		faults := []error{tcp.Close(), s.sever(true)}
		for _, one := range sockets {
			faults = append(faults, one.Close())
		}
		done.Wait()
		if err := errors.Join(faults...); err != nil {
			t.Error(err)
		}
	})
	return s
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// sever cuts the control link, or heals it.
func (s *spy) sever(on bool) error {
	s.cut.Store(on)
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []error
	for _, c := range s.conns {
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	s.conns = nil
	return errors.Join(faults...)
}

// links carries control links.
func (s *spy) links(l net.Listener, to string, done *sync.WaitGroup) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		s.dialled.Add(1)
		far, err := net.Dial("tcp", to)
		if err != nil || s.cut.Load() {
			_ = near.Close() // the one that dialled sees it
			if err == nil {
				_ = far.Close() // nothing was said
			}
			continue
		}
		s.mu.Lock()
		s.conns = append(s.conns, near, far)
		s.mu.Unlock()
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			done.Go(func() {
				_, _ = io.Copy(way[0], way[1]) // until it is cut
				_ = way[0].Close()
			})
		}
	}
}

// there carries datagrams, each once as it is and once with a bit turned.
func (s *spy) there(near, far *net.UDPConn, left *atomic.Pointer[netip.AddrPort]) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := near.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		left.Store(&from)
		s.heard(b[:n])
		_, _ = far.Write(b[:n]) // refused while nobody listens
		b[n-1-n/8] ^= 1
		_, _ = far.Write(b[:n]) // as above
		s.forged.Add(1)
	}
}

func (s *spy) back(far, near *net.UDPConn, left *atomic.Pointer[netip.AddrPort]) {
	b := make([]byte, 1<<16)
	for {
		n, err := far.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if to := left.Load(); err == nil && to != nil {
			s.heard(b[:n])
			_, _ = near.WriteToUDPAddrPort(b[:n], *to) // as above
		}
	}
}

func (s *spy) heard(b []byte) {
	s.datagrams.Add(1)
	if bytes.Contains(b, []byte(marker[:16])) {
		s.read.Store(true)
	}
}
