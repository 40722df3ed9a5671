package bench

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/seal"
)

// The udp lanes are the whole way: a publisher's ring, a Sender that the publisher's own thread runs, the kernel, a Receiver that the
// subscriber's thread runs, the mirror, its reader. One thread per side does it all.
const (
	udpChannel = "bench"
	secretSize = 32
	tendEvery  = 64 // idle rounds between two looks at anything but the socket
)

func openUDPNear(s laneSpec, mem sys.Mem, seed uint64) (near, error) {
	switch {
	case s.Kind == kindUDP && s.Pattern == patternPingPong:
		return newUDPPing(s, mem, seed)
	case s.Kind == kindUDPRaw && s.Pattern == patternPingPong:
		return newRawPing(s, mem, seed)
	case s.Kind == kindUDPNet && s.Pattern == patternPingPong:
		return newNetPing(s, mem, seed)
	case s.Kind == kindUDP && s.Pattern == patternStream:
		return newUDPSource(s, mem, seed)
	case s.Kind == kindUDPRaw && s.Pattern == patternStream:
		return newRawSource(s, mem, seed)
	case s.Kind == kindUDPNet && s.Pattern == patternStream:
		return newNetSource(s, mem, seed)
	case s.Kind == kindUDP && s.Pattern == patternFan:
		return newFanSource(s, mem, seed), nil
	}
	return nil, fmt.Errorf("bench: no lane of kind %q for %s", s.Kind, s.Pattern)
}

func openUDPFar(s laneSpec, mem sys.Mem) (far, error) {
	switch {
	case s.Kind == kindUDP && s.Pattern == patternPingPong:
		return newUDPPong(s, mem)
	case s.Kind == kindUDPRaw && s.Pattern == patternPingPong:
		return newRawPong(s, mem)
	case s.Kind == kindUDPNet && s.Pattern == patternPingPong:
		return newNetPong(s, mem)
	case s.Kind == kindUDP && s.Pattern == patternStream:
		return newUDPSink(s, mem)
	case s.Kind == kindUDPRaw && s.Pattern == patternStream:
		return newRawSink(s, mem)
	case s.Kind == kindUDPNet && s.Pattern == patternStream:
		return newNetSink(s, mem)
	case s.Kind == kindUDP && s.Pattern == patternFan:
		return newFanSink(s, mem)
	}
	return nil, fmt.Errorf("bench: no lane of kind %q for %s", s.Kind, s.Pattern)
}

// secret is what both ends of the lane seal with, nil when they do not.
func (s laneSpec) secret() *seal.Secret {
	if s.Secret == nil {
		return nil
	}
	secret := seal.SecretOf([secretSize]byte(s.Secret))
	return &secret
}

// outlet is a side's way out: a publisher's ring and the sender that carries it.
type outlet struct {
	ring   *ring.Ring
	writer *ring.Writer
	sender *udp.Sender
}

func openOutlet(s laneSpec, from site, to netip.AddrPort, capacity int) (*outlet, error) {
	line := udp.Dial{To: to}
	if s.hub != nil {
		e, err := s.endOf(from, pastOut, to)
		if err != nil {
			return nil, err
		}
		line.Medium = e
	}
	return openOutletAs(udp.SenderOptions{Lines: []udp.Dial{line}, Secret: s.secret(), Separate: s.Separate, Carried: s.board.Spread(watch.HopLatency, udpChannel, watch.Carried)},
		from, capacity)
}

func openOutletAs(so udp.SenderOptions, from site, capacity int) (*outlet, error) {
	so.Channel = udpChannel
	r, err := ring.Create(ring.Options{Capacity: capacity})
	if err != nil {
		return nil, err
	}
	o := &outlet{ring: r}
	if o.writer, err = r.Writer(); err != nil {
		return nil, errors.Join(err, o.close())
	}
	err = from.in(func() (err error) {
		o.sender, err = udp.NewSender(so)
		return err
	})
	if err == nil {
		err = o.sender.Add(r)
	}
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *outlet) close() (err error) {
	if o == nil {
		return nil
	}
	if o.sender != nil {
		err = o.sender.Close()
	}
	if o.writer != nil {
		err = errors.Join(err, o.writer.Close())
	}
	return errors.Join(err, o.ring.Close())
}

// inlet is a side's way in: a receiver and the reader of the mirror it fills.
type inlet struct {
	receiver *udp.Receiver
	reader   *ring.Reader // nil until the first message
	err      error        // why there is no reader
	more     bool         // the last batch was full: there may be more in the mirror
}

func openInlet(s laneSpec, at site, capacity int) (*inlet, error) {
	line := udp.Listen{Bind: at.any()}
	if s.hub != nil {
		e, err := s.endOf(at, pastIn, netip.AddrPort{})
		if err != nil {
			return nil, err
		}
		line.Medium = e
	}
	return openInletAs(udp.ReceiverOptions{Lines: []udp.Listen{line}, Secret: s.secret(), Received: s.board.Spread(watch.HopLatency, udpChannel, watch.Received)}, at, capacity)
}

func openInletAs(ro udp.ReceiverOptions, at site, capacity int) (*inlet, error) {
	i := &inlet{}
	opened := func(r *ring.Ring) { i.reader, i.err = r.Reader(ring.ReaderOptions{From: ring.Oldest}) }
	ro.Channel, ro.Inbox = udpChannel, netio.InboxOptions{Capacity: capacity, Sources: 1, Opened: opened}
	err := at.in(func() (err error) {
		i.receiver, err = udp.NewReceiver(ro)
		return err
	})
	return i, err
}

func (i *inlet) local() netip.AddrPort { return i.receiver.Local(0) }

// poll receives what there is, and lends the first messages of it.
func (i *inlet) poll(batch []ring.Record) (int, error) {
	if n, err := i.receiver.Do(); err != nil || n == 0 && !i.more {
		return 0, err
	}
	if i.reader == nil {
		return 0, i.err
	}
	n := i.reader.Peek(batch)
	i.more = n == len(batch)
	return n, nil
}

func (i *inlet) close() (err error) {
	if i.reader != nil {
		err = i.reader.Close()
	}
	return errors.Join(err, i.receiver.Close())
}
