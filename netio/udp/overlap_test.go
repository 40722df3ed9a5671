package udp

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// records is an envelope of n records from number seq on, as publish makes them, of a source that no sender of this bed has.
func (b *bed) records(seq uint64, n, size int) []byte {
	d := make([]byte, seal.HeaderSize)
	for i := range uint64(n) {
		r := make([]byte, (16+size+7)&^7)
		binary.LittleEndian.PutUint64(r, uint64(16+size)|(seq+i)<<32)
		binary.LittleEndian.PutUint64(r[8:], seq+i+7)
		for k := range size {
			r[16+k] = byte(seq+i) + byte(k)
		}
		binary.LittleEndian.PutUint64(r[16:], seq+i)
		d = append(d, r...)
	}
	(&seal.Header{Kind: seal.Data, Channel: b.recv.channel, Source: 7, Epoch: 1, Length: len(d) - seal.HeaderSize, Seq: seq}).Put(d)
	return d
}

// A datagram that begins with what was delivered already may find the mirror full: what waits then is what is due, and nothing else. A
// sender that starts again packs frames anew, so that such datagrams are usual.
func TestOverlapThatFindsNoRoomWaitsWhole(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{Reliability: Repaired, Inbox: netio.InboxOptions{Capacity: small.Capacity}}, nil)
	b.inject(b.records(1, 3, 64))
	s := b.recv.all[0]
	for s.stash.empty() {
		b.inject(b.records(s.next-2, 9, 64))
	}
	last := s.top - 1
	b.until("room", func() bool { return s.next > last })
	b.inject(b.records(last+1, 5, 64))
	for range 100 {
		b.pass(time.Millisecond)
		_, err := b.recv.Do()
		must(t, err)
		b.poll()
	}
	b.verify(1, last+5, false)
}
