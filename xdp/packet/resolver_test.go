package packet

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

func TestWaysAreTheKernelsOwn(t *testing.T) {
	l := newLab(t, "a", "b")
	a, b := macOf(t, l, "a"), macOf(t, l, "b")
	a4, a6, b4, b6 := l.Addr("a"), l.Addr6("a"), l.Addr("b"), l.Addr6("b")
	exec(t, l, "a",
		"ip route add 192.0.2.0/24 via "+b4.String(),
		"ip route add 192.0.3.0/24 dev eth0 via inet6 "+b6.String(),
		"ip route add 198.51.100.0/24 via "+b4.String()+" mtu 1400",
		"ip route add prohibit 198.51.101.0/24",
		"ip route add blackhole 198.51.102.0/24",
		"ip route add 2001:db8::/32 via "+b6.String()+" mtu 1300",
		"ip link add other type veth peer name rehto", "ip link set other up", "ip link set rehto up", "ip addr add 203.0.113.1/24 dev other")
	near := map[string]netip.Addr{}
	for _, host := range []string{"a", "b"} {
		local := l.Addr6(host).As16()
		local[0], local[1] = 0xfe, 0x80
		near[host] = netip.AddrFrom16(local)
	}
	everybody := a4.As4()
	everybody[3] = 255
	r := openResolver(t, l, "a", netlab.Device)
	for _, c := range []struct {
		to   string
		want Way
		err  error
	}{
		{b4.String(), Way{b, a, a4, 1500}, nil},
		{b6.String(), Way{b, a, a6, 1500}, nil},
		{"::ffff:" + b4.String(), Way{b, a, a4, 1500}, nil},
		{near["b"].String() + "%eth0", Way{b, a, near["a"], 1500}, nil},
		{"192.0.2.9", Way{b, a, a4, 1500}, nil},
		{"192.0.3.9", Way{b, a, a4, 1500}, nil},
		{"198.51.100.9", Way{b, a, a4, 1400}, nil},
		{"2001:db8::9", Way{b, a, a6, 1300}, nil},
		{"239.1.2.3", Way{MAC{1, 0, 0x5e, 1, 2, 3}, a, a4, 1500}, nil},
		{"ff15::1:2:3", Way{MAC{0x33, 0x33, 0, 2, 0, 3}, a, a6, 1500}, nil},
		{netip.AddrFrom4(everybody).String(), Way{Broadcast, a, a4, 1500}, nil},
		{a4.String(), Way{}, ErrLocal},
		{a6.String(), Way{}, ErrLocal},
		{"127.0.0.1", Way{}, ErrLocal},
		{"198.51.101.1", Way{}, ErrUnreachable},
		{"198.51.102.1", Way{}, ErrUnreachable},
		{"8.8.8.8", Way{}, ErrUnreachable},
		{"203.0.113.9", Way{}, ErrUnreachable}, // reached through another interface
		{"2001:db9::1", Way{}, ErrUnreachable},
	} {
		way, err := r.Resolve(netip.MustParseAddr(c.to), patience)
		if way != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v, %v, not %+v, %v", c.to, way, err, c.want, c.err)
		}
	}
	for _, to := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if way, err := r.Resolve(to, patience); err == nil {
			t.Errorf("%s: %+v", to, way)
		}
	}
}

func TestLoopbackNeedsNoNeighbour(t *testing.T) {
	l := newLab(t, "a", "b")
	r := openResolver(t, l, "a", "lo")
	for to, source := range map[string]string{
		"127.0.0.1": "127.0.0.1", "::1": "::1", l.Addr("a").String(): l.Addr("a").String(), l.Addr6("a").String(): l.Addr6("a").String(),
	} {
		way, err := r.Resolve(netip.MustParseAddr(to), patience)
		if want := (Way{Source: netip.MustParseAddr(source), MTU: 65536}); err != nil || way != want {
			t.Errorf("%s: %+v, %v, not %+v", to, way, err, want)
		}
	}
	if way, err := r.Resolve(l.Addr("b"), patience); err == nil {
		t.Errorf("another host: %+v", way)
	}
}

func TestANeighbourThatIsNotKnownIsAskedFor(t *testing.T) {
	l := newLab(t, "a", "b")
	r := openResolver(t, l, "a", netlab.Device)
	for _, to := range []netip.Addr{l.Addr("b"), l.Addr6("b")} {
		exec(t, l, "a", "ip neigh del "+to.String()+" dev eth0")
		way, err := r.Resolve(to, patience)
		if err != nil || way.NextHop != macOf(t, l, "b") {
			t.Errorf("%s: %+v, %v", to, way, err)
		}
		if known := exec(t, l, "a", "ip neigh show "+to.String()+" dev eth0"); !strings.Contains(known, way.NextHop.String()) {
			t.Errorf("the kernel has %q", known)
		}
	}
}

func TestANeighbourThatNeverAnswersIsAnErrorAndFoundWhenItComes(t *testing.T) {
	l := newLab(t, "a", "b")
	impatient(t, l, "a")
	r := openResolver(t, l, "a", netlab.Device)
	four, six := l.Addr("a").As4(), l.Addr6("a").As16()
	four[3], six[15] = 77, 77
	for _, to := range []netip.Addr{netip.AddrFrom4(four), netip.AddrFrom16(six)} {
		// The kernel gives up after 80 ms. Nobody could wait an hour for the patience to end.
		way, err := r.Resolve(to, time.Hour)
		if !errors.Is(err, ErrSilent) || !strings.Contains(err.Error(), to.String()+" on eth0") {
			t.Fatalf("%s: %+v, %v", to, way, err)
		}
		exec(t, l, "b", fmt.Sprintf("ip addr add %s/%d dev eth0 %s", to, to.BitLen(), map[bool]string{true: "nodad"}[to.Is6()]))
		target, err := r.Follow(to, time.Now())
		must(t, err)
		until(t, r, "the neighbour is found", func() bool { _, err := target.Way(); return err == nil })
		if way, _ := target.Way(); way.NextHop != macOf(t, l, "b") {
			t.Errorf("%s: %+v", to, way)
		}
	}
}

func TestPatienceEndsBeforeTheKernels(t *testing.T) {
	l := newLab(t, "a", "b")
	exec(t, l, "a", "echo 3600000 > /proc/sys/net/ipv4/neigh/eth0/retrans_time_ms")
	r := openResolver(t, l, "a", netlab.Device)
	four := l.Addr("a").As4()
	four[3] = 77
	way, err := r.Resolve(netip.AddrFrom4(four), 100*time.Millisecond)
	if !errors.Is(err, ErrSilent) {
		t.Errorf("%+v, %v", way, err)
	}
}

func TestANeighbourThatChangesItsAddressIsFollowed(t *testing.T) {
	for _, announced := range []bool{true, false} {
		t.Run(fmt.Sprintf("announced=%v", announced), func(t *testing.T) {
			l := newLab(t, "a", "b")
			impatient(t, l, "a")
			changes := []MAC{{2, 1, 1, 1, 1, 1}, {2, 2, 2, 2, 2, 2}}
			if announced {
				exec(t, l, "b", "echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify", "echo 1 > /proc/sys/net/ipv6/conf/eth0/ndisc_notify")
			} else {
				forgetful(t, l, "a")
				changes = changes[:1] // each takes the time until the kernel asks again
			}
			r := openResolver(t, l, "a", netlab.Device)
			var targets []*Target
			for _, to := range []netip.Addr{l.Addr("b"), l.Addr6("b")} {
				exec(t, l, "a", "ip neigh del "+to.String()+" dev eth0")
				_, err := r.Resolve(to, patience)
				must(t, err)
				target, err := r.Follow(to, time.Now())
				must(t, err)
				targets = append(targets, target)
			}
			for _, mac := range changes {
				before := []uint64{targets[0].Changes(), targets[1].Changes()}
				exec(t, l, "b", "ip link set eth0 address "+mac.String())
				until(t, r, "both have "+mac.String(), func() bool {
					four, err4 := targets[0].Way()
					six, err6 := targets[1].Way()
					return err4 == nil && err6 == nil && four.NextHop == mac && six.NextHop == mac
				})
				for i, target := range targets {
					if target.Changes() == before[i] {
						t.Errorf("%s: changed and not counted", target.to)
					}
				}
			}
		})
	}
}

func TestRoutesAndTheInterfaceAreFollowed(t *testing.T) {
	l := newLab(t, "a", "b", "c")
	exec(t, l, "a", "ip route add 192.0.2.0/24 via "+l.Addr("b").String())
	r := openResolver(t, l, "a", netlab.Device)
	target, err := r.Follow(netip.MustParseAddr("192.0.2.1"), time.Now())
	must(t, err)
	again, err := r.Follow(netip.MustParseAddr("192.0.2.1"), time.Now())
	if must(t, err); again != target {
		t.Error("followed twice")
	}
	way := func(mac MAC, mtu int) func() bool {
		return func() bool {
			w, err := target.Way()
			return err == nil && w.NextHop == mac && w.MTU == mtu && w.SourceMAC == macOf(t, l, "a")
		}
	}
	fails := func(want error) func() bool {
		return func() bool { _, err := target.Way(); return errors.Is(err, want) }
	}
	b, c := macOf(t, l, "b"), macOf(t, l, "c")
	until(t, r, "by b", way(b, 1500))
	exec(t, l, "a", "ip route replace 192.0.2.0/24 via "+l.Addr("c").String())
	until(t, r, "by c", way(c, 1500))
	must(t, l.MTU("a", 1400))
	until(t, r, "of 1400 bytes", way(c, 1400))
	exec(t, l, "a", "ip link set eth0 address 02:03:03:03:03:03")
	until(t, r, "from another address", func() bool { w, _ := target.Way(); return w.SourceMAC == MAC{2, 3, 3, 3, 3, 3} })
	exec(t, l, "a", "ip route del 192.0.2.0/24")
	until(t, r, "no route", fails(ErrUnreachable))
	exec(t, l, "a", "ip route add 192.0.2.0/24 via "+l.Addr("b").String())
	until(t, r, "by b again", way(b, 1400))
	must(t, l.LinkDown("a"))
	until(t, r, "down", fails(ErrDown))
	must(t, l.LinkUp("a"))
	exec(t, l, "a", "ip route replace 192.0.2.0/24 via "+l.Addr("b").String())
	until(t, r, "up", way(b, 1400))
	exec(t, l, "a", "ip link del eth0")
	until(t, r, "gone", fails(ErrDown))
	r.Forget(target.to)
	if len(r.targets)+len(r.hops) != 0 {
		t.Errorf("left: %v %v", r.targets, r.hops)
	}
}

// More changes than the socket holds while nobody listens: what was lost is looked up.
func TestLostNewsAreMadeUpFor(t *testing.T) {
	l := newLab(t, "a", "b")
	r := openResolver(t, l, "a", netlab.Device)
	target, err := r.Follow(l.Addr("b"), time.Now())
	must(t, err)
	until(t, r, "found", func() bool { _, err := target.Way(); return err == nil })
	const mac = "02:09:09:09:09:09"
	exec(t, l, "a",
		"for i in $(seq 1000); do echo neigh replace fd77::9:$i lladdr 02:00:00:00:00:01 dev eth0 nud permanent; done | ip -batch -",
		"ip neigh replace "+l.Addr("b").String()+" lladdr "+mac+" dev eth0 nud permanent")
	until(t, r, "the change after the flood", func() bool { w, _ := target.Way(); return w.NextHop.String() == mac })
	if len(r.hops) != 1 {
		t.Errorf("%d hops", len(r.hops))
	}
}

func TestAnIdleResolverAllocatesNothing(t *testing.T) {
	l := newLab(t, "a", "b")
	r := openResolver(t, l, "a", netlab.Device)
	_, err := r.Resolve(l.Addr("b"), patience)
	must(t, err)
	now := time.Now()
	until(t, r, "quiet", func() bool { return !r.stale })
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.Do(now); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestInterfacesThatCarryNoFramesAreRefused(t *testing.T) {
	l := newLab(t, "a", "b")
	exec(t, l, "a", "ip tuntap add dev tun0 mode tun")
	must(t, l.In("a", func() error {
		if r, err := OpenResolver("tun0"); !errors.Is(err, ErrInterface) {
			t.Errorf("tun0: %v, %v", r, err)
		}
		for _, name := range []string{"", "nosuch", strings.Repeat("x", 100)} {
			if r, err := OpenResolver(name); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
				t.Errorf("%q: %v, %v", name, r, err)
			}
		}
		return nil
	}))
}
