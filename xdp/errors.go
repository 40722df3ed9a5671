package xdp

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

var (
	// ErrOptions: options no device can have. The text lists all faults.
	ErrOptions = errors.New("xdp: options")

	// ErrForeign: somebody else's XDP program is on the interface. It is never replaced; its owner detaches it, or the link goes by
	// plain UDP.
	ErrForeign = errors.New("another XDP program is attached")

	// ErrMode: the interface can do nothing that Options allow. The text says why for each.
	ErrMode = errors.New("no allowed mode works")

	// ErrRights: the process lacks a capability, which the text names. Grant it, or take plain UDP.
	ErrRights = errors.New("not permitted")

	// ErrMemlock: RLIMIT_MEMLOCK is below what the chunks take. Raise it (LimitMEMLOCK=), grant CAP_IPC_LOCK, or ask for fewer chunks.
	ErrMemlock = errors.New("over RLIMIT_MEMLOCK")

	// ErrTaken: another socket has the queue.
	ErrTaken = errors.New("queue is taken")

	// ErrDown: the interface is down. What is in the send ring goes out when it is up again; until then other links carry.
	ErrDown = errors.New("xdp: interface is down")

	// ErrGone: the interface is no more. Close the device.
	ErrGone = errors.New("xdp: interface is gone")

	// ErrDetached: somebody has detached our program, so that our datagrams are the kernel's. Close the device and open it anew.
	ErrDetached = errors.New("xdp: program is detached")

	// ErrQueues: the interface uses other queues than when the device was opened, and what comes on those without a socket is the kernel's.
	// Close the device and open it anew.
	ErrQueues = errors.New("xdp: interface has other queues")

	// ErrPacket is returned by Commit for chunks that are no packets: empty, shorter than an Ethernet header, longer than a chunk,
	// ending in the middle, or in more chunks than the mode allows. Nothing of the batch is sent.
	ErrPacket = errors.New("xdp: not a packet")

	// ErrClosed is returned by whatever is used after Close.
	ErrClosed = fmt.Errorf("xdp: %w", net.ErrClosed)
)

// state names what the kernel answers to Kick and Poke, or passes it on.
func state(err error) error {
	switch {
	case err == nil, errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EBUSY):
		return nil // later
	case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return nil // when there is memory again
	case errors.Is(err, syscall.ENETDOWN):
		return ErrDown
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return ErrGone
	}
	return err
}
