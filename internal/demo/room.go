package demo

import "github.com/alphapulse/transport"

// room keeps a publisher's ring from ever filling up. A ring that is full goes on without a durable reader that is dead;
// one that keeps a quarter free waits for its successor, however long that takes. And nothing is written before somebody
// gates: it might be overwritten unread.
//
// A look at the readers costs system calls and allocates, so one look lends at least a quarter of the ring: once three
// quarters are taken the writer waits until it is half empty.
type room struct {
	pub      *transport.Publisher
	capacity uint64
	until    uint64 // the position up to which may be written without another look
	looked   uint64 // when it looked last
	alone    bool   // nobody gated then
}

// roomEvery is how many nanoseconds pass between two looks of a publisher that waits.
const roomEvery = 1_000_000

func newRoom(pub *transport.Publisher) room {
	return room{pub: pub, capacity: uint64(pub.Capacity())}
}

// has reports whether n bytes may be written now.
func (r *room) has(n, now uint64) bool {
	at := r.pub.Position()
	if at+n <= r.until {
		return true
	}
	if now-r.looked < roomEvery {
		return false
	}
	r.looked = now
	slowest, ok := r.pub.Slowest()
	if r.alone = !ok; !ok || slowest.Cursor+r.capacity/2 < at {
		return false
	}
	r.until = slowest.Cursor + r.capacity/4*3
	return at+n <= r.until
}
