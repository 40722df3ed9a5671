package tcp

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// echoed is a TLS connection to a node that sends back what it gets, over a way that cuts the stream anywhere.
func echoed(t *testing.T, seed uint64, o sys.TCPOptions) *secure {
	t.Helper()
	ca, all := newAuthority(t), sync.WaitGroup{}
	listen := func(with func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		all.Go(func() {
			c, err := l.Accept()
			if err == nil {
				with(c)
				_ = c.Close()
			}
		})
		t.Cleanup(func() { must(t, l.Close()) })
		return l.Addr().String()
	}
	t.Cleanup(all.Wait)
	far := listen(func(c net.Conn) {
		s := tls.Server(c, ca.node("b", time.Now().Add(time.Hour)))
		_, _ = io.Copy(s, s) // until the connection ends
	})
	near := listen(func(a net.Conn) {
		b, err := net.Dial("tcp", far)
		if err != nil {
			t.Error(err)
			return
		}
		var ways sync.WaitGroup
		ways.Go(func() { cut(a, b, rand.New(rand.NewPCG(seed, 1))) })
		ways.Go(func() { cut(b, a, rand.New(rand.NewPCG(seed, 2))) })
		ways.Wait()
	})
	c, err := net.Dial("tcp", near)
	must(t, err)
	config := ca.node("a", time.Now().Add(time.Hour))
	config.ServerName = "b"
	l := &line{Conn: c}
	s := tls.Client(l, config)
	must(t, s.HandshakeContext(t.Context()))
	one, err := serve(s, l, o)
	must(t, err)
	return one
}

// cut copies in pieces of any size.
func cut(to, from net.Conn, rnd *rand.Rand) {
	for {
		if _, err := io.CopyN(to, from, 1+rnd.Int64N(3000)); err != nil {
			_, _ = to.Close(), from.Close()
			return
		}
	}
}

// What goes out by TLS and comes back is the same stream, wherever it is cut and however little there is room for, and nothing blocks.
func TestStreamByTLSIsTheSameWhereverItIsCut(t *testing.T) {
	for name, o := range map[string]sys.TCPOptions{"room": {}, "little room": {RecvBuffer: 32 << 10, SendBuffer: 32 << 10}} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Log("seed", seed)
			rnd := rand.New(rand.NewPCG(seed, 3))
			s := echoed(t, seed, o)
			defer func() { must(t, s.Close()) }()
			stream := make([]byte, 4<<20)
			for i := range stream {
				stream[i] = byte(rnd.Uint32())
			}
			sent, got, refused := 0, 0, 0
			room := make([]byte, recvBytes)
			for end := time.Now().Add(time.Minute); got < len(stream); {
				if time.Now().After(end) {
					t.Fatalf("%d of %d bytes sent, %d came back", sent, len(stream), got)
				}
				var pieces [][]byte
				offered := 0
				for range rnd.IntN(20) {
					n := rnd.IntN(min(80_000, len(stream)-sent-offered+1)) // often more than there is room for at once
					pieces = append(pieces, stream[sent+offered:][:n])
					offered += n
				}
				n, err := s.Send(pieces)
				must(t, err)
				if sent += n; n < offered {
					refused++
				}
				b := room[:1+rnd.IntN(len(room))]
				n, err = s.Recv(b)
				must(t, err)
				if string(b[:n]) != string(stream[got:got+n]) {
					t.Fatalf("not the same after %d bytes", got)
				}
				got += n
			}
			t.Logf("not all taken %d times", refused)
			if name == "little room" && refused == 0 {
				t.Error("there was room for all of it")
			}
		})
	}
}

// An end in the middle of a record is one, after what came before it.
func TestStreamByTLSEndsWithItsConnection(t *testing.T) {
	s := echoed(t, 1, sys.TCPOptions{})
	defer func() { must(t, s.Close()) }()
	if _, err := s.Send([][]byte{[]byte("all of it")}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	room := make([]byte, 100)
	for end := time.Now().Add(20 * time.Second); len(got) < 9 && time.Now().Before(end); {
		n, err := s.Recv(room)
		must(t, err)
		got = append(got, room[:n]...)
	}
	if string(got) != "all of it" {
		t.Fatalf("%q", got)
	}
	_, err := s.line.socket.Send([][]byte{{23, 3, 3, 0, 20, 19: 1, 24: 1}}) // garbage that the other node gives up over
	must(t, err)
	for end := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(end); {
		_, err = s.Recv(room)
	}
	if err == nil {
		t.Error("the other node has given up, and nothing says so")
	}
	if n, again := s.Recv(room); n != 0 || again == nil {
		t.Error(n, again)
	}
}

// against is a TLS connection to a node that does this.
func against(t *testing.T, far func(*tls.Conn)) *secure {
	t.Helper()
	ca := newAuthority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var done sync.WaitGroup
	done.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		s := tls.Server(c, ca.node("b", time.Now().Add(time.Hour)))
		if s.Handshake() == nil {
			far(s)
		}
	})
	t.Cleanup(func() { must(t, l.Close()); done.Wait() })
	c, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	config := ca.node("a", time.Now().Add(time.Hour))
	config.ServerName = "b"
	under := &line{Conn: c}
	s := tls.Client(under, config)
	must(t, s.HandshakeContext(t.Context()))
	one, err := serve(s, under, sys.TCPOptions{})
	must(t, err)
	return one
}

// The other node says why it closes, and does not read what was sent to it: that resets the connection, and what it said is heard all the same.
func TestWordsBeforeAResetAreHeard(t *testing.T) {
	sent, closed := make(chan struct{}), make(chan struct{})
	s := against(t, func(c *tls.Conn) {
		defer close(closed)
		<-sent
		_, _ = c.Write([]byte("not you"))
		_ = c.NetConn().Close()
	})
	defer func() { must(t, s.Close()) }()
	send := func() {
		_, err := s.Send([][]byte{[]byte("it's me")})
		must(t, err)
	}
	send()
	close(sent)
	<-closed
	send()
	send()
	var got []byte
	var err error
	for end := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(end); {
		var n int
		room := make([]byte, 100)
		n, err = s.Recv(room)
		got = append(got, room[:n]...)
	}
	if string(got) != "not you" || err == nil {
		t.Errorf("%q, then %v", got, err)
	}
}

// Who cannot open what arrives says so before the connection ends.
func TestGarbageIsAnsweredWithAnAlert(t *testing.T) {
	why := make(chan error, 1)
	s := against(t, func(c *tls.Conn) {
		_, _ = c.NetConn().Write([]byte{23, 3, 3, 0, 20, 19: 1, 24: 1})
		_, err := c.Read(make([]byte, 10))
		why <- err
	})
	var err error
	for end := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(end); {
		_, err = s.Recv(make([]byte, 100))
	}
	must(t, s.Close())
	if told := <-why; err == nil || told == nil || !strings.Contains(told.Error(), "bad record MAC") {
		t.Errorf("here %v, there %v", err, told)
	}
}
