package udp

import (
	"errors"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

// line is one path of a receiver: a socket and what arrives on it.
type line struct {
	socket *sys.UDP
	batch  *sys.RecvBatch
	path   uint8
	from   sys.Address // who sent the message at hand
	turns  uint        // times that from was somebody else than before
	bare   bool        // the message at hand came without the size of its datagrams
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
	if l.bare = l.empty >= quietAfter && !l.stamped; l.bare {
		n, err = l.socket.RecvBare(l.batch)
	} else {
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

func listen(l Listen, s Socket) (*line, error) {
	o := s.options()
	o.Bind = l.Bind
	socket, err := sys.OpenUDP(o)
	if err != nil {
		return nil, err
	}
	if l.Group.IsValid() {
		if err := socket.Join(l.Group, l.From, l.Interface); err != nil {
			return nil, errors.Join(err, socket.Close())
		}
	}
	batch, err := sys.NewRecvBatch(recvMessages, recvSize)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return &line{socket: socket, batch: batch, stamped: socket.Features().Timestamps != sys.StampsOff}, nil
}

func (l *line) close() error { return errors.Join(l.socket.Close(), l.batch.Close()) }

// Local returns the address of line i, with the port that was picked.
func (r *Receiver) Local(i int) netip.AddrPort { return r.lines[i].socket.Local() }
