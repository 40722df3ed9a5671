package route

import (
	"fmt"

	"github.com/alphapulse/transport/route/topo"
)

// Rules of a Decision. They are stable: tests, dashboards and people refer to them.
const (
	RuleSameProcess        = "same-process"        // a ring in the process's memory
	RuleSameNode           = "same-node"           // a mapped ring, near the publisher
	RuleExplicit           = "explicit"            // the file names the medium, and it can be had
	RuleGuaranteed         = "guaranteed-delivery" // a queue
	RuleCrossRegion        = "cross-region"        // QUIC
	RuleUltraLowLatencyXDP = "ultra-low-latency-xdp"
	RuleUltraLowLatency    = "ultra-low-latency" // UDP
	RuleDefault            = "default"           // TCP
	RuleFallback           = "fallback"          // the second way of a hybrid or a pair
	RuleShadow             = "shadow"            // a second way that runs beside the first
)

// rule is one way to decide how two actors are joined directly. The first that holds decides.
type rule struct {
	id    string
	gives func(*question) Medium // NoMedium: it does not hold
	why   func(*question) string
}

func when(m Medium, holds func(*question) bool) func(*question) Medium {
	return func(q *question) Medium {
		if holds(q) {
			return m
		}
		return NoMedium
	}
}

func say(text string) func(*question) string { return func(*question) string { return text } }

// directRules choose among the media without a queue.
var directRules = []rule{
	{RuleSameProcess, when(AnonymousRing, func(q *question) bool { return q.distance == SameProcess }),
		say("both are in one process: the reader reads the publisher's own ring")},
	{RuleSameNode, when(MappedRing, func(q *question) bool { return q.distance.oneNode() }),
		func(q *question) string {
			if q.distance == SameNUMA {
				return "both are on one memory node of one machine: the reader maps the publisher's ring"
			}
			return "both are on one machine: the reader maps the publisher's ring, which lies near the publisher"
		}},
	{RuleExplicit, func(q *question) Medium {
		if m := mediumOf(q.k.Protocol); m != Queue && q.legal(m) == "" {
			return m
		}
		return NoMedium
	}, func(q *question) string { return "the file asks for it: " + q.stated("protocol") }},
	{RuleCrossRegion, when(QUIC, (*question).crosses),
		say("the way leaves the region: QUIC is always encrypted, and a loss on a long way holds up one channel alone")},
	{RuleUltraLowLatencyXDP, when(XDP, func(q *question) bool {
		return q.ch.Criticality == topo.UltraLowLatency && q.distance != OtherSite && q.withoutXDP(false) == ""
	}), say("ultra low latency, and both ends have an interface that offers AF_XDP")},
	{RuleUltraLowLatency, when(UDP, func(q *question) bool { return q.ch.Criticality == topo.UltraLowLatency }),
		say("ultra low latency: a datagram waits for no other")},
	{RuleDefault, when(TCP, func(*question) bool { return true }), say("two nodes, and nothing asks for more than a reliable stream")},
}

// direct chooses a medium without a queue.
func (q *question) direct() Way {
	if m := mediumOf(q.k.Protocol); !q.distance.oneNode() && m != NoMedium && m != Queue {
		if reason := q.legal(m); reason != "" {
			q.find(topo.Error, "illegal-protocol", "protocol", "leave it out or name another", "%s is asked for %s, and %s", q.ch.Name, m, reason)
		}
	}
	for _, r := range directRules {
		if m := r.gives(q); m != NoMedium {
			return Way{Medium: m, Rule: r.id, Why: r.why(q)}
		}
	}
	panic("route: the last rule always holds")
}

// named is a way of a pair: the protocol itself if it can be had, otherwise whatever the rules say.
func (q *question) named(p topo.Protocol) Way {
	m := mediumOf(p)
	switch {
	case m == Queue:
		return Way{Medium: Queue, Rule: RuleExplicit, Why: "the file asks for it: " + q.stated("pair")}
	case q.distance.oneNode() || m == NoMedium:
		return q.direct()
	}
	if reason := q.legal(m); reason != "" {
		q.find(topo.Error, "illegal-protocol", "pair", "name another", "%s is asked for %s, and %s", q.ch.Name, m, reason)
		return q.direct()
	}
	return Way{Medium: m, Rule: RuleExplicit, Why: "the file asks for it: " + q.stated("pair")}
}

// ways are the first and, if the mode has one, the second carriage.
func (q *question) ways() (first Way, second *Way) {
	byQueue := Way{Medium: Queue, Rule: RuleExplicit, Why: "the file asks for it: " + q.stated("mode")}
	held := Way{Medium: Queue, Rule: RuleGuaranteed, Why: "delivery is guaranteed, and only a queue outlives both ends"}
	after := func(w Way) *Way {
		w.Rule, w.Why = RuleFallback, fmt.Sprintf("takes over when the first way fails: %s", q.stated("mode"))
		return &w
	}
	switch q.k.Mode {
	case topo.ModeQueue:
		return byQueue, nil
	case topo.ModeHybrid, topo.ModeDirectWithQueueFallback:
		return q.direct(), after(byQueue)
	case topo.ModeQueueWithDirectFallback:
		return byQueue, after(q.direct())
	case topo.ModeFallback:
		return q.pair(held, after)
	case topo.ModeDirect:
		if q.guaranteed() {
			q.find(topo.Error, "guaranteed-direct", "mode", "mode message_queue or hybrid, or at_least_once",
				"%s guarantees delivery, and mode direct has no queue to hold it", q.ch.Name)
			return held, nil
		}
	default:
		if q.guaranteed() {
			return held, nil
		}
	}
	return q.direct(), nil
}

// pair takes the two ways that mode fallback names. Within a machine two direct ways are one.
func (q *question) pair(held Way, after func(Way) *Way) (first Way, second *Way) {
	one, two := q.named(q.k.Pair[0]), q.named(q.k.Pair[1])
	if q.guaranteed() && one.Medium != Queue && two.Medium != Queue {
		q.find(topo.Error, "guaranteed-direct", "pair", "put message_queue into the pair, or at_least_once",
			"%s guarantees delivery, and its pair has no queue to hold it", q.ch.Name)
		return held, nil
	}
	if one.Medium == two.Medium {
		if !one.Medium.local() {
			q.find(topo.Warning, "pair-same", "pair", "name two", "both ways of %s come out as %s: there is nothing to fall back to", q.ch.Name, one.Medium)
		}
		return one, nil
	}
	return one, after(two)
}

// shadow is the way to run beside the first one, if there is one and it can be had.
func (q *question) shadow(first Way) *Way {
	m := mediumOf(q.k.Shadow)
	if m == NoMedium || q.distance.oneNode() || m == first.Medium {
		return nil
	}
	if reason := q.legal(m); reason != "" {
		q.find(topo.Error, "illegal-protocol", "shadow", "leave it out or name another", "%s is to be shadowed by %s, and %s", q.ch.Name, m, reason)
		return nil
	}
	return &Way{Medium: m, Rule: RuleShadow, Why: "runs beside the first way and is compared with it: " + q.stated("shadow")}
}

// rejected says of each medium that was not taken why not.
func (q *question) rejected(taken ...*Way) (all []Rejection) {
	first := taken[0]
	for m := AnonymousRing; m < media; m++ {
		used := false
		for _, w := range taken {
			used = used || w != nil && w.Medium == m
		}
		if !used {
			all = append(all, Rejection{m, q.against(m, first)})
		}
	}
	return all
}

// against is why m was not taken. What is impossible comes before what is worse.
func (q *question) against(m Medium, first *Way) string {
	asked := fmt.Sprintf("the file asks for %s", first.Medium)
	explicit := first.Rule == RuleExplicit
	switch {
	case m == AnonymousRing && q.distance.oneNode() && q.distance != SameProcess:
		return "two processes share no heap"
	case m.local() && !q.distance.oneNode():
		return "different machines share no memory"
	case m.local() && first.Medium == Queue && explicit:
		return asked
	case m.local() && first.Medium == Queue:
		return "no ring outlives its machine"
	case m == MappedRing:
		return "one process needs no file to share memory"
	case m == Queue && q.k.Mode == topo.ModeDirect:
		return q.stated("mode") + " allows none"
	case m == Queue:
		return "it takes milliseconds, and the channel does not ask for guaranteed delivery"
	case q.distance.oneNode() && mediumOf(q.k.Protocol) == m:
		return q.stated("protocol") + " is for the way between nodes; within one the ring itself is shorter"
	case q.distance.oneNode():
		return "a network joins two nodes, and this is one"
	case q.legal(m) != "":
		return q.legal(m)
	case explicit:
		return asked
	case first.Medium == Queue:
		return "it holds nothing once both ends are dead"
	case (m == UDP || m == XDP) && q.crosses():
		return "bare datagrams do not leave the region"
	case m == XDP && q.ch.Criticality != topo.UltraLowLatency:
		return "it costs a queue of the interface, and the channel does not ask for ultra low latency"
	case m == XDP && q.withoutXDP(false) != "":
		return q.withoutXDP(false)
	case m == XDP:
		return "its frames do not leave the site"
	case m == UDP && first.Medium == XDP:
		return "the kernel's sockets are slower than the interface's own queue"
	case m == UDP:
		return "the channel does not ask for ultra low latency, and a stream repairs itself"
	case m == TCP && first.Medium == QUIC:
		return "one lost segment on a long way holds up every channel of the link"
	case m == TCP:
		return "a lost segment holds up all that follow it"
	case m == QUIC && first.Medium == TCP:
		return "within a region nothing asks for it, and TCP costs less"
	}
	return "it costs more than a bare datagram"
}
