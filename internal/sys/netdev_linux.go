package sys

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Of generic netlink's controller and of its netdev family (linux/genetlink.h, linux/netdev.h).
const (
	controlFamily   = 0x10
	controlGet      = 3
	controlID       = 1
	controlName     = 2
	netdevGet       = 1
	netdevIndex     = 1
	netdevFeatures  = 3
	netdevSegments  = 4
	netdevTold      = 6
	featureBasic    = 1 << 0
	featureRedirect = 1 << 1
	featureTransmit = 1 << 2
	featureZeroCopy = 1 << 3
	featureSegments = 1 << 5
	toldChecksum    = 1 << 1
)

// FeaturesOf asks an interface's driver, by the interface's number, what it can do for XDP. It tries nothing: attaching a program would
// interrupt the traffic of many cards. Before Linux 6.3 it answers errors.ErrUnsupported.
func FeaturesOf(index int) (f DeviceFeatures, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return f, fmt.Errorf("netdev features: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var family uint16
	err = ask(fd, controlFamily, controlGet, attr(controlName, []byte("netdev\x00")), func(kind uint16, value []byte) {
		if kind == controlID && len(value) >= 2 {
			family = binary.NativeEndian.Uint16(value)
		}
	})
	if err != nil || family == 0 {
		return f, fmt.Errorf("netdev features: %w (needs Linux 6.3)", errors.ErrUnsupported)
	}
	var bits, told uint64
	number := binary.NativeEndian.AppendUint32(nil, uint32(index))
	err = ask(fd, family, netdevGet, attr(netdevIndex, number), func(kind uint16, value []byte) {
		switch {
		case kind == netdevFeatures && len(value) >= 8:
			bits = binary.NativeEndian.Uint64(value)
		case kind == netdevSegments && len(value) >= 4:
			f.ZeroCopySegments = int(binary.NativeEndian.Uint32(value))
		case kind == netdevTold && len(value) >= 8:
			told = binary.NativeEndian.Uint64(value)
		}
	})
	if err != nil {
		return f, fmt.Errorf("netdev features: %w", err)
	}
	f.Basic, f.Redirect, f.Transmit = bits&featureBasic != 0, bits&featureRedirect != 0, bits&featureTransmit != 0
	f.ZeroCopy, f.Segments = bits&featureZeroCopy != 0, bits&featureSegments != 0
	f.Checksums = told&toldChecksum != 0
	return f, nil
}

// attr is a netlink attribute, padded.
func attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

// ask sends one request of generic netlink and walks the attributes of its one answer.
func ask(fd int, family uint16, command byte, attrs []byte, tell func(kind uint16, value []byte)) error {
	const headers = unix.SizeofNlMsghdr + 4 // and genlmsghdr
	b := binary.NativeEndian.AppendUint32(nil, uint32(headers+len(attrs)))
	b = binary.NativeEndian.AppendUint16(b, family)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...) // number of the request and port: the kernel's business
	b = append(b, command, 1, 0, 0)
	b = append(b, attrs...)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	answer = answer[:n]
	if n >= headers && binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return unix.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])))
	}
	if n < headers {
		return unix.EPROTO
	}
	eachAttr(answer[headers:], tell)
	return nil
}
