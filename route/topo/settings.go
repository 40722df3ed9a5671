package topo

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Setting is one effective value of a channel with its key and where it came from.
type Setting struct {
	Key string
	Origin
}

// Settings lists every value the channel has, stated or built in, in the order of the schema. Values that nobody states
// and nothing is built in for are left out: route decides them.
func (c *Channel) Settings() (all []Setting) {
	for _, l := range channelTable.leaves(c) {
		o, stated := c.Origins[l.key]
		if !stated {
			o = Origin{Value: l.text, From: "built in"}
		}
		if o.Value != "" {
			all = append(all, Setting{l.key, o})
		}
	}
	return all
}

// Origin says where the value of a key came from, such as "mode" or "retry.first".
func (c *Channel) Origin(key string) Origin {
	for _, s := range c.Settings() {
		if s.Key == key {
			return s.Origin
		}
	}
	return Origin{From: "built in"}
}

// WriteEffective writes the channels with all their values as a topology file, each value with its origin as a comment.
// Secrets stand there as the references they came from.
func (t *Topology) WriteEffective(w io.Writer) error {
	var b strings.Builder
	b.WriteString("channels:\n")
	for i := range t.Channels {
		c := &t.Channels[i]
		fmt.Fprintf(&b, "  %s:\n", c.Name)
		group := ""
		for _, s := range c.Settings() {
			head, key, nested := strings.Cut(s.Key, ".")
			indent := "    "
			if !nested {
				key, group = head, ""
			} else {
				if group != head {
					group = head
					fmt.Fprintf(&b, "    %s:\n", head)
				}
				indent += "  "
			}
			fmt.Fprintf(&b, "%s%-18s # %s\n", indent, key+": "+valueText(s), origin(s.Origin))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func origin(o Origin) string {
	if !o.At.IsValid() {
		return o.From
	}
	return o.From + ", " + o.At.String()
}

// valueText quotes what YAML would read differently.
func valueText(of Setting) string {
	s := of.Value
	plain := !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("._/-", r)
	})
	if plain && s[0] != '-' || of.Key == "pair" {
		return s
	}
	if of.Key == "secret" {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ReplaceAll(s, "${", "$${"))
}
