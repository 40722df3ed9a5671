package netlab

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestWhatIsLostAndWhatArrivesIsAllThatWasSent(t *testing.T) {
	const n, burst, percent = 5000, 500, 10
	need(t, true)
	l := lab(t, hosts("a", "b"))
	a, b := bind(t, l, "a", netip.AddrPortFrom(l.Addr("a"), 0)), bind(t, l, "b", netip.AddrPortFrom(l.Addr("b"), 0))
	if err := l.Loss("b", percent); err != nil {
		t.Fatal(err)
	}
	arrived := 0
	for sent := 0; sent < n; {
		for range burst {
			send(t, a, strconv.Itoa(sent), local(b))
			sent++
		}
		lost := count(t, l, "b").Lost
		for ; arrived+int(lost) < sent; arrived++ {
			buf := make([]byte, 16)
			if _, err := b.Read(buf); err != nil {
				t.Fatalf("%d sent, %d arrived, %d lost: %v", sent, arrived, lost, err)
			}
		}
	}
	// A datagram more in the buffer would be one that was counted as lost and was not.
	if err := l.Loss("b", 0); err != nil {
		t.Fatal(err)
	}
	send(t, a, "end", local(b))
	expect(t, b, "end")
	lost := count(t, l, "b").Lost
	if off := math.Abs(float64(lost) - n*percent/100); arrived+int(lost) != n || off > 6*math.Sqrt(n*percent/100*0.9) {
		t.Errorf("%d sent, %d arrived, %d lost", n, arrived, lost)
	}
	t.Logf("%d sent, %d arrived, %d lost", n, arrived, lost)
}

func count(t *testing.T, l *Lab, host string) Counters {
	t.Helper()
	c, err := l.Counters(host)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryTenthIsDropped(t *testing.T) {
	need(t, true)
	l := lab(t, hosts("a", "b"))
	if c := count(t, l, "b"); c != (Counters{}) {
		t.Errorf("before: %+v", c)
	}
	for _, addr := range []func(string) netip.Addr{l.Addr, l.Addr6} {
		a, b := bind(t, l, "a", netip.AddrPortFrom(addr("a"), 0)), bind(t, l, "b", netip.AddrPortFrom(addr("b"), 0))
		if err := l.DropEvery("b", 10); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 105; i++ {
			send(t, a, strconv.Itoa(i), local(b))
		}
		for i := 1; i <= 105; i++ {
			if i%10 != 0 {
				expect(t, b, strconv.Itoa(i))
			}
		}
	}
	if c := count(t, l, "b"); c != (Counters{Every: 20}) {
		t.Errorf("after: %+v", c)
	}
	if err := l.DropEvery("b", 1); err != nil {
		t.Fatal(err)
	}
	a, b := bind(t, l, "a", netip.AddrPortFrom(l.Addr("a"), 0)), bind(t, l, "b", netip.AddrPortFrom(l.Addr("b"), 0))
	send(t, a, "dropped", local(b))
	if err := l.DropEvery("b", 0); err != nil {
		t.Fatal(err)
	}
	send(t, a, "none is dropped", local(b))
	expect(t, b, "none is dropped")
	if err := l.Loss("b", 100); err != nil {
		t.Fatal(err)
	}
	send(t, a, "lost", local(b))
	if c := count(t, l, "b"); c != (Counters{Lost: 1, Every: 21}) {
		t.Errorf("in the end: %+v", c)
	}
}

func TestPartitionsCutTheNamedDirectionAndHeal(t *testing.T) {
	need(t, true)
	all := []string{"a", "b", "c"}
	l := lab(t, hosts(all...))
	for _, addr := range []func(string) netip.Addr{l.Addr, l.Addr6} {
		socks := map[string]*net.UDPConn{}
		for _, h := range all {
			socks[h] = bind(t, l, h, netip.AddrPortFrom(addr(h), 0))
		}
		round := 0
		// heard sends from everybody to everybody and checks who hears whom; what follows a cut datagram shows that it was cut.
		heard := func(cut ...string) {
			t.Helper()
			round++
			for _, from := range all {
				for _, to := range all {
					if from == to {
						continue
					}
					text := fmt.Sprintf("%d: %s to %s", round, from, to)
					before := count(t, l, to).Partitioned
					send(t, socks[from], text, local(socks[to]))
					if slices.Contains(cut, from+to) {
						for deadline := time.Now().Add(patience); count(t, l, to).Partitioned != before+1; {
							if time.Now().After(deadline) {
								t.Fatalf("%s is not cut: %+v", text, count(t, l, to))
							}
						}
						continue
					}
					expect(t, socks[to], text)
				}
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		heard()
		must(l.Partition("a", "b"))
		heard("ba")
		must(l.Partition("a"))
		heard("ba", "ca")
		must(l.Heal("a", "b"))
		heard("ca")
		must(l.Heal("a"))
		heard()
		must(l.Isolate("b", true))
		heard("ab", "cb", "ba", "bc")
		must(l.Isolate("b", false))
		heard()
	}
}

func TestALinkThatComesBackCarriesAllItCarried(t *testing.T) {
	for _, all := range [][]string{{"a", "b"}, {"a", "b", "c"}} {
		l := lab(t, hosts(all...))
		if err := l.LinkDown("b"); err != nil {
			t.Fatal(err)
		}
		out, err := l.Exec("b", "ip", "-br", "link", "show", "up")
		if err != nil || len(out) == 0 {
			t.Fatal(out, err)
		}
		if err := l.LinkUp("b"); err != nil {
			t.Fatal(err)
		}
		for _, addr := range []func(string) netip.Addr{l.Addr, l.Addr6} {
			a, b := bind(t, l, "a", netip.AddrPortFrom(addr("a"), 0)), bind(t, l, "b", netip.AddrPortFrom(addr("b"), 0))
			until(t, a, b, "a to b", local(b))
			until(t, b, a, "b to a", local(a))
		}
	}
}

// until sends again and again until one arrives: neighbours notice a link that comes back a little later.
func until(t *testing.T, from, to *net.UDPConn, text string, at netip.AddrPort) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, _ = from.WriteToUDPAddrPort([]byte(text), at) // a link that is not back yet may say so
		if err := to.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		if n, err := to.Read(buf); err == nil {
			if string(buf[:n]) != text {
				t.Fatalf("%q comes instead of %q", buf[:n], text)
			}
			return
		}
	}
	t.Fatalf("%q never comes", text)
}

func TestWhatIsLargerThanTheMTUVanishes(t *testing.T) {
	for _, all := range [][]string{{"a", "b"}, {"a", "b", "c"}} {
		l := lab(t, Options{Hosts: all, MTU: 9000})
		a, b := bind(t, l, "a", netip.AddrPortFrom(l.Addr("a"), 0)), bind(t, l, "b", netip.AddrPortFrom(l.Addr("b"), 0))
		large := string(make([]byte, 8000))
		send(t, a, large, local(b))
		expect(t, b, large)
		if err := l.MTU("b", 1500); err != nil {
			t.Fatal(err)
		}
		send(t, a, large, local(b))
		send(t, a, "small", local(b))
		expect(t, b, "small")
		if err := l.MTU("b", 9000); err != nil {
			t.Fatal(err)
		}
		send(t, a, large, local(b))
		expect(t, b, large)
	}
}
