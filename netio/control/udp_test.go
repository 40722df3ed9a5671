package control_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/control"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// told is a channel of events that never holds the link.
func told() (chan control.Event, func(control.Event)) {
	c := make(chan control.Event, 1000)
	return c, func(e control.Event) {
		select {
		case c <- e:
		default:
		}
	}
}

// next waits for an event of a kind.
func next(c chan control.Event, k control.EventKind) (control.Event, bool) {
	for end := time.After(20 * time.Second); ; {
		select {
		case e := <-c:
			if e.Kind == k {
				return e, true
			}
		case <-end:
			return control.Event{}, false
		}
	}
}

func await(t testing.TB, c chan control.Event, k control.EventKind) control.Event {
	t.Helper()
	e, ok := next(c, k)
	if !ok {
		t.Fatalf("no %v", k)
	}
	return e
}

// sealed carries one channel from a ring to its mirror over loopback, sealed with what both ends have.
func sealed(t testing.TB, out, in seal.Secret, messages int, within time.Duration) (udp.Stats, error) {
	t.Helper()
	var mirror *ring.Ring
	receiver, err := udp.NewReceiver(udp.ReceiverOptions{Channel: "signals", Reliability: udp.Repaired, Secret: &in,
		Lines: []udp.Listen{{Bind: netip.MustParseAddrPort("127.0.0.1:0")}},
		Inbox: netio.InboxOptions{Opened: func(r *ring.Ring) { mirror = r }}})
	must(t, err)
	defer receiver.Close()
	sender, err := udp.NewSender(udp.SenderOptions{Channel: "signals", Reliability: udp.Repaired, Secret: &out, Lines: []udp.Dial{{To: receiver.Local(0)}}})
	must(t, err)
	defer sender.Close()
	source, err := ring.Create(ring.Options{})
	must(t, err)
	defer source.Close()
	publisher, err := source.Writer()
	must(t, err)
	must(t, sender.Add(source))
	for n := range messages {
		text := fmt.Sprintf("message %d", n+1)
		p, err := publisher.Claim(len(text))
		must(t, err)
		copy(p, text)
		must(t, publisher.Commit(len(text)))
	}
	for end := time.Now().Add(within); !sender.Drained(); {
		if time.Now().After(end) {
			return receiver.Stats(), errors.New("not delivered")
		}
		_, err := sender.Do()
		must(t, err)
		_, err = receiver.Do()
		must(t, err)
	}
	reader, err := mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	must(t, err)
	defer reader.Close()
	batch := make([]ring.Record, 64)
	for n := 0; n < messages; {
		k := reader.Peek(batch)
		if k == 0 {
			return receiver.Stats(), fmt.Errorf("%d of %d messages", n, messages)
		}
		for _, r := range batch[:k] {
			if n++; string(r.Payload()) != fmt.Sprintf("message %d", n) {
				t.Fatalf("%q is number %d", r.Payload(), n)
			}
		}
		must(t, reader.Release(k))
	}
	return receiver.Stats(), nil
}

// TestASealedChannelOpensWithWhatTheLinkGives: two nodes over real sockets. The secrets that the exporter gave both carry a repaired UDP
// channel; those of another direction or another peer open nothing. A channel of which they mean different things is refused by field.
func TestASealedChannelOpensWithWhatTheLinkGives(t *testing.T) {
	ca := trusttest.Authority(t)
	contracts := func(domain string, c link.Contract) []link.Contract {
		c.Name, c.Largest = "signals", 4096
		orders := c
		orders.Name, orders.Domain = "orders", domain
		return []link.Contract{c, orders}
	}
	heard, tell := told()
	listener, err := control.Listen(control.Options{Node: "tokyo", Identity: trusttest.Identity(t, ca, "tokyo"),
		Contracts: contracts("execution", link.Contract{Takes: true}), Events: tell}, "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	said, tell := told()
	dialled, err := control.Dial(control.Options{Node: "london", Identity: trusttest.Identity(t, ca, "spiffe://desk/node/london"),
		Contracts: contracts("market", link.Contract{Sends: true}), Events: tell}, "tokyo", listener.Addr().String())
	must(t, err)
	defer dialled.Close()

	if e := await(t, said, control.Refused); e.Channel != "orders" || len(e.Fields) != 1 || e.Fields[0].String() != `domain: here "market", there "execution"` {
		t.Errorf("%+v", e)
	}
	await(t, said, control.Connected)
	await(t, heard, control.Connected)
	accepted := listener.Link("london")
	out, err := dialled.Secret("signals", control.Out)
	must(t, err)
	in, err := accepted.Secret("signals", control.In)
	must(t, err)
	if stats, err := sealed(t, out, in, 5000, 20*time.Second); err != nil || stats.Frames != 5000 {
		t.Fatalf("%v: %+v", err, stats)
	}
	other, err := accepted.Secret("signals", control.Out)
	must(t, err)
	if stats, err := sealed(t, out, other, 10, 300*time.Millisecond); err == nil || stats.Frames != 0 || stats.Drops(udp.Forged)+stats.Drops(udp.NoSession) == 0 {
		t.Errorf("the other direction's secret opens it: %+v", stats)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if o, ok := dialled.Offset(); ok && o.RTT < time.Second {
			if o.Ahead.Abs() > o.Error { // one machine, one clock
				t.Errorf("a clock is %v ahead of itself, give or take %v", o.Ahead, o.Error)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("no offset")
		}
	}
}

// TestStormOfLinksLeavesNothing: many nodes come and go over real sockets while certificates turn; in the end every one that is there is
// connected, and nothing is left (goleak).
func TestStormOfLinksLeavesNothing(t *testing.T) {
	ca := trusttest.Authority(t)
	files := trusttest.Options(t, ca, "hub")
	hub := trusttest.Open(t, files)
	groups, err := control.NewGroups(control.GroupOptions{Channels: []string{"signals"}, Gather: time.Millisecond})
	must(t, err)
	defer groups.Close()
	listener, err := control.Listen(control.Options{Node: "hub", Identity: hub, Groups: groups,
		Contracts: []link.Contract{{Name: "signals", Sends: true, Largest: 100}}, Heartbeat: 300 * time.Millisecond}, "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	var nodes sync.WaitGroup
	for n := range 8 {
		node := fmt.Sprintf("n%d", n)
		i := trusttest.Identity(t, ca, node)
		nodes.Go(func() {
			for range 5 {
				said, tell := told()
				l, err := control.Dial(control.Options{Node: node, Identity: i, Contracts: []link.Contract{{Name: "signals", Takes: true, Largest: 100}},
					Heartbeat: 300 * time.Millisecond, Events: tell}, "hub", listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_, ok := next(said, control.Key)
				if err := l.Close(); err != nil || !ok {
					t.Errorf("%s: key %v, %v", node, ok, err)
				}
			}
		})
	}
	for range 20 {
		trusttest.Renew(t, files, ca, trust.Life{Until: time.Now().Add(time.Hour)}, "hub")
		must(t, hub.Reload())
	}
	nodes.Wait()
	for end := time.Now().Add(10 * time.Second); groups.Stats()[0].Members > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", groups.Stats())
		}
	}
	if s := listener.Stats(); s.Peers != 8 || s.Failed != 0 || s.Crowded != 0 {
		t.Errorf("%+v", s)
	}
}
