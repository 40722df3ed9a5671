package sys

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// channels is how many queues an interface has and can have (struct ethtool_channels).
type channels struct{ cmd, maxReceive, maxSend, maxOther, maxCombined, receive, send, other, combined uint32 }

// queues asks the driver; some have one queue and no answer.
func queues(fd int, ifname string) int {
	c := channels{cmd: unix.ETHTOOL_GCHANNELS}
	if err := ethtool(fd, ifname, unsafe.Pointer(&c)); err != nil {
		return 1
	}
	return max(int(c.receive+c.combined), 1)
}

// SetQueues has an interface use n receive and n send queues. EINVAL: it does not have so many.
func SetQueues(ifname string, n int) error {
	return tune("queues", ifname, func(fd int) error {
		c := channels{cmd: unix.ETHTOOL_GCHANNELS}
		if err := ethtool(fd, ifname, unsafe.Pointer(&c)); err != nil {
			return err
		}
		c.cmd = unix.ETHTOOL_SCHANNELS
		if c.maxCombined > 0 {
			c.combined = uint32(n)
		} else {
			c.receive, c.send = uint32(n), uint32(n)
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

// ethtool gives the driver a request, which begins with its number.
func ethtool(fd int, ifname string, data unsafe.Pointer) error {
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the rest of the union in struct ifreq
	}{data: data}
	copy(request.name[:unix.IFNAMSIZ-1], ifname)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); e != 0 {
		return e
	}
	return nil
}
