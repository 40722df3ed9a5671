package tcp

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/simnet"
	"github.com/alphapulse/transport/netio/link"
)

// relayed puts a relay between both ends of a bed.
func relayed(t *testing.T, channels ...string) (*bed, *simnet.StreamRelay) {
	t.Helper()
	b := newBed(t, nil, channels...)
	r, err := simnet.NewStreamRelay(b.listener.Local().String())
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	must(t, b.dialer.Close())
	b.do.To = netip.MustParseAddrPort(r.Addr().String())
	b.dialer, err = Dial(b.do)
	must(t, err)
	return b, r
}

func TestConnectionsCutAtAnyByteLoseNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	b, r := relayed(t, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	n := scaled(40_000)
	cuts := 0
	next := 0
	b.until("all arrive", func() bool {
		if k := b.sink(s); k != nil && k.got >= next && cuts < 40 {
			next = k.got + n/50
			cuts++
			r.CutAfter(1 + rnd.Int64N(20_000))
		}
		s.publish(n, 8+rnd.IntN(900))
		b.sink(s).drain()
		return b.sink(s) != nil && b.sink(s).got == n
	})
	b.until("all is confirmed", b.dialer.Drained)
	if st := b.dialer.Stats(); st.Connections < 5 || st.LostOut != 0 {
		t.Errorf("%d cuts, %+v", cuts, st)
	}
}

// A connection that lives and carries nothing is found by its silence, on both sides, and both go on afterwards.
func TestHalfOpenConnectionsAreFound(t *testing.T) {
	b, r := relayed(t, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	b.until("it flows", func() bool { s.publish(100, 64); b.sink(s).drain(); return b.sink(s) != nil && b.sink(s).got == 100 })
	r.Hold(true)
	began := time.Now()
	b.until("both have noticed", func() bool { return len(b.said(link.Disconnected)) == 2 })
	if took := time.Since(began); took > 2*link.DefaultLiveness {
		t.Errorf("after %s", took)
	}
	for _, e := range b.said(link.Disconnected) {
		if !errors.Is(e.Err, link.ErrSilent) {
			t.Error(e.Err)
		}
	}
	r.Hold(false)
	r.Cut()
	b.until("it goes on", func() bool { s.publish(200, 64); b.sink(s).drain(); return b.sink(s).got == 200 })
}

// A partition that lasts longer than the liveness, and heals: nothing is lost, repeated or out of order.
func TestAPartitionThatHealsLosesNothing(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	lab, err := netlab.New("tx", "rx")
	must(t, err)
	t.Cleanup(func() { must(t, lab.Close()) })
	var b *bed
	must(t, lab.In("rx", func() error {
		b = newBed(t, func(lo *ListenOptions, do *DialOptions) {
			lo.Bind = netip.AddrPortFrom(lab.Addr("rx"), 7700)
			do.To = lo.Bind
		}, "ticks")
		return nil
	}))
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	n := scaled(20_000)
	flows := func(count int) func() bool {
		return func() bool {
			s.publish(count, 64)
			b.sink(s).drain()
			return b.sink(s) != nil && b.sink(s).got == count
		}
	}
	must(t, lab.In("tx", func() error { // it connects where this thread is
		b.until("it flows", flows(n/2))
		must(t, lab.Partition("rx", "tx"))
		must(t, lab.Partition("tx", "rx"))
		began := time.Now()
		b.until("both have noticed", func() bool { s.publish(n, 64); return len(b.said(link.Disconnected)) == 2 })
		if took := time.Since(began); took > 2*link.DefaultLiveness {
			t.Errorf("noticed after %s", took)
		}
		for time.Since(began) < 3*link.DefaultLiveness {
			b.step()
		}
		must(t, lab.Heal("rx", "tx"))
		must(t, lab.Heal("tx", "rx"))
		b.until("all arrive", flows(n))
		return nil
	}))
	if st := b.dialer.Stats(); st.LostOut != 0 || st.Connections < 2 {
		t.Errorf("%+v", st)
	}
}

// Without descriptors neither end gets a connection; each says so, with the node's name, and goes on when there are some.
func TestWithoutDescriptorsBothEndsSaySoAndRecover(t *testing.T) {
	const few = "PULSE_FEW_DESCRIPTORS"
	if os.Getenv(few) == "" { // a process of its own has the limit, and not the others of this one
		c := exec.Command("sh", "-c", `ulimit -n 64 && exec "$0" "-test.run=^TestWithoutDescriptorsBothEndsSaySoAndRecover$"`, os.Args[0])
		c.Env = append(os.Environ(), few+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	b := newBed(t, nil, "ticks")
	s := newSource(t, 1<<16)
	must(t, b.dialer.Add("ticks", s.ring))
	var taken []*os.File
	release := func() {
		for _, f := range taken {
			_ = f.Close()
		}
		taken = nil
	}
	defer release()
	for {
		f, err := os.Open("/dev/null")
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		must(t, err)
		taken = append(taken, f)
	}
	b.until("it is told", func() bool { return len(b.said(link.Disconnected)) > 0 })
	if err := b.said(link.Disconnected)[0].Err; !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), `"b"`) {
		t.Error(err)
	}
	must(t, taken[0].Close()) // one for the dialing end, none for the other
	taken = taken[1:]
	b.until("the listening end tells", func() bool { return len(b.said(link.Trouble)) > 0 })
	if err := b.said(link.Trouble)[0].Err; !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), `"b"`) {
		t.Error(err)
	}
	release()
	b.until("it flows", func() bool { s.publish(10, 64); b.sink(s).drain(); return b.sink(s) != nil && b.sink(s).got == 10 })
	if len(b.said(link.Recovered)) == 0 {
		t.Error("nobody says that it works again")
	}
}
