package transport

import (
	"context"
	"errors"
	"strconv"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/route"
	"github.com/alphapulse/transport/route/watch"
)

// What an observer says of a node's ways to others.

// carriages says how channels go, and what ways and queues count. It reports false when the node closes meanwhile.
func (o *observer) carriages(ctx context.Context) bool {
	all, err := o.node.Carriages(ctx)
	if err != nil {
		return false
	}
	b := o.board
	for _, c := range all {
		b.Gauge(watch.CarriageLag, float64(c.Lag), c.Channel, c.Node)
		b.Gauge(watch.CarriageRings, float64(c.Rings), c.Channel, c.Node)
		b.Fact(watch.CarriageStranded, c.Stranded, c.Channel, c.Node)
		b.Count(watch.CarriageFailovers, c.Failovers, c.Channel, c.Node)
		b.Count(watch.CarriageFailbacks, c.Failbacks, c.Channel, c.Node)
		for _, w := range c.Ways {
			b.Fact(watch.CarriageActive, w.Medium == c.Medium, c.Channel, c.Node, w.Medium)
			b.Fact(watch.WayAlive, w.Alive, c.Channel, c.Node, w.Medium)
			b.Gauge(watch.WayBreaker, breakerLevel(w.Breaker), c.Channel, c.Node, w.Medium)
			b.Count(watch.WayOpened, w.Opened, c.Channel, c.Node, w.Medium)
			for stripe, rings := range w.Shares {
				b.Gauge(watch.WayRings, float64(rings), c.Channel, c.Node, w.Medium, strconv.Itoa(stripe))
			}
		}
		if s := c.Shadow; s != nil {
			b.Count(watch.ShadowCopied, s.Copied, c.Channel, c.Node, s.Medium)
			b.Count(watch.ShadowSkipped, s.Skipped, c.Channel, c.Node, s.Medium)
		}
	}
	return o.node.fabric.call(ctx, o.counts) == nil
}

// breakerLevel is a breaker's state as a number.
func breakerLevel(state string) float64 {
	switch state {
	case route.BreakerHalfOpen.String():
		return 1
	case route.BreakerOpen.String():
		return 2
	}
	return 0
}

// beside says what is compared, agreed and refused.
func (o *observer) beside(ctx context.Context) bool {
	b := o.board
	compared, err1 := o.node.Comparisons(ctx)
	for _, c := range compared {
		b.Count(watch.ShadowMatched, c.Matched, c.Channel)
		b.Count(watch.ShadowDiffers, c.Different, c.Channel, "different")
		b.Count(watch.ShadowDiffers, c.Missing, c.Channel, "missing")
		b.Count(watch.ShadowDiffers, c.Extra, c.Channel, "extra")
		b.Count(watch.ShadowDiffers, c.Late, c.Channel, "late")
	}
	accords, err2 := o.node.Accords(ctx)
	for _, a := range accords {
		b.Fact(watch.AccordAgreed, a.Agreed, a.Channel, a.Node)
		if a.Error > 0 {
			b.Gauge(watch.AccordOffset, a.Ahead.Seconds(), a.Channel, a.Node)
			b.Gauge(watch.AccordError, a.Error.Seconds(), a.Channel, a.Node)
		}
	}
	refused, err3 := o.node.Refused(ctx)
	for _, r := range refused {
		for why, n := range r.Reasons {
			b.Count(watch.QueueRefused, n, r.Channel, r.Queue, why)
		}
	}
	return errors.Join(err1, err2, err3) == nil
}

// counts says what ways and queues count. It runs on the fabric's goroutine.
func (o *observer) counts() {
	f := o.node.fabric
	for key, j := range f.links {
		if c, ok := j.way.(netio.Counted); ok {
			c.Counts(func(n netio.Count) { o.link(key, n) })
		}
	}
	for _, l := range f.order {
		for _, way := range l.ways {
			if c, ok := way.queue.(netio.Counted); ok {
				c.Counts(func(n netio.Count) { o.queue(l.channel, way.protocol, "out", n) })
			}
		}
	}
	taken := map[[2]string]map[netio.What]uint64{} // a channel may come by several queues of a kind
	for line, t := range f.takes {
		c, ok := t.Closer.(netio.Counted)
		if !ok {
			continue
		}
		key := [2]string{line.Channel, t.backend}
		if taken[key] == nil {
			taken[key] = map[netio.What]uint64{}
		}
		c.Counts(func(n netio.Count) { taken[key][n.What] += n.Value })
	}
	for key, counts := range taken {
		for what, n := range counts {
			o.queue(key[0], key[1], "in", netio.Count{What: what, Value: n})
		}
	}
}

// linkMetrics are what a way's counts are called.
var linkMetrics = map[netio.What]string{netio.CountFrames: watch.LinkFrames, netio.CountBytes: watch.LinkBytes, netio.CountDatagrams: watch.LinkDatagrams,
	netio.CountAgain: watch.LinkAgain, netio.CountConnections: watch.LinkConnections, netio.CountLost: watch.LinkLost, netio.CountDropped: watch.LinkDropped}

func (o *observer) link(key linkKey, n netio.Count) {
	name, ok := linkMetrics[n.What]
	if !ok {
		return
	}
	labels := []string{n.Channel, key.node, key.protocol, strconv.Itoa(key.stripe)}
	switch n.What {
	case netio.CountConnections:
	case netio.CountDropped:
		labels = append(labels, n.Direction, n.Reason)
	default:
		labels = append(labels, n.Direction)
	}
	o.board.Count(name, n.Value, labels...)
}

// queue says what a queue's worker counts. What is refused of what comes out is told by Refused.
func (o *observer) queue(channel, backend, direction string, n netio.Count) {
	switch n.What {
	case netio.CountEnvelopes:
		o.board.Count(watch.QueueEnvelopes, n.Value, channel, backend, direction)
	case netio.CountFrames:
		o.board.Count(watch.QueueFrames, n.Value, channel, backend, direction)
	case netio.CountLost:
		o.board.Count(watch.QueueLost, n.Value, channel, backend, direction)
	case netio.CountUnknown:
		o.board.Count(watch.QueueUnknown, n.Value, channel, backend)
	case netio.CountRefused:
		if direction == "out" {
			o.board.Count(watch.QueueRefused, n.Value, channel, backend, n.Reason)
		}
	}
}
