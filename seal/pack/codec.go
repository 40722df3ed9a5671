package pack

import (
	"fmt"
	"time"

	"github.com/pierrec/lz4/v4"
)

// Bounds of what a body expands to.
const (
	MaxExpanded = 524_280 // bytes: the most that the header's field can say
	MaxRatio    = 256     // bytes expanded for one that travelled
)

// A Codec packs bodies at one end of a path and expands them at the other. Make one with New for each goroutine that packs or
// expands; nothing in it is shared. The zero Codec is not valid.
//
// It holds a scratch buffer of up to 704 KiB and the tables of its method: 136 KiB for LZ4; for Zstd 1 MiB, 2 MiB from level 3 on,
// 6 MiB from 6 on and 36 MiB from 10 on, with 1 MiB more once a body was over 64 KiB; for Adaptive the sum. Expanding Zstd takes
// another 512 KiB from the first such body on.
type Codec struct {
	method  Method
	minSize int
	accept  [methods]bool

	lz4    *lz4.Compressor // nil unless the method needs it
	zstd   zstdEnd
	room   []byte // where output goes whose length cannot be bounded by the caller's buffer
	policy policy // of Adaptive
	clock  func() time.Duration
}

// New makes a Codec, or returns all that is wrong with o as ErrOptions and ErrDictionary. Memory that packing needs is made and
// touched here.
func New(o Options) (*Codec, error) {
	o, dictionary, err := o.checked()
	if err != nil {
		return nil, err
	}
	c := &Codec{method: o.Method, minSize: o.MinSize, accept: o.accepts(), clock: o.Clock}
	if c.method == LZ4 || c.method == Adaptive {
		c.lz4 = new(lz4.Compressor)
	}
	packs := c.method == Zstd || c.method == Adaptive
	if err := c.zstd.open(o, dictionary, packs, c.accept[Zstd]); err != nil {
		return nil, fmt.Errorf("pack: zstd: %w", err)
	}
	c.policy.open()
	c.warm()
	return c, nil
}

// Pack writes src compressed into dst and returns its length and its codec number, or 0, 0 when src should travel as it is: it is
// smaller than MinSize, larger than MaxExpanded, would not shrink by a sixteenth, does not fit into len(dst), or compressing does not
// pay. What dst holds then is undefined, up to len(dst). dst and src must not overlap.
//
// What it returns is at least a 256th of src, so that Unpack takes it. Pack allocates nothing once bodies have been as large before.
func (c *Codec) Pack(dst, src []byte) (n int, codec uint8) {
	if len(src) < c.minSize || len(src) > MaxExpanded {
		return 0, 0
	}
	m := c.method
	if m == Adaptive {
		m, n = c.adapt(dst, src)
	} else {
		n = c.with(m, dst, src)
	}
	if n == 0 {
		return 0, 0
	}
	return n, uint8(m)
}

// adapt packs src as the policy says, and tells the policy how that went.
func (c *Codec) adapt(dst, src []byte) (Method, int) {
	m, timed := c.policy.pick(len(src))
	if !timed {
		n := c.with(m, dst, src)
		c.policy.learn(m, len(src), n)
		return m, n
	}
	start := c.clock()
	n := c.with(m, dst, src)
	c.policy.measure(m, len(src), n, c.clock()-start)
	return m, n
}

// with packs src by one method. 0 is: as it is.
func (c *Codec) with(m Method, dst, src []byte) int {
	most := min(len(dst), len(src)-len(src)/16-1)
	dst = dst[:len(dst):len(dst)]
	switch m {
	case LZ4:
		return c.packLZ4(dst, src, most)
	case Zstd:
		return c.packZstd(dst, src, most)
	case Snappy:
		return c.packSnappy(dst, src, most)
	}
	return 0
}

// Unpack expands src into exactly len(dst) bytes: ErrCodec when the codec is not accepted, ErrRatio or ErrTooLarge when dst is out of
// bounds, ErrDictionary when src needs a dictionary that is not ours, ErrCorrupt for everything else that is wrong. What dst holds
// after an error is undefined; nothing is written behind it. dst and src must not overlap.
//
// Unpack allocates nothing once bodies have been as large before; for Zstd it then holds a buffer of dst's length and one block.
func (c *Codec) Unpack(dst, src []byte, codec uint8) error {
	if int(codec) >= methods || !c.accept[codec] {
		return ErrCodec
	}
	if len(dst) == 0 || len(src) == 0 {
		return ErrCorrupt
	}
	if len(dst) > MaxExpanded {
		return ErrTooLarge
	}
	if len(dst) > MaxRatio*len(src) {
		return ErrRatio
	}
	dst, src = dst[:len(dst):len(dst)], src[:len(src):len(src)]
	switch Method(codec) {
	case LZ4:
		return unpackLZ4(dst, src)
	case Zstd:
		return c.unpackZstd(dst, src)
	}
	return unpackSnappy(dst, src)
}

const roomStep = 64 << 10

// scratch returns n bytes of the Codec's own, valid until its next call. It grows in steps of 64 KiB, so at most a dozen times.
func (c *Codec) scratch(n int) []byte {
	if cap(c.room) < n {
		c.room = make([]byte, (n+roomStep-1)/roomStep*roomStep)
	}
	return c.room[:n]
}

// place is where a compressor that may write up to bound bytes writes: dst if it is large enough, else scratch.
func (c *Codec) place(dst []byte, bound int) []byte {
	if len(dst) >= bound {
		return dst
	}
	return c.scratch(bound)
}

// settle brings what a compressor wrote to dst, and says how much that is: 0 when it is not worth it.
func settle(dst, out []byte, most int) int {
	if len(out) > most {
		return 0
	}
	if &out[0] != &dst[0] {
		copy(dst, out)
	}
	return len(out)
}

// warm packs a body of the usual largest size that makes the compressors' lists and tables long: words of six bytes out of 256, each
// met again and again, then letters out of 64, met at random. Twice: Zstd keeps two sets of tables and swaps them.
func (c *Codec) warm() {
	body, out := make([]byte, 64<<10), make([]byte, 64<<10)
	seed := uint32(1)
	draw := func() byte {
		seed = seed*1664525 + 1013904223
		return byte(seed >> 24)
	}
	words, letters := body[:len(body)*3/4], body[len(body)*3/4:]
	for i := 0; i+7 <= len(words); i += 7 {
		w := draw()
		copy(words[i:], []byte{w, w * 5, ^w, w * 3, w + 7, w * 11, draw() & 15})
	}
	for i := range letters {
		letters[i] = draw() & 63
	}
	for m := LZ4; m <= Snappy; m++ {
		if m == c.method || c.method == Adaptive {
			c.with(m, out, body)
			c.with(m, out, body)
		}
	}
}
