package quic

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

// Whoever is not believed is refused, and both sides say why.
func TestWhoIsNotBelievedIsRefusedWithAReason(t *testing.T) {
	past := trust.Life{From: time.Now().Add(-48 * time.Hour), Until: time.Now().Add(-time.Hour)}
	for _, c := range []struct {
		name   string
		change func(*bed)
		tx, rx string
	}{
		{"the dialer's authority is another", func(b *bed) {
			other := trusttest.Authority(t)
			o := trusttest.Options(t, other, "tx")
			trusttest.Believe(t, o, b.authority, other)
			b.dial.TLS, _ = trusttest.Open(t, o).Client(Protocol)
		}, "refused by the other node: it does not", "quic: refused"},
		{"the listener's authority is another", func(b *bed) {
			b.listen.TLS = server(t, trusttest.Authority(t), "rx")
		}, "certificate signed by unknown authority", "refused"},
		{"the dialer's certificate is expired", func(b *bed) {
			p, err := b.authority.Issue([]string{"tx"}, past)
			must(t, err)
			b.dial.TLS = withCertificate(t, b.dial.TLS, p)
		}, "refused by the other node: this node's certificate is expired", "expired"},
		{"the listener's certificate is expired", func(b *bed) {
			p, err := b.authority.Issue([]string{"rx"}, past)
			must(t, err)
			b.listen.TLS = withCertificate(t, b.listen.TLS, p)
		}, "expired", "refused by the other node"},
		{"the dialer shows no certificate", func(b *bed) {
			c := b.dial.TLS.Clone()
			c.GetClientCertificate, c.Certificates = nil, nil
			b.dial.TLS = c
		}, "refused by the other node: this node shows no certificate", "certificate"},
		{"the dialer's certificate is another node's", func(b *bed) {
			b.dial.TLS = client(t, b.authority, "somebody", "rx")
		}, `the certificate of [somebody] is not that of node "tx"`, `the certificate of [somebody] is not that of node "tx"`},
		{"the listener's certificate is another node's", func(b *bed) {
			b.dial.TLS = client(t, b.authority, "tx")
			b.listen.TLS = server(t, b.authority, "somebody")
		}, `the certificate of [somebody] is not that of node "rx"`, `refused`},
		{"the node may not connect", func(b *bed) {
			b.listen.Nodes = []string{"others"}
		}, `node "tx" is not one of those that may connect here`, `node "tx" is not one of those that may connect here`},
		{"the listening node is another", func(b *bed) {
			b.dial.Vouch = func(*x509Certificate, string) bool { return true }
			b.dial.Link.Peer = "ry"
		}, `another node answers`, `another node answers`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
			c.change(b)
			b.open().connect()
			until(t, "the dialer says why", func() bool { return b.tx.says(c.tx) })
			until(t, "the listener says why", func() bool { return b.rx.says(c.rx) })
			if b.link.Alive() || b.tx.count(link.Connected) > 0 && !strings.Contains(c.tx, "another node") {
				t.Errorf("connected: %+v", b.tx.all)
			}
		})
	}
}

// says reports whether an error holds a text.
func (g *log) says(text string) bool {
	_, ok := g.find(func(e link.Event) bool { return e.Err != nil && strings.Contains(e.Err.Error(), text) })
	return ok
}

// withCertificate is a configuration that shows another certificate.
func withCertificate(t *testing.T, c *tls.Config, p *trust.Pair) *tls.Config {
	t.Helper()
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	must(t, err)
	c = c.Clone()
	c.Certificates, c.GetConfigForClient = []tls.Certificate{pair}, nil
	c.GetClientCertificate = nil
	return c
}

// stranger is somebody with a good certificate who speaks QUIC by hand.
func (b *bed) stranger(node string) *quic.Conn {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	w, err := b.listener.options.wire(loopback)
	must(b.t, err)
	c, err := w.transport.Dial(ctx, net.UDPAddrFromAddrPort(b.listener.Local()), client(b.t, b.authority, node, "rx"), &quic.Config{KeepAlivePeriod: 50 * time.Millisecond, EnableDatagrams: true})
	must(b.t, err)
	b.t.Cleanup(func() { _ = c.CloseWithError(0, ""); must(b.t, w.close()) })
	return c
}

// Whoever connects and says nothing, or nonsense, or half of something, is let go of in bounded time, and others are not held up.
func TestWhoSaysNothingIsLetGoOf(t *testing.T) {
	b := newBed(t)
	b.listen.Nodes = []string{"tx", "odd"}
	b.listen.Connect, b.listen.Link.Patience = 500*time.Millisecond, 500*time.Millisecond
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open()
	greeting, err := link.AppendGreeting(nil, link.Greeting{Node: "odd", Start: 1, Channels: []link.Contract{{Name: "ticks", Sends: true, Largest: 64}}})
	must(t, err)
	for _, c := range []struct {
		name, text string
		says       []byte
	}{
		{"nothing", "does not greet", nil},
		{"half a greeting", "does not greet", greeting[:20]},
		{"nonsense", "no greeting", []byte("GET / HTTP/1.1\r\n\r\n")},
		{"a greeting, and nothing more", "is silent", greeting},
		{"a greeting, and nonsense", "broke the protocol", append(greeting[:len(greeting):len(greeting)], make([]byte, 100)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := b.stranger("odd")
			if c.says != nil {
				st, err := s.OpenStreamSync(context.Background())
				must(t, err)
				_, err = st.Write(c.says)
				must(t, err)
			}
			select {
			case <-s.Context().Done():
			case <-time.After(10 * time.Second):
				t.Fatal("held on to")
			}
			var app *quic.ApplicationError
			if err := context.Cause(s.Context()); !errors.As(err, &app) || !strings.Contains(app.ErrorMessage, c.text) {
				t.Error(err)
			}
		})
	}
	b.connect()
	one := newSource(t, ringOptions)
	must(t, b.link.Add("ticks", one.ring))
	b.carried(one, 100, 64)
}

// No more connections stand than were asked for, and one that ends makes room.
func TestConnectionsAreBounded(t *testing.T) {
	b := newBed(t)
	b.listen.Connections = 2
	b.listen.Connect = 5 * time.Second
	b.channels(link.Reliable, netio.InboxOptions{Capacity: 1 << 16}, "ticks")
	b.open()
	one, _ := b.stranger("a"), b.stranger("b")
	b.dial.PauseMax = 50 * time.Millisecond
	b.connect()
	until(t, "one too many is refused", func() bool { return b.listener.Refused() > 0 && b.tx.count(link.Disconnected) == 1 })
	if !b.rx.says("too many connections") {
		t.Errorf("%+v", b.rx.all)
	}
	must(t, one.CloseWithError(0, ""))
	until(t, "there is room", b.link.Alive)
}

func TestFaultyOptionsAreReportedTogether(t *testing.T) {
	_, err := Dial(DialOptions{Common: Common{Datagrams: []string{"x"}, Early: true, Connect: 1, TLS: &tls.Config{}}})
	for _, text := range []string{"no address", "no name of the node", "datagrams of channel \"x\"", "early, and", "connect 1ns", "names []", "no channel", "node \"\""} {
		if !errors.Is(err, ErrOptions) || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
	_, err = Listen(ListenOptions{Nodes: []string{"a", "a"}, Connections: 1})
	for _, text := range []string{"no address", "twice", "1 connections", "never plain", "no channel"} {
		if !errors.Is(err, ErrOptions) || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
}
