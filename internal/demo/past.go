package demo

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/xdp"
	"github.com/alphapulse/transport/xdp/packet"
)

// An end told to go past the kernel's sockets says in one note which way it goes: pastNote, the interface and the mode, or socketNote and
// why.
const (
	pastNote   = "AF_XDP on "
	socketNote = "with a socket, not by AF_XDP: "
)

// medium is what carries the datagrams of one end in place of a socket, or nil.
func (f Far) medium(e xdp.EndOptions) netio.Medium {
	if f.XDP == nil {
		return nil
	}
	one, err := f.past(e)
	if err != nil {
		f.notice(socketNote+"%s", oneLine(err.Error()))
		return nil
	}
	f.notice(pastNote+"%s: %s", f.XDP.Interface, oneLine(one.Mode().Explain()))
	return one
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }

var errLoopback = errors.New("what goes past the kernel on loopback does not get to its sockets")

// past opens an end of AF_XDP that reaches its peers, or will when they are there.
func (f Far) past(e xdp.EndOptions) (*xdp.End, error) {
	i, err := net.InterfaceByName(f.XDP.Interface)
	if err != nil {
		return nil, err
	}
	if i.Flags&net.FlagLoopback != 0 {
		return nil, errLoopback
	}
	one, err := xdp.Single(xdp.HubOptions{Device: *f.XDP}, e)
	if err != nil {
		return nil, err
	}
	for _, p := range e.Peers {
		if err := one.Reach(p); errors.Is(err, packet.ErrLocal) || errors.Is(err, packet.ErrUnreachable) {
			return nil, errors.Join(fmt.Errorf("%s by way of %s: %w", p, i.Name, err), one.Close())
		}
	}
	return one, nil
}

// troubles is where a sender over a medium tells of its way; those of sockets are not told.
func (f Far) troubles(m netio.Medium) func(udp.Event) {
	if m == nil {
		return nil
	}
	return func(e udp.Event) {
		if e.Kind == udp.Trouble {
			f.notice("%s", e.Err)
		}
	}
}

// ways are which way the ends have said they go. All children say so, each in its own goroutine.
type ways struct {
	mu sync.Mutex
	by map[string]string // by name of the end
}

// hear keeps a child's line, if that is what it says.
func (w *ways) hear(line string) {
	name, note, _ := strings.Cut(line, ": ")
	if !strings.HasPrefix(note, pastNote) && !strings.HasPrefix(note, socketNote) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[string]string{}
	}
	w.by[name] = note
}

func (w *ways) said() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.by)
}
