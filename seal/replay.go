package seal

import "github.com/alphapulse/transport/internal/check"

const (
	replayBlocks = 128
	blockBits    = 64
)

// ReplayWindow is how far behind the highest packet number a packet may arrive, in packets. One block of the bitmap is
// always being refilled, so the window is 8192 bits less one block.
const ReplayWindow = (replayBlocks - 1) * blockBits

// Replay remembers which packet numbers were opened (RFC 6479): a bitmap in blocks, used as a ring. Moving on clears whole
// blocks instead of shifting bits. The zero value is ready and has seen nothing; it belongs to one goroutine.
type Replay struct {
	last   uint64 // the highest number committed
	blocks [replayBlocks]uint64
}

// Check reports whether n is new: above all numbers so far, or within ReplayWindow of the highest and not yet committed.
// 0 is never new. It changes nothing, so it may be asked before the packet is known to be authentic.
func (r *Replay) Check(n uint64) bool {
	if n > r.last {
		return true
	}
	if n == 0 || r.last-n >= ReplayWindow {
		return false
	}
	return r.blocks[n/blockBits%replayBlocks]>>(n%blockBits)&1 == 0
}

// Commit remembers n, for which Check holds, once its packet has proved authentic.
func (r *Replay) Commit(n uint64) {
	if check.On {
		check.That(r.Check(n), "I10: a packet number committed that is not new")
	}
	if n > r.last {
		top := r.last / blockBits
		for i := range min(n/blockBits-top, replayBlocks) {
			r.blocks[(top+1+i)%replayBlocks] = 0
		}
		r.last = n
	}
	r.blocks[n/blockBits%replayBlocks] |= 1 << (n % blockBits)
}
