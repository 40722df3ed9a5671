package udp

import (
	"errors"
	"net/netip"

	"github.com/alphapulse/transport/internal/sys"
)

// line is one path of a receiver: a socket and what arrives on it.
type line struct {
	socket *sys.UDP
	batch  *sys.RecvBatch
	path   uint8
	from   sys.Address // who sent the message at hand
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
	return &line{socket: socket, batch: batch}, nil
}

func (l *line) close() error { return errors.Join(l.socket.Close(), l.batch.Close()) }

// Local returns the address of line i, with the port that was picked.
func (r *Receiver) Local(i int) netip.AddrPort { return r.lines[i].socket.Local() }
