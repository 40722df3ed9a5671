package udp

import (
	"errors"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

const (
	sendDatagrams = 4 * 128           // per batch
	sendMessages  = 64                // with UDP_SEGMENT each is up to 128 datagrams
	sendPieces    = 3 * sendDatagrams // header, run and pad of each datagram
	sendBytes     = 120 << 10         // after which a batch is full: two messages, still in a second-level cache
	slabSize      = sendBytes + 64*sendDatagrams + 2*sys.MaxDatagram
)

// wire is one line of a sender: a socket, and the batch that is on its way out. Headers, and bodies that are sealed or
// compressed, lie in the slab; other bodies stay where they are, in the ring.
type wire struct {
	socket  *sys.UDP
	medium  netio.Medium   // in place of socket, batch and slab
	far     netip.AddrPort // where it leads, over a medium
	batch   *sys.SendBatch
	slab    *sys.Mapping
	mem     []byte // the slab
	used    int
	zeroes  []byte // what pads a datagram
	path    uint8
	to      *sys.Address // nil: connected
	room    int          // bytes of a datagram
	built   int          // and those of the batch
	most    int          // datagrams per message
	trouble bool
	calm    time.Duration // when what was refused after it was sent counts as over

	// The message that is being put together.
	dest    *sys.Address
	segment int
	count   int
	size    int
	closed  bool

	datagrams int // in the batch
	atMost    int // messages in it
	bytes     int
}

func dial(o *SenderOptions, l Dial) (*wire, error) {
	if l.Medium != nil {
		return dialMedium(o, l), nil
	}
	so := o.Socket.options()
	so.GRO, so.ReusePort = false, false
	so.Bind, so.MulticastInterface = l.Bind, l.Interface
	group := l.To.Addr().IsMulticast()
	if !group {
		so.Connect = l.To
	} else if !l.Bind.IsValid() {
		so.Bind = anyOf(l.To)
	}
	socket, err := sys.OpenUDP(so)
	if err != nil {
		return nil, err
	}
	w := &wire{socket: socket, room: room(o.MTU, l.To.Addr()), most: socket.Features().Segments}
	if o.Socket.NoOffload {
		w.most = 0
	}
	w.most = min(w.most, sys.MaxSegments)
	if group {
		to, err := sys.AddressOf(l.To)
		if err != nil {
			return nil, errors.Join(err, socket.Close())
		}
		w.to = &to
	}
	if w.batch, err = sys.NewSendBatch(w.messages(), sendPieces); err == nil {
		w.slab, err = sys.Arena(slabSize + sys.MaxDatagram)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	w.mem = w.slab.All()[:slabSize]
	w.zeroes = w.slab.All()[slabSize:]
	return w, nil
}

// reset begins a batch.
func (w *wire) reset() {
	w.datagrams, w.built = 0, w.room
	if w.medium != nil {
		return
	}
	w.batch.Reset()
	w.used, w.segment, w.count, w.closed, w.dest, w.bytes = 0, 0, 0, true, nil, 0
	w.atMost = w.messages()
}

// spare reports whether another datagram of any size fits, wherever it goes.
func (w *wire) spare() bool {
	if w.medium != nil {
		return w.datagrams < sendDatagrams && w.medium.Spare() > mediumSpare
	}
	return w.batch.Len() < w.atMost && w.datagrams < sendDatagrams && w.bytes < sendBytes
}

// full reports whether a batch has no room for another datagram after the next.
func (w *wire) full() bool {
	if w.medium != nil {
		return false
	}
	return w.batch.Len()+1 >= w.atMost || w.datagrams+1 >= sendDatagrams || w.bytes+w.room >= sendBytes
}

// messages is how many messages a batch has: one per datagram where the kernel cannot cut them.
func (w *wire) messages() int {
	if w.most == 0 {
		return sendDatagrams
	}
	return sendMessages
}

// lend lends n bytes of the slab.
func (w *wire) lend(n int) []byte {
	b := w.mem[w.used : w.used+n : w.used+n]
	w.used += n // without a gap: what follows goes to the kernel as one piece with it
	return b
}

// place lends n bytes of the slab for a datagram that lies there whole, and puts it on its way as add does. It returns nil when the
// batch is full.
func (w *wire) place(to *sys.Address, n int) []byte {
	if w.medium != nil {
		out := w.medium.Place(w.toward(to), n)
		if out != nil {
			w.datagrams++
		}
		return out
	}
	if !w.joins(to, n) && !w.begin(to, n) {
		return nil
	}
	out := w.lend(n)
	if !w.batch.Add(out) {
		w.used -= n
		w.closed = true
		return nil
	}
	w.added(n)
	return out
}

// add adds a datagram of one or two pieces to the batch, filled up with zeroes to size pad if that is more. It joins the
// message before it if it goes to the same place and fits its segments. It reports false when the batch is full.
func (w *wire) add(to *sys.Address, head, body []byte, pad int) bool {
	size := len(head) + len(body)
	fill := max(pad-size, 0)
	size += fill
	if !w.joins(to, size) && !w.begin(to, size) {
		return false
	}
	if !w.batch.Add(head) || !w.batch.Add(body) || !w.batch.Add(w.zeroes[:fill]) {
		w.closed = true
		return false
	}
	w.added(size)
	return true
}

// joins reports whether a datagram of size bytes can be a segment of the message that is being put together.
func (w *wire) joins(to *sys.Address, size int) bool {
	return !w.closed && to == w.dest && size <= w.segment && w.count < w.most && w.size+size <= sys.MaxDatagram
}

// begin begins a message with a first datagram of size bytes. It reports false when the batch is full.
func (w *wire) begin(to *sys.Address, size int) bool {
	segment := size
	if w.most == 0 {
		segment = 0
	}
	if !w.batch.Begin(to, segment) {
		return false
	}
	w.dest, w.segment, w.count, w.size, w.closed = to, size, 0, 0, w.most == 0
	return true
}

// added counts a datagram that was added. One that is shorter than its message's segments is the last of it.
func (w *wire) added(size int) {
	w.count++
	w.datagrams++
	w.size += size
	w.bytes += size
	w.closed = w.closed || size < w.segment
}

// flush sends what is unsent. It reports whether nothing is left. What the network refuses is skipped and counted, and
// told once; an error ends the sender.
func (s *Sender) flush(w *wire) (done bool, err error) {
	if w.medium != nil {
		return s.flushMedium(w)
	}
	for tries := 0; w.batch.Unsent() > 0; tries++ {
		if _, err = w.socket.Send(w.batch); err == nil {
			if w.trouble && s.clock.now >= w.calm {
				w.trouble = false
				s.tell(Event{Kind: Recovered, Peer: s.options.Lines[w.path].To})
			}
			continue
		}
		if !sys.Transient(err) {
			return false, onChannel(s.options.Channel, err)
		}
		switch {
		case err == sys.ErrAgain:
			return false, nil
		case err == sys.ErrNoBuffers: // of the device's queue: nothing is lost, it is tried again
			s.told(w, err)
			return false, nil
		case err == sys.ErrRefused && tries < 8:
			s.refused(w, err)
			continue
		case err == sys.ErrTooBig || err == sys.ErrSegments:
			s.shrink(w)
		case err == sys.ErrOffload:
			w.most = 0
		}
		s.told(w, err)
		s.drop(Unsendable, uint64(w.batch.Skip()))
	}
	return true, nil
}

// shrink makes datagrams as small as the path now takes, as far as the kernel knows; else half as large. The messages of one batch are of
// one size and are refused one after the other: that says it once.
func (s *Sender) shrink(w *wire) {
	if w.room < w.built {
		return
	}
	to := s.options.Lines[w.path].To.Addr()
	least, takes := room(MinMTU, to), w.room/2
	if w.medium != nil {
		if now := w.medium.Room(); now < w.room {
			takes = now
		}
	} else if mtu, err := w.socket.MTU(); err == nil && room(mtu, to) < w.room {
		takes = room(mtu, to)
	}
	w.room = max(takes, least)
}

// refused counts a datagram that the far host, or one on the way, sent word of: a closed port. Each datagram may bring such a word, and
// leaves well nevertheless: the trouble is over when none has come for as long as silence takes to be told.
func (s *Sender) refused(w *wire, err error) {
	w.calm = s.clock.now + s.options.Liveness
	s.told(w, err)
	s.drop(Unsendable, 1)
}

// told tells of trouble on a line, once until it works again.
func (s *Sender) told(w *wire, err error) {
	if !w.trouble {
		w.trouble = true
		s.tell(Event{Kind: Trouble, Peer: s.options.Lines[w.path].To, Err: onLine(s.options.Channel, int(w.path), err)})
	}
}

func (w *wire) close() error {
	if w.medium != nil {
		return w.medium.Close()
	}
	return errors.Join(w.socket.Close(), w.batch.Close(), w.slab.Unmap())
}

// local is the own address.
func (w *wire) local() netip.AddrPort {
	if w.medium != nil {
		return w.medium.Local()
	}
	return w.socket.Local()
}

// bound is the most bytes of records in an envelope on this line, when it is sealed or not.
func (w *wire) bound(sealed bool) int {
	n := w.room - seal.HeaderSize
	if sealed {
		n -= seal.Overhead
	}
	return n &^ 7
}

// anyOf is any address, any port, of the family of ap.
func anyOf(ap netip.AddrPort) netip.AddrPort {
	if ap.Addr().Unmap().Is4() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
}
