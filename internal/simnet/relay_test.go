package simnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// bind is a socket on loopback that gives up reading after patience.
func bind(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func addr(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// run starts a relay that ends with the test and checks its books then.
func run(t testing.TB, c Config) *Relay {
	t.Helper()
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if up, down := r.Counters(); !up.Exact() || !down.Exact() || up.Pending+down.Pending > 0 {
			t.Errorf("not every datagram is accounted for: %+v, %+v", up, down)
		}
	})
	return r
}

func send(t testing.TB, c *net.UDPConn, b []byte, to netip.AddrPort) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort(b, to); err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, c *net.UDPConn) ([]byte, netip.AddrPort) {
	t.Helper()
	buf := make([]byte, maxDatagram)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n], from
}

// until waits for a fact about the counters.
func until(t testing.TB, r *Relay, what string, holds func(up, down Counters) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		up, down := r.Counters()
		if holds(up, down) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v, %+v", what, up, down)
		}
	}
}

func TestDatagramsOfEverySizePassBothWays(t *testing.T) {
	server, client := bind(t), bind(t)
	r := run(t, Config{Target: addr(server)})
	for _, size := range []int{0, 1, 1472, 9000, 65506, 65507} {
		b := bytes.Repeat([]byte{byte(size)}, size)
		send(t, client, b, r.Addr())
		got, from := receive(t, server)
		if !bytes.Equal(got, b) {
			t.Fatalf("%d bytes arrive as %d", size, len(got))
		}
		send(t, server, got, from)
		if got, from = receive(t, client); !bytes.Equal(got, b) || from != r.Addr() {
			t.Fatalf("%d bytes come back as %d from %s", size, len(got), from)
		}
	}
	if up, down := r.Counters(); up.In != 6 || up.Forwarded != 6 || down.In != 6 || down.Forwarded != 6 || up.Delayed > 0 {
		t.Errorf("%+v, %+v", up, down)
	}
}

func TestIPv6IsRelayed(t *testing.T) {
	server, err := listen(netip.MustParseAddrPort("[::1]:0"))
	if err != nil {
		t.Skip("no IPv6 on loopback:", err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r := run(t, Config{Target: addr(server)})
	client, err := listen(netip.MustParseAddrPort("[::1]:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	send(t, client, []byte("six"), r.Addr())
	got, from := receive(t, server)
	send(t, server, got, from)
	if got, _ := receive(t, client); string(got) != "six" {
		t.Errorf("%q", got)
	}
}

func TestAnswersGoToWhoAsked(t *testing.T) {
	server := bind(t)
	r := run(t, Config{Target: addr(server)})
	clients := make([]*net.UDPConn, 20)
	seen := map[netip.AddrPort]bool{}
	for i := range clients {
		clients[i] = bind(t)
		send(t, clients[i], fmt.Append(nil, i), r.Addr())
		got, from := receive(t, server)
		if seen[from] {
			t.Errorf("%s stands for two clients", from)
		}
		seen[from] = true
		send(t, server, got, from)
	}
	for i, c := range clients {
		if got, _ := receive(t, c); string(got) != fmt.Sprint(i) {
			t.Errorf("client %d is told %q", i, got)
		}
	}
}

func TestTheFixedPeerIsReachedFirst(t *testing.T) {
	server, peer, stranger := bind(t), bind(t), bind(t)
	r := run(t, Config{Target: addr(server), Peer: addr(peer)})
	send(t, server, []byte("hello"), r.Back())
	if got, from := receive(t, peer); string(got) != "hello" || from != r.Addr() {
		t.Errorf("%q from %s", got, from)
	}
	send(t, stranger, []byte("let me in"), r.Addr())
	send(t, stranger, []byte("and back"), r.Back())
	until(t, r, "strangers are counted", func(up, down Counters) bool { return up.Foreign == 1 && down.Foreign == 1 })
	send(t, peer, []byte("answer"), r.Addr())
	if got, from := receive(t, server); string(got) != "answer" || from != r.Back() {
		t.Errorf("%q from %s", got, from)
	}
}

func TestTheLongestSilentClientMakesRoom(t *testing.T) {
	server, first := bind(t), bind(t)
	r := run(t, Config{Target: addr(server)})
	send(t, first, []byte("first"), r.Addr())
	receive(t, server)
	for i := range maxClients {
		if _, err := r.client(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 9)); err != nil {
			t.Fatal(err)
		}
	}
	r.mu.Lock()
	_, kept := r.clients[addr(first)]
	n := len(r.clients)
	r.mu.Unlock()
	if kept || n != maxClients {
		t.Errorf("%d clients, the first among them: %v", n, kept)
	}
	send(t, first, []byte("again"), r.Addr())
	_, from := receive(t, server)
	send(t, server, []byte("yes"), from)
	if got, _ := receive(t, first); string(got) != "yes" {
		t.Errorf("%q", got)
	}
}

// What the relay sends is what a script of the same seed decides. Only how long a held datagram waits is the clock's.
func TestTheSameSeedIsTheSameFate(t *testing.T) {
	const n, window, seed = 2000, 100, 42
	faults := mustParse(t, "loss=5%,burst=1%/4,dup=3%,corrupt=3%,truncate=3%,reorder=3%/2")
	message := func(i int) []byte { return binary.LittleEndian.AppendUint64([]byte("number "), uint64(i)) }
	l, sent := sentLine(t, seed, faults.String())
	for i := range n {
		l.enter(0, message(i), nil)
	}
	l.expire(time.Hour)

	server, client := bind(t), bind(t)
	r := run(t, Config{Target: addr(server), Seed: seed, Up: faults})
	for i := range n {
		send(t, client, message(i), r.Addr())
		if i%window == window-1 || i == n-1 {
			until(t, r, "datagrams enter", func(up, _ Counters) bool { return up.In > uint64(i) })
		}
	}
	var got []string
	for range *sent {
		b, _ := receive(t, server)
		got = append(got, string(b))
	}
	slices.Sort(got)
	slices.Sort(*sent)
	if !slices.Equal(got, *sent) {
		t.Errorf("other datagrams than decided")
	}
	up, _ := r.Counters()
	twin := l.counters()
	up.Reordered, twin.Reordered = 0, 0
	if up != twin {
		t.Errorf("counters %+v, not %+v", up, twin)
	}
}

func TestDelayIsAtLeastAsAskedAndOneWay(t *testing.T) {
	server, client := bind(t), bind(t)
	r := run(t, Config{Target: addr(server), Down: mustParse(t, "delay=30ms,jitter=5ms")})
	for range 5 {
		send(t, client, []byte("ping"), r.Addr())
		_, from := receive(t, server)
		began := time.Now()
		send(t, server, []byte("pong"), from)
		receive(t, client)
		if took := time.Since(began); took < 30*time.Millisecond {
			t.Errorf("back after %s", took)
		}
	}
	if up, down := r.Counters(); up.Delayed != 0 || down.Delayed != 5 {
		t.Errorf("%+v, %+v", up, down)
	}
}

func TestPartitionsCutOneWayAndHeal(t *testing.T) {
	server, client := bind(t), bind(t)
	r := run(t, Config{Target: addr(server)})
	trip := func(name string) {
		t.Helper()
		send(t, client, []byte(name), r.Addr())
		got, from := receive(t, server)
		send(t, server, got, from)
		if got, _ := receive(t, client); string(got) != name {
			t.Fatalf("%q, not %q", got, name)
		}
	}
	trip("before")
	r.Partition(Up, true)
	send(t, client, []byte("lost"), r.Addr())
	until(t, r, "partitioned up", func(up, _ Counters) bool { return up.Partitioned == 1 })
	r.Partition(Up, false)
	trip("healed")
	r.Partition(Down, true)
	send(t, client, []byte("heard"), r.Addr())
	got, from := receive(t, server)
	send(t, server, got, from)
	until(t, r, "partitioned down", func(up, down Counters) bool { return down.Partitioned == 1 && up.Partitioned == 1 })
	r.Partition(Both, false)
	trip("healed again")
	if err := r.Set(Both, Faults{Outage: Outage{For: time.Hour}}); err != nil {
		t.Fatal(err)
	}
	send(t, client, []byte("lost"), r.Addr())
	until(t, r, "an outage from now on", func(up, _ Counters) bool { return up.Partitioned == 2 })
	if err := r.Set(Both, Faults{}); err != nil {
		t.Fatal(err)
	}
	trip("at last")
	if err := r.Set(Up, Faults{Loss: 2}); !errors.Is(err, ErrFaults) {
		t.Errorf("loss 200%%: %v", err)
	}
}

// Everything passes, in order and unchanged, while the sender keeps no more under way than sockets hold.
func TestAHundredThousandDatagramsPass(t *testing.T) {
	const n, window = 100_000, 256
	server, client := bind(t), bind(t)
	r := run(t, Config{Target: addr(server)})
	began := time.Now()
	room := make(chan struct{}, window)
	sendErr := make(chan error, 1)
	go func() {
		b := make([]byte, 64)
		for i := range uint64(n) {
			room <- struct{}{}
			binary.LittleEndian.PutUint64(b, i)
			if _, err := client.WriteToUDPAddrPort(b, r.Addr()); err != nil {
				sendErr <- err
				return
			}
		}
		sendErr <- nil
	}()
	buf := make([]byte, 64)
	for i := range uint64(n) {
		if _, _, err := server.ReadFromUDPAddrPort(buf); err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
		if got := binary.LittleEndian.Uint64(buf); got != i {
			t.Fatalf("datagram %d comes as number %d", got, i)
		}
		<-room
	}
	if err := <-sendErr; err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f datagrams per second", n/time.Since(began).Seconds())
}

func TestBadConfigurationsNameEveryFault(t *testing.T) {
	_, err := New(Config{Peer: netip.MustParseAddrPort("127.0.0.1:0"), Up: Faults{Loss: 2}, Down: Faults{Delay: -1}})
	if !errors.Is(err, ErrConfig) || !errors.Is(err, ErrFaults) {
		t.Fatal(err)
	}
	for _, name := range []string{"target", "peer", "up", "loss", "down", "delay"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
	at := netip.MustParseAddrPort("127.0.0.1:9")
	if _, err := New(Config{Listen: at, Target: at}); !errors.Is(err, ErrConfig) {
		t.Errorf("a relay to itself: %v", err)
	}
	taken := bind(t)
	if _, err := New(Config{Listen: addr(taken), Target: at}); err == nil || errors.Is(err, ErrConfig) {
		t.Errorf("an address in use: %v", err)
	}
}

func TestAClosedRelayDoesNotRun(t *testing.T) {
	r, err := New(Config{Target: netip.MustParseAddrPort("127.0.0.1:9")})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if err := r.Run(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	running := run(t, Config{Target: netip.MustParseAddrPort("127.0.0.1:9")})
	until(t, running, "runs", func(Counters, Counters) bool {
		running.mu.Lock()
		defer running.mu.Unlock()
		return running.running
	})
	if err := running.Run(context.Background()); err == nil {
		t.Error("ran twice")
	}
}

func TestWhatWaitsAtTheEndIsCountedAsUnsent(t *testing.T) {
	server, client := bind(t), bind(t)
	r, err := New(Config{Target: addr(server), Up: mustParse(t, "delay=1h,dup=100%")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	send(t, client, []byte("late"), r.Addr())
	until(t, r, "waits", func(up, _ Counters) bool { return up.Pending == 2 })
	end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if up, _ := r.Counters(); up.Unsent != 2 || up.Pending != 0 || !up.Exact() {
		t.Errorf("%+v", up)
	}
}

func BenchmarkRelay(b *testing.B) {
	server, client := bind(b), bind(b)
	r := run(b, Config{Target: addr(server)})
	msg, buf, under := make([]byte, 64), make([]byte, 64), 0
	take := func() {
		if _, _, err := server.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
		under--
	}
	b.ReportAllocs()
	for b.Loop() {
		send(b, client, msg, r.Addr())
		if under++; under == 256 {
			take()
		}
	}
	for under > 0 {
		take()
	}
}
