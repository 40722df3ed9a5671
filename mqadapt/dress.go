package mqadapt

import (
	"fmt"

	"github.com/alphapulse/transport/seal"
)

// dress packs and seals what a shipper puts. An envelope as it comes from a ring points into it; one that was packed or sealed lies in the
// slab of its place in the batch.
type dress struct {
	codec  seal.Codec
	store  *seal.Store
	slabs  [][]byte
	header [seal.HeaderSize]byte
}

func newDress(o *ShipperOptions) (d dress, err error) {
	d.codec = o.Codec
	if o.Secret != nil {
		if d.store, err = seal.NewStore(*o.Secret, seal.ChannelID(o.Channel)); err != nil {
			return d, fmt.Errorf("mqadapt: shipper of channel %q: %w", o.Channel, err)
		}
	}
	if d.codec != nil || d.store != nil {
		d.slabs = make([][]byte, putAtOnce)
		for i := range d.slabs {
			d.slabs[i] = make([]byte, o.Body+seal.StoreOverhead)
		}
	}
	return d, nil
}

// on dresses the i-th envelope of a batch.
func (d *dress) on(e *Envelope, i int) error {
	if d.slabs == nil {
		return nil
	}
	slab := d.slabs[i]
	if d.codec != nil && e.Kind == seal.Data && !e.Traced { // a trace is behind what would be packed, and rare
		room := slab[seal.StoreNonce:][:len(slab)-seal.StoreOverhead] // where it can be sealed in place
		if n, codec := d.codec.Pack(room, e.Body); codec != 0 {
			e.Codec, e.Raw, e.Body = codec, len(e.Body), room[:n]
		}
	}
	if d.store == nil {
		return nil
	}
	e.Sealed, e.Suite, e.Length = true, seal.XChaCha20Poly1305, len(e.Body)+seal.StoreOverhead
	e.Header.Put(d.header[:])
	n, err := d.store.Seal(slab, d.header[:], e.Body)
	if err != nil {
		return err
	}
	e.Body = slab[:n]
	return nil
}

// undress undoes what a dress did.
type undress struct {
	codec  seal.Codec
	store  *seal.Store
	opened []byte
	raw    []byte
	trace  *seal.Trace // of the envelope that was undressed last; nil: none
}

func newUndress(o *TakerOptions) (u undress, err error) {
	u.codec = o.Codec
	if u.codec != nil {
		u.raw = make([]byte, seal.MaxRaw)
	}
	if o.Secret != nil {
		u.opened = make([]byte, seal.MaxBody)
		if u.store, err = seal.NewStore(*o.Secret, seal.ChannelID(o.Channel)); err != nil {
			return u, fmt.Errorf("mqadapt: taker of channel %q: %w", o.Channel, err)
		}
	}
	return u, nil
}

// off returns the body as it came from a ring, without what a trace adds. It is valid until the next call.
func (u *undress) off(h *seal.Header, envelope []byte) ([]byte, error) {
	body := envelope[seal.HeaderSize:]
	u.trace = nil
	switch {
	case h.Sealed && u.store == nil:
		return nil, fmt.Errorf("%w: sealed, and there is no secret to open it with", ErrUndecodable)
	case !h.Sealed && u.store != nil:
		return nil, fmt.Errorf("%w: not sealed, as the channel demands", ErrUndecodable)
	case h.Sealed && h.Suite != seal.XChaCha20Poly1305:
		return nil, fmt.Errorf("%w: sealed by %s, which is for sessions", ErrUndecodable, h.Suite)
	case h.Sealed:
		n, err := u.store.Open(u.opened, envelope[:seal.HeaderSize], body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUndecodable, err)
		}
		body = u.opened[:n]
	}
	if h.Traced {
		if len(body) < seal.TraceSize {
			return nil, fmt.Errorf("%w: no room for its trace", ErrUndecodable)
		}
		u.trace = new(seal.Trace(body[len(body)-seal.TraceSize:]))
		body = body[:len(body)-seal.TraceSize]
	}
	if h.Codec == 0 {
		return body, nil
	}
	if u.codec == nil {
		return nil, fmt.Errorf("%w: packed, and there is no codec to expand it with", ErrUndecodable)
	}
	if err := u.codec.Unpack(u.raw[:h.Raw], body, h.Codec); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	return u.raw[:h.Raw], nil
}
