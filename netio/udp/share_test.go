package udp

import (
	"net/netip"
	"testing"

	"github.com/alphapulse/transport/ring"
)

// Two repaired senders of one named ring, each with receivers of its own: neither takes the other's place in the ring.
func TestTwoRepairedSendersShareARing(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	source := mustRing(t, ring.Options{Path: t.TempDir() + "/shared.ring"})
	pub, err := source.Writer()
	must(t, err)
	other := newBed(t, SenderOptions{Reliability: Repaired, Name: "second"}, ReceiverOptions{Reliability: Repaired}, nil)
	must(t, b.send.Add(source))
	must(t, other.send.Add(source))
	third, err := NewSender(SenderOptions{Channel: "signals", Reliability: Repaired, Lines: []Dial{{To: other.recv.Local(0)}}, Name: "second"})
	must(t, err)
	defer func() { must(t, third.Close()) }()
	if err := third.Add(source); err == nil {
		t.Error("two senders have one place in a ring")
	}
	b.pub, other.pub = pub, pub
	b.publish(500, 100)
	for _, one := range []*bed{b, other} {
		one.until("delivery", func() bool { return len(one.got) == 500 })
		one.verify(1, 500, false)
		one.until("confirmation", one.send.Drained)
	}
}

// Receivers that share a port: the kernel gives each sender to one of them, and each stream is whole there.
func TestReceiversShareAPort(t *testing.T) {
	const receivers, senders, each = 3, 12, 200
	options := ReceiverOptions{Socket: Socket{ReusePort: true}}
	first := newBed(t, SenderOptions{}, options, nil)
	beds := []*bed{first}
	for range receivers - 1 {
		options.Lines = []Listen{{Bind: first.recv.Local(0)}}
		one := &bed{t: t}
		one.listen(options)
		one.send = first.send
		beds = append(beds, one)
	}
	for range senders {
		source := mustRing(t, ring.Options{})
		pub, err := source.Writer()
		must(t, err)
		s, err := NewSender(SenderOptions{Channel: "signals", Lines: []Dial{{To: first.recv.Local(0)}}})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		must(t, s.Add(source))
		for range each {
			_, err := pub.Claim(64)
			must(t, err)
			must(t, pub.Commit(64))
			_, err = s.Do()
			must(t, err)
		}
	}
	total := func() (n int) {
		for _, b := range beds {
			n += len(b.got)
		}
		return n
	}
	first.until("delivery", func() bool {
		for _, b := range beds[1:] {
			_, err := b.recv.Do()
			must(t, err)
			b.poll()
		}
		return total() == senders*each
	})
	busy := 0
	for i, b := range beds {
		streams := 0
		for _, s := range b.recv.streams {
			if s.source == first.source.Info().Instance {
				continue // says nothing here but where it stands
			}
			if s.next != each+1 {
				t.Errorf("receiver %d: a stream ends at %d of %d", i, s.next-1, each)
			}
			streams++
		}
		if streams > 0 {
			busy++
		}
		t.Logf("receiver %d has %d streams", i, streams)
	}
	if busy < 2 { // 12 senders all with one of three: less than 1 in 170,000
		t.Errorf("%d of %d receivers got anything", busy, receivers)
	}
}

func TestEveryLossIsToldAsAGap(t *testing.T) {
	via, _ := relay(t, 5, "loss=10%", "loss=0%")
	var gaps, wrong uint64
	last := uint64(0)
	tell := func(e Event) {
		if e.Kind == Gap {
			gaps += e.Last - e.First + 1
			if e.First <= last || e.Last < e.First || e.Source == 0 || e.Channel != "signals" {
				wrong++
			}
			last = e.Last
		}
	}
	b := newBed(t, SenderOptions{Separate: true}, ReceiverOptions{Events: tell}, via)
	const total = 3000
	for i := 0; i < total; i += 50 {
		b.publish(50, 64)
		b.step()
	}
	b.until("the end", func() bool {
		for _, s := range b.recv.streams {
			return s.next == total+1 && s.stash.empty()
		}
		return false
	})
	if s := b.recv.Stats(); gaps != s.Lost || gaps == 0 || wrong != 0 {
		t.Errorf("gaps of %d frames were told, %d of them wrong; lost are %d", gaps, wrong, s.Lost)
	}
	if Gap.String() != "gap" {
		t.Error(Gap)
	}
}

// Receivers of one host that join different groups on one port and bind to their groups: each hears its own and nothing else.
func TestReceiversOfDifferentGroupsShareAPort(t *testing.T) {
	port := freePort(t)
	var beds []*bed
	for i := range 3 {
		group := netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 77, 9, byte(1 + i)}), port)
		b := newBed(t, SenderOptions{Lines: []Dial{{To: group, Interface: "lo"}}, Socket: Socket{Loopback: true}},
			ReceiverOptions{Lines: []Listen{{Bind: group, Group: group.Addr(), Interface: "lo"}}, Socket: Socket{ReusePort: true}}, nil)
		beds = append(beds, b)
	}
	for range 50 {
		for _, b := range beds {
			b.publish(10, 64)
			b.step()
		}
	}
	for _, b := range beds {
		b.until("delivery", func() bool { return len(b.got) > 0 && b.got[len(b.got)-1].seq == 500 })
		b.verify(b.got[0].seq, 500, false)
		if s := b.recv.Stats(); len(b.recv.streams) != 1 || s.Lost != 0 || s.Drops(Misplaced) != 0 {
			t.Errorf("%d streams, %+v", len(b.recv.streams), s)
		}
	}
}

// freePort is a port that nobody on this host receives on.
func freePort(t *testing.T) uint16 {
	t.Helper()
	b := &bed{t: t}
	b.listen(ReceiverOptions{})
	port := b.recv.Local(0).Port()
	must(t, b.recv.Close())
	return port
}

// A receiver that has heard one sender only does not ask who sends any more; a second one is known by its own address all the same.
func TestQuietReceiverKnowsASecondSender(t *testing.T) {
	var told events
	b := newBed(t, SenderOptions{}, ReceiverOptions{Events: told.add}, nil)
	b.publish(1, 64)
	b.until("the first sender", func() bool { return told.count(Connected) == 1 })
	b.until("quiet", func() bool { return b.recv.lines[0].mute })
	source := mustRing(t, ring.Options{})
	pub, err := source.Writer()
	must(t, err)
	other, err := NewSender(SenderOptions{Channel: "signals", Lines: []Dial{{To: b.recv.Local(0)}}})
	must(t, err)
	defer func() { must(t, other.Close()) }()
	must(t, other.Add(source))
	b.until("the second sender", func() bool {
		_, err := pub.Claim(64)
		must(t, err)
		must(t, pub.Commit(64))
		_, err = other.Do()
		must(t, err)
		return told.count(Connected) == 2
	})
	if e := told[len(told)-1]; e.Peer != other.Local(0) || e.Source != source.Info().Instance {
		t.Errorf("%+v of a sender at %s", e, other.Local(0))
	}
	sent := pub.Seq() - 1
	b.until("all of it", func() bool { return uint64(len(b.got)) == 1+sent })
	if s := b.recv.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}
