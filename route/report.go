package route

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/route/topo"
)

// String is the way in a few words, such as "tcp, tls" or "queue rabbitmq".
func (w Way) String() string {
	parts := []string{w.Medium.String()}
	switch {
	case w.Medium == Queue:
		parts[0] = "queue " + w.Backend.String()
	case w.Medium.local() && w.NUMA >= 0:
		parts[0] += fmt.Sprintf(" on memory node %d", w.NUMA)
	case w.Interface != "":
		parts[0] += " by " + w.Interface
	}
	if w.Group != "" {
		parts = append(parts, "to "+w.Group)
	}
	if !w.Medium.local() {
		parts = append(parts, w.guard())
	}
	if w.Compression != topo.CompressNone {
		parts = append(parts, w.Compression.String())
	}
	if w.Stripes > 1 {
		parts = append(parts, fmt.Sprintf("%d stripes", w.Stripes))
	}
	return strings.Join(parts, ", ")
}

// carried is all that a way does, without the reasons for it: two ways with the same text need no exchange.
func (w *Way) carried() string {
	if w == nil {
		return "none"
	}
	return w.String() + prefixed(", ", w.Queue) + prefixed(", key ", w.RoutingKey) + ", " + w.Durability.String()
}

// guard names what protects the bytes.
func (w Way) guard() string {
	switch w.Encryption {
	case topo.EncryptAuto:
		return "sealed"
	case topo.EncryptNone:
		return "unencrypted"
	}
	return w.Encryption.String()
}

// String is the decision in one line.
func (d Decision) String() string {
	s := fmt.Sprintf("%s %s → %s: %s", d.Channel, d.From, d.To, d.Primary)
	if d.Secondary != nil {
		s += "; then " + d.Secondary.String()
	}
	if d.Shadow != nil {
		s += "; beside it " + d.Shadow.String()
	}
	if d.Recorded {
		s += "; recorded in the queue"
	}
	return s + " [" + d.Primary.Rule + "]"
}

// WriteText writes the decision for people: what was decided, by which rule, and what was rejected why.
func (d Decision) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s from %s to %s, %s\n", d.Channel, d.From, d.To, d.Distance.words())
	d.Primary.write(&b, "carriage")
	if d.Secondary != nil {
		d.Secondary.write(&b, "fallback")
	}
	if d.Shadow != nil {
		d.Shadow.write(&b, "shadow")
	}
	if d.Recorded {
		b.WriteString("  record       all of it is put into the queue, whichever way carries it\n")
	}
	fmt.Fprintf(&b, "  durability   %s: %s\n  rejected\n", d.Durability, d.Durability.words())
	for _, r := range d.Rejected {
		fmt.Fprintf(&b, "    %-14s %s\n", r.Medium, r.Why)
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

func (w *Way) write(b *strings.Builder, name string) {
	fmt.Fprintf(b, "  %-12s %s\n", name, w.Medium)
	line := func(key, format string, args ...any) {
		fmt.Fprintf(b, "    %-11s "+format+"\n", append([]any{key}, args...)...)
	}
	line("rule", "%s: %s", w.Rule, w.Why)
	switch {
	case w.Medium.local() && w.NUMA >= 0:
		line("memory", "node %d", w.NUMA)
	case w.Medium == Queue:
		line("queue", "%s, %s%s", w.Queue, w.Backend, prefixed(", routing key ", w.RoutingKey))
	case w.Medium != NoMedium && !w.Medium.local():
		line("links", "%d%s%s", w.Stripes, prefixed(", by ", w.Interface), prefixed(", to ", w.Group))
	}
	line("latency", "%s, about %s before anything queues", w.Class, w.Expected)
	line("encryption", "%s: %s", w.guard(), w.Guard)
	line("compression", "%s: %s", w.Compression, w.Packing)
	line("durability", "%s", w.Durability)
}

// printable spells out what would steer a terminal: names of queues and addresses come from a file that others may have written.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\n' || strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// WriteText writes the plan for people: a line for each decision and each ring.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s%s\n", p.Version(), prefixed(" of ", p.Name))
	for _, c := range p.Channels {
		fmt.Fprintf(&b, "%s\n", c.Channel.Name)
		for _, r := range c.Rings {
			fmt.Fprintf(&b, "  ring  %s@%s: %s, %d bytes: %s\n", r.Actor, r.Node, r.Medium, r.Bytes, r.Why)
		}
		for _, d := range c.Decisions {
			fmt.Fprintf(&b, "  %s → %s: %s [%s]\n", d.From, d.To, d.Primary, d.Primary.Rule)
			if d.Secondary != nil {
				fmt.Fprintf(&b, "    then %s [%s]\n", d.Secondary, d.Secondary.Rule)
			}
			if d.Shadow != nil {
				fmt.Fprintf(&b, "    beside it %s [%s]\n", d.Shadow, d.Shadow.Rule)
			}
		}
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// Version is a short name for what the plan says: the same for the same plan, whatever the file's comments and order of keys.
// Secrets count only by where they come from.
func (p *Plan) Version() string {
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, c := range p.Channels {
		_ = e.Encode(fields(c.Channel)) // a hash refuses nothing, and a map of strings is always encoded
		_ = e.Encode(c.Rings)
		for _, d := range c.Decisions {
			_ = e.Encode([]string{d.From.String(), d.To.String(), d.Primary.carried(), d.Secondary.carried(), d.Shadow.carried()})
			if d.Recorded {
				_ = e.Encode("recorded")
			}
		}
	}
	_ = e.Encode(p.Nodes)
	for _, q := range p.Queues {
		_ = e.Encode(queueFields(q))
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// wayJSON is a Way as plans show it.
type wayJSON struct {
	Medium      Medium `json:"medium"`
	Rule        string `json:"rule"`
	Why         string `json:"why"`
	Encryption  string `json:"encryption"`
	Guard       string `json:"encryption_why"`
	Compression string `json:"compression"`
	Packing     string `json:"compression_why"`
	Durability  Level  `json:"durability"`
	Latency     string `json:"latency_class"`
	ExpectedNs  int64  `json:"latency_expected_ns"`
	NUMA        *int   `json:"numa,omitempty"`
	Interface   string `json:"interface,omitempty"`
	Group       string `json:"group,omitempty"`
	Stripes     int    `json:"stripes,omitempty"`
	Backend     string `json:"backend,omitempty"`
	Queue       string `json:"queue,omitempty"`
	RoutingKey  string `json:"routing_key,omitempty"`
}

// MarshalJSON spells what is in force as text.
func (w Way) MarshalJSON() ([]byte, error) {
	j := wayJSON{Medium: w.Medium, Rule: w.Rule, Why: w.Why, Encryption: w.guard(), Guard: w.Guard, Compression: w.Compression.String(), Packing: w.Packing,
		Durability: w.Durability, Latency: w.Class.String(), ExpectedNs: int64(w.Expected), Interface: w.Interface, Group: w.Group, Stripes: w.Stripes,
		Queue: w.Queue, RoutingKey: w.RoutingKey}
	if w.NUMA >= 0 {
		j.NUMA = &w.NUMA
	}
	if w.Medium == Queue {
		j.Backend = w.Backend.String()
	}
	return json.Marshal(j)
}

// MarshalJSON is the decision as plans show it.
func (d Decision) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Channel    string      `json:"channel"`
		From       Place       `json:"from"`
		To         Place       `json:"to"`
		Distance   Distance    `json:"distance"`
		Rule       string      `json:"rule"`
		Durability Level       `json:"durability"`
		Primary    Way         `json:"primary"`
		Secondary  *Way        `json:"secondary,omitempty"`
		Shadow     *Way        `json:"shadow,omitempty"`
		Recorded   bool        `json:"recorded,omitempty"`
		Rejected   []Rejection `json:"rejected"`
	}{d.Channel, d.From, d.To, d.Distance, d.Primary.Rule, d.Durability, d.Primary, d.Secondary, d.Shadow, d.Recorded, d.Rejected})
}

// MarshalJSON is the plan with its version; no secret is in it.
func (p *Plan) MarshalJSON() ([]byte, error) {
	type channel struct {
		Name      string            `json:"name"`
		Settings  map[string]string `json:"settings"`
		Rings     []Ring            `json:"rings"`
		Decisions []Decision        `json:"decisions"`
	}
	all := []channel{}
	for _, c := range p.Channels {
		all = append(all, channel{c.Channel.Name, fields(c.Channel), append([]Ring{}, c.Rings...), append([]Decision{}, c.Decisions...)})
	}
	return json.Marshal(struct {
		Version  string    `json:"version"`
		Name     string    `json:"name,omitempty"`
		Channels []channel `json:"channels"`
	}{p.Version(), p.Name, all})
}

// fields is what of a channel its rings and links depend on beyond the decisions, by name.
func fields(c topo.Channel) map[string]string {
	m := map[string]string{}
	for _, f := range channelFields {
		if s := f.of(&c); s != "" {
			m[f.key] = s
		}
	}
	return m
}
