package xdp

import (
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/alphapulse/transport/internal/check"
	"github.com/alphapulse/transport/internal/sys"
)

const (
	header     = 14 // of Ethernet, the least that is a packet
	maxChunks  = 17 // of one packet: what the kernel hangs on an skb (MAX_SKB_FRAGS)
	maxRounds  = 64 // system calls of one kick
	sendBudget = 256

	udpHeader   = 8
	udpChecksum = 6 // from where the UDP header begins
)

// Chunk is a packet, or a part of one, in memory that the kernel shares.
type Chunk struct {
	Data []byte
	More bool // the packet goes on in the next chunk

	// Sum is where the UDP header begins whose checksum is the kernel's or the device's to fill in, if Mode.Checksums: what stands in its
	// place is the sum of the pseudo-header. 0 leaves the packet as it is. It is of a packet's first chunk, and to send only.
	Sum uint16
}

// Socket is one queue of a device. One goroutine at a time receives (Peek, Release), one sends (Claim, Commit, Flush); they may be
// two. The zero Socket is not valid.
//
// A chunk goes round: the fill ring gives it to the kernel, the receive ring brings it back with a packet in it, Peek lends it,
// Release puts it into the fill ring again. On the other side Claim takes it off a stack, Commit puts it into the send ring, the
// completion ring brings it back when the device is done with it, and the next Claim finds it there. Chunks never change sides or
// sockets, so that no side waits for another, and no ring has fewer entries than there are chunks to put into it.
type Socket struct {
	xsk    *sys.XSK
	area   []byte // of all the device's sockets
	chunk  uint64
	tell   uint64 // bytes of a chunk before a packet to send, for what the kernel is told of it
	sums   bool   // it may be told to fill in a checksum
	most   int    // chunks of one packet
	queue  int
	polled bool // busy poll: the kernel looks at the device only when called
	direct bool // zero-copy: the device may have to be woken to say what it has sent
	silent int  // chunks that a call of an older kernel sends when it copies, without saying so before all are; 0 if it says so

	fill     producer[uint64]
	arrived  consumer[sys.XSKDesc]
	received atomic.Uint64 // packets
	pokes    atomic.Uint64
	_        [64]byte // the other goroutine's from here

	send       producer[sys.XSKDesc]
	completion consumer[uint64]
	free       []uint64 // chunks to send with
	claimed    int
	sending    int           // chunks that the kernel has
	sent       atomic.Uint64 // packets
	kicks      atomic.Uint64
	again      atomic.Uint64
	refused    atomic.Uint64
}

// newSocket deals out chunks from first on: receive of them to the kernel, send of them to the stack.
func newSocket(x *sys.XSK, area []byte, chunk int, first uint64, receive, send int) *Socket {
	rings := x.Rings()
	s := &Socket{xsk: x, area: area, chunk: uint64(chunk), most: 1}
	s.fill = newProducer(rings.Fill, rings.Fill.Addrs())
	s.completion = newConsumer(rings.Completion, rings.Completion.Addrs())
	if receive > 0 {
		s.arrived = newConsumer(rings.Receive, rings.Receive.Descs())
	}
	if send > 0 {
		s.send = newProducer(rings.Send, rings.Send.Descs())
	}
	for i := range receive {
		*s.fill.at(i) = first + uint64(i*chunk)
	}
	s.fill.publish(receive)
	s.free = make([]uint64, send)
	for i := range s.free {
		s.free[i] = first + uint64((receive+i)*chunk)
	}
	return s
}

// Queue is the number of the interface's queue.
func (s *Socket) Queue() int { return s.queue }

// Peek lends the next packets that arrived, at most len(batch) chunks, and returns how many chunks. They are valid until they are
// released; peeking again goes on after them. It ends with a whole packet, unless a packet's chunks alone are more than the batch,
// and never waits.
func (s *Socket) Peek(batch []Chunk) int {
	if len(s.arrived.entries) == 0 { // it only sends
		return 0
	}
	n := s.arrived.ready(len(batch))
	if n == 0 {
		if s.polled || s.fill.asleep() {
			s.poke()
		}
		return 0
	}
	packets, whole := 0, 0
	for i := range n {
		d := s.arrived.at(i)
		end := d.Addr + uint64(d.Len)
		batch[i] = Chunk{Data: s.area[d.Addr:end:end], More: d.Options&sys.XSKContinued != 0}
		if !batch[i].More {
			packets++
			whole = i + 1
		}
	}
	if whole == 0 && n == len(batch) {
		whole = n
	}
	s.arrived.advance(whole)
	s.received.Add(uint64(packets))
	return whole
}

// Release gives the first n peeked chunks back to the kernel.
func (s *Socket) Release(n int) {
	check.That(n <= s.arrived.out(), "no more is released than was peeked")
	n = min(n, s.arrived.out())
	if n <= 0 {
		return
	}
	s.fill.room(n) // always there: the ring has an entry for every chunk
	for i := range n {
		*s.fill.at(i) = s.arrived.held(i).Addr &^ (s.chunk - 1) // the packet begins behind some headroom, which the kernel takes off, too
	}
	s.arrived.release(n)
	s.fill.publish(n)
	if s.fill.asleep() {
		s.poke()
	}
}

// poke wakes the kernel's receiving side. What it answers is asked for by Check.
func (s *Socket) poke() {
	s.pokes.Add(1)
	_ = s.xsk.Poke()
}

// Claim lends empty chunks to write packets into, at most len(batch), and returns how many. Commit sends the first of them; what is
// not committed is lent again by the next Claim. 0 means that the kernel has all of them, until it has sent some: see Flush.
func (s *Socket) Claim(batch []Chunk) int {
	if len(s.free) < len(batch) {
		s.reclaim()
	}
	n := min(len(s.free), len(batch))
	for i := range n {
		addr := s.free[len(s.free)-1-i]
		batch[i] = Chunk{Data: s.area[addr+s.tell : addr+s.chunk : addr+s.chunk]}
	}
	s.claimed = n
	return n
}

// Commit sends the first len(batch) chunks of the last Claim, Data cut to the packets' bytes. It returns ErrPacket and sends nothing
// when they are no packets. With ErrDown, ErrGone or what else the kernel says, the packets are taken and wait in the send ring.
func (s *Socket) Commit(batch []Chunk) error {
	packets, ok := s.packets(batch)
	if !ok {
		return ErrPacket
	}
	top := len(s.free) - 1
	for i := range batch {
		addr := s.free[top-i]
		d := sys.XSKDesc{Addr: addr + s.tell, Len: uint32(len(batch[i].Data))}
		if batch[i].More {
			d.Options = sys.XSKContinued
		}
		if batch[i].Sum != 0 {
			sys.TellChecksum((*[sys.XSKTellSize]byte)(s.area[addr:]), batch[i].Sum, udpChecksum)
			d.Options |= sys.XSKTold
		}
		*s.send.at(i) = d
	}
	s.free = s.free[:len(s.free)-len(batch)]
	s.claimed -= len(batch)
	s.sending += len(batch)
	s.send.publish(len(batch))
	s.sent.Add(packets)
	return s.Flush()
}

// packets counts the packets of a batch, if it is one. A descriptor that the kernel finds wrong would never complete, and its chunk
// would be lost.
func (s *Socket) packets(batch []Chunk) (packets uint64, ok bool) {
	if len(batch) > s.claimed || len(batch) > s.send.room(len(batch)) {
		return 0, false
	}
	parts, size := 0, 0
	for i := range batch {
		n := len(batch[i].Data)
		if n == 0 || uint64(n) > s.chunk-s.tell {
			return 0, false
		}
		if sum := int(batch[i].Sum); sum != 0 && (!s.sums || parts != 0 || sum < header || sum+udpHeader > n) {
			return 0, false
		}
		parts, size = parts+1, size+n
		if parts > s.most || batch[i].More && parts == s.most {
			return 0, false
		}
		if batch[i].More {
			continue
		}
		if size < header {
			return 0, false
		}
		packets++
		parts, size = 0, 0
	}
	return packets, parts == 0
}

// reclaim takes back what the device is done with.
func (s *Socket) reclaim() {
	n := s.completion.ready(s.sending)
	for i := range n {
		s.free = append(s.free, *s.completion.at(i)&^(s.chunk-1)) // within its capacity: it had them all
	}
	s.completion.advance(n)
	s.completion.release(n)
	s.sending -= n
}

// Flush calls the kernel if it sleeps over packets of ours. Commit does so, too; a sender calls it now and then while it has nothing
// to commit, or no chunk to do so: the kernel may have taken less than there was, or fallen asleep just when something came.
func (s *Socket) Flush() error {
	if s.sending == 0 || !s.send.asleep() && !s.polled {
		return nil
	}
	left := s.send.left()
	if left == 0 && !s.direct {
		return nil
	}
	for round := range maxRounds {
		s.kicks.Add(1)
		err := s.xsk.Kick()
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			s.refused.Add(1)
			return state(err)
		}
		s.again.Add(1)
		before := left
		left = s.send.left()
		unsaid := left == before && (round+1)*s.silent < left
		if left == 0 || left == before && !unsaid {
			return nil // the device is full: later
		}
	}
	return nil
}

// Unsent is how many committed chunks the kernel has not taken.
func (s *Socket) Unsent() int {
	if s.sending == 0 {
		return 0
	}
	return s.send.left()
}

// Wait sleeps until a packet has arrived, at most timeout; with room, also until half of the send ring is free. It returns nil in
// each case, and early after a signal: the caller looks again. ErrDown and ErrGone say that nothing will come.
func (s *Socket) Wait(timeout time.Duration, room bool) error {
	if err := s.Check(); err != nil {
		return err
	}
	return s.xsk.Wait(timeout, room)
}

// Check asks the kernel whether the socket is in use: ErrDown, ErrGone or nil. It is a system call.
func (s *Socket) Check() error {
	err := s.xsk.Poke()
	if errors.Is(err, syscall.EBADF) {
		return ErrClosed
	}
	return state(err)
}
