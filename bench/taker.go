package bench

import (
	"errors"
	"time"

	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// taker takes what was published, and calls see for each batch.
type taker interface {
	take(see func([]ring.Record)) error
	close() error
}

// turner is a taker that works by itself while a slice lasts.
type turner interface {
	begin()
	end() error
}

// openTaker opens what takes a lane's messages, and the ring that they are published into.
func openTaker(s laneSpec) (taker, tcpOut, error) {
	switch s.Kind {
	case kindTCP:
		return openLinkTaker()
	case kindQUIC:
		return openQUICTaker(s.Papers)
	case kindQueue:
		return openQueueTaker(s)
	}
	return openLocalTaker(s.Naps)
}

// localTaker is one gating reader. Where it naps it looks for messages about as often as a Shipper that has nothing to do.
type localTaker struct {
	reader *ring.Reader
	batch  [peekAtMost]ring.Record
	naps   bool
}

const localNap = 500 * time.Microsecond

// addTo gives a ring to what reads it.
type addTo func(channel string, r *ring.Ring) error

// Add calls f.
func (f addTo) Add(channel string, r *ring.Ring) error { return f(channel, r) }

func openLocalTaker(naps bool) (taker, tcpOut, error) {
	l := &localTaker{naps: naps}
	out, err := openTCPOut(streamCapacity, "", addTo(func(_ string, r *ring.Ring) (err error) {
		l.reader, err = r.Reader(ring.ReaderOptions{})
		return err
	}))
	return l, out, err
}

func (l *localTaker) take(see func([]ring.Record)) error {
	if l.naps {
		time.Sleep(localNap)
	}
	return drain(l.reader, l.batch[:], see)
}

func drain(r *ring.Reader, batch []ring.Record, see func([]ring.Record)) error {
	for n := r.Peek(batch); n > 0; n = r.Peek(batch) {
		see(batch[:n])
		if err := r.Release(n); err != nil {
			return err
		}
	}
	return r.Err()
}

func (l *localTaker) close() error { return l.reader.Close() }

// linkTaker is a link, its far end and the reader there.
type linkTaker struct {
	listener *tcp.Listener
	link     *tcp.Link
	tcpIn
	batch [peekAtMost]ring.Record
}

func openLinkTaker() (taker, tcpOut, error) {
	l := &linkTaker{}
	here, _, err := openNetwork(NetLoopback)
	if err != nil {
		return nil, tcpOut{}, err
	}
	l.listener, err = tcp.Listen(tcp.ListenOptions{Bind: here.Far.any(), Nodes: []string{"near"}, Link: tcpOptions("far", "", "", tcpThere, streamCapacity, l.opened)})
	if err != nil {
		return nil, tcpOut{}, err
	}
	l.link, err = tcp.Dial(tcp.DialOptions{To: l.listener.Local(), Link: tcpOptions("near", "far", tcpThere, "", 0, nil)})
	if err != nil {
		return nil, tcpOut{}, errors.Join(err, l.listener.Close())
	}
	out, err := openTCPOut(streamCapacity, tcpThere, l.link)
	if err != nil {
		return nil, tcpOut{}, errors.Join(err, l.close())
	}
	return l, out, nil
}

func (l *linkTaker) take(see func([]ring.Record)) error {
	if _, err := l.link.Do(); err != nil {
		return err
	}
	if _, err := l.listener.Do(); err != nil || l.reader == nil {
		return errors.Join(err, l.err)
	}
	return drain(l.reader, l.batch[:], see)
}

func (l *linkTaker) close() error {
	return errors.Join(l.link.Close(), l.tcpIn.close(), l.listener.Close())
}
