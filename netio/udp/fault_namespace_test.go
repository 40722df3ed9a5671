package udp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// labBed puts a sender into one namespace and a receiver into each of the others.
type labBed struct {
	*bed
	lab   *netlab.Lab
	beds  []*bed   // one per receiver, for what it got
	again []func() // opens a receiver, once more after hangUp
	watch *stopwatch
}

const labPort = 9100

// stopwatch is the clock of a bed whose silences are measured. It runs like the machine's, but no turn takes longer than
// longestTurn: a test that is kept from running does not take the other end for silent.
type stopwatch struct{ real, now time.Time }

const longestTurn = 2 * time.Millisecond

func newStopwatch() *stopwatch { now := time.Now(); return &stopwatch{now, now} }

func (w *stopwatch) turn() time.Time {
	real := time.Now()
	w.now, w.real = w.now.Add(min(real.Sub(w.real), longestTurn)), real
	return w.now
}

func newLab(t *testing.T, receivers int) *netlab.Lab {
	t.Helper()
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	hosts := []string{"tx"}
	for i := range receivers {
		hosts = append(hosts, fmt.Sprintf("rx%d", i))
	}
	l, err := netlab.New(hosts...)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

// newLabBed opens both ends. group, if set, is where the sender sends; else it sends to the only receiver, on as many ports as it
// has lines.
func newLabBed(t *testing.T, receivers int, group netip.Addr, so SenderOptions, ro ReceiverOptions) *labBed {
	t.Helper()
	b := &labBed{bed: &bed{t: t}, lab: newLab(t, receivers)}
	b.source = mustRing(t, ring.Options{})
	var err error
	b.pub, err = b.source.Writer()
	must(t, err)
	lines := max(len(so.Lines), 1)
	for i := range receivers {
		one := &bed{t: t, pub: b.pub}
		b.beds = append(b.beds, one)
		o := ro
		any := netip.IPv4Unspecified()
		if group.Is6() {
			any = netip.IPv6Unspecified()
		}
		for line := range lines {
			o.Lines = append(o.Lines, Listen{Bind: netip.AddrPortFrom(any, labPort+uint16(line))})
		}
		if group.IsValid() {
			o.Lines[0].Group, o.Lines[0].Interface = group, netlab.Device
		}
		b.again = append(b.again, func() {
			must(t, b.lab.In(fmt.Sprintf("rx%d", i), func() error { one.listen(o); return nil }))
		})
		b.again[i]()
	}
	to := b.lab.Addr("rx0")
	if group.IsValid() {
		to = group
	}
	so.Channel, so.Lines = "signals", nil
	for line := range lines {
		so.Lines = append(so.Lines, Dial{To: netip.AddrPortFrom(to, labPort+uint16(line))})
	}
	if group.IsValid() {
		so.Lines[0].Interface = netlab.Device
	}
	must(t, b.lab.In("tx", func() (err error) {
		b.send, err = NewSender(so)
		return err
	}))
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	b.recv = b.beds[0].recv
	return b
}

// turn runs the sender and these receivers once.
func (b *labBed) turn(run []*bed) {
	if b.watch != nil {
		b.send.SetNow(b.watch.turn())
	}
	_, err := b.send.Do()
	must(b.t, err)
	for _, one := range run {
		if b.watch != nil {
			one.recv.SetNow(b.watch.now)
		}
		_, err := one.recv.Do()
		must(b.t, err)
		one.poll()
	}
}

// all runs the sender and these receivers until ok.
func (b *labBed) all(what string, run []*bed, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		b.turn(run)
		if time.Now().After(end) {
			b.t.Logf("sender %+v", b.send.Stats())
			for _, one := range run {
				b.t.Logf("receiver %+v", one.recv.Stats())
			}
			b.t.Fatalf("%s did not come about", what)
		}
	}
}

// publishAll publishes n messages in small steps, no further ahead of the slowest than the network's buffers take.
func (b *labBed) publishAll(n int, run []*bed) {
	b.t.Helper()
	for range n / 20 {
		b.publish(20, 64)
		b.all("room", run, func() bool {
			for _, one := range run {
				if len(one.recv.all) > 0 && b.pub.Seq()-one.recv.all[0].next > 2000 {
					return false
				}
			}
			return b.send.Frames+2000 > b.pub.Seq()
		})
	}
}

func TestRepairedChannelDeliversAllBetweenNamespaces(t *testing.T) {
	secret := seal.NewSecret()
	for _, c := range []struct {
		loss  float64
		n     int
		key   *seal.Secret
		lines int
	}{{0.1, 100_000, nil, 1}, {1, 100_000, nil, 1}, {10, 100_000, nil, 1}, {30, 100_000, nil, 1}, {30, 20_000, &secret, 1}, {30, 20_000, nil, 2},
		{30, 20_000, &secret, 2}} {
		t.Run(fmt.Sprintf("loss %g%%, %d lines, sealed %t", c.loss, c.lines, c.key != nil), func(t *testing.T) {
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Reliability: Repaired, Separate: true, Socket: Socket{NoOffload: true},
				Secret: c.key, Lines: make([]Dial, c.lines)}, ReceiverOptions{Reliability: Repaired, Socket: Socket{NoOffload: true}, Secret: c.key})
			must(t, b.lab.Loss("rx0", c.loss))
			must(t, b.lab.Loss("tx", c.loss))
			total := scaled(c.n) / 20 * 20
			b.publishAll(total, b.beds)
			b.all("delivery", b.beds, func() bool { return len(b.beds[0].got) == total })
			b.beds[0].verify(1, uint64(total), false)
			b.all("confirmation", b.beds, b.send.Drained)
			n, err := b.lab.Counters("rx0")
			must(t, err)
			s := b.recv.tally.Stats
			t.Logf("%d of %d datagrams lost by the network; %d ranges asked for, %d frames sent again", n.Lost, b.send.tally.Datagrams, s.Naks, b.send.tally.Again)
			if s.Lost != 0 || n.Lost == 0 && c.loss >= 1 || s.Naks > 10*n.Lost { // one that is not answered in time is asked for again
				t.Errorf("lost %d; the network lost %d, %d ranges were asked for", s.Lost, n.Lost, s.Naks)
			}
		})
	}
}

func TestBestEffortCountsExactlyBetweenNamespaces(t *testing.T) {
	for _, loss := range []float64{1, 10, 30} {
		t.Run(fmt.Sprintf("loss %g%%", loss), func(t *testing.T) {
			b := newLabBed(t, 1, netip.Addr{}, SenderOptions{Separate: true, Socket: Socket{NoOffload: true}}, ReceiverOptions{})
			must(t, b.lab.Loss("rx0", loss))
			total := scaled(100_000) / 20 * 20
			b.publishAll(total, b.beds)
			b.all("the end", b.beds, func() bool { return b.beds[0].settled(uint64(total)) })
			got := b.beds[0].got
			b.beds[0].verify(got[0].seq, uint64(total), true)
			missing := uint64(total) - got[0].seq + 1 - uint64(len(got))
			if s := b.recv.tally.Stats; s.Lost != missing || s.Dropped[Missing] != missing || missing == 0 && loss >= 10 {
				t.Errorf("%d missing, receiver says %d", missing, s.Lost)
			}
		})
	}
}

// TestMulticastRepairsEachReceiverAndDropsTheSilent sends to four receivers, two of which lose 5 %, one of which stops.
func TestMulticastRepairsEachReceiverAndDropsTheSilent(t *testing.T) {
	for _, group := range []string{"239.7.7.9", "ff15::79"} {
		t.Run(group, func(t *testing.T) {
			var told events
			b := newLabBed(t, 4, netip.MustParseAddr(group), SenderOptions{Reliability: Repaired, Events: told.add},
				ReceiverOptions{Reliability: Repaired})
			must(t, b.lab.Loss("rx1", 5))
			must(t, b.lab.Loss("rx2", 5))
			b.all("four receivers", b.beds, func() bool { return len(b.send.feeds) == 1 && len(b.send.feeds[0].receivers) == 4 })
			total := scaled(20_000) / 20 * 20
			b.publishAll(total, b.beds)
			have := func(run []*bed, n int) func() bool {
				return func() bool {
					for _, one := range run {
						if len(one.got) != n {
							return false
						}
					}
					return true
				}
			}
			b.all("delivery to four", b.beds, have(b.beds, total))
			three := b.beds[:3]
			b.publishAll(total, three) // the fourth has stopped
			b.all("delivery to three", three, have(three, 2*total))
			b.all("its end to be told", three, func() bool { return told.count(Disconnected) == 1 })
			for _, one := range three {
				one.verify(1, uint64(2*total), false)
			}
			b.beds[3].verify(1, uint64(len(b.beds[3].got)), false)
		})
	}
}
