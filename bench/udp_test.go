package bench

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// onLoopback completes a lane's description.
func onLoopback(t *testing.T, s laneSpec) laneSpec {
	t.Helper()
	n, _, err := openNetwork(NetLoopback)
	if err != nil {
		t.Fatal(err)
	}
	s.Net = n
	return s
}

// wire opens an outlet into an inlet.
func wire(t *testing.T, s laneSpec) (*outlet, *inlet) {
	t.Helper()
	in, err := openInlet(s, s.Net.Far, streamCapacity)
	if err != nil {
		t.Fatal(err)
	}
	out, err := openOutlet(s, s.Net.Near, in.local(), streamCapacity)
	if err != nil {
		t.Fatal(errors.Join(err, in.close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(out.close(), in.close()); err != nil {
			t.Error(err)
		}
	})
	return out, in
}

func TestBareLoopsSendTheDatagramsOfTheSubject(t *testing.T) {
	secret := newPayload(1, secretSize)
	for _, s := range []laneSpec{
		{Size: 64}, {Size: 64, Separate: true}, {Size: 256}, {Size: 1024}, {Size: 256, Secret: secret}, {Size: 64, Secret: secret},
	} {
		t.Run(fmt.Sprintf("%d bytes, separate %v, sealed %v", s.Size, s.Separate, s.Secret != nil), func(t *testing.T) {
			s = onLoopback(t, s)
			s.Batch = batchSize
			out, in := wire(t, s)
			l := &udpSource{spec: s, out: out, msg: newPayload(1, s.Size)}
			n := roundBytes / s.Size
			if err := l.publish(alone(false), 1, n); err != nil {
				t.Fatal(err)
			}
			calls := 0
			for carried := 0; carried < n; calls++ {
				k, err := out.sender.Do()
				if err != nil {
					t.Fatal(err)
				}
				carried += k
			}
			h := shapeOf(s)
			datagrams := (n + h.per - 1) / h.per
			bytes := (datagrams-1)*h.full + h.size(n-(datagrams-1)*h.per)
			limit := alone(false)
			limit.limit = newBound(limit.clock, 5*time.Second)
			for in.receiver.Stats().Datagrams < uint64(datagrams) {
				if _, err := in.receiver.Do(); errors.Join(err, limit.look()) != nil {
					t.Fatal(err, limit.look(), in.receiver.Stats())
				}
			}
			arrived := in.receiver.Stats()
			beats := int(arrived.Datagrams) - datagrams // each Do may add a heartbeat, which is small
			if extra := int(arrived.Bytes) - bytes; beats > calls || extra < 0 || extra > 200*beats {
				t.Errorf("%d datagrams of %d bytes, and the bare loop %d of %d", arrived.Datagrams, arrived.Bytes, datagrams, bytes)
			}
		})
	}
}

func TestInletLendsAllThatArrived(t *testing.T) {
	s := onLoopback(t, laneSpec{Size: 64, Batch: batchSize})
	out, in := wire(t, s)
	l := &udpSource{spec: s, out: out, msg: newPayload(1, s.Size)}
	if err := l.publish(alone(false), 1, 10); err != nil {
		t.Fatal(err)
	}
	limit := alone(false)
	limit.limit = newBound(limit.clock, 5*time.Second)
	var batch [3]ring.Record
	for got := 0; got < 10; {
		n, err := in.poll(batch[:])
		if err := errors.Join(err, l.tend(), limit.look()); err != nil {
			t.Fatalf("%d of 10: %v", got, err)
		}
		if got += n; n > 0 {
			if err := in.reader.Release(n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestLedgerTellsLostFromWrong(t *testing.T) {
	for _, c := range []struct {
		name               string
		numbers            []uint64
		sent               uint64
		lost, bad, arrived uint64
	}{
		{"all", []uint64{1, 2, 3}, 3, 0, 0, 3},
		{"a gap", []uint64{1, 4, 5}, 5, 2, 0, 3},
		{"the end", []uint64{1, 2}, 6, 4, 0, 2},
		{"nothing came", nil, 2, 2, 0, 0},
		{"twice", []uint64{1, 2, 2}, 2, 0, 1, 3},
	} {
		b, turn := stoppedTurn(t, c.sent)
		var now uint64
		turn.clock.now = func() uint64 { now += uint64(time.Millisecond); return now }
		g := newLedger(b.At(boardAreas))
		for _, n := range c.numbers {
			if n == g.want {
				g.want++
			} else {
				g.other(turn, n)
			}
			g.took(turn, 1)
		}
		for looks := 0; !g.over(turn); looks++ {
			if looks > 10_000 {
				t.Fatalf("%s: never over", c.name)
			}
		}
		if turn.lost != c.lost || turn.bad != c.bad || turn.messages != c.arrived || g.want != c.sent+1 {
			t.Errorf("%s: %d lost, %d wrong, %d arrived, next %d", c.name, turn.lost, turn.bad, turn.messages, g.want)
		}
	}
}

func TestFlowGoesOnWhenTheEndWasLost(t *testing.T) {
	s := alone(false)
	s.limit = newBound(s.clock, time.Hour)
	f := newFlow(sys.Heap(udpArea), laneSpec{Size: 64})
	f.next += f.window
	var now uint64
	s.clock.now = func() uint64 { now += uint64(time.Millisecond); return now }
	if err := f.room(s, 1, pause); err != nil || f.lost != f.next {
		t.Errorf("%v, %d of %d given up", err, f.lost, f.next)
	}
	f.mem.Store64(udpSeen, f.next)
	if err := f.room(s, f.window, func() error { return errors.New("waited with an empty window") }); err != nil {
		t.Error(err)
	}
}

func TestFlowNeverWaitsForADeadFarSide(t *testing.T) {
	f := newFlow(sys.Heap(udpArea), laneSpec{Size: 64})
	f.next += f.window
	if err := f.room(alone(true), 1, pause); !errors.Is(err, ErrPeer) {
		t.Error(err)
	}
}

func TestBareSealOpensOnlyWhatTheOtherEndSealed(t *testing.T) {
	s := laneSpec{Secret: newPayload(3, secretSize)}
	there, err1 := s.bareSeal(0)
	of, err2 := s.bareSeal(0)
	back, err3 := s.bareSeal(1)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	sealed := func() []byte {
		d := newPayload(4, 100)
		there.seal(d, bareStamp)
		return d
	}
	want := string(newPayload(4, 100)[bareStamp : 100-bareTag])
	if d := sealed(); !of.open(d, bareStamp) || string(d[bareStamp:100-bareTag]) != want {
		t.Error("not what was sealed")
	}
	if back.open(sealed(), bareStamp) {
		t.Error("opened the other way")
	}
	for i := range 100 {
		d := sealed()
		if d[i] ^= 1; of.open(d, bareStamp) {
			t.Errorf("byte %d does not matter", i)
		}
	}
	d := newPayload(4, 100)
	if n := testing.AllocsPerRun(100, func() { there.seal(d, bareStamp) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if none, err := (laneSpec{}).bareSeal(0); none != nil || err != nil {
		t.Error(none, err)
	}
}

func TestNetworkIsRefusedWhereThereIsNone(t *testing.T) {
	for name, network := range map[string]string{"udp/pingpong": "pigeons", "ring/pingpong": NetVeth, "ring/oneway": NetLoopback} {
		s := brief()
		s.Net = network
		w, err := New(name, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Run(t.Context()); !errors.Is(err, ErrSetup) {
			t.Errorf("%s over %s: %v", name, network, err)
		}
	}
}

func TestWorkloadsOverUDPRefuseOtherSizes(t *testing.T) {
	for name, size := range map[string]int{"udp/pingpong": oneDatagram + 1, "udp/throughput": 48, "udp/sealed": 64, "udp/fanout": 65} {
		s := brief()
		s.Size = size
		w, err := New(name, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Run(t.Context()); !errors.Is(err, ErrSetup) {
			t.Errorf("%s of %d bytes: %v", name, size, err)
		}
	}
}

func TestWorkloadsCrossNamespaces(t *testing.T) {
	if err := netlab.Supported(); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"udp/pingpong", "udp/throughput", "udp/sealed", "udp/fanout"} {
		s := brief()
		s.Net = NetVeth
		keepsContract(t, name, s)
	}
}

func TestPeerWithoutAPortIsAnError(t *testing.T) {
	mem := sys.Heap(udpArea)
	for _, port := range []uint64{0, 1 << 16} {
		mem.Store64(udpFarPort, port)
		if _, err := peerAt(mem, udpFarPort, site{}); !errors.Is(err, errNoPort) {
			t.Errorf("port %d: %v", port, err)
		}
	}
	s := onLoopback(t, laneSpec{Size: 64, Batch: batchSize})
	for _, kind := range []string{kindUDP, kindUDPRaw, kindUDPNet} {
		for _, pattern := range []string{patternPingPong, patternStream} {
			s.Kind, s.Pattern = kind, pattern
			near, err := openUDPNear(s, sys.Heap(udpArea), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := near.(dialer).dial(); !errors.Is(err, errNoPort) {
				t.Errorf("%s %s: %v", kind, pattern, err)
			}
			if err := near.close(); err != nil {
				t.Error(err)
			}
		}
	}
	l := newFanSource(laneSpec{Fan: &fan{}}, sys.Heap(udpArea), 1)
	if err := errors.Join(l.dial(), l.close()); !errors.Is(err, errNoPort) {
		t.Errorf("fan-out: %v", err)
	}
	if _, err := openUDPNear(laneSpec{Kind: kindUDP}, mem, 1); err == nil {
		t.Error("a lane without a pattern")
	}
	if _, err := openUDPFar(laneSpec{Kind: kindUDP}, mem); err == nil {
		t.Error("a lane without a pattern")
	}
}

// echo answers what comes to the returned port but drops the third message, and stops with the test.
func echo(t *testing.T) uint64 {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for i := 1; ; i++ {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if i == 3 {
				continue
			}
			if i == 5 { // an answer that was given up comes after all, and is passed over
				_, _ = c.WriteToUDPAddrPort(append(make([]byte, 8), buf[8:n]...), from)
			}
			_, _ = c.WriteToUDPAddrPort(buf[:n], from) // a lost answer is what this test is about
		}
	}()
	return uint64(c.LocalAddr().(*net.UDPAddr).Port)
}

func TestLostMessageIsGivenUpAndCounted(t *testing.T) {
	for _, kind := range []string{kindUDPRaw, kindUDPNet} {
		mem := sys.Heap(udpArea)
		spec := onLoopback(t, laneSpec{Kind: kind, Pattern: patternPingPong, Size: 64})
		l, err := openUDPNear(spec, mem, 1)
		if err != nil {
			t.Fatal(err)
		}
		mem.Store64(udpFarPort, echo(t))
		if err := l.(dialer).dial(); err != nil {
			t.Fatal(err)
		}
		s := alone(false)
		s.waits = defaultPatience
		s.begin(0, 2*answerWithin)
		if err := l.run(s); err != nil || s.lost != 1 || s.sent < 5 || s.ops+s.lost != s.sent {
			t.Errorf("%s: %v, %d sent, %d answered, %d lost", kind, err, s.sent, s.ops, s.lost)
		}
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFarSideTellsGapsFromRepeats(t *testing.T) {
	var far turn
	seen := uint64(0)
	for _, n := range []uint64{1, 2, 5, 5, 4, 6} {
		seen = far.follows(n, seen)
	}
	if seen != 6 || far.lost != 2 || far.bad != 2 || far.messages != 6 {
		t.Errorf("last %d, %d lost, %d wrong, %d seen", seen, far.lost, far.bad, far.messages)
	}
}
