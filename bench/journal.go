package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// The journal lanes put envelopes of one message each into a journal, in batches, and count what is accepted; after each slice, outside of the
// measured time, a group reads all of it back and checks number and place. Both ends live on the near side, as the file does.
const (
	journalKept  = 4 * journal.DefaultSegment // bytes of segments, the oldest go
	journalLooks = 2048                       // messages between two looks at the clock
	recordHead   = 16                         // bytes before a message in an envelope
	entryHead    = 32                         // bytes before an envelope in a journal
)

type journalNear struct {
	j        *journal.Journal
	producer mqadapt.Producer
	consumer mqadapt.Consumer
	batch    []mqadapt.Envelope
	out      []mqadapt.Outcome
	got      []mqadapt.Delivery
	next     uint64 // number of the next message, from 1
	seen     uint64
	perLook  int
}

func newJournalNear(s laneSpec, seed uint64) (*journalNear, error) {
	l := &journalNear{out: make([]mqadapt.Outcome, s.Batch), got: make([]mqadapt.Delivery, 256), next: 1, perLook: max(s.Batch, journalLooks*payloadSize/s.Size)}
	var err error
	if l.j, err = openLaneJournal(s); err != nil {
		return nil, err
	}
	if l.producer, err = l.j.Producer(); err == nil {
		l.consumer, err = l.j.Consumer("check")
	}
	if err != nil {
		return nil, errors.Join(err, l.j.Close())
	}
	payload := newPayload(seed, s.Size)
	for range s.Batch {
		body := make([]byte, recordHead+s.Size)
		binary.LittleEndian.PutUint64(body, uint64(len(body)))
		copy(body[recordHead:], payload)
		l.batch = append(l.batch, mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: 1, Epoch: 1}, Body: body})
	}
	return l, nil
}

func openLaneJournal(s laneSpec) (*journal.Journal, error) {
	o := journal.Options{Dir: s.Path + ".journal", MaxBytes: journalKept, DropOldest: true}
	if s.Synced {
		o.Durability = mqadapt.OS
	}
	return journal.Open(o)
}

// journalDepot is a journal that a lane has to itself. Its directory goes with the run's.
type journalDepot struct{ spec laneSpec }

func (d journalDepot) open() (mqadapt.Queue, error) {
	j, err := openLaneJournal(d.spec)
	if err != nil {
		return nil, err // not a nil *Journal in an interface
	}
	return j, nil
}

func (d journalDepot) holds(uint64) error { return nil } // whoever reads it counts
func (d journalDepot) close() error       { return nil }

func (l *journalNear) run(s *slice) error {
	for more := true; more; {
		for n := 0; n < l.perLook; n += len(l.batch) {
			if err := l.put(); err != nil {
				return err
			}
			s.sent += uint64(len(l.batch))
		}
		more = s.running(s.clock.now())
	}
	return l.check()
}

// put puts a batch and has it accepted.
func (l *journalNear) put() error {
	for i := range l.batch {
		e := &l.batch[i]
		e.Seq = l.next
		binary.LittleEndian.PutUint32(e.Body[4:], uint32(l.next))
		binary.LittleEndian.PutUint64(e.Body[recordHead:], l.next)
		l.next++
	}
	n, err := l.producer.Put(l.batch)
	if err != nil || n < len(l.batch) {
		return fmt.Errorf("bench: a journal took %d of %d: %w", n, len(l.batch), err)
	}
	if n, err = l.producer.Settle(l.out, 0); err != nil || n < len(l.out) {
		return fmt.Errorf("bench: %d outcomes of %d: %w", n, len(l.out), err)
	}
	for i := range l.out {
		if l.out[i].Verdict != mqadapt.Accepted {
			return fmt.Errorf("bench: %s: %w", l.out[i].Verdict, l.out[i].Why)
		}
	}
	return nil
}

// check reads back what was put.
func (l *journalNear) check() error {
	for l.seen+1 < l.next {
		n, err := l.consumer.Get(l.got, 0)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: %d of %d are in the journal", ErrCorrupt, l.seen, l.next-1)
		}
		for i := range l.got[:n] {
			l.seen += l.got[i].Lost + 1
			if e := l.got[i].Envelope; binary.LittleEndian.Uint64(e[seal.HeaderSize+recordHead:]) != l.seen {
				return fmt.Errorf("%w: message %d is another", ErrCorrupt, l.seen)
			}
		}
		if err := l.consumer.Ack(l.got[n-1].Position); err != nil {
			return err
		}
	}
	return nil
}

func (l *journalNear) close() error { return l.j.Close() }

// The file lane writes the same bytes that a journal's entries have, one after the other, into preallocated files: a write for each batch,
// or for each message, and a sync where the journal has one. No header is made, nothing is checked, nobody could read it.
type fileNear struct {
	dir     string
	file    *os.File
	at      int64
	buf     []byte
	batch   int
	synced  bool
	old     []*os.File
	perLook int
}

func newFileNear(s laneSpec, seed uint64) (*fileNear, error) {
	entry := entryHead + seal.HeaderSize + recordHead + s.Size
	l := &fileNear{dir: filepath.Dir(s.Path), buf: newPayload(seed, s.Batch*entry), batch: s.Batch, synced: s.Synced, perLook: max(s.Batch, journalLooks*payloadSize/s.Size)}
	return l, l.turn()
}

// turn begins the next file. As many are kept as a journal keeps segments; they have no names, and go with their descriptors.
func (l *fileNear) turn() error {
	if l.file != nil {
		if l.old = append(l.old, l.file); len(l.old) >= journalKept/journal.DefaultSegment {
			if err := l.old[0].Close(); err != nil {
				return err
			}
			l.old = l.old[1:]
		}
	}
	var err error
	l.file, err = sys.Unlinked(l.dir, journal.DefaultSegment, 0o600, -1)
	l.at = 0
	return err
}

func (l *fileNear) run(s *slice) error {
	for more := true; more; {
		for n := 0; n < l.perLook; n += l.batch {
			if l.at+int64(len(l.buf)) > journal.DefaultSegment {
				if err := l.turn(); err != nil {
					return err
				}
			}
			if _, err := l.file.Write(l.buf); err != nil {
				return err
			}
			l.at += int64(len(l.buf))
			if l.synced {
				if err := sys.SyncData(l.file); err != nil {
					return err
				}
			}
			s.sent += uint64(l.batch)
		}
		more = s.running(s.clock.now())
	}
	return nil
}

func (l *fileNear) close() error {
	err := l.file.Close()
	for _, f := range l.old {
		err = errors.Join(err, f.Close())
	}
	return err
}

// The shipped lane is the whole way of a hybrid channel's record: a publisher's ring, a Shipper run inline, a journal. Messages travel many in
// an envelope.
type shippedNear struct {
	j       *journal.Journal
	out     *ringWriter
	shipper *mqadapt.Shipper
	msg     []byte
	batch   int
	frames  uint64
}

func newShippedNear(s laneSpec, seed uint64) (l *shippedNear, err error) {
	l = &shippedNear{msg: newPayload(seed, s.Size), batch: s.Batch}
	if l.j, err = openLaneJournal(s); err != nil {
		return nil, err
	}
	var p mqadapt.Producer
	if p, err = l.j.Producer(); err == nil {
		l.out, err = createRing(s.Path, streamCapacity)
	}
	if err == nil {
		l.shipper, err = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "bench"})
	}
	if err == nil {
		err = l.shipper.Add(l.out.ring)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *shippedNear) run(s *slice) error {
	for more := true; more; {
		for n := 0; n < journalLooks; n += l.batch {
			for range l.batch {
				b, err := l.out.writer.Claim(len(l.msg))
				if err != nil {
					return err
				}
				copy(b, l.msg)
				binary.LittleEndian.PutUint64(b, l.out.writer.Seq())
				if err := l.out.writer.Stage(len(b)); err != nil {
					return err
				}
			}
			l.out.writer.Flush()
		}
		if err := l.ship(); err != nil {
			return err
		}
		s.sent += l.shipper.Stats().Frames - l.frames
		l.frames = l.shipper.Stats().Frames
		more = s.running(s.clock.now())
	}
	return nil
}

// ship goes on until the journal has all of it: a ring of this size has room for a round.
func (l *shippedNear) ship() error {
	for !l.shipper.Idle() {
		if _, err := l.shipper.Do(); err != nil {
			return err
		}
	}
	if got, sent := l.shipper.Stats().Frames, l.out.writer.Seq()-1; got != sent {
		return fmt.Errorf("%w: %d of %d are in the journal", ErrCorrupt, got, sent)
	}
	return nil
}

func (l *shippedNear) close() error {
	var faults []error
	if l.shipper != nil {
		faults = append(faults, l.shipper.Close())
	}
	if l.out != nil {
		if err := l.out.ring.Close(); !errors.Is(err, ring.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(append(faults, l.j.Close())...)
}
