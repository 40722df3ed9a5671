package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/sys"
)

// Networks that lanes over UDP can cross.
const (
	NetLoopback = "loopback" // the default
	NetVeth     = "veth"     // a virtual Ethernet pair between two network namespaces; needs root on Linux
)

// network is what lies between the two sides of a lane over UDP. Its packets are at most 1500 bytes, whatever the device takes.
type network struct {
	Near   site   `json:"near"`
	Far    site   `json:"far"`
	Device string `json:"device"` // of both, for multicast
}

// site is where one side lives.
type site struct {
	Addr  netip.Addr `json:"addr"`
	Netns string     `json:"netns,omitempty"` // empty: where the program was started
}

// in runs open where the site is: sockets that it opens belong there for good.
func (p site) in(open func() error) error {
	if p.Netns == "" {
		return open()
	}
	return sys.InNetns(p.Netns, open)
}

func (p site) any() netip.AddrPort { return netip.AddrPortFrom(p.Addr, 0) }

// openNetwork makes the network of that name and returns how to take it away.
func openNetwork(name string) (*network, func() error, error) {
	if name != NetVeth {
		here := site{Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
		return &network{here, here, "lo"}, func() error { return nil }, nil
	}
	lab, err := netlab.New("near", "far")
	if err != nil {
		return nil, nil, fmt.Errorf("bench: %w", err)
	}
	at := func(host string) site { return site{lab.Addr(host), lab.Namespace(host)} }
	return &network{at("near"), at("far"), netlab.Device}, lab.Close, nil
}

// A lane over UDP has an area of the board, where each side says on which port it hears, and the far side of a stream what it has seen.
//
//	0    near port   near side, at opening
//	8    far port    far side, at opening
//	128  seen        far side: number after the highest
//	136  taken       far side: messages that arrived
//	192  awake       near side, of a fan-out: 1 while the last member runs
const (
	udpNearPort = 0
	udpFarPort  = 8
	udpSeen     = 128
	udpTaken    = 136
	udpAwake    = 192
	udpArea     = 256
)

var errNoPort = errors.New("bench: the other side has no port")

// tellPort says where this side hears.
func tellPort(mem sys.Mem, at uint64, local netip.AddrPort) { mem.Store64(at, uint64(local.Port())) }

// peerAt is where the other side hears.
func peerAt(mem sys.Mem, at uint64, p site) (netip.AddrPort, error) {
	port := mem.Load64(at)
	if port == 0 || port > 1<<16-1 {
		return netip.AddrPort{}, errNoPort
	}
	return netip.AddrPortFrom(p.Addr, uint16(port)), nil
}

// answerWithin is how long a near side of a ping-pong over UDP waits for an answer before it counts as lost, or its message.
const answerWithin = 100 * time.Millisecond

// wait is a wait for an answer that may not come.
type wait struct {
	late   bound
	within time.Duration
	begun  bool
}

// over is for the idle moments of the wait, the first of which begins it: it reports whether the answer is given up.
func (w *wait) over(s *slice) (bool, error) {
	if !w.begun {
		w.begun, w.late = true, newBound(s.clock, w.within)
	}
	return w.late.passed(), s.look()
}

// giveUp counts a message whose answer did not come.
func (s *slice) giveUp() {
	s.sent++
	s.lost++
}

// follows accounts for a message at the far side of a ping-pong: its number and the last one seen, which it returns anew. Numbers only
// rise, and a gap is what was lost.
func (t *turn) follows(number, seen uint64) uint64 {
	t.messages++
	if number <= seen {
		t.bad++
		return seen
	}
	t.lost += number - seen - 1
	return number
}

// dialer is a near end that opens the rest of itself once the far end is open.
type dialer interface{ dial() error }

// plug puts the setup's network between the sides of the lanes that cross one, and returns how to take it away.
func plug(s Setup, specs []laneSpec) (away func() error, err error) {
	var n *network
	var own []func() error
	defer func() {
		if err != nil {
			err = errors.Join(err, away())
		}
	}()
	away = func() error {
		var faults []error
		for _, f := range own {
			faults = append(faults, f())
		}
		return errors.Join(faults...)
	}
	for i := range specs {
		if !specs[i].overNetwork() {
			continue
		}
		if specs[i].Past != "" { // a pair of its own: a program on it would change what sockets see
			n, unplug, err := openNetwork(NetVeth)
			if err != nil {
				return away, err
			}
			specs[i].Net = n
			own = append(own, unplug)
			continue
		}
		if n == nil {
			var unplug func() error
			if n, unplug, err = openNetwork(s.Net); err != nil {
				return away, err
			}
			own = append(own, unplug)
		}
		specs[i].Net = n
	}
	if n == nil && s.Net != "" {
		return away, fmt.Errorf("%w: network %q: this workload crosses none", ErrSetup, s.Net)
	}
	return away, nil
}
