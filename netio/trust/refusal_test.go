package trust_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
)

// TestEveryRefusalHasItsReason has a node meet peers that no node shall believe (F19), as the side that listens and as the one that dials.
func TestEveryRefusalHasItsReason(t *testing.T) {
	ours, theirs := trusttest.Authority(t), trusttest.Authority(t)
	o := trusttest.Options(t, ours, "node-a")
	o.Allow = []string{"node-b", "spiffe://pulse/node/*"}
	node := trusttest.Open(t, o)
	day := 24 * time.Hour
	life := trust.Life{Until: time.Now().Add(day)}
	past, future := trust.Life{From: time.Now().Add(-2 * day), Until: time.Now().Add(-time.Hour)}, trust.Life{From: time.Now().Add(time.Hour), Until: time.Now().Add(2 * day)}
	authority := func() *tls.Config { // shows an authority's own certificate
		c := raw(t, nil, nil, life)
		pair, err := tls.X509KeyPair(theirs.Cert, theirs.Key)
		must(t, err)
		c.Certificates = []tls.Certificate{pair}
		return c
	}
	with := func(change func(*tls.Config)) *tls.Config {
		c := raw(t, ours, []string{"node-b"}, life)
		change(c)
		return c
	}
	for _, c := range []struct {
		name    string
		peer    *tls.Config
		reason  trust.Reason
		there   trust.Reason // how the peer sees it
		say     string
		dialled trust.Reason // reason when the node is the side that dials, where it differs
	}{
		{"expired", raw(t, ours, []string{"node-b"}, past), trust.Expired, trust.ByPeer, "node-b", trust.Expired},
		{"not yet valid", raw(t, ours, []string{"node-b"}, future), trust.NotYetValid, trust.ByPeer, "clocks", trust.NotYetValid},
		{"wrong authority", raw(t, theirs, []string{"node-b"}, life), trust.UnknownAuthority, trust.ByPeer, "CA files", trust.UnknownAuthority},
		{"signed by itself", authority(), trust.UnknownAuthority, trust.ByPeer, "CA files", trust.UnknownAuthority},
		{"name not allowed", raw(t, ours, []string{"node-c", "10.0.0.1"}, life), trust.NameNotAllowed, trust.ByPeer, "node-c, 10.0.0.1", trust.NameNotAllowed},
		{"URI not allowed", raw(t, ours, []string{"spiffe://pulse/node/a/b"}, life), trust.NameNotAllowed, trust.ByPeer, "spiffe://pulse/node/a/b", trust.NameNotAllowed},
		{"TLS 1.2", with(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), trust.OldVersion, trust.OldVersion, "TLS 1.3", trust.OldVersion},
		{"another protocol", with(func(c *tls.Config) { c.NextProtos = []string{"h2"} }), trust.WrongProtocol, trust.WrongProtocol, "listens", trust.WrongProtocol},
		{"no protocol", with(func(c *tls.Config) { c.NextProtos = nil }), trust.WrongProtocol, trust.ByPeer, `""`, trust.WrongProtocol},
	} {
		t.Run("listens/"+c.name, func(t *testing.T) {
			before := node.Stats()
			_, here, there := shake(t, node.Server(protocol), c.peer)
			here = node.Refused(here)
			if r := reason(t, here); r != c.reason || !strings.Contains(here.Error(), c.say) {
				t.Errorf("%v; want %s, and %q in it", here, c.reason, c.say)
			}
			if r := reason(t, node.Refused(there)); r != c.there {
				t.Errorf("the peer sees %v, want %s", there, c.there)
			}
			after := node.Stats()
			if n := after.Refusals(c.reason) - before.Refusals(c.reason); c.there != c.reason && n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
		t.Run("dials/"+c.name, func(t *testing.T) {
			before := node.Stats()
			_, _, here := shake(t, c.peer, client(t, node))
			here = node.Refused(here)
			if r := reason(t, here); r != c.dialled {
				t.Errorf("%v; want %s", here, c.dialled)
			}
			after := node.Stats()
			if n := after.Refusals(c.dialled) - before.Refusals(c.dialled); n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
	}
	t.Run("listens/no certificate", func(t *testing.T) {
		_, here, there := shake(t, node.Server(protocol), raw(t, nil, nil, life))
		if r := reason(t, node.Refused(here)); r != trust.NoCertificate {
			t.Error(here)
		}
		if r := reason(t, node.Refused(there)); r != trust.ByPeer {
			t.Error(there)
		}
	})
	t.Run("dials/another than expected", func(t *testing.T) {
		peer := raw(t, ours, []string{"node-b"}, life)
		_, _, here := shake(t, peer, client(t, node, "node-d"))
		if r := reason(t, node.Refused(here)); r != trust.NameNotAllowed {
			t.Error(here)
		}
		if _, _, here := shake(t, peer, client(t, node, "node-b")); here != nil {
			t.Error("the one that was expected is refused:", here)
		}
	})
	t.Run("listens/no TLS", func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			far.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
			far.Close()
		}()
		err := tls.Server(near, node.Server(protocol)).Handshake()
		if r := reason(t, node.Refused(err)); r != trust.NotTLS {
			t.Error(err)
		}
	})
	t.Run("dials/no TLS", func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			far.Read(make([]byte, 4096))
			far.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n"))
			far.Close()
		}()
		err := tls.Client(near, client(t, node)).Handshake()
		near.Close()
		if r := reason(t, node.Refused(err)); r != trust.NotTLS {
			t.Error(err)
		}
	})
	t.Run("listens/cut", func(t *testing.T) {
		near, far := net.Pipe()
		far.Close()
		if r := reason(t, node.Refused(tls.Server(near, node.Server(protocol)).Handshake())); r != trust.Broken {
			t.Error(r)
		}
	})
}

// TestBelievedPeersSpeakTheNewestTLSAndResumeNothing shows what a handshake that succeeds agrees on.
func TestBelievedPeersSpeakTheNewestTLSAndResumeNothing(t *testing.T) {
	a := trusttest.Authority(t)
	here, there := trusttest.Identity(t, a, "node-a", "10.0.0.1", "spiffe://pulse/node/a"), trusttest.Identity(t, a, "node-b")
	config := client(t, there, "spiffe://pulse/node/a")
	config.ClientSessionCache, config.ServerName = tls.NewLRUClientSessionCache(4), "whoever"
	server := here.Server(protocol)
	for range 2 {
		e, atServer, atClient := shake(t, server, config)
		must(t, atServer)
		must(t, atClient)
		e.echo(t)
		for _, c := range []*tls.Conn{e.dialled, e.accepted} {
			s := c.ConnectionState()
			if s.Version != tls.VersionTLS13 || s.CurveID != tls.X25519MLKEM768 || s.NegotiatedProtocol != protocol || s.DidResume || len(s.PeerCertificates) != 1 {
				t.Errorf("%s, %v, %q, resumed %v", tls.VersionName(s.Version), s.CurveID, s.NegotiatedProtocol, s.DidResume)
			}
		}
		if !trust.Vouches(leaf(e.dialled), "node-a") || !trust.Vouches(leaf(e.dialled), "a") || trust.Vouches(leaf(e.dialled), "node-b") || trust.Vouches(leaf(e.dialled), "10.0.0.1") {
			t.Error("the certificate vouches for another node")
		}
	}
	for _, r := range trust.Reasons() {
		s := here.Stats()
		if n := s.Refusals(r); n != 0 {
			t.Errorf("%d refused: %s", n, r)
		}
	}
}

// TestSlowHandshakesAreRefused: whoever dribbles or says nothing is given up when the context says so, and counted.
func TestSlowHandshakesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := trusttest.Identity(t, trusttest.Authority(t), "node-a")
		near, far := net.Pipe()
		var dribble sync.WaitGroup
		defer dribble.Wait()
		dribble.Go(func() { // a byte a second of a hello that never ends
			defer far.Close()
			for _, b := range append([]byte{22, 3, 1, 1, 0, 1, 0, 0, 252}, make([]byte, 300)...) {
				if _, err := far.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := tls.Server(near, node.Server(protocol)).HandshakeContext(ctx)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("given up after %v", took)
		}
		if r := reason(t, node.Refused(err)); r != trust.TooSlow {
			t.Error(err)
		}
	})
}

func TestRefusalsNeedNoError(t *testing.T) {
	node := trusttest.Identity(t, trusttest.Authority(t), "node-a")
	if err := node.Refused(nil); err != nil {
		t.Error(err)
	}
	for _, r := range trust.Reasons() {
		if text := (&trust.Refusal{Reason: r}).Error(); strings.Count(text, ": ") < 2 {
			t.Errorf("%q names no remedy", text)
		}
	}
}
