package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/ring"
)

// queueShippedNear is the whole way of a hybrid channel's record: a publisher's ring, a Shipper run inline, a broker. Messages travel many in
// an envelope.
type queueShippedNear struct {
	depot   depot
	queue   mqadapt.Queue
	out     *ringWriter
	shipper *mqadapt.Shipper
	msg     []byte
	batch   int
}

func newQueueShippedNear(s laneSpec, seed uint64) (l *queueShippedNear, err error) {
	l = &queueShippedNear{msg: newPayload(seed, s.Size), batch: s.Batch}
	if l.depot, err = newDepot(s); err != nil {
		return nil, err
	}
	if l.queue, err = l.depot.open(); err != nil {
		return nil, errors.Join(err, l.depot.close())
	}
	var p mqadapt.Producer
	if p, err = l.queue.Producer(); err == nil {
		l.out, err = createRing(s.Path, streamCapacity)
	}
	if err == nil {
		l.shipper, err = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "bench", Window: brokerWindow})
	}
	if err == nil {
		err = l.shipper.Add(l.out.ring)
	}
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *queueShippedNear) run(s *slice) error {
	before := l.shipper.Stats().Frames
	for more := true; more; more = s.counting(s.clock.now(), l.shipper.Stats().Frames) {
		if err := l.publish(); err != nil {
			return err
		}
		if _, err := l.shipper.Do(); err != nil {
			return err
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	for !l.shipper.Idle() {
		if _, err := l.shipper.Do(); err != nil {
			return err
		}
		if err := s.look(); err != nil {
			return err
		}
	}
	st := l.shipper.Stats()
	if sent := l.out.writer.Seq() - 1; st.Frames != sent || st.Unknown+st.Rejected != 0 {
		return fmt.Errorf("%w: %d of %d are in the queue: %+v", ErrCorrupt, st.Frames, sent, st)
	}
	s.sent = st.Frames - before
	return l.depot.holds(st.Envelopes)
}

// publish commits a batch, or as much of it as the ring has room for.
func (l *queueShippedNear) publish() error {
	for range l.batch {
		b, err := l.out.writer.Claim(len(l.msg))
		if errors.Is(err, ring.ErrFull) {
			break
		}
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
	return nil
}

func (l *queueShippedNear) close() error {
	var faults []error
	if l.shipper != nil {
		faults = append(faults, l.shipper.Close())
	}
	if l.out != nil {
		if err := l.out.ring.Close(); !errors.Is(err, ring.ErrClosed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(slices.Concat(faults, []error{l.queue.Close(), l.depot.close()})...)
}
