//go:build !linux

package sys

import (
	"errors"
	"time"
)

// Netlink is an rtnetlink socket. This system has none.
type Netlink struct{}

// OpenNetlink answers errors.ErrUnsupported.
func OpenNetlink(...int) (*Netlink, error) { return nil, errors.ErrUnsupported }

// Close is never reached: no Netlink exists.
func (n *Netlink) Close() error { return errors.ErrUnsupported }

// Send is never reached: no Netlink exists.
func (n *Netlink) Send([]byte) error { return errors.ErrUnsupported }

// Recv is never reached: no Netlink exists.
func (n *Netlink) Recv([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Wait is never reached: no Netlink exists.
func (n *Netlink) Wait(time.Duration) error { return errors.ErrUnsupported }
