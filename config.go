package transport

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/numa"
	"github.com/alphapulse/transport/ring"
)

// ErrConfig says that Config is wrong; the text lists all faults. The caller mends it.
var ErrConfig = errors.New("transport: configuration")

// Config describes a node. The zero value is valid: channels within this process, all with defaults.
type Config struct {
	// Dir holds the rings of all channels, one directory per channel; /dev/shm/NAME is the usual place. Processes that
	// share channels name the same Dir. Empty: channels within this process only.
	Dir string

	// Source names this process among the publishers of a channel: a restarted one takes over the rings of its former
	// life. Empty means the program's name. Two living publishers may share a Source; each gets a ring.
	Source string

	// Channels has what differs from the default, by channel. A channel that is not listed has the zero Channel.
	Channels map[string]Channel

	// File is a topology file. It says where Dir is and what the Channels are like, as far as this Config does not, and what goes to
	// other nodes.
	File string

	// Actor is who this process is in File: it publishes its actor's outputs and subscribes to its inputs, and nothing else. At is the
	// node it runs on; empty where the actor has one placement only. At alone is a process that is no actor.
	Actor, At string

	// Media join this node to the others of File: this process then carries, for all processes of its Dir, what File sends to other
	// nodes. One process of a node does. Empty: another one does.
	Media []Medium

	// Queues are the kinds of durable queue that File's channels may go through, beside Media: a process that has either joins its node.
	Queues []QueueMedium

	// Identity is who the node is to others; nil: what File says under trust, and without that, ways that it wants encrypted are refused.
	Identity netio.Identity

	// Loop carries the media's workers.
	Loop numa.Loop

	// HoldDown is how long a preferred way must have been well before a channel goes back to it; 0 is that of route.FailoverOptions.
	HoldDown time.Duration

	// Unwatched has nothing told of this process in its stats file, which others read what it does from: see package route/watch. A process
	// without Dir has none.
	Unwatched bool

	// Notes, if set, is told of what becomes of the ways to other nodes. It runs on any goroutine and must not block.
	Notes func(netio.Note)
}

// Channel describes one channel as this node uses it. The zero value is a gating channel of default capacity.
type Channel struct {
	// Capacity is the size of a publisher's ring in bytes, a power of two. 0 means ring.DefaultCapacity. It counts for
	// rings this node makes; an existing ring keeps its own.
	Capacity int

	// HugePages asks for rings on 2 MiB pages, see ring.Options.
	HugePages bool

	// Mode is how this node's subscribers read: ring.Gate holds publishers back, ring.Lossy may be lapped.
	Mode ring.Mode

	// From is where a subscriber starts in rings it finds when it opens. In rings made later it starts at the beginning.
	From ring.From

	// Durable names this node's subscriber across restarts: what it has not released stays in the rings while it is
	// away, as long as they have room, and its successor goes on there. Empty: the subscriber's place ends with it.
	Durable string

	// TraceEvery has one of so many messages of each publisher begin a trace, by Publisher.Send and Publisher.Sample; 0: none.
	TraceEvery int

	held bool // publishers wait for it even while it is dead and the ring full
}

// process is what a process of a node is called in the node's directory.
func (c Config) process() string {
	switch {
	case len(c.Media) > 0 || len(c.Queues) > 0:
		return "node"
	case c.Actor != "":
		return c.Actor
	}
	return c.Source
}

// check returns c with defaults, or all its faults.
func (c Config) check() (Config, error) {
	if c.Source == "" {
		c.Source = filepath.Base(os.Args[0])
	}
	faults := []error{nameFault("source", c.Source)}
	if c.File == "" && (c.Actor != "" || c.At != "" || len(c.Media) > 0 || len(c.Queues) > 0) {
		faults = append(faults, errors.New("there is no File for Actor, At, Media and Queues"))
	}
	for name, ch := range c.Channels {
		faults = append(faults, nameFault("channel", name))
		if ch.Capacity < 0 || ch.Capacity > ring.MaxCapacity || ch.Capacity&(ch.Capacity-1) != 0 {
			faults = append(faults, fmt.Errorf("channel %q: capacity %d is not a power of two up to %d", name, ch.Capacity, ring.MaxCapacity))
		}
		if ch.TraceEvery < 0 {
			faults = append(faults, fmt.Errorf("channel %q: one of %d messages cannot be traced", name, ch.TraceEvery))
		}
		if ch.Durable != "" {
			faults = append(faults, nameFault("durable subscriber", ch.Durable))
			if ch.Mode != ring.Gate {
				faults = append(faults, fmt.Errorf("channel %q: a durable subscriber gates", name))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return c, nil
}

const maxName = 40

// nameFault says why name cannot be part of a file's name.
func nameFault(what, name string) error {
	ok := name != "" && len(name) <= maxName && name[0] != '.' && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
	if ok {
		return nil
	}
	return fmt.Errorf("%s %q: 1 to %d letters, digits, '.', '_' or '-', not starting with '.'", what, name, maxName)
}
