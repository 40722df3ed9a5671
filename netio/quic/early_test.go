package quic

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/ring"
)

// resuming makes both sides' configurations, which resume sessions.
func (b *bed) resuming() {
	b.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.authority.Cert)
	config := func(node string) *tls.Config {
		p, err := b.authority.Issue([]string{node}, trust.Life{Until: time.Now().Add(time.Hour)})
		must(b.t, err)
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		must(b.t, err)
		return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{Protocol}, Certificates: []tls.Certificate{pair}, RootCAs: roots,
			ClientCAs: roots, ServerName: "rx", ClientAuth: tls.RequireAndVerifyClientCert}
	}
	b.dial.TLS, b.listen.TLS = config("tx"), config("rx")
	b.dial.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	b.dial.Early, b.listen.Early = true, true
}

// recorder passes datagrams on both ways, and keeps what the client sent before the first answer.
type recorder struct {
	socket *net.UDPConn
	back   *net.UDPConn
	to     netip.AddrPort
	mu     sync.Mutex
	heard  map[netip.AddrPort]bool // clients
	client netip.AddrPort          // the one that came last
	flight [][]byte
	answer bool
	mute   bool // nothing goes back: no handshake comes to its end
	done   sync.WaitGroup
}

func newRecorder(t *testing.T, to netip.AddrPort) *recorder {
	t.Helper()
	r := &recorder{to: to, heard: map[netip.AddrPort]bool{}}
	var err error
	r.socket, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	must(t, err)
	r.back, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	must(t, err)
	r.done.Go(func() { r.pass(r.socket, true) })
	r.done.Go(func() { r.pass(r.back, false) })
	t.Cleanup(func() { _ = r.socket.Close(); _ = r.back.Close(); r.done.Wait() })
	return r
}

func (r *recorder) addr() netip.AddrPort { return r.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *recorder) pass(from *net.UDPConn, up bool) {
	for buf := make([]byte, 1<<16); ; {
		n, at, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		if up {
			if !r.heard[at] { // another connection
				r.heard[at] = true
				r.client, r.flight, r.answer = at, nil, false
			}
			if !r.answer && at == r.client {
				r.flight = append(r.flight, append([]byte(nil), buf[:n]...))
			}
		} else {
			if !r.answer {
				r.mu.Unlock()
				time.Sleep(20 * time.Millisecond) // for all that is said early
				r.mu.Lock()
			}
			r.answer = true
		}
		client, mute := r.client, r.mute
		r.mu.Unlock()
		switch {
		case up:
			_, _ = r.back.WriteToUDPAddrPort(buf[:n], r.to)
		case !mute:
			_, _ = r.socket.WriteToUDPAddrPort(buf[:n], client)
		}
	}
}

// recorded is how many datagrams the client sent before the first answer.
func (r *recorder) recorded() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.flight)
}

// replay says the client's first flight again, from elsewhere.
func (r *recorder) replay(t *testing.T) {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.to))
	must(t, err)
	defer func() { must(t, c.Close()) }()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.flight {
		_, err := c.Write(d)
		must(t, err)
	}
}

// A node that was met before greets early, where the channel allows repeats; who records that and says it again gets nothing delivered and
// holds up nobody.
func TestWhatIsSaidEarlyCannotBeUsedAgain(t *testing.T) {
	b := newBed(t)
	b.resuming()
	b.listen.Connect, b.dial.Connect = time.Second, time.Second
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "orders", "quotes")
	b.dial.Link.Channels[1].Repeats, b.listen.Link.Channels[1].Repeats = true, true
	b.open()
	r := newRecorder(t, b.listener.Local())
	b.dial.To = r.addr()
	first, err := Dial(b.dial)
	must(t, err)
	until(t, "both channels flow", func() bool { return first.Flows("orders") && first.Flows("quotes") })
	time.Sleep(20 * time.Millisecond) // for the session ticket
	must(t, first.Close())
	if n := first.Counters().Early; n != 0 {
		t.Errorf("early with a stranger, %d times", n)
	}
	b.connect()
	one, two := newSource(t, ring.Options{Capacity: 1 << 16}), newSource(t, ring.Options{Capacity: 1 << 16})
	must(t, b.link.Add("orders", one.ring))
	must(t, b.link.Add("quotes", two.ring))
	b.carried(one, 100, 64)
	b.carried(two, 100, 64)
	if n := b.link.Counters().Early; n != 1 {
		t.Fatalf("%d early connections", n)
	}
	rx := b.listener.Link("tx")
	before, connected := rx.Stats(), b.rx.count(link.Connected)
	refused := b.listener.Refused()
	if n := r.recorded(); n < 2 {
		t.Fatalf("%d datagrams were sent before the first answer", n)
	}
	until(t, "the recording is given up", func() bool {
		r.replay(t) // at first the library takes it for this connection's
		for range 20 {
			b.carried(one, 1, 64)
			time.Sleep(10 * time.Millisecond)
		}
		return b.listener.Refused() > refused
	})
	if b.rx.says(errCrowd.Error()) {
		t.Error("there were too many")
	}
	b.carried(two, 100, 64)
	after := rx.Stats()
	if after.Connections != before.Connections || b.rx.count(link.Connected) != connected {
		t.Errorf("%+v before, %+v after, %+v", before, after, b.rx.all)
	}
	if after.FramesIn != one.next+two.next-2 || after.Drops(link.Duplicate) != 0 {
		t.Errorf("%+v", after)
	}
}

// Early data of a channel that allows no repeats is refused.
func TestEarlyDataIsRefusedWhereRepeatsAreNotAllowed(t *testing.T) {
	b := newBed(t)
	b.resuming()
	b.listen.Connect, b.dial.Connect = time.Second, time.Second
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "orders")
	b.open()
	r := newRecorder(t, b.listener.Local())
	b.dial.To = r.addr()
	first, err := Dial(b.dial)
	must(t, err)
	until(t, "it flows", func() bool { return first.Flows("orders") })
	time.Sleep(20 * time.Millisecond) // for the session ticket
	must(t, first.Close())
	r.mu.Lock()
	r.mute = true
	r.mu.Unlock()
	b.dial.Link.Channels[0].Repeats = true // as a node would that does not keep to the contract
	b.connect()
	until(t, "it is refused", func() bool { return b.listener.Link("tx").Counters().EarlyRefused > 0 })
	if b.listener.Link("tx").Alive() {
		t.Error("alive")
	}
}
