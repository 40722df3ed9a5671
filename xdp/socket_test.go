package xdp

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
)

// text is n bytes that tell one packet from another.
func text(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestLargePacketsTravelInSeveralChunks(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		for _, chunk := range []int{0, 2048} {
			t.Run(fmt.Sprint(attach, chunk), func(t *testing.T) {
				b := newBed(t, netlab.Options{MTU: 9000})
				o := Options{Ports: []uint16{port}, Attach: attach, ChunkSize: chunk}
				d := b.open("b", o)
				m := d.Mode()
				if !m.Segments || m.ChunkSize != cmp.Or(chunk, 4096) {
					t.Errorf("%+v", m)
				}
				s := d.Sockets()[0]
				a := b.listen("a", b.addr4("a"))
				for i, n := range []int{100, 1800, 3000, 3840, 5000, 8000, 8972} {
					in, out := text(n, uint64(i)), text(n, uint64(100+i))
					say(t, a, in, b.addr4("b"))
					expect(t, in, s)
					send(t, s, b.datagram("b", "a", false, out))
					hear(t, a, out)
				}
				// And from one to the other, both of a kind; the kernel at host a keeps its port.
				from := b.open("a", Options{ChunkSize: chunk}).Sockets()[0]
				for i := range 20 {
					out := text(8972-i*400, uint64(i))
					send(t, from, b.datagram("a", "b", i%2 == 0, out[:len(out)-20]))
					expect(t, out[:len(out)-20], s)
				}
				if st := stats(t, s); st.Dropped+st.Invalid+st.SendInvalid != 0 {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

func TestABatchEndsWithAWholePacketIfItCan(t *testing.T) {
	b := newBed(t, netlab.Options{MTU: 9000})
	s := b.open("b", Options{Ports: []uint16{port}, Attach: AttachGeneric}).Sockets()[0]
	a := b.listen("a", b.addr4("a"))
	for range 3 { // three chunks each
		say(t, a, text(8000, 1), b.addr4("b"))
	}
	for deadline := time.Now().Add(patience); s.arrived.ready(100) < 9; {
		if time.Now().After(deadline) {
			t.Fatalf("%d chunks come", s.arrived.ready(100))
		}
	}
	batch := make([]Chunk, 8)
	for _, c := range []struct {
		room, want int
		more       bool // at the end
	}{{8, 6, false}, {2, 2, true}, {8, 1, false}, {8, 0, false}} {
		n := s.Peek(batch[:c.room])
		if n != c.want || n > 0 && batch[n-1].More != c.more {
			t.Errorf("%d chunks in a batch of %d, not %d: %v", n, c.room, c.want, batch[max(n-1, 0)].More)
		}
		if c.want == 6 && (batch[2].More || !batch[3].More) {
			t.Error("the first two packets do not have three chunks each")
		}
	}
	if s.Release(4); s.arrived.out() != 5 {
		t.Errorf("%d chunks are out", s.arrived.out())
	}
	s.Release(5)
	if st := stats(t, s); st.Received != 3 {
		t.Errorf("%+v", st)
	}
}

func TestQueuesShareMemoryAndNothingElse(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{Queues: 2})
			d := b.open("b", Options{Ports: []uint16{port}, Attach: attach})
			sockets := d.Sockets()
			if len(sockets) != 2 || sockets[0].Queue() != 0 || sockets[1].Queue() != 1 || d.Mode().Queues != 2 {
				t.Fatalf("%d sockets, %+v", len(sockets), d.Mode())
			}
			dealt := map[uint64]bool{}
			for _, s := range sockets {
				for _, addr := range append(s.fill.entries[:DefaultReceiveChunks:DefaultReceiveChunks], s.free...) {
					dealt[addr] = true
				}
			}
			if all := 2 * (DefaultReceiveChunks + DefaultSendChunks); len(dealt) != all {
				t.Errorf("%d different chunks are dealt out, not %d", len(dealt), all)
			}
			// Each of many flows says its number; all arrive, each once, and no packet's bytes are another's.
			n := scaled(4000, 400)
			seen := map[uint32]bool{}
			a := make([]*net.UDPConn, 16)
			for i := range a {
				a[i] = b.listen("a", netip.AddrPortFrom(b.lab.Addr("a"), 0))
			}
			batch := make([]Chunk, 64)
			take := func() (got int) {
				for _, s := range sockets {
					k := s.Peek(batch)
					for _, c := range batch[:k] {
						p := payload(c.Data)
						number := binary.BigEndian.Uint32(p)
						if seen[number] || !bytes.Equal(p[4:], text(60, uint64(number))) {
							t.Fatalf("%d comes twice or spoilt", number)
						}
						seen[number] = true
					}
					s.Release(k)
					got += k
				}
				return got
			}
			for i := range n {
				say(t, a[i%len(a)], append(binary.BigEndian.AppendUint32(nil, uint32(i)), text(60, uint64(i))...), b.addr4("b"))
				take()
			}
			for deadline := time.Now().Add(patience); len(seen) < n; take() {
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d come", len(seen), n)
				}
			}
			if first, second := stats(t, sockets[0]), stats(t, sockets[1]); attach == AttachNative && (first.Received == 0 || second.Received == 0) {
				t.Errorf("one queue gets everything: %+v, %+v", first, second)
			}
			// Both send at once, from a thread each.
			to := b.listen("a", b.addr4("a"))
			var both sync.WaitGroup
			packets := [][]byte{b.datagram("b", "a", false, []byte("from queue 0")), b.datagram("b", "a", false, []byte("from queue 1"))}
			for q, s := range sockets {
				both.Go(func() {
					for range 50 {
						send(t, s, packets[q])
					}
				})
			}
			heard := map[string]int{}
			buf := make([]byte, 100)
			for range 100 {
				k, err := to.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				heard[string(buf[:k])]++
			}
			both.Wait()
			if heard["from queue 0"] != 50 || heard["from queue 1"] != 50 {
				t.Errorf("%v", heard)
			}
		})
	}
}

func TestNothingAllocatesPerPacket(t *testing.T) {
	b := newBed(t, netlab.Options{})
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		d := b.open("b", Options{Ports: []uint16{port}, Attach: attach})
		from, to := b.open("a", Options{}), d.Sockets()[0]
		out, in := make([]Chunk, 16), make([]Chunk, 16)
		packet := b.datagram("a", "b", false, []byte("not one byte of heap"))
		s := from.Sockets()[0]
		if n := testing.AllocsPerRun(scaled(2000, 200), func() {
			n := s.Claim(out)
			for i := range n {
				out[i].Data = out[i].Data[:copy(out[i].Data, packet)]
			}
			if s.Commit(out[:n]) != nil {
				panic("refused")
			}
			for taken := 0; taken < n; {
				k := to.Peek(in)
				to.Release(k)
				taken += k
				if k == 0 && to.Wait(time.Millisecond, true) != nil {
					panic("gone")
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", attach, n)
		}
		if err := errors.Join(from.Close(), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChunksComeBackAndWhatIsTooMuchIsCounted(t *testing.T) {
	b := newBed(t, netlab.Options{})
	d := b.open("b", Options{Ports: []uint16{port}, Attach: AttachGeneric, ReceiveChunks: 64})
	from, to := b.open("a", Options{SendChunks: 64}).Sockets()[0], d.Sockets()[0]
	packet := b.datagram("a", "b", false, []byte("more than anybody takes"))
	n := scaled(5000, 1000)
	for range n { // 64 chunks, lent again and again
		send(t, from, packet)
	}
	batch, all := make([]Chunk, 100), map[*byte]bool{}
	for deadline := time.Now().Add(patience); from.Claim(batch) < 64; {
		if time.Now().After(deadline) {
			t.Fatalf("%d chunks of 64 are back", from.Claim(batch))
		}
	}
	if from.sending != 0 {
		t.Errorf("%d chunks are thought to be under way", from.sending)
	}
	for _, c := range batch[:64] {
		all[&c.Data[0]] = true
	}
	if len(all) != 64 {
		t.Errorf("%d different chunks of 64 are back", len(all))
	}
	for deadline := time.Now().Add(patience); ; {
		st := stats(t, to)
		if st.Dropped+st.RingFull+64 == uint64(n) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sent, 64 kept: %+v", n, st)
		}
	}
	if got := to.Peek(batch); got != 64 {
		t.Errorf("%d packets are kept", got)
	}
	to.Release(64)
	send(t, from, b.datagram("a", "b", false, []byte("there is room again")))
	expect(t, []byte("there is room again"), to)
}

func TestOneCommitSendsAllHoweverLittleTheKernelTakesAtOnce(t *testing.T) {
	b := newBed(t, netlab.Options{})
	from, to := b.open("a", Options{}), b.open("b", Options{Ports: []uint16{port}}).Sockets()[0]
	s, packet := from.Sockets()[0], b.datagram("a", "b", false, []byte("one of many"))
	batch := make([]Chunk, 1000)
	if n := s.Claim(batch); n != len(batch) {
		t.Fatalf("%d chunks", n)
	}
	for i := range batch {
		batch[i].Data = batch[i].Data[:copy(batch[i].Data, packet)]
	}
	if err := s.Commit(batch); err != nil {
		t.Fatal(err)
	}
	budget := from.Mode().SendBudget
	if st := stats(t, s); s.send.left() != 0 || st.Again == 0 || st.Kicks < uint64(len(batch)/budget) || st.Sent != 1000 {
		t.Errorf("%d are left, budget %d: %+v", s.send.left(), budget, st)
	}
	for range batch {
		expect(t, []byte("one of many"), to)
	}
	if n := s.Peek(batch); n != 0 {
		t.Errorf("who only sends gets %d packets", n)
	}
	s.Release(0)
}

func TestPacketsThatOutgrowTheirChunksAreCounted(t *testing.T) {
	b := newBed(t, netlab.Options{})
	s := b.open("b", Options{Ports: []uint16{port}, Attach: AttachGeneric}).Sockets()[0]
	for _, h := range []string{"a", "b"} { // after the device has looked
		if err := b.lab.MTU(h, 4000); err != nil {
			t.Fatal(err)
		}
	}
	a := b.listen("a", b.addr4("a"))
	say(t, a, text(3000, 1), b.addr4("b"))
	say(t, a, []byte("a small one"), b.addr4("b"))
	expect(t, []byte("a small one"), s)
	if st := stats(t, s); st.Dropped != 1 || st.Received != 1 {
		t.Errorf("%+v", st)
	}
}

func TestWhatIsNoPacketIsRefusedWhole(t *testing.T) {
	b := newBed(t, netlab.Options{})
	s := b.open("b", Options{SendChunks: 64}).Sockets()[0]
	a := b.listen("a", b.addr4("a"))
	batch := make([]Chunk, 64)
	good := b.datagram("b", "a", false, []byte("good"))
	for name, spoil := range map[string]func(bad []Chunk) []Chunk{
		"empty":          func(c []Chunk) []Chunk { c[1].Data = c[1].Data[:0]; return c },
		"short":          func(c []Chunk) []Chunk { c[1].Data = c[1].Data[:13]; return c },
		"long":           func(c []Chunk) []Chunk { c[1].Data = make([]byte, 2049); return c },
		"unfinished":     func(c []Chunk) []Chunk { c[2].More = true; return c },
		"several chunks": func(c []Chunk) []Chunk { c[0].More = true; return c },
		"not claimed":    func(c []Chunk) []Chunk { return append(c, c...) },
	} {
		n := s.Claim(batch[:3])
		for i := range n {
			batch[i].Data = batch[i].Data[:copy(batch[i].Data, good)]
		}
		if err := s.Commit(spoil(batch[:n:n])); !errors.Is(err, ErrPacket) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Commit(nil); err != nil {
		t.Error(err)
	}
	if n := s.Claim(batch); n != 64 {
		t.Errorf("%d chunks are left", n)
	}
	send(t, s, good)
	hear(t, a, []byte("good"))
	if st := stats(t, s); st.Sent != 1 || st.SendInvalid != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWaitEndsWithAPacketOrWithRoom(t *testing.T) {
	b := newBed(t, netlab.Options{})
	s, a := b.open("b", Options{Ports: []uint16{port}}).Sockets()[0], b.listen("a", b.addr4("a"))
	if err := s.Wait(time.Hour, true); err != nil {
		t.Errorf("with all room: %v", err)
	}
	if err := s.Wait(time.Millisecond, false); err != nil || s.Peek(make([]Chunk, 1)) != 0 {
		t.Errorf("without a packet: %v", err)
	}
	woken := make(chan error, 1)
	go func() { woken <- s.Wait(time.Hour, false) }()
	say(t, a, []byte("wake up"), b.addr4("b"))
	select {
	case err := <-woken:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it sleeps over a packet")
	}
	expect(t, []byte("wake up"), s)
}

func TestBothSidesOfASocketRunAtOnce(t *testing.T) {
	const window = 200 // packets under way: less than there are chunks, and than a veth queues for its program (256)
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		b := newBed(t, netlab.Options{})
		n := uint64(scaled(200_000, 5000))
		ends := map[string]*Socket{}
		packets := map[string][]byte{"a": b.datagram("a", "b", false, make([]byte, 8)), "b": b.datagram("b", "a", false, make([]byte, 8))}
		for host := range packets {
			ends[host] = b.open(host, Options{Ports: []uint16{port}, Attach: attach}).Sockets()[0]
		}
		var all sync.WaitGroup
		deadline := time.Now().Add(3 * patience)
		for from, to := range map[string]string{"a": "b", "b": "a"} {
			var arrived atomic.Uint64
			all.Go(func() {
				s, out, packet := ends[from], make([]Chunk, 32), packets[from]
				for next := uint64(0); next < n && !t.Failed(); {
					room := min(window-(next-arrived.Load()), uint64(len(out)), n-next)
					k := s.Claim(out[:room])
					for i := range k {
						out[i].Data = out[i].Data[:copy(out[i].Data, packet)]
						binary.BigEndian.PutUint64(out[i].Data[42:], next)
						next++
					}
					if err := s.Commit(out[:k]); err != nil || time.Now().After(deadline) {
						t.Errorf("%s is at %d of %d: %v", from, next, n, err)
					}
					if k == 0 {
						runtime.Gosched()
					}
				}
			})
			all.Go(func() {
				s, in := ends[to], make([]Chunk, 32)
				for next := uint64(0); next < n && !t.Failed(); {
					k := s.Peek(in)
					for _, c := range in[:k] {
						if got := binary.BigEndian.Uint64(c.Data[42:]); got != next {
							t.Errorf("%d comes to %s, not %d", got, to, next)
							return
						}
						next++
					}
					s.Release(k)
					arrived.Store(next)
					if time.Now().After(deadline) {
						t.Errorf("%s has %d of %d: %+v", to, next, n, stats(t, s))
					}
					if k == 0 {
						runtime.Gosched()
					}
				}
			})
		}
		all.Wait()
	}
}
