package console

import (
	"fmt"
	"time"

	"github.com/alphapulse/transport/internal/view"
	"github.com/alphapulse/transport/route/watch"
)

// pages are the views, in the order of their keys.
var pages = []struct {
	name string
	of   func(*view.State) table
}{
	{"channels", channels},
	{"ways", ways},
	{"readers", readers},
	{"drops", drops},
	{"health", health},
}

// worse colours what should be nothing.
func worse(x float64, is style) style {
	if x > 0 {
		return is
	}
	return normal
}

func channels(s *view.State) table {
	t := table{none: "no channel yet: nobody has published or subscribed here", columns: []column{
		{head: "CHANNEL", least: 12, help: "The channel; what stands below it are its other hops."},
		{head: "PUB/s", right: true, least: 6, help: watch.RingMessages},
		{head: "TAKEN/s", right: true, spare: 5, help: watch.SubscriberMessages},
		{head: "BYTES/s", right: true, least: 7, spare: 7, help: watch.RingBytes},
		{head: "LAG", right: true, least: 7, help: "Bytes that the reader furthest behind has not released."},
		{head: "LOST", right: true, help: watch.SubscriberLost},
		{head: "DROPS", right: true, help: "What was dropped or refused, whatever the reason: view 4 has them one by one."},
		{head: "HOP", least: 9, spare: 6, help: watch.HopLatency},
		{head: "P50", right: true, least: 6, spare: 8, help: "Half of the samples were not older, since the look before; faint: none came, these are all there ever were."},
		{head: "P99", right: true, least: 6, spare: 1, help: "99 of 100 samples were not older."},
		{head: "P99.9", right: true, least: 6, spare: 10, help: "999 of 1000 samples were not older."},
		{head: "MAX", right: true, least: 6, spare: 9, help: "The oldest sample."},
		{head: "BY", spare: 4, help: watch.CarriageActive},
	}}
	for i := range s.Channels {
		c := &s.Channels[i]
		dropped := 0.0
		for _, d := range c.Drops {
			if d.Metric != watch.SubscriberLost {
				dropped += d.Count
			}
		}
		r := row{key: c.Name, help: fmt.Sprintf("%s published, %s taken here, %d rings", number(c.Messages), number(c.Taken), len(c.Rings))}
		r.cells = append([]cell{{text: clean(c.Name)}, {number(c.Rate), c.Rate, normal}, {number(c.TakenRate), c.TakenRate, normal}, {octets(c.Bytes), c.Bytes, normal},
			{octets(c.Lag), c.Lag, normal}, {number(c.Lost), c.Lost, worse(c.Lost, wrong)}, {number(dropped), dropped, worse(dropped, warned)}},
			append(hop(nil), carried(nil))...)
		for n := range max(len(c.Hops), len(c.Carriages)) {
			cells := r.cells
			if n > 0 {
				cells = make([]cell, len(t.columns))
				r.more = append(r.more, cells)
			}
			if n < len(c.Hops) {
				copy(cells[7:], hop(&c.Hops[n]))
			}
			if n < len(c.Carriages) {
				cells[12] = carried(&c.Carriages[n])
			}
		}
		t.rows = append(t.rows, r)
	}
	return t
}

func hop(h *view.Hop) []cell {
	if h == nil {
		return make([]cell, 5)
	}
	name, is := clean(h.Hop), normal
	if h.Node != "" {
		name += " " + clean(h.Node)
	}
	if h.Medium != "" {
		name += " " + clean(h.Medium)
	}
	if !h.Fresh {
		is = faint
	}
	cells := []cell{{text: name, style: is}}
	for _, ns := range []uint64{h.P50, h.P99, h.P999, h.Max} {
		cells = append(cells, cell{span(ns), float64(ns), is})
	}
	return cells
}

func carried(c *view.Carriage) cell {
	switch {
	case c == nil:
		return cell{}
	case c.Stranded:
		return cell{text: "STRANDED" + to(c), style: wrong}
	case c.Medium == "":
		return cell{text: "changing" + to(c), style: warned}
	}
	return cell{text: clean(c.Medium) + to(c)}
}

func to(c *view.Carriage) string {
	if c.Node == "" {
		return ""
	}
	return " to " + clean(c.Node)
}

func yes(is bool, otherwise style) cell {
	if is {
		return cell{text: "yes", style: good}
	}
	return cell{text: "no", style: otherwise}
}

func ways(s *view.State) table {
	t := table{none: "no channel goes to another node, or through a queue", columns: []column{
		{head: "CHANNEL", least: 12, help: "The channel."},
		{head: "TO", least: 4, help: "The other node; empty: a queue for all."},
		{head: "WAY", least: 4, help: "The medium or queue."},
		{head: "STATE", least: 8, help: watch.CarriageActive},
		{head: "ALIVE", help: watch.WayAlive},
		{head: "BREAKER", least: 9, help: watch.WayBreaker},
		{head: "OPENED", right: true, spare: 3, help: watch.WayOpened},
		{head: "LAG", right: true, least: 7, help: watch.CarriageLag},
		{head: "FAILOVERS", right: true, spare: 1, help: watch.CarriageFailovers},
		{head: "FAILBACKS", right: true, spare: 2, help: watch.CarriageFailbacks},
	}}
	for _, ch := range s.Channels {
		for i := range ch.Carriages {
			c := &ch.Carriages[i]
			all := c.Ways
			if len(all) == 0 {
				all = []view.Way{{Medium: c.Medium, Alive: !c.Stranded}}
			}
			for _, w := range all {
				state, broken := cell{text: "stands by", style: faint}, normal
				switch {
				case c.Stranded:
					state = cell{text: "STRANDED", style: wrong}
				case c.Medium == w.Medium:
					state = cell{text: "carries", style: good}
				}
				if w.Breaker != "" && w.Breaker != watch.BreakerState(0) {
					broken = wrong
				}
				help := ""
				if c.Stranded {
					help = watch.CarriageStranded
				}
				t.rows = append(t.rows, row{key: ch.Name + "\x00" + c.Node + "\x00" + w.Medium, help: help, cells: []cell{
					{text: clean(ch.Name)}, {text: clean(c.Node)}, {text: clean(w.Medium)}, state, yes(w.Alive, wrong), {text: clean(w.Breaker), style: broken},
					{number(w.Opened), w.Opened, worse(w.Opened, warned)}, {octets(c.Lag), c.Lag, normal},
					{number(c.Failovers), c.Failovers, normal}, {number(c.Failbacks), c.Failbacks, normal}}})
			}
		}
	}
	return t
}

const (
	barCells = 20
	lagMuch  = 0.5 // shares of a ring from which on a lag stands out
	lagMost  = 0.9
)

func readers(s *view.State) table {
	t := table{none: "nobody reads a ring of this node", columns: []column{
		{head: "CHANNEL", least: 12, help: "The channel."},
		{head: "RING", least: 8, spare: 1, help: "The ring's file in the channel's directory: one for each publisher."},
		{head: "READER", least: 8, help: "The reader's name; a way to another node reads, too."},
		{head: "LAG", right: true, least: 7, help: watch.ReaderLag},
		{head: "SHARE", least: barCells + 5, help: "The lag as a share of the ring: a gating reader at 100 % holds the publisher up, a lossy one is lapped."},
		{head: "GATING", help: watch.ReaderGating},
		{head: "ALIVE", help: watch.ReaderAlive},
	}}
	for _, c := range s.Channels {
		for _, g := range c.Rings {
			for _, r := range g.Readers {
				share, is, text := 0.0, good, ""
				if g.Capacity > 0 {
					share = r.Lag / g.Capacity
					text = fmt.Sprintf("%s %3.0f%%", bar(share, barCells), 100*share)
				}
				switch {
				case share >= lagMost:
					is = wrong
				case share >= lagMuch:
					is = warned
				}
				t.rows = append(t.rows, row{key: c.Name + "\x00" + g.Name + "\x00" + r.Name, help: watch.ReaderLag, cells: []cell{
					{text: clean(c.Name)}, {text: clean(g.Name)}, {text: clean(r.Name)}, {octets(r.Lag), r.Lag, normal}, {text, share, is},
					yes(r.Gating, normal), yes(r.Alive, warned)}})
			}
		}
	}
	return t
}

func drops(s *view.State) table {
	t := table{none: "nothing was dropped, refused or lost", columns: []column{
		{head: "CHANNEL", least: 12, help: "The channel; (all): a link's own, of no channel."},
		{head: "WHAT", least: 16, help: "The counter; the line at the bottom says what it counts."},
		{head: "WHERE", least: 6, spare: 1, help: "Medium or queue, and direction."},
		{head: "REASON", least: 10, help: "Why it was dropped."},
		{head: "COUNT", right: true, least: 6, help: "Since the process began."},
		{head: "RATE/s", right: true, least: 6, help: "Since the look before."},
	}}
	for _, c := range s.Channels {
		for _, d := range c.Drops {
			if d.Count == 0 {
				continue
			}
			t.rows = append(t.rows, row{key: c.Name + "\x00" + d.Metric + "\x00" + d.Where + "\x00" + d.Reason, help: d.Metric, cells: []cell{
				{text: clean(c.Name)}, {text: words(d.Metric)}, {text: clean(d.Where)}, {text: clean(d.Reason)},
				{number(d.Count), d.Count, normal}, {number(d.Rate), d.Rate, worse(d.Rate, wrong)}}})
		}
	}
	return t
}

func health(s *view.State) table {
	t := table{none: "no process tells anything", columns: []column{
		{head: "STATE", least: 8, help: "ok; degraded: messages flow, and somebody should look; failing: something does not flow, or soon will not."},
		{head: "WHAT", least: 16, help: "What is not as it should be, and each process that tells what it does."},
		{head: "WHY", help: "What is wrong; when the process began and last said something."},
	}}
	for _, f := range s.Health.Faults {
		t.rows = append(t.rows, row{key: "fault " + f.What + "\x00" + f.Why, help: f.Why, cells: []cell{
			{text: string(f.State), style: tone(f.State)}, {text: clean(f.What)}, {text: clean(f.Why)}}})
	}
	for _, p := range s.Processes {
		state := cell{text: "alive", style: good}
		if !p.Alive {
			state = cell{text: "gone", style: warned}
		}
		t.rows = append(t.rows, row{key: fmt.Sprintf("process %s %d", p.Name, p.PID), cells: []cell{state, {text: "process " + clean(p.Name)},
			{text: fmt.Sprintf("pid %d, began %s, last heard of %s ago", p.PID, p.Started.Format(time.DateTime), max(p.Age, 0).Round(100*time.Millisecond))}}})
	}
	return t
}

func tone(s watch.State) style {
	switch s {
	case watch.OK:
		return good
	case watch.Degraded:
		return warned
	}
	return wrong
}
