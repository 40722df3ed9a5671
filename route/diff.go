package route

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/route/topo"
)

// Fate is what a new plan means for a channel that runs.
type Fate uint8

// The fates, the mildest first.
const (
	Untouched Fate = iota // goes on, nobody notices
	Changed               // its links are exchanged at the confirmed cursor; rings, publishers and subscribers go on
	Restarted             // its rings are made anew: publishers and subscribers open again
	Added
	Removed
	fates
)

var fateNames = [fates]string{"untouched", "changed", "restarted", "added", "removed"}

// String names the fate as diffs do.
func (f Fate) String() string { return fateNames[min(f, fates-1)] }

// MarshalText is String, for diffs in JSON.
func (f Fate) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Change is what happens to one channel, and each thing that makes it so.
type Change struct {
	Channel string   `json:"channel"`
	Fate    Fate     `json:"fate"`
	Why     []string `json:"why"`
}

// Changes is the whole of a diff, one Change a channel: those of the new plan in its order, then the removed ones.
type Changes []Change

// channelField is something of a channel that its rings or links depend on.
type channelField struct {
	key  string
	fate Fate // when it differs
	of   func(*topo.Channel) string
}

var channelFields = []channelField{
	{"domain", Restarted, func(c *topo.Channel) string { return number(int(c.Domain)) }},
	{"ring_size", Restarted, func(c *topo.Channel) string { return number(c.RingBytes) }},
	{"huge_pages", Restarted, func(c *topo.Channel) string { return truth(c.HugePages) }},
	{"max_message_size", Restarted, func(c *topo.Channel) string { return number(c.MaxMessageBytes) }},
	{"reliability", Restarted, func(c *topo.Channel) string { return c.Reliability.String() }},
	{"slow_subscriber", Restarted, func(c *topo.Channel) string { return c.Slow.String() }}, // readers gate or are lossy from the start
	{"slow_wait", Changed, func(c *topo.Channel) string { return c.SlowWait.String() }},
	{"criticality", Changed, func(c *topo.Channel) string { return c.Criticality.String() }},
	{"security", Changed, func(c *topo.Channel) string { return c.Security.String() }},
	{"balance", Changed, func(c *topo.Channel) string { return c.Balance.String() }},
	{"heartbeat", Changed, func(c *topo.Channel) string { return c.Heartbeat.String() }},
	{"liveness", Changed, func(c *topo.Channel) string { return c.Liveness.String() }},
	{"mode", Changed, func(c *topo.Channel) string { return c.Transport.Mode.String() }},
	{"compression_level", Changed, func(c *topo.Channel) string { return number(c.Transport.CompressionLevel) }},
	{"secret", Changed, func(c *topo.Channel) string { return c.Transport.Secret.String() }},
	{"timeout", Changed, func(c *topo.Channel) string { return c.Transport.Timeout.String() }},
	{"connections", Changed, func(c *topo.Channel) string { return number(c.Transport.Connections) }},
	{"retry", Changed, func(c *topo.Channel) string { return retryText(c.Transport.Retry) }},
	{"breaker", Changed, func(c *topo.Channel) string { return breakerText(c.Transport.Breaker) }},
}

func retryText(r topo.Retry) string {
	if r == (topo.Retry{}) {
		return ""
	}
	attempts := "without end"
	if r.Attempts > 0 {
		attempts = fmt.Sprintf("%d times", r.Attempts)
	}
	return fmt.Sprintf("%s, after %s to %s", attempts, r.First, r.Max)
}

func breakerText(b topo.Breaker) string {
	if b == (topo.Breaker{}) {
		return ""
	}
	slow := ""
	if b.SlowCall > 0 {
		slow = fmt.Sprintf(", or %g of calls at %s", b.SlowRate, b.SlowCall)
	}
	return fmt.Sprintf("%d failures in %s%s, open for %s, closed by %d successes, %d at a time", b.Failures, b.Window, slow, b.Open, b.Successes, b.Probes)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// Diff says what happens to each channel when a plan takes another's place. What is the same in both goes on untouched, whatever
// happens to its neighbours.
func Diff(before, after *Plan) Changes {
	var all Changes
	nodes, queues := changedNodes(before, after), changedQueues(before, after)
	old := map[string]*ChannelPlan{}
	for i := range before.Channels {
		old[before.Channels[i].Channel.Name] = &before.Channels[i]
	}
	for i := range after.Channels {
		c := &after.Channels[i]
		was := old[c.Channel.Name]
		if was == nil {
			all = append(all, Change{c.Channel.Name, Added, []string{"only the new plan has it"}})
			continue
		}
		delete(old, c.Channel.Name)
		d := differ{Change: Change{Channel: c.Channel.Name, Why: []string{}}}
		d.channel(was, c)
		d.surroundings(c, nodes, queues)
		all = append(all, d.Change)
	}
	for i := range before.Channels {
		if name := before.Channels[i].Channel.Name; old[name] != nil {
			all = append(all, Change{name, Removed, []string{"only the old plan has it"}})
		}
	}
	return all
}

// differ collects what differs in one channel.
type differ struct{ Change }

func (d *differ) note(f Fate, format string, args ...any) {
	d.Fate = max(d.Fate, f)
	d.Why = append(d.Why, fmt.Sprintf(format, args...))
}

func (d *differ) value(f Fate, what, before, after string) {
	if before != after {
		d.note(f, "%s: %s → %s", what, orDefault(before, "unset"), orDefault(after, "unset"))
	}
}

func (d *differ) channel(was, is *ChannelPlan) {
	for _, f := range channelFields {
		before, after := f.of(&was.Channel), f.of(&is.Channel)
		if f.key == "secret" && before == after && was.Channel.Transport.Secret.Reveal() != is.Channel.Transport.Secret.Reveal() {
			d.note(f.fate, "secret: another one from the same place")
			continue
		}
		d.value(f.fate, f.key, before, after)
	}
	d.rings(was.Rings, is.Rings)
	d.decisions(was.Decisions, is.Decisions)
}

func (d *differ) rings(was, is []Ring) {
	at := func(r Ring) string { return r.Actor + "@" + r.Node }
	for _, r := range is {
		i := slices.IndexFunc(was, func(o Ring) bool { return at(o) == at(r) })
		if i < 0 {
			d.note(Changed, "publisher %s joins", at(r))
			continue
		}
		d.value(Restarted, "ring of "+at(r), was[i].Medium.String(), r.Medium.String())
		d.value(Restarted, "memory node of "+at(r), strconv.Itoa(was[i].NUMA), strconv.Itoa(r.NUMA))
	}
	for _, o := range was {
		if !slices.ContainsFunc(is, func(r Ring) bool { return at(r) == at(o) }) {
			d.note(Changed, "publisher %s leaves", at(o))
		}
	}
}

func (d *differ) decisions(was, is []Decision) {
	type pair struct{ from, to string }
	key := func(x Decision) pair { return pair{x.From.String(), x.To.String()} }
	old := map[pair]Decision{}
	for _, o := range was {
		old[key(o)] = o
	}
	for _, n := range is {
		o, there := old[key(n)]
		between := n.From.String() + " → " + n.To.String()
		if !there {
			d.note(Changed, "subscriber: %s joins, by %s", between, n.Primary.Medium)
			continue
		}
		delete(old, key(n))
		if o.Distance != n.Distance {
			d.note(Changed, "%s: %s → %s", between, o.Distance, n.Distance)
		}
		d.way(between, &o.Primary, &n.Primary)
		d.way(between+", fallback", o.Secondary, n.Secondary)
		d.way(between+", shadow", o.Shadow, n.Shadow)
		d.value(Changed, between+", recorded", fmt.Sprint(o.Recorded), fmt.Sprint(n.Recorded))
	}
	for _, o := range was {
		if _, left := old[key(o)]; left {
			d.note(Changed, "subscriber: %s → %s leaves", o.From, o.To)
		}
	}
}

// way compares what is carried out, not the reasons for it.
func (d *differ) way(between string, was, is *Way) {
	d.value(Changed, between, was.carried(), is.carried())
}

// surroundings notes what has changed about the nodes and queues that the channel's links lead to.
func (d *differ) surroundings(c *ChannelPlan, nodes map[string]string, queues map[topo.Backend]string) {
	said := map[string]bool{}
	note := func(why string) {
		if why != "" && !said[why] {
			said[why] = true
			d.note(Changed, "%s", why)
		}
	}
	for _, x := range c.Decisions {
		for _, w := range []*Way{&x.Primary, x.Secondary, x.Shadow} {
			switch {
			case w == nil || w.Medium.local():
			case w.Medium == Queue:
				note(queues[w.Backend])
			default:
				note(nodes[x.From.Node])
				note(nodes[x.To.Node])
			}
		}
	}
}

// changedNodes says of each node in both plans how its links must be made anew, if they must.
func changedNodes(before, after *Plan) map[string]string {
	all := map[string]string{}
	for _, n := range after.Nodes {
		i := slices.IndexFunc(before.Nodes, func(o NodePlan) bool { return o.Name == n.Name })
		if i < 0 {
			continue
		}
		var d differ
		o := before.Nodes[i]
		d.value(Changed, "addresses", strings.Join(o.Addresses, " "), strings.Join(n.Addresses, " "))
		d.value(Changed, "ports", fmt.Sprint(o.Ports), fmt.Sprint(n.Ports))
		d.value(Changed, "trust", fmt.Sprint(o.Trust), fmt.Sprint(n.Trust))
		if d.Why != nil {
			all[n.Name] = "node " + n.Name + ": " + strings.Join(d.Why, ", ")
		}
	}
	return all
}

func queueFields(q topo.Queue) [][2]string {
	return [][2]string{{"backend", q.Backend.String()}, {"addresses", strings.Join(q.Addresses, " ")}, {"user", q.User}, {"password", q.Password.String()},
		{"tls", truth(q.TLS)}, {"directory", q.Directory}, {"dead_letters", q.DeadLetters}}
}

// changedQueues says of each backend how it is reached otherwise, if it is.
func changedQueues(before, after *Plan) map[topo.Backend]string {
	all := map[topo.Backend]string{}
	for _, q := range after.Queues {
		var o topo.Queue
		if i := slices.IndexFunc(before.Queues, func(o topo.Queue) bool { return o.Backend == q.Backend }); i >= 0 {
			o = before.Queues[i]
		}
		var d differ
		was := queueFields(o)
		for i, f := range queueFields(q) {
			d.value(Changed, f[0], was[i][1], f[1])
		}
		if o.Password.String() == q.Password.String() && o.Password.Reveal() != q.Password.Reveal() {
			d.note(Changed, "password: another one from the same place")
		}
		if d.Why != nil {
			all[q.Backend] = "queue " + q.Backend.String() + ": " + strings.Join(d.Why, ", ")
		}
	}
	for _, o := range before.Queues {
		if !slices.ContainsFunc(after.Queues, func(q topo.Queue) bool { return q.Backend == o.Backend }) {
			all[o.Backend] = "queue " + o.Backend.String() + ": no longer described"
		}
	}
	return all
}

// Same reports whether nothing changes.
func (cs Changes) Same() bool {
	return !slices.ContainsFunc(cs, func(c Change) bool { return c.Fate != Untouched })
}

// WriteText writes the changes for people; what is untouched is one line.
func (cs Changes) WriteText(w io.Writer) error {
	var b strings.Builder
	var untouched []string
	for _, c := range cs {
		if c.Fate == Untouched {
			untouched = append(untouched, c.Channel)
			continue
		}
		fmt.Fprintf(&b, "%-10s %s\n", c.Fate, c.Channel)
		for _, why := range c.Why {
			fmt.Fprintf(&b, "           %s\n", why)
		}
	}
	if untouched != nil {
		fmt.Fprintf(&b, "%-10s %s\n", Untouched, strings.Join(untouched, ", "))
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// WriteJSON writes the changes as one object.
func (cs Changes) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Same     bool    `json:"same"`
		Channels Changes `json:"channels"`
	}{cs.Same(), append(Changes{}, cs...)})
}
