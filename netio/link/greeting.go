package link

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// A greeting opens each direction of a connection; both sides send theirs at once.
//
//	 0  magic 8
//	 8  version u16 · flags u16 · length u32
//	16  length bytes: JSON
//
// The magic begins with a zero, which no envelope does, and has both ends of a line, which a text protocol would change.
const (
	GreetingVersion = 1
	GreetingHead    = 16       // bytes before the JSON
	MaxGreeting     = 64 << 10 // bytes of JSON

	greetingMagic = "\x00pulse\r\n"
)

// ErrGreeting: what arrived first is no greeting, or one that no node of this version sends. The connection is closed; the text says why.
var ErrGreeting = errors.New("link: no greeting")

// Greeting says who speaks, and what it means by its channels.
type Greeting struct {
	Node     string     `json:"node"`
	Start    uint64     `json:"start"`          // tells the node's lives apart: a later one has a higher number
	Link     int        `json:"link,omitempty"` // tells apart several links between two nodes
	Channels []Contract `json:"channels"`
}

// Contract returns what the node means by a channel; ok is false when it does not have it.
func (g *Greeting) Contract(name string) (c Contract, ok bool) {
	for i := range g.Channels {
		if g.Channels[i].Name == name {
			return g.Channels[i], true
		}
	}
	return Contract{}, false
}

// check says everything that no greeting can be.
func (g *Greeting) check() error {
	faults := checkAll(g.Channels)
	if !named(g.Node) {
		faults = append(faults, fmt.Errorf("node %q: a name has 1 to %d bytes, none of them a control character", g.Node, maxName))
	}
	if g.Link < 0 || g.Link >= MaxLinks {
		faults = append(faults, fmt.Errorf("link %d is not 0 to %d", g.Link, MaxLinks-1))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrContract, err)
	}
	return nil
}

// AppendGreeting appends g as it travels. It answers ErrContract when g is none that the other side would take.
func AppendGreeting(b []byte, g Greeting) ([]byte, error) {
	if err := g.check(); err != nil {
		return b, err
	}
	body, err := json.Marshal(g)
	if err != nil {
		return b, fmt.Errorf("%w: %w", ErrContract, err)
	}
	if len(body) > MaxGreeting {
		return b, fmt.Errorf("%w: a greeting of %d bytes, at most %d: %d channels are too many for one link", ErrContract, len(body), MaxGreeting, len(g.Channels))
	}
	b = append(b, greetingMagic...)
	b = binary.LittleEndian.AppendUint16(b, GreetingVersion)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...), nil
}

// ParseGreeting reads a greeting from the start of b and returns how many bytes it is. 0 and no error: it may become one when more has
// arrived, GreetingHead + MaxGreeting bytes at most. ErrGreeting: it never will. Fields and flags that this version does not know are let
// pass; another version is not.
func ParseGreeting(b []byte) (g Greeting, n int, err error) {
	if m := min(len(b), len(greetingMagic)); string(b[:m]) != greetingMagic[:m] {
		return Greeting{}, 0, fmt.Errorf("%w: it begins with %q: the other side is no node, or speaks TLS to one that does not", ErrGreeting, b[:m])
	}
	if len(b) < GreetingHead {
		return Greeting{}, 0, nil
	}
	if v := binary.LittleEndian.Uint16(b[8:]); v != GreetingVersion {
		return Greeting{}, 0, fmt.Errorf("%w: it is of version %d, and this node speaks version %d: upgrade the older one", ErrGreeting, v, GreetingVersion)
	}
	size := binary.LittleEndian.Uint32(b[12:])
	if size > MaxGreeting {
		return Greeting{}, 0, fmt.Errorf("%w: it announces %d bytes, at most %d", ErrGreeting, size, MaxGreeting)
	}
	n = GreetingHead + int(size)
	if len(b) < n {
		return Greeting{}, 0, nil
	}
	if err := json.Unmarshal(b[GreetingHead:n], &g); err != nil {
		return Greeting{}, 0, fmt.Errorf("%w: %w", ErrGreeting, err)
	}
	if err := g.check(); err != nil {
		return Greeting{}, 0, fmt.Errorf("%w: %w", ErrGreeting, err)
	}
	return g, n, nil
}
