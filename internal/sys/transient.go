package sys

import (
	"errors"
	"syscall"
)

// Transient reports whether a UDP socket works on after err: the network refused, a device is down, a filter said no, memory
// is short. What is left means that the socket is no good.
func Transient(err error) bool {
	var e syscall.Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case syscall.EAGAIN, syscall.EINTR, syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EACCES, syscall.EMSGSIZE, syscall.EINVAL, syscall.EIO, syscall.EADDRNOTAVAIL,
		syscall.EPROTO, syscall.ENOPROTOOPT, syscall.ECONNRESET, syscall.ETIMEDOUT:
		return true
	}
	return false
}
