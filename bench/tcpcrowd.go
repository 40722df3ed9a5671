package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
)

// The crowd lanes carry 64 channels over one link. A round is one message in each, timed from before the first is written until the last of
// the first 63 was read; the 64th channel's reader reads too, or has stopped for good. One thread on the other processor runs the link, its
// far end and the readers, all in this process.
const crowdChannels = 64

type tcpCrowd struct {
	spec     laneSpec
	listener *tcp.Listener
	link     *tcp.Link
	outs     []tcpOut
	readers  [crowdChannels]*ring.Reader
	msg      []byte
	next     uint64 // number of the next round, from 1
	seen     atomic.Uint64
	bad      atomic.Uint64
	active   atomic.Bool
	turns    chan struct{}
	done     chan error
}

func newTCPCrowd(s laneSpec, seed uint64) (near, error) {
	l := &tcpCrowd{spec: s, msg: newPayload(seed, s.Size), next: 1, turns: make(chan struct{}), done: make(chan error, 1)}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	go l.serve()
	return l, nil
}

func (l *tcpCrowd) open() error {
	here, _, err := openNetwork(NetLoopback)
	if err != nil {
		return err
	}
	far, near := tcpOptions("far", "", "", "", 0, nil), tcpOptions("near", "far", "", "", 0, nil)
	for i := range crowdChannels {
		c := link.Contract{Name: fmt.Sprint("channel", i), Largest: maxSize}
		sends, takes := c, c
		sends.Sends, takes.Takes = true, true
		near.Channels = append(near.Channels, link.Channel{Contract: sends})
		far.Channels = append(far.Channels, link.Channel{Contract: takes, Inbox: netio.InboxOptions{Capacity: pingCapacity, Sources: 1, Opened: func(r *ring.Ring) {
			l.readers[i], err = r.Reader(ring.ReaderOptions{From: ring.Oldest})
		}}})
	}
	if l.listener, err = tcp.Listen(tcp.ListenOptions{Bind: here.Far.any(), Nodes: []string{"near"}, Link: far}); err != nil {
		return err
	}
	if l.link, err = tcp.Dial(tcp.DialOptions{To: l.listener.Local(), Link: near}); err != nil {
		return err
	}
	for i := range crowdChannels {
		out, err := openTCPOut(pingCapacity, fmt.Sprint("channel", i), l.link)
		if err != nil {
			return err
		}
		l.outs = append(l.outs, out)
	}
	return nil
}

// serve runs the link and the readers while a slice lasts.
func (l *tcpCrowd) serve() {
	runtime.LockOSThread() // never unlocked: the thread's processor is narrowed and it must end with this goroutine
	err := pin(l.spec.CPU)
	var batch [64]ring.Record
	var came [crowdChannels]uint64
	for range l.turns {
		for l.active.Load() && err == nil {
			_, err1 := l.link.Do()
			_, err2 := l.listener.Do()
			err = errors.Join(err1, err2)
			least := ^uint64(0)
			for i, r := range l.readers {
				if r != nil && (i < crowdChannels-1 || !l.spec.Stopped) {
					err = errors.Join(err, drain(r, batch[:], func(rs []ring.Record) {
						for _, one := range rs {
							if number := binary.LittleEndian.Uint64(one.Payload()); number != came[i]+1 {
								l.bad.Add(1)
							}
							came[i]++
						}
					}))
				}
				if i < crowdChannels-1 {
					least = min(least, came[i])
				}
			}
			l.seen.Store(least)
		}
		l.turns <- struct{}{}
	}
	l.done <- err
}

func (l *tcpCrowd) run(s *slice) error {
	l.active.Store(true)
	l.turns <- struct{}{}
	defer func() {
		l.active.Store(false)
		<-l.turns // it has seen that, or it would miss it when the next slice follows at once
	}()
	for more := true; more; {
		t0 := s.clock.now()
		for i := range l.outs {
			if err := l.publish(s, i); err != nil {
				return err
			}
		}
		for spins := 1; l.seen.Load() < l.next; spins++ {
			sys.Pause()
			if spins%lookEvery == 0 {
				if err := s.look(); err != nil {
					return err
				}
			}
		}
		l.next++
		more = s.lap(t0, s.clock.now())
	}
	if l.bad.Load() > 0 {
		return ErrCorrupt
	}
	return nil
}

// publish publishes one message in a channel. What the stopped one has no room for is not published.
func (l *tcpCrowd) publish(s *slice, i int) error {
	for {
		buf, err := l.outs[i].writer.Claim(len(l.msg))
		switch {
		case err == nil:
			move(buf, l.msg)
			binary.LittleEndian.PutUint64(buf, l.next)
			return l.outs[i].writer.Commit(len(l.msg))
		case !errors.Is(err, ring.ErrFull):
			return err
		case i == crowdChannels-1:
			return nil
		}
		if err := s.look(); err != nil {
			return err
		}
	}
}

func (l *tcpCrowd) close() error {
	close(l.turns)
	return errors.Join(<-l.done, l.release())
}

func (l *tcpCrowd) release() (err error) {
	if l.link != nil {
		err = l.link.Close()
	}
	for _, r := range l.readers {
		if r != nil {
			err = errors.Join(err, r.Close())
		}
	}
	if l.listener != nil {
		err = errors.Join(err, l.listener.Close())
	}
	for _, o := range l.outs {
		err = errors.Join(err, o.close())
	}
	return err
}
