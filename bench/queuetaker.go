package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
)

// queueTaker is a queue, a Shipper that puts into it, a Taker that gets from it, and the reader of the mirror there: linkTaker for queues. The
// two run on goroutines, as those of a node do, while a slice lasts: at other times they would look for work beside other lanes.
type queueTaker struct {
	depot   depot
	queue   mqadapt.Queue
	shipper *mqadapt.Shipper
	taker   *mqadapt.Taker
	quicIn
	batch  [peekAtMost]ring.Record
	stop   context.CancelFunc
	runs   sync.WaitGroup
	faults [2]error // of the goroutines, once runs is done
}

func openQueueTaker(s laneSpec) (_ taker, out tcpOut, err error) {
	l := &queueTaker{quicIn: newQUICIn()}
	if l.depot, err = newDepot(s); err != nil {
		return nil, out, err
	}
	if l.queue, err = l.depot.open(); err != nil {
		return nil, out, errors.Join(err, l.depot.close())
	}
	if err = l.join(); err == nil {
		out, err = openTCPOut(streamCapacity, "", addTo(func(_ string, r *ring.Ring) error { return l.shipper.Add(r) }))
	}
	if err != nil {
		return nil, out, errors.Join(err, l.close())
	}
	return l, out, nil
}

// join opens both sides of the queue.
func (l *queueTaker) join() error {
	c, err := l.queue.Consumer(brokerGroup)
	if err != nil {
		return err
	}
	l.taker, err = mqadapt.NewTaker(c, mqadapt.TakerOptions{Channel: "bench", Inbox: netio.InboxOptions{Capacity: streamCapacity, Opened: l.opened}})
	if err != nil {
		return errors.Join(err, c.Close())
	}
	p, err := l.queue.Producer()
	if err != nil {
		return err
	}
	if l.shipper, err = mqadapt.NewShipper(p, mqadapt.ShipperOptions{Channel: "bench", Window: brokerWindow}); err != nil {
		return errors.Join(err, p.Close())
	}
	return nil
}

func (l *queueTaker) begin() {
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	l.runs.Go(func() { l.faults[0] = l.shipper.Run(ctx) })
	l.runs.Go(func() { l.faults[1] = l.taker.Run(ctx) })
}

// end stops both, and has confirmed what was published.
func (l *queueTaker) end() error {
	l.stop()
	l.runs.Wait()
	if err := errors.Join(l.faults[:]...); err != nil {
		return err
	}
	for limit := time.Now().Add(brokerPatience); !l.shipper.Idle(); time.Sleep(roomNap) {
		if _, err := l.shipper.Do(); err != nil {
			return err
		}
		if time.Now().After(limit) {
			return errors.Join(fmt.Errorf("%w: read and not confirmed: %+v", ErrCorrupt, l.shipper.Stats()), l.shipper.Trouble())
		}
	}
	return nil
}

func (l *queueTaker) take(see func([]ring.Record)) error {
	n, err := l.peek(l.batch[:])
	if n == 0 || err != nil {
		return err
	}
	see(l.batch[:n])
	return l.reader.Release(n)
}

func (l *queueTaker) close() (err error) {
	if l.shipper != nil {
		err = l.shipper.Close()
	}
	if l.taker != nil {
		err = errors.Join(err, l.quicIn.close(), l.taker.Close())
	}
	return errors.Join(err, l.queue.Close(), l.depot.close())
}
