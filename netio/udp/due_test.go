package udp

import (
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

// fragments are the envelopes of one record of size bytes, cut into parts.
func (b *bed) fragments(seq uint64, size, part int) (all [][]byte) {
	record := b.records(seq, 1, size)[seal.HeaderSize:]
	total := 16 + size
	for at := 0; at < total; at += part {
		piece := record[at:min(at+part, total)]
		d := make([]byte, seal.HeaderSize+seal.FragmentHeader+len(piece))
		(&seal.Header{Kind: seal.Fragment, Channel: b.recv.channel, Source: 7, Epoch: 1, Length: seal.FragmentHeader + len(piece), Seq: seq}).Put(d)
		seal.PutFragment(d[seal.HeaderSize:], at, total)
		copy(d[seal.HeaderSize+seal.FragmentHeader:], piece)
		all = append(all, d)
	}
	return all
}

// Where small frames have filled the stash behind a large one that is due, its parts find room.
func TestWhatIsDueFindsRoomInAFullStash(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{Reliability: Repaired}, nil)
	b.inject(b.records(1, 3, 64))
	large := b.fragments(4, 5000, 1400)
	b.inject(large[0])
	last := uint64(4)
	for ; b.recv.tally.Dropped[StashFull] == 0; last++ {
		b.inject(b.records(last+1, 1, 64))
	}
	for _, d := range large {
		b.inject(d)
	}
	if next := b.recv.all[0].next; next < 5 {
		t.Fatalf("number %d is due still: %+v", next, b.recv.tally.Stats)
	}
	for seq := b.recv.all[0].next; seq <= last; seq++ { // sent again
		b.inject(b.records(seq, 1, 64))
	}
	b.recv.flush()
	b.poll()
	for _, m := range b.got {
		if m.seq != 4 && m.stamp != m.seq+7 {
			t.Fatalf("message %d has stamp %d", m.seq, m.stamp)
		}
	}
	if uint64(len(b.got)) != last {
		t.Errorf("%d messages of %d", len(b.got), last)
	}
}

// A mirror's file keeps its capacity, and so frames may come that are larger than those of the capacity that is asked for.
func TestMirrorLargerThanAskedForTakesItsLargestFrames(t *testing.T) {
	ro := ReceiverOptions{Reliability: Repaired, Inbox: netio.InboxOptions{Dir: t.TempDir(), Capacity: 1 << 20}}
	b := newBed(t, SenderOptions{}, ro, nil)
	b.inject(b.records(1, 3, 64))
	b.recv.flush()
	b.poll()
	b.hangUp()
	ro.Inbox.Capacity = 1 << 16
	b.listen(ro)
	for _, d := range b.fragments(4, 50_000, 1400) {
		b.inject(d)
	}
	b.recv.flush()
	b.poll()
	b.verify(1, 4, false)
}

// A receiver that was away for a long time goes on however far its sender is by then.
func TestReceiverComesBackHoweverFarItsSenderIs(t *testing.T) {
	const far = 5_000_000_000
	for _, rel := range []Reliability{BestEffort, Repaired} {
		ro := ReceiverOptions{Reliability: rel, Inbox: netio.InboxOptions{Dir: t.TempDir()}}
		b := newBed(t, SenderOptions{}, ro, nil)
		b.pass(0)
		b.inject(b.records(1, 3, 64))
		b.recv.flush()
		b.poll()
		b.hangUp()
		b.listen(ro)
		if rel == Repaired {
			lost := make([]byte, seal.HeaderSize+seal.LostSize)
			(&seal.Header{Kind: seal.Lost, Channel: b.recv.channel, Source: 7, Epoch: 1, Seq: 4, Length: seal.LostSize}).Put(lost)
			seal.PutLost(lost[seal.HeaderSize:], far-1)
			b.inject(lost)
		}
		b.inject(b.records(far, 3, 64))
		for range 20 {
			b.pass(time.Millisecond)
			_, err := b.recv.Do()
			must(t, err)
			b.poll()
		}
		if s := b.recv.Stats(); len(b.got) != 6 || b.got[5].seq != far+2 || s.Lost != far-4 || s.Drops(ForeignSource) != 0 {
			t.Errorf("%s: %d messages, %+v", rel, len(b.got), s)
		}
	}
}
