//go:build !linux

package sys

import (
	"errors"
	"net/netip"
	"time"
)

// UDP is a socket. This system has none that Pulse uses.
type UDP struct{}

// OpenUDP answers errors.ErrUnsupported, or what is wrong with the options.
func OpenUDP(o UDPOptions) (*UDP, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return nil, errors.ErrUnsupported
}

// Close is never reached: no UDP exists.
func (u *UDP) Close() error { return errors.ErrUnsupported }

// Local is never reached: no UDP exists.
func (u *UDP) Local() netip.AddrPort { return netip.AddrPort{} }

// Features is never reached: no UDP exists.
func (u *UDP) Features() Features { return Features{} }

// Wait is never reached: no UDP exists.
func (u *UDP) Wait(time.Duration, bool) error { return errors.ErrUnsupported }

// Drops is never reached: no UDP exists.
func (u *UDP) Drops() (uint32, error) { return 0, errors.ErrUnsupported }

// MTU is never reached: no UDP exists.
func (u *UDP) MTU() (int, error) { return 0, errors.ErrUnsupported }

// NAPI is never reached: no UDP exists.
func (u *UDP) NAPI() (int, error) { return 0, errors.ErrUnsupported }

// Join is never reached: no UDP exists.
func (u *UDP) Join(_, _ netip.Addr, _ string) error { return errors.ErrUnsupported }

// Leave is never reached: no UDP exists.
func (u *UDP) Leave(_, _ netip.Addr, _ string) error { return errors.ErrUnsupported }

// Send is never reached: no UDP exists.
func (u *UDP) Send(*SendBatch) (int, error) { return 0, errors.ErrUnsupported }

// SendOne is never reached: no UDP exists.
func (u *UDP) SendOne([]byte) error { return errors.ErrUnsupported }

// SendOneTo is never reached: no UDP exists.
func (u *UDP) SendOneTo([]byte, *Address) error { return errors.ErrUnsupported }

// Recv is never reached: no UDP exists.
func (u *UDP) Recv(*RecvBatch) (int, error) { return 0, errors.ErrUnsupported }

// RecvOne is never reached: no UDP exists.
func (u *UDP) RecvOne(*RecvBatch) (int, error) { return 0, errors.ErrUnsupported }

// RecvBare is not there on this system.
func (u *UDP) RecvBare(*RecvBatch) (int, error) { return 0, errors.ErrUnsupported }

// NextError is never reached: no UDP exists.
func (u *UDP) NextError(*QueuedError) (bool, error) { return false, errors.ErrUnsupported }

// SendBatch is a batch of messages on their way out. This system has none.
type SendBatch struct{}

// NewSendBatch answers errors.ErrUnsupported.
func NewSendBatch(int, int) (*SendBatch, error) { return nil, errors.ErrUnsupported }

// Close is never reached: no SendBatch exists.
func (b *SendBatch) Close() error { return errors.ErrUnsupported }

// Reset is never reached: no SendBatch exists.
func (b *SendBatch) Reset() {}

// Begin is never reached: no SendBatch exists.
func (b *SendBatch) Begin(*Address, int) bool { return false }

// Add is never reached: no SendBatch exists.
func (b *SendBatch) Add([]byte) bool { return false }

// Len is never reached: no SendBatch exists.
func (b *SendBatch) Len() int { return 0 }

// Unsent is never reached: no SendBatch exists.
func (b *SendBatch) Unsent() int { return 0 }

// RecvBytes is never reached: no UDP exists.
func (u *UDP) RecvBytes(*RecvBatch) (int, error) { return 0, errors.ErrUnsupported }

// Connect is never reached: no UDP exists.
func (u *UDP) Connect(netip.AddrPort) error { return errors.ErrUnsupported }

// Skip is never reached: no SendBatch exists.
func (b *SendBatch) Skip() int { return 0 }

// RecvBatch is room for messages on their way in. This system has none.
type RecvBatch struct{}

// NewRecvBatch answers errors.ErrUnsupported.
func NewRecvBatch(int, int) (*RecvBatch, error) { return nil, errors.ErrUnsupported }

// Close is never reached: no RecvBatch exists.
func (b *RecvBatch) Close() error { return errors.ErrUnsupported }

// Len is never reached: no RecvBatch exists.
func (b *RecvBatch) Len() int { return 0 }

// Message is never reached: no RecvBatch exists.
func (b *RecvBatch) Message(int) ([]byte, int) { return nil, 0 }

// Truncated is never reached: no RecvBatch exists.
func (b *RecvBatch) Truncated(int) bool { return false }

// From is never reached: no RecvBatch exists.
func (b *RecvBatch) From(int) Address { return Address{} }

// FromIs is never reached: no RecvBatch exists.
func (b *RecvBatch) FromIs(int, *Address) bool { return false }

// Stamp is never reached: no RecvBatch exists.
func (b *RecvBatch) Stamp(int) (int64, bool) { return 0, false }

func interfaceIndex(string) (uint32, error) { return 0, errors.ErrUnsupported }
