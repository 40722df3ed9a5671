package sys

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Card is what a network card's driver says of its receive ring and of how long it holds packets back.
type Card struct {
	Ring, RingMax int  // descriptors; RingMax 0: it does not say
	Coalesces     bool // the rest is known
	WaitMicros    int  // a packet may wait for others
	Adaptive      bool // WaitMicros follows the load
}

// ringParameters are the sizes of a card's rings (struct ethtool_ringparam).
type ringParameters struct {
	cmd, receiveMax, miniMax, jumboMax, sendMax uint32
	receive, mini, jumbo, send                  uint32
}

// coalescing is when a card interrupts (struct ethtool_coalesce).
type coalescing struct {
	cmd, receiveMicros, receiveFrames, receiveMicrosIRQ, receiveFramesIRQ uint32
	sendMicros, sendFrames, sendMicrosIRQ, sendFramesIRQ                  uint32
	statsMicros, adaptiveReceive, adaptiveSend                            uint32
	_                                                                     [11]uint32
}

const (
	_ = uint(unsafe.Sizeof(ringParameters{}) - 36)
	_ = uint(36 - unsafe.Sizeof(ringParameters{}))
	_ = uint(unsafe.Sizeof(coalescing{}) - 92)
	_ = uint(92 - unsafe.Sizeof(coalescing{}))
)

// CardOf asks the driver of an interface of the calling thread's network namespace. Many software interfaces answer neither question: then
// it is errors.ErrUnsupported.
func CardOf(ifname string) (c Card, err error) {
	err = tune("rings", ifname, func(fd int) error {
		r := ringParameters{cmd: unix.ETHTOOL_GRINGPARAM}
		w := coalescing{cmd: unix.ETHTOOL_GCOALESCE}
		err1 := ethtool(fd, ifname, unsafe.Pointer(&r))
		err2 := ethtool(fd, ifname, unsafe.Pointer(&w))
		if err1 == nil {
			c.Ring, c.RingMax = int(r.receive), int(r.receiveMax)
		}
		if err2 == nil {
			c.Coalesces, c.WaitMicros, c.Adaptive = true, int(w.receiveMicros), w.adaptiveReceive != 0
		}
		if err1 == nil || err2 == nil {
			return nil
		}
		return silent(err1)
	})
	return c, err
}

// LargeReceive reports whether a card glues received packets together (LRO).
func LargeReceive(ifname string) (on bool, err error) {
	const lro = 1 << 15 // ETH_FLAG_LRO
	err = tune("offloads", ifname, func(fd int) error {
		v := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_GFLAGS}
		if err := ethtool(fd, ifname, unsafe.Pointer(&v)); err != nil {
			return silent(err)
		}
		on = v.data&lro != 0
		return nil
	})
	return on, err
}

// silent tells a driver that does not answer from one that is not there.
func silent(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w by its driver", errors.ErrUnsupported)
	}
	return err
}

// ClockDiscipline reports whether something keeps the wall clock in step, and how wrong it may be at most as the kernel has it. It changes
// nothing.
func ClockDiscipline() (synchronised bool, worst time.Duration, err error) {
	const unsynchronised = 0x40 // STA_UNSYNC
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, 0, fmt.Errorf("read the clock's state: %w", err)
	}
	return t.Status&unsynchronised == 0, time.Duration(t.Maxerror) * time.Microsecond, nil
}

// FreeBytes is what a process without privileges may still write in the file system that a path lies in.
func FreeBytes(path string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", path, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}
