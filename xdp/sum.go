package xdp

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/alphapulse/transport/internal/sys"
)

// register gives the kernel the chunks, with room for what it is told of packets where it knows of that.
func (d *Device) register(x *sys.XSK) error {
	with := func(tell bool) error {
		return patient(syscall.ENOBUFS, func() error { return x.Register(d.memory, d.options.ChunkSize, tell) })
	}
	err := with(true)
	if d.untold = nil; errors.Is(err, syscall.EINVAL) {
		d.untold = fmt.Errorf("the kernel cannot be told of them (needs Linux 6.11): %w", err)
		err = with(false)
	}
	return err
}

// unsummed is why nobody fills in the checksums that packets ask for; nil: somebody does. When the kernel copies it does so itself where
// the device cannot.
func unsummed(untold error, zeroCopy bool, driver string, f sys.DeviceFeatures) error {
	switch {
	case untold != nil:
		return untold
	case zeroCopy && !f.Checksums:
		return errSaysNo
	case !zeroCopy && driver == virtio:
		return errDeaf
	}
	return nil
}

// virtio: packets of drivers that take them in pieces (IFF_TX_SKB_NO_LINEAR) were for long put together without a look at what was told,
// and this is the one that does.
const virtio = "virtio_net"

var errDeaf = errors.New("the kernel does not look at what it is told for " + virtio)
