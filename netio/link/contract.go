package link

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/alphapulse/transport/seal"
)

// Bounds of a contract.
const (
	MaxChannels = 1024 // of a node
	MaxLinks    = 16   // between two nodes
	maxName     = 40   // bytes of a channel's, node's or domain's name, and of a codec's
	maxCodecs   = 8
)

// ErrContract: a contract, or a set of them, that no node can keep. The text lists all faults.
var ErrContract = errors.New("link: contract")

// Reliability says when a sender lets go of a frame.
type Reliability uint8

// Both ends of a channel name the same.
const (
	Reliable   Reliability = iota // once the other node has it in its mirror
	BestEffort                    // once it is carried: what is on its way when a connection ends is lost, and counted there
)

// String returns "reliable" or "best effort".
func (r Reliability) String() string {
	if r == BestEffort {
		return "best effort"
	}
	return "reliable"
}

// MarshalText writes what String returns.
func (r Reliability) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what String returns.
func (r *Reliability) UnmarshalText(b []byte) error {
	switch string(b) {
	case "reliable":
		*r = Reliable
	case "best effort":
		*r = BestEffort
	default:
		return fmt.Errorf("reliability %q is neither %q nor %q", b, Reliable, BestEffort)
	}
	return nil
}

// Contract is what a node means by a channel. Two nodes compare theirs before the first frame.
type Contract struct {
	Name        string      `json:"name"`
	Sends       bool        `json:"sends,omitempty"` // frames go out from here
	Takes       bool        `json:"takes,omitempty"` // frames come in here
	Reliability Reliability `json:"reliability"`
	Largest     int         `json:"largest"`           // bytes of the largest payload that it sends, and that it takes
	Domain      string      `json:"domain,omitempty"`  // what the messages are, as the application calls it
	Codecs      []string    `json:"codecs,omitempty"`  // by which its bodies may be packed, and which it opens
	Repeats     bool        `json:"repeats,omitempty"` // a message may be delivered twice
}

// Difference is a field of which two nodes mean different things.
type Difference struct {
	Field        string
	Mine, Theirs string
}

// String names the field and both values.
func (d Difference) String() string {
	return fmt.Sprintf("%s: here %s, there %s", d.Field, d.Mine, d.Theirs)
}

// Compare names every field in which theirs does not fit mine. None: frames may flow.
//
// What the one sends the other must take, as large as it comes and packed as it comes, and there must be something that flows. The rest is
// the same on both sides.
func Compare(mine, theirs Contract) (all []Difference) {
	differ := func(field, here, there string) { all = append(all, Difference{field, here, there}) }
	if mine.Name != theirs.Name {
		differ("name", strconv.Quote(mine.Name), strconv.Quote(theirs.Name))
	}
	out, in := mine.Sends && theirs.Takes, mine.Takes && theirs.Sends
	if mine.Sends && !theirs.Takes || theirs.Sends && !mine.Takes || !out && !in {
		differ("direction", mine.direction(), theirs.direction())
	}
	if mine.Reliability != theirs.Reliability {
		differ("reliability", mine.Reliability.String(), theirs.Reliability.String())
	}
	if out && mine.Largest > theirs.Largest || in && theirs.Largest > mine.Largest {
		differ("largest", strconv.Itoa(mine.Largest), strconv.Itoa(theirs.Largest))
	}
	if mine.Domain != theirs.Domain {
		differ("domain", strconv.Quote(mine.Domain), strconv.Quote(theirs.Domain))
	}
	if out && !within(mine.Codecs, theirs.Codecs) || in && !within(theirs.Codecs, mine.Codecs) {
		differ("codecs", list(mine.Codecs), list(theirs.Codecs))
	}
	if mine.Repeats != theirs.Repeats {
		differ("repeats", strconv.FormatBool(mine.Repeats), strconv.FormatBool(theirs.Repeats))
	}
	return all
}

func (c *Contract) direction() string {
	switch {
	case c.Sends && c.Takes:
		return "sends and takes"
	case c.Sends:
		return "sends"
	case c.Takes:
		return "takes"
	}
	return "nothing"
}

// within reports whether all of a is in b.
func within(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// check says everything that no contract can be.
func (c *Contract) check() (faults []error) {
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("channel %q: "+format, append([]any{c.Name}, args...)...))
		}
	}
	fault(!named(c.Name), "a name has 1 to %d bytes, none of them a control character", maxName)
	fault(!c.Sends && !c.Takes, "neither sends nor takes")
	fault(c.Reliability > BestEffort, "reliability %d is not known", uint8(c.Reliability))
	fault(c.Largest < 1 || c.Largest > 1<<28, "a largest payload of %d bytes is not 1 to %d", c.Largest, 1<<28)
	fault(c.Domain != "" && !named(c.Domain), "domain %q: at most %d bytes, none of them a control character", c.Domain, maxName)
	fault(len(c.Codecs) > maxCodecs, "%d codecs, at most %d", len(c.Codecs), maxCodecs)
	for _, codec := range c.Codecs[:min(len(c.Codecs), maxCodecs)] {
		fault(!named(codec), "codec %q: 1 to %d bytes, none of them a control character", codec, maxName)
	}
	return faults
}

// named reports whether s may be a name: it comes from outside and is shown to people.
func named(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}

// checkAll says everything that is wrong with a node's contracts together.
func checkAll(all []Contract) (faults []error) {
	if len(all) > MaxChannels {
		return []error{fmt.Errorf("%d channels, at most %d", len(all), MaxChannels)}
	}
	names := map[uint32]string{}
	for i := range all {
		c := &all[i]
		faults = append(faults, c.check()...)
		id := seal.ChannelID(c.Name)
		if other, twice := names[id]; twice {
			faults = append(faults, fmt.Errorf("channels %q and %q have one number on the wire: rename one", other, c.Name))
		}
		names[id] = c.Name
	}
	return faults
}
