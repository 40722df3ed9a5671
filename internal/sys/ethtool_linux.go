package sys

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// channels is how many queues an interface has and can have (struct ethtool_channels).
type channels struct{ cmd, maxReceive, maxSend, maxOther, maxCombined, receive, send, other, combined uint32 }

// Queues counts an interface's receive queues. The zero Queues is not valid.
type Queues struct {
	fd       int
	request  request
	channels channels
}

// OpenQueues is for an interface of the calling thread's network namespace; whoever counts may be in another one.
func OpenQueues(ifname string) (*Queues, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("queues of interface %q: %w", ifname, err)
	}
	return &Queues{fd: fd, request: named(ifname)}, nil
}

// Count asks the driver how many are in use; 0: it does not say, or the interface is not there under that name. It allocates nothing.
func (q *Queues) Count() int {
	q.channels = channels{cmd: unix.ETHTOOL_GCHANNELS}
	if err := q.request.ask(q.fd, unsafe.Pointer(&q.channels)); err != nil {
		return 0
	}
	return int(q.channels.receive + q.channels.combined)
}

// Close gives back what OpenQueues took.
func (q *Queues) Close() error { return unix.Close(q.fd) }

// SetQueues has an interface use so many receive and send queues; of a driver whose queues do both, the more of the two. EINVAL: it does
// not have so many, or needs more.
func SetQueues(ifname string, receive, send int) error {
	return tune("queues", ifname, func(fd int) error {
		c := channels{cmd: unix.ETHTOOL_GCHANNELS}
		if err := ethtool(fd, ifname, unsafe.Pointer(&c)); err != nil {
			return err
		}
		c.cmd = unix.ETHTOOL_SCHANNELS
		if c.maxCombined > 0 {
			c.combined = uint32(max(receive, send))
		} else {
			c.receive, c.send = uint32(receive), uint32(send)
		}
		return ethtool(fd, ifname, unsafe.Pointer(&c))
	})
}

// SetChecksums has an interface fill in checksums of what it sends, or leave that to the kernel.
func SetChecksums(ifname string, on bool) error {
	return tune("checksums", ifname, func(fd int) error {
		v := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_STXCSUM}
		if on {
			v.data = 1
		}
		return ethtool(fd, ifname, unsafe.Pointer(&v))
	})
}

// tune changes something of an interface of the calling thread's network namespace.
func tune(what, ifname string, do func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(do(fd), unix.Close(fd))
	}
	if err != nil {
		return fmt.Errorf("%s of interface %q: %w", what, ifname, err)
	}
	return nil
}

// request is for an interface's driver (struct ifreq).
type request struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte // the rest of the union
}

func named(ifname string) (r request) {
	copy(r.name[:unix.IFNAMSIZ-1], ifname)
	return r
}

// ask gives the driver data, which begins with the number of what is asked, and where the answer comes.
func (r *request) ask(fd int, data unsafe.Pointer) error {
	r.data = data
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(r))); e != 0 {
		return e
	}
	return nil
}

func ethtool(fd int, ifname string, data unsafe.Pointer) error {
	r := named(ifname)
	return r.ask(fd, data)
}
