package control_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/control"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust/trusttest"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// listener of a group: its link, its receiver, and what arrived.
type member struct {
	t        testing.TB
	link     *control.Link
	events   chan control.Event
	receiver *udp.Receiver
	mirror   *ring.Reader
	got      uint64

	mu      sync.Mutex
	secrets []seal.Secret // of now and the next
	number  uint64        // that is used
	keys    uint64        // the last one that was given
}

// told keeps the receiver at what the link gives.
func (m *member) told(e control.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case control.Key:
		m.secrets, m.keys = append(m.secrets[max(0, len(m.secrets)-1):], e.Secret), e.Number
	case control.Turned:
		m.secrets, m.number = m.secrets[len(m.secrets)-1:], e.Number
	}
	if m.receiver != nil && (e.Kind == control.Key || e.Kind == control.Turned) {
		if err := m.receiver.SetSecrets(m.secrets...); err != nil {
			m.t.Error(err)
		}
	}
	m.events <- e
}

// poll checks that what arrived is whole and in order, and counts it.
func (m *member) poll() {
	if m.mirror == nil {
		return
	}
	batch := make([]ring.Record, 64)
	for n := m.mirror.Peek(batch); n > 0; n = m.mirror.Peek(batch) {
		for _, r := range batch[:n] {
			if m.got++; string(r.Payload()) != fmt.Sprintf("message %d", m.got) {
				m.t.Fatalf("%q where message %d is due", r.Payload(), m.got)
			}
		}
		must(m.t, m.mirror.Release(n))
	}
}

// TestAGroupTurnsUnderLoad: a node publishes to a multicast group on loopback. One of two members leaves and goes on listening. The other
// misses nothing; the one that left opens nothing from the turn on, though every datagram reaches it.
func TestAGroupTurnsUnderLoad(t *testing.T) {
	ca := trusttest.Authority(t)
	var sender *udp.Sender
	var turns sync.WaitGroup
	turns.Add(1)
	var once sync.Once
	groups, err := control.NewGroups(control.GroupOptions{Channels: []string{"ticks"}, Gather: -1, Turn: func(_ string, _ uint64, s seal.Secret) {
		if err := sender.SetSecret(s); err != nil {
			t.Error(err)
		}
		once.Do(turns.Done)
	}})
	must(t, err)
	defer groups.Close()
	hub, err := control.Listen(control.Options{Node: "hub", Identity: trusttest.Identity(t, ca, "hub"), Groups: groups,
		Contracts: []link.Contract{{Name: "ticks", Sends: true, Largest: 100}}, Heartbeat: 500 * time.Millisecond}, "127.0.0.1:0")
	must(t, err)
	defer hub.Close()

	group := netip.MustParseAddr("239.77.9.1")
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	var members []*member
	for _, node := range []string{"stays", "leaves"} {
		m := &member{t: t, events: make(chan control.Event, 100)}
		m.link, err = control.Dial(control.Options{Node: node, Identity: trusttest.Identity(t, ca, node), Events: m.told, Heartbeat: 500 * time.Millisecond,
			Contracts: []link.Contract{{Name: "ticks", Takes: true, Largest: 100}}}, "hub", hub.Addr().String())
		must(t, err)
		defer m.link.Close()
		first := await(t, m.events, control.Key).Secret
		receiver, err := udp.NewReceiver(udp.ReceiverOptions{Channel: "ticks", Reliability: udp.Repaired, Secret: &first, Socket: udp.Socket{ReusePort: true},
			Liveness: 2 * time.Second, Lines: []udp.Listen{{Bind: at, Group: group, Interface: "lo"}},
			Inbox: netio.InboxOptions{Opened: func(r *ring.Ring) {
				m.mirror, err = r.Reader(ring.ReaderOptions{From: ring.Oldest})
				must(t, err)
			}}})
		must(t, err)
		defer receiver.Close()
		m.mu.Lock()
		m.receiver = receiver
		m.mu.Unlock()
		at = receiver.Local(0)
		members = append(members, m)
	}
	stays, leaves := members[0], members[1]
	_, secret, err := groups.Secret("ticks")
	must(t, err)
	sender, err = udp.NewSender(udp.SenderOptions{Channel: "ticks", Reliability: udp.Repaired, Secret: &secret, Socket: udp.Socket{Loopback: true},
		Liveness: 500 * time.Millisecond, Lines: []udp.Dial{{To: netip.AddrPortFrom(group, at.Port()), Interface: "lo"}}})
	must(t, err)
	defer sender.Close()
	source, err := ring.Create(ring.Options{})
	must(t, err)
	defer source.Close()
	publisher, err := source.Writer()
	must(t, err)
	must(t, sender.Add(source))

	published := uint64(0)
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); {
			if time.Now().After(end) {
				t.Fatalf("%s: of %d, %d and %d arrived; %+v; %+v", what, published, stays.got, leaves.got, sender.Stats(), stays.receiver.Stats())
			}
			if published < stays.got+100 {
				text := fmt.Sprintf("message %d", published+1)
				if p, err := publisher.Claim(len(text)); err == nil {
					copy(p, text)
					must(t, publisher.Commit(len(text)))
					published++
				}
			}
			_, err := sender.Do()
			must(t, err)
			for _, m := range members {
				_, err := m.receiver.Do()
				must(t, err)
				m.poll()
			}
		}
	}
	until("both hear", func() bool { return stays.got > 500 && leaves.got > 500 })
	must(t, leaves.link.Close())
	turned := make(chan struct{})
	go func() {
		turns.Wait()
		close(turned)
	}()
	until("the turn", func() bool {
		stays.mu.Lock()
		defer stays.mu.Unlock()
		return stays.number == 2
	})
	<-turned
	before := stays.got
	until("the first message after the turn", func() bool { return stays.got > before+200 })
	deaf := leaves.got
	until("news after the turn", func() bool { return stays.got > before+2000 })
	if leaves.got != deaf || leaves.keys != 1 {
		t.Errorf("who left has %d messages more, and %d secrets", leaves.got-deaf, leaves.keys)
	}
	if s := leaves.receiver.Stats(); s.Drops(udp.Forged)+s.Drops(udp.NoSession) == 0 {
		t.Error("nothing reached who left: this shows nothing")
	}
	if s := stays.receiver.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}
