package link

import (
	"fmt"
	"strings"
)

// dump is where both sides stand, for a test that does not get on.
func (d *bed) dump() string {
	var o strings.Builder
	fmt.Fprintf(&o, "at %v, up %v, under way %d and %d bytes, not taken %d and %d\n", d.now, d.up, len(d.ab.bytes), len(d.ba.bytes), len(d.inB), len(d.inA))
	for _, p := range []*Peer{d.a, d.b} {
		fmt.Fprintf(&o, "%+v\n", p.Stats())
		for _, f := range p.feeds {
			fmt.Fprintf(&o, "feed: open %v, due %d, in hand %d from %d, owed %d, peeked to %d, window %d, acked %d, fresh %v\n", f.open, f.due, f.n, f.seq,
				f.reader.Owed(), f.reader.Seq(), f.window, f.acked, f.fresh)
		}
		for _, s := range p.all {
			fmt.Fprintf(&o, "stream: next %d, met %v, asked %v, stalled %v, status %v, said %d, limit %d, moved %d", s.next, s.met, s.asked, s.stalled, s.status,
				s.said, s.limit, s.moved)
			if s.mirror != nil {
				fmt.Fprintf(&o, ", mirror at %d with %d of %d free", s.mirror.Seq(), s.mirror.Free(), s.mirror.Capacity())
			}
			o.WriteByte('\n')
		}
	}
	fmt.Fprintln(&o, d.events[max(len(d.events)-4, 0):])
	return o.String()
}
