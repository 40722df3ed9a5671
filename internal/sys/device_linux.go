package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Attributes of links and of XDP programs on them (linux/if_link.h).
const (
	attrXDP         = 43
	attrXDPAttached = 2
	attrXDPProgram  = 4
	attrNested      = 0x3fff // without the two flags in front

	attachedGeneric = 2
)

// DeviceOf asks about an interface of the calling thread's network namespace.
func DeviceOf(ifname string) (d Device, err error) {
	index, err := interfaceIndex(ifname)
	if err != nil {
		return d, err
	}
	q, err := OpenQueues(ifname)
	if err != nil {
		return d, err
	}
	d.Queues = max(q.Count(), 1) // some have one and no answer
	if info, err := unix.IoctlGetEthtoolDrvinfo(q.fd, ifname); err == nil {
		d.Driver = unix.ByteSliceToString(info.Driver[:])
	}
	if err := errors.Join(d.attached(int(index)), q.Close()); err != nil {
		return d, fmt.Errorf("interface %q: %w", ifname, err)
	}
	return d, nil
}

// attached finds the XDP program on the interface.
func (d *Device) attached(index int) error {
	rib, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return err
	}
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != syscall.RTM_NEWLINK || len(m.Data) < syscall.SizeofIfInfomsg {
			continue
		}
		if int(int32(binary.NativeEndian.Uint32(m.Data[4:]))) != index {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(m)
		if err != nil {
			return err
		}
		for _, a := range attrs {
			if a.Attr.Type&attrNested == attrXDP {
				d.readXDP(a.Value)
			}
		}
	}
	return nil
}

// readXDP reads what is nested in IFLA_XDP.
func (d *Device) readXDP(b []byte) {
	eachAttr(b, func(kind uint16, value []byte) {
		switch {
		case kind == attrXDPAttached && len(value) >= 1:
			d.Generic = value[0] == attachedGeneric
		case kind == attrXDPProgram && len(value) >= 4:
			d.Foreign = binary.NativeEndian.Uint32(value)
		}
	})
}

// eachAttr walks netlink attributes as far as they are whole.
func eachAttr(b []byte, tell func(kind uint16, value []byte)) {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return
		}
		tell(binary.NativeEndian.Uint16(b[2:])&attrNested, b[4:n])
		b = b[min((n+3)&^3, len(b)):]
	}
}
