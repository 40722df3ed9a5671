package bench

import (
	"errors"

	"github.com/alphapulse/transport/netio/quic"
	"github.com/alphapulse/transport/ring"
)

// quicTaker is a link over QUIC, its far end and the reader there: linkTaker for links that run by themselves.
type quicTaker struct {
	listener *quic.Listener
	link     *quic.Link
	quicIn
	batch [peekAtMost]ring.Record
}

func openQUICTaker(p *papers) (taker, tcpOut, error) {
	l := &quicTaker{quicIn: newQUICIn()}
	here, _, err := openNetwork(NetLoopback)
	if err != nil {
		return nil, tcpOut{}, err
	}
	far, err := p.config(&p.Far)
	if err != nil {
		return nil, tcpOut{}, err
	}
	near, err := p.config(&p.Near)
	if err != nil {
		return nil, tcpOut{}, err
	}
	l.listener, err = quic.Listen(quic.ListenOptions{Bind: here.Far.any(), Nodes: []string{"near"},
		Common: quic.Common{TLS: far, Link: quicOptions("far", "", "", quicThere, streamCapacity, l.opened)}})
	if err != nil {
		return nil, tcpOut{}, err
	}
	l.link, err = quic.Dial(quic.DialOptions{To: l.listener.Local(),
		Common: quic.Common{TLS: near, Link: quicOptions("near", "far", quicThere, "", 0, nil)}})
	if err != nil {
		return nil, tcpOut{}, errors.Join(err, l.listener.Close())
	}
	out, err := openTCPOut(streamCapacity, quicThere, l.link)
	if err != nil {
		return nil, tcpOut{}, errors.Join(err, l.close())
	}
	return l, out, nil
}

func (l *quicTaker) take(see func([]ring.Record)) error {
	n, err := l.peek(l.batch[:])
	if n == 0 || err != nil {
		return err
	}
	see(l.batch[:n])
	return l.reader.Release(n)
}

func (l *quicTaker) close() error {
	err := l.link.Close()
	if l.reader != nil {
		err = errors.Join(err, l.reader.Close())
	}
	return errors.Join(err, l.listener.Close())
}
