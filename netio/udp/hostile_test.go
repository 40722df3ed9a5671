package udp

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

// tap passes datagrams on and keeps those that go to the receiver, and those that come back.
type tap struct {
	mu       sync.Mutex
	captured [][]byte
	answers  [][]byte
	up, down int // bytes
}

func (p *tap) via(t testing.TB) func(netip.AddrPort) netip.AddrPort {
	return func(to netip.AddrPort) netip.AddrPort {
		near, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		must(t, err)
		far, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
		must(t, err)
		var peer netip.AddrPort
		var done sync.WaitGroup
		done.Go(func() {
			buf := make([]byte, 65536)
			for {
				n, from, err := near.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				p.mu.Lock()
				peer = from
				p.captured = append(p.captured, append([]byte(nil), buf[:n]...))
				p.up += n
				p.mu.Unlock()
				_, _ = far.Write(buf[:n])
			}
		})
		done.Go(func() {
			buf := make([]byte, 65536)
			for {
				n, err := far.Read(buf)
				if err != nil {
					if opErr, ok := err.(*net.OpError); ok && opErr.Err == net.ErrClosed {
						return
					}
					if n == 0 && !isRefused(err) {
						return
					}
					continue
				}
				p.mu.Lock()
				p.down += n
				p.answers = append(p.answers, append([]byte(nil), buf[:n]...))
				to := peer
				p.mu.Unlock()
				_, _ = near.WriteToUDPAddrPort(buf[:n], to)
			}
		})
		t.Cleanup(func() {
			_ = near.Close()
			_ = far.Close()
			done.Wait()
		})
		return near.LocalAddr().(*net.UDPAddr).AddrPort()
	}
}

// kept returns what the tap has kept until now.
func (p *tap) kept() (captured, answers [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.captured, p.answers
}

func isRefused(err error) bool { return sys.Transient(err) }

// sealedBed runs a sealed channel through a tap, delivers some frames, and returns both.
func sealedBed(t testing.TB, rel Reliability) (*bed, *tap, seal.Secret) {
	secret := seal.NewSecret()
	p := &tap{}
	b := newBed(t, SenderOptions{Reliability: rel, Secret: &secret}, ReceiverOptions{Reliability: rel, Secret: &secret}, p.via(t))
	b.until("session", func() bool { return len(b.recv.all) > 0 })
	b.publish(200, 100)
	b.until("delivery", func() bool { return len(b.got) == 200 })
	return b, p, secret
}

// inject hands a datagram to the receiver as if it had arrived, and lets the receiver do its chores.
func (b *bed) inject(data []byte) {
	b.recv.datagram(b.recv.lines[0], append([]byte(nil), data...))
}

func TestReplayedCapturesDeliverNothing(t *testing.T) {
	for _, rel := range []Reliability{BestEffort, Repaired} {
		t.Run(rel.String(), func(t *testing.T) {
			b, p, secret := sealedBed(t, rel)
			p.mu.Lock()
			capture := p.captured
			p.mu.Unlock()
			before := b.recv.tally.Stats
			for range 3 {
				for _, d := range capture {
					b.inject(d)
				}
			}
			after := b.recv.tally.Stats
			refused := after.Dropped[Replayed] - before.Dropped[Replayed]
			if after.Frames != before.Frames || refused < 3*uint64(len(capture)-10) {
				t.Errorf("%d datagrams replayed thrice: %d frames delivered, %d refused", len(capture), after.Frames-before.Frames, refused)
			}
			// A fresh receiver, the old sender gone: nothing opens.
			fresh := newBed(t, SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret, Reliability: rel}, nil)
			for _, d := range capture {
				fresh.inject(d)
			}
			if s := fresh.recv.tally.Stats; s.Frames != 0 || s.Dropped[NoSession] == 0 || len(fresh.recv.all) != 0 {
				t.Errorf("a fresh receiver took a capture: %+v", s)
			}
			b.publish(50, 100)
			b.until("the session to live on", func() bool { return len(b.got) == 250 })
			b.verify(1, 250, false)
		})
	}
}

func TestForgeriesLeaveTheSessionAlone(t *testing.T) {
	b, p, _ := sealedBed(t, Repaired)
	p.mu.Lock()
	capture := p.captured
	down := p.down
	p.mu.Unlock()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	n := scaled(1_000_000)
	before := b.recv.tally.Stats
	for range n {
		d := append([]byte(nil), capture[rng.IntN(len(capture))]...)
		if len(d) < 60 {
			continue
		}
		binary.LittleEndian.PutUint64(d[32:], rng.Uint64()) // a packet number that was not there
		d[rng.IntN(len(d))] ^= byte(1 + rng.IntN(255))
		b.recv.datagram(b.recv.lines[0], d)
	}
	after := b.recv.tally.Stats
	if after.Frames != before.Frames {
		t.Fatalf("%d frames of forgeries delivered", after.Frames-before.Frames)
	}
	var counted uint64
	for i := range after.Dropped {
		counted += after.Dropped[i] - before.Dropped[i]
	}
	if counted < uint64(n)*9/10 {
		t.Errorf("%d of %d forgeries counted", counted, n)
	}
	b.publish(50, 100)
	b.until("the session to live on", func() bool { return len(b.got) == 250 })
	b.verify(1, 250, false)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down-down > 200*helloWhole+100*(p.up-down) {
		t.Errorf("%d bytes of answers", p.down-down)
	}
}

// TestAnswersAreNeverLargerThanWhatTheyAnswer asks a receiver without a session with datagrams of every size.
func TestAnswersAreNeverLargerThanWhatTheyAnswer(t *testing.T) {
	secret := seal.NewSecret()
	b := newBed(t, SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret}, nil)
	asker, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(b.recv.Local(0)))
	must(t, err)
	defer asker.Close()
	sent := 0
	for size := 56; size < 400; size += 8 {
		d := make([]byte, size)
		(&seal.Header{Kind: seal.Data, Sealed: true, Suite: seal.AES128GCM, Channel: b.recv.channel, Source: uint64(size), Epoch: 1, Length: size - 32, Seq: 1}).Put(d)
		_, err := asker.Write(d)
		must(t, err)
		sent += size
		_, err = b.recv.Do()
		must(t, err)
	}
	answered := uint64(0)
	for i := range b.recv.pending {
		if p := &b.recv.pending[i]; p.source != 0 {
			if p.source < helloWhole {
				t.Errorf("a datagram of %d bytes was answered with %d", p.source, helloWhole)
			}
			answered++
		}
	}
	if answered == 0 || int(answered)*helloWhole > sent || len(b.recv.all) != 0 {
		t.Errorf("%d answers to %d bytes, %d streams", answered, sent, len(b.recv.all))
	}
}

func TestWhatIsNoEnvelopeIsCountedAndSkipped(t *testing.T) {
	codec, err := pack.New(pack.Options{Method: pack.LZ4})
	must(t, err)
	b := newBed(t, SenderOptions{}, ReceiverOptions{Codec: codec}, nil)
	b.publish(10, 100)
	b.until("delivery", func() bool { return len(b.got) == 10 })
	source := b.recv.all[0].source
	record := func(seq uint64, size int) []byte {
		r := make([]byte, (size+7)&^7)
		binary.LittleEndian.PutUint64(r, uint64(size)|seq<<32)
		return r
	}
	envelope := func(edit func(h *seal.Header), body []byte) []byte {
		h := seal.Header{Kind: seal.Data, Channel: b.recv.channel, Source: source, Epoch: b.recv.all[0].epoch, Length: len(body), Seq: 11}
		if edit != nil {
			edit(&h)
		}
		d := make([]byte, 32+len(body))
		h.Put(d)
		copy(d[32:], body)
		return d
	}
	good := envelope(nil, record(11, 40))
	cases := map[string]struct {
		data []byte
		want Reason
	}{
		"another channel":          {envelope(func(h *seal.Header) { h.Channel++ }, record(11, 40)), ForeignChannel},
		"another source, no place": {nil, 0},
		"an older life":            {envelope(func(h *seal.Header) { h.Epoch-- }, record(11, 40)), OldEpoch},
		"wrong number inside":      {envelope(nil, record(12, 40)), Malformed},
		"a length that lies":       {envelope(nil, record(11, 400)[:40]), Malformed},
		"a record beyond its end":  {envelope(nil, record(11, 1<<27)[:4096]), Malformed},
		"an empty body":            {envelope(nil, nil), Malformed},
		"a receiver's kind":        {envelope(func(h *seal.Header) { h.Kind = seal.Nak }, make([]byte, 16)), Misplaced},
		"sealed where nothing is":  {envelope(func(h *seal.Header) { h.Sealed, h.Suite = true, seal.AES128GCM }, make([]byte, 64)), Misplaced},
		"a bomb":                   {envelope(func(h *seal.Header) { h.Codec, h.Raw = 1, seal.MaxRaw }, make([]byte, 64)), Undecodable},
		"an unknown codec":         {envelope(func(h *seal.Header) { h.Codec, h.Raw = 9, 80 }, make([]byte, 64)), Undecodable},
		"a fragment beyond itself": {envelope(func(h *seal.Header) { h.Kind = seal.Fragment }, append([]byte{0, 1, 0, 0, 0, 1, 0, 0}, make([]byte, 64)...)), Malformed},
		"garbage":                  {[]byte("not an envelope, but long enough to be taken for one"), Malformed},
	}
	delete(cases, "another source, no place")
	for name, c := range cases {
		before := b.recv.tally.Stats
		b.inject(c.data)
		after := b.recv.tally.Stats
		if after.Frames != before.Frames || after.Dropped[c.want] != before.Dropped[c.want]+1 {
			t.Errorf("%s: dropped %v, want one more %s", name, after.Dropped, c.want)
		}
	}
	for n := range len(good) {
		before := b.recv.tally.Frames
		b.inject(good[:n])
		if b.recv.tally.Frames != before {
			t.Fatalf("a prefix of %d bytes was delivered", n)
		}
	}
	b.inject(good)
	if b.recv.tally.Frames != 11 {
		t.Error("the good one is not delivered")
	}
}

func TestSenderSurvivesHostileReceivers(t *testing.T) {
	b := newBed(t, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(100, 100)
	b.until("delivery", b.send.Drained)
	w, from := b.send.wires[0], sys.Address{}
	source := b.source.Info().Instance
	say := func(kind seal.Kind, id uint64, body []byte) {
		d := make([]byte, 32+len(body))
		(&seal.Header{Kind: kind, Channel: b.send.channel, Source: source, Epoch: 1, Length: len(body), Seq: id}).Put(d)
		copy(d[32:], body)
		must(t, b.send.heardOne(w, d, &from, b.send.clock.now))
	}
	status := func(id, next, window uint64) []byte {
		body := make([]byte, seal.StatusSize)
		(&seal.StatusBody{Next: next, Window: window, Receiver: id}).Put(body)
		return body
	}
	before := b.send.tally.Stats
	say(seal.Status, 99, status(99, 1<<40, 1000))                                          // waits for what was never sent
	say(seal.Nak, 99, seal.AppendNak(nil, []seal.Range{{First: 1, Last: 50}}))             // has not said where it stands
	say(seal.Nak, b.recv.id, seal.AppendNak(nil, []seal.Range{{First: 1, Last: 1 << 40}})) // what was never sent
	say(seal.Data, 7, make([]byte, 64))
	say(seal.HelloKind, 7, make([]byte, seal.HelloSize))
	after := b.send.tally.Stats
	if after.Dropped[Malformed] != before.Dropped[Malformed]+2 || after.Dropped[Misplaced] != before.Dropped[Misplaced]+3 {
		t.Errorf("dropped %v", after.Dropped)
	}
	for i := range uint64(1000) { // more receivers than a sender keeps
		say(seal.Status, 1000+i, status(1000+i, 1, ^uint64(0)))
	}
	if n := len(b.send.feeds[0].receivers); n > maxReceivers {
		t.Errorf("%d receivers", n)
	}
	for range 1000 {
		say(seal.Nak, 1000, seal.AppendNak(nil, []seal.Range{{First: 1, Last: 100}}))
	}
	if n := len(b.send.feeds[0].wants); n > 4*seal.MaxRanges {
		t.Errorf("%d wants", n)
	}
}

func FuzzReceiver(f *testing.F) {
	b := newBed(f, SenderOptions{}, ReceiverOptions{Reliability: Repaired}, nil)
	secret := seal.SecretOf([32]byte{1})
	s := newBed(f, SenderOptions{Secret: &secret}, ReceiverOptions{Secret: &secret}, nil)
	seed := make([]byte, 32+24)
	(&seal.Header{Kind: seal.Data, Channel: b.recv.channel, Source: 7, Epoch: 1, Length: 24, Seq: 1}).Put(seed)
	binary.LittleEndian.PutUint64(seed[32:], 20|1<<32)
	f.Add(seed)
	f.Add(append(append([]byte(nil), seed...), seed...))
	f.Fuzz(func(t *testing.T, data []byte) {
		b.recv.datagram(b.recv.lines[0], append([]byte(nil), data...))
		b.recv.flush()
		b.poll()
		s.recv.datagram(s.recv.lines[0], data)
		if s.recv.tally.Frames != 0 {
			t.Fatal("a sealed receiver delivered what no sender sealed")
		}
	})
}

func FuzzSender(f *testing.F) {
	b := newBed(f, SenderOptions{Reliability: Repaired}, ReceiverOptions{Reliability: Repaired}, nil)
	b.publish(100, 100)
	b.until("delivery", b.send.Drained)
	seed := make([]byte, 32+16)
	(&seal.Header{Kind: seal.Nak, Channel: b.send.channel, Source: b.source.Info().Instance, Epoch: 1, Length: 16, Seq: b.recv.id}).Put(seed)
	binary.LittleEndian.PutUint64(seed[32:], 3)
	binary.LittleEndian.PutUint64(seed[40:], 9)
	f.Add(seed)
	from, _ := sys.AddressOf(netip.MustParseAddrPort("127.0.0.1:9"))
	f.Fuzz(func(t *testing.T, data []byte) {
		must(t, b.send.heardOne(b.send.wires[0], append([]byte(nil), data...), &from, b.send.clock.now))
		b.send.wires[0].reset()
		must(t, b.send.repair(b.send.feeds[0], b.send.clock.now))
	})
}
