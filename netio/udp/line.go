package udp

import (
	"errors"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/netio"
)

// line is one path of a receiver: a socket and what arrives on it.
type line struct {
	socket *sys.UDP
	medium netio.Medium   // in place of socket and batch
	peer   netip.AddrPort // from, over a medium
	said   bool           // something waits there to be flushed
	batch  *sys.RecvBatch
	own    *line // of a group: the socket that speaks, and that is spoken to alone; nil: socket does
	path   uint8
	from   sys.Address // who sent the message at hand
	turns  uint        // times that from was somebody else than before
	bare   bool        // the message at hand came without the size of its datagrams
	mute   bool        // and without its sender, which is not needed: from is who sent one before
	alike  bool        // all that arrives is from one sender, who gets no answers
	empty  int         // looks in a row that found nothing
	found  int         // and that found something

	stamped bool // the kernel tells when messages arrived
	waits   waits
}

// quietAfter is how many looks in vain make a line quiet: then a look asks for one message and nothing about it, which costs the kernel
// a third less. Two finds in a row end it.
const quietAfter = 16

// receive takes what has arrived.
func (l *line) receive() (n int, err error) {
	if l.medium != nil {
		return l.medium.Receive()
	}
	l.bare = l.empty >= quietAfter && !l.stamped
	l.mute = l.bare && l.alike
	switch {
	case l.mute:
		n, err = l.socket.RecvBytes(l.batch)
	case l.bare:
		n, err = l.socket.RecvBare(l.batch)
	default:
		n, err = l.socket.Recv(l.batch)
	}
	if n > 0 && l.stamped {
		l.waits.now = time.Now().UnixNano()
	}
	if n == 0 {
		l.found = 0
		l.empty++
	} else if l.found++; l.found > 1 {
		l.empty = 0
	}
	return n, err
}

func listen(l Listen, s Socket, path uint8) (*line, error) {
	if l.Medium != nil {
		return &line{medium: l.Medium, path: path}, nil
	}
	o := s.options()
	o.Bind = l.Bind
	socket, err := sys.OpenUDP(o)
	if err != nil {
		return nil, err
	}
	one := &line{socket: socket, path: path, stamped: socket.Features().Timestamps != sys.StampsOff}
	if one.batch, err = sys.NewRecvBatch(recvMessages, recvSize); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	if l.Group.IsValid() {
		err = socket.Join(l.Group, l.From, l.Interface)
		if err == nil {
			one.own, err = listen(alone(l), Socket{RecvBuffer: s.RecvBuffer, SendBuffer: s.SendBuffer, DSCP: s.DSCP, TTL: s.TTL, NoOffload: s.NoOffload}, path)
		}
		if err != nil {
			return nil, errors.Join(err, one.close())
		}
	}
	return one, nil
}

// alone is where a member of a group speaks from. The group's port may be shared by receivers of this host: what is sent to it, and not
// to the group, comes to any one of them, but an answer must come to who asked.
func alone(l Listen) Listen {
	if l.Bind.Addr().IsMulticast() {
		return Listen{Bind: anyOf(l.Bind)}
	}
	return Listen{Bind: netip.AddrPortFrom(l.Bind.Addr(), 0)}
}

// answered takes what senders said to this receiver alone: repairs and sessions. It comes with the chores, at most ownReceives batches.
func (r *Receiver) answered(l *line) error {
	if l.own == nil {
		return nil
	}
	for range ownReceives {
		n, err := l.own.receive()
		if err != nil && !sys.Transient(err) {
			return onChannel(r.options.Channel, err)
		}
		for i := range n {
			r.message(l.own, i)
		}
		if n < recvMessages {
			return nil
		}
	}
	return nil
}

const ownReceives = 8

func (l *line) close() error {
	if l.medium != nil {
		return l.medium.Close()
	}
	err := errors.Join(l.socket.Close(), l.batch.Close())
	if l.own != nil {
		err = errors.Join(err, l.own.close())
	}
	return err
}

// Local returns the address of line i, with the port that was picked.
func (r *Receiver) Local(i int) netip.AddrPort {
	if l := r.lines[i]; l.medium != nil {
		return l.medium.Local()
	}
	return r.lines[i].socket.Local()
}
