package quic_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/quic"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/ring"
)

// identities makes the configurations of two nodes that believe one authority. Nodes that run for longer take theirs from trust.Identity,
// which renews certificates while they run.
func identities(listens, dials string) (server, client *tls.Config, err error) {
	until := time.Now().Add(time.Hour)
	a, err := trust.NewAuthority("example", until)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.Cert)
	var all [2]*tls.Config
	for i, node := range []string{listens, dials} {
		p, err := a.Issue([]string{node}, trust.Life{Until: until})
		if err != nil {
			return nil, nil, err
		}
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			return nil, nil, err
		}
		all[i] = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{quic.Protocol},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, RootCAs: roots, ServerName: listens}
	}
	return all[0], all[1], nil
}

// A node in New York takes what one in London says.
func ExampleDial() {
	server, client, err := identities("nyc1", "ldn1")
	if err != nil {
		fmt.Println(err)
		return
	}
	mirrors := make(chan *ring.Reader, 1)
	inbox := netio.InboxOptions{Opened: func(r *ring.Ring) {
		reader, _ := r.Reader(ring.ReaderOptions{From: ring.Oldest})
		mirrors <- reader
	}}
	nyc, err := quic.Listen(quic.ListenOptions{Bind: netip.MustParseAddrPort("127.0.0.1:0"), Nodes: []string{"ldn1"}, Common: quic.Common{TLS: server,
		Link: link.Options{Node: "nyc1", Liveness: 5 * time.Second, Channels: []link.Channel{{Contract: link.Contract{Name: "orders", Takes: true}, Inbox: inbox}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nyc.Close()
	ldn, err := quic.Dial(quic.DialOptions{To: nyc.Local(), Common: quic.Common{TLS: client,
		Link: link.Options{Node: "ldn1", Peer: "nyc1", Liveness: 5 * time.Second, Channels: []link.Channel{{Contract: link.Contract{Name: "orders", Sends: true}}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ldn.Close()

	r, _ := ring.Create(ring.Options{})
	defer r.Close()
	w, _ := r.Writer()
	defer w.Close()
	if err := ldn.Add("orders", r); err != nil {
		fmt.Println(err)
		return
	}
	b, _ := w.Claim(5)
	copy(b, "hello")
	_ = w.Commit(5)

	mirror, batch := <-mirrors, make([]ring.Record, 1)
	defer mirror.Close()
	for mirror.Peek(batch) == 0 {
		_ = mirror.Wait(time.Second)
	}
	fmt.Printf("%s, number %d, by %s\n", batch[0].Payload(), mirror.First(), ldn)
	// Output: hello, number 1, by quic link to "nyc1"
}

// What is wrong with options is said all at once.
func ExampleListen() {
	_, err := quic.Listen(quic.ListenOptions{Bind: netip.MustParseAddrPort("127.0.0.1:0"), Common: quic.Common{Link: link.Options{Node: "nyc1"}}})
	fmt.Println(errors.Is(err, quic.ErrOptions))
	fmt.Println(err)
	// Output:
	// true
	// quic: options: "nyc1" on 127.0.0.1:0: no channel
	// no TLS configuration, and QUIC is never plain
	// no node may connect: name some
}

func ExampleListener() {
	server, _, err := identities("nyc1", "ldn1")
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := quic.Listen(quic.ListenOptions{Bind: netip.MustParseAddrPort("127.0.0.1:0"), Nodes: []string{"ldn1", "tok1"}, Common: quic.Common{TLS: server,
		Link: link.Options{Node: "nyc1", Channels: []link.Channel{{Contract: link.Contract{Name: "quotes", Sends: true}}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	r, _ := ring.Create(ring.Options{})
	defer r.Close()
	fmt.Println(l, l.Add("quotes", r)) // to both nodes, from when they connect on
	for _, one := range l.Links() {
		fmt.Println(one, one.Alive(), one.Lag())
	}
	// Output:
	// quic listener of "nyc1" <nil>
	// quic link to "ldn1" false 0
	// quic link to "tok1" false 0
}

func ExampleLink_Migrate() {
	_, client, err := identities("nyc1", "ldn1")
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := quic.Dial(quic.DialOptions{To: netip.MustParseAddrPort("127.0.0.1:9"), Common: quic.Common{TLS: client,
		Link: link.Options{Node: "ldn1", Peer: "nyc1", Channels: []link.Channel{{Contract: link.Contract{Name: "orders", Sends: true}}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	fmt.Println(l.Migrate(context.Background(), netip.MustParseAddrPort("127.0.0.2:0")))
	// Output: quic: no way to another address: link to "nyc1" from 127.0.0.2:0: there is no connection
}

func ExampleCounters() {
	var c quic.Counters // of Link.Counters
	fmt.Println(c.DatagramsOut, c.Migrations)
	// Output: 0 0
}

func ExampleChannel() {
	_, client, err := identities("nyc1", "ldn1")
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := quic.Dial(quic.DialOptions{To: netip.MustParseAddrPort("127.0.0.1:9"), Common: quic.Common{TLS: client,
		Link: link.Options{Node: "ldn1", Peer: "nyc1", Channels: []link.Channel{{Contract: link.Contract{Name: "orders", Sends: true}}}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	orders := l.Channel("orders") // for transport.Node.Carry
	_ = l.Close()
	r, _ := ring.Create(ring.Options{})
	defer r.Close()
	fmt.Println(errors.Is(orders.Add(r), ring.ErrClosed))
	// Output: true
}

func ExampleMedium() {
	_, err := quic.Medium{}.Open(netio.Station{Node: "ldn1"}) // as transport.Config.Media has it done
	fmt.Println(quic.Medium{}.Protocol(), err)
	// Output: quic <nil>
}
