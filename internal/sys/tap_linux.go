package sys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Tap puts whole frames on an interface and takes what arrives there, beside the kernel and not instead of it (AF_PACKET). It is for tests
// and measurements: each frame is copied, and costs a system call or two. It belongs to one goroutine.
type Tap struct {
	fd  int
	oob []byte
}

// tpacket_auxdata: status 4, len 4, snaplen 4, mac 2, net 2, vlan_tci 2, vlan_tpid 2.
const (
	auxSize = 20
	auxTCI  = 16
	auxTPID = 18

	tagAt   = 12 // behind both addresses
	tagSize = 4
)

// OpenTap opens the interface called ifname in the network namespace of the calling thread. It needs CAP_NET_RAW.
func OpenTap(ifname string) (*Tap, error) {
	index, err := interfaceIndex(ifname)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0) // hears nothing before it is bound
	if err != nil {
		return nil, fmt.Errorf("tap socket: %w", err)
	}
	t := &Tap{fd, make([]byte, unix.CmsgSpace(auxSize))}
	for _, option := range []int{unix.PACKET_AUXDATA, unix.PACKET_IGNORE_OUTGOING} {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1))
	}
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(err, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: int(index)}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tap %s: %w", ifname, err), t.Close())
	}
	return t, nil
}

// Close gives the socket back.
func (t *Tap) Close() error { return unix.Close(t.fd) }

// Send puts a frame, from its Ethernet header on, on the wire.
func (t *Tap) Send(frame []byte) error {
	_, err := unix.Write(t.fd, frame)
	return err
}

// Recv reads the next frame that arrives into b and returns how long it is; what does not fit is cut off. A VLAN tag, which the kernel
// takes out of frames, is put back. After timeout it is EAGAIN.
func (t *Tap) Recv(b []byte, timeout time.Duration) (int, error) {
	for deadline := time.Now().Add(timeout); ; {
		n, oobn, _, _, err := unix.Recvmsg(t.fd, b, t.oob, unix.MSG_DONTWAIT)
		if err == nil {
			return t.retag(b, n, t.oob[:oobn])
		}
		left := time.Until(deadline)
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) || left <= 0 {
			return 0, err
		}
		ts := unix.NsecToTimespec(int64(left))
		if _, err := unix.Ppoll([]unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}, &ts, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
	}
}

// retag puts the tag back that control data tells of.
func (t *Tap) retag(b []byte, n int, oob []byte) (int, error) {
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		aux := c.Data
		if c.Header.Level != unix.SOL_PACKET || c.Header.Type != unix.PACKET_AUXDATA || len(aux) < auxSize || n < tagAt || n+tagSize > len(b) ||
			binary.NativeEndian.Uint32(aux)&unix.TP_STATUS_VLAN_VALID == 0 {
			continue
		}
		copy(b[tagAt+tagSize:], b[tagAt:n])
		binary.BigEndian.PutUint16(b[tagAt:], binary.NativeEndian.Uint16(aux[auxTPID:]))
		binary.BigEndian.PutUint16(b[tagAt+2:], binary.NativeEndian.Uint16(aux[auxTCI:]))
		n += tagSize
	}
	return n, nil
}
