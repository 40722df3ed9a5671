//go:build !linux

package sys

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// TCP is a connection. This system has none that Pulse uses.
type TCP struct{}

// DialTCP answers errors.ErrUnsupported, or what is wrong with the options.
func DialTCP(o TCPOptions) (*TCP, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return nil, errors.ErrUnsupported
}

// TakeTCP answers errors.ErrUnsupported.
func TakeTCP(*net.TCPConn, TCPOptions) (*TCP, error) { return nil, errors.ErrUnsupported }

// Connected is never reached: no TCP exists.
func (t *TCP) Connected() (bool, error) { return false, errors.ErrUnsupported }

// Send is never reached: no TCP exists.
func (t *TCP) Send([][]byte) (int, error) { return 0, errors.ErrUnsupported }

// Recv is never reached: no TCP exists.
func (t *TCP) Recv([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Wait is never reached: no TCP exists.
func (t *TCP) Wait(time.Duration, bool) error { return errors.ErrUnsupported }

// Remote is never reached: no TCP exists.
func (t *TCP) Remote() netip.AddrPort { return netip.AddrPort{} }

// Close is never reached: no TCP exists.
func (t *TCP) Close() error { return errors.ErrUnsupported }

// TCPListener takes connections. This system has none.
type TCPListener struct{}

// ListenTCP answers errors.ErrUnsupported, or what is wrong with the options.
func ListenTCP(o TCPOptions) (*TCPListener, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return nil, errors.ErrUnsupported
}

// Accept is never reached: no TCPListener exists.
func (l *TCPListener) Accept() (*TCP, error) { return nil, errors.ErrUnsupported }

// Local is never reached: no TCPListener exists.
func (l *TCPListener) Local() netip.AddrPort { return netip.AddrPort{} }

// Close is never reached: no TCPListener exists.
func (l *TCPListener) Close() error { return errors.ErrUnsupported }
