package xdp

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alphapulse/transport/xdp/packet"
)

const (
	hubChunks  = 256                    // looked at, or put together, in one turn
	hubSpill   = 1 << 17                // bytes of packets of several chunks in one turn
	wayEvery   = 5 * time.Millisecond   // between two looks at what the kernel says of neighbours and routes
	checkEvery = 100 * time.Millisecond // of silence, before a look at whether program and interface are there
	countEvery = time.Second            // between two looks at how many queues the interface has
	wayTurns   = 64                     // turns between two looks at the clock
	wayFirst   = 500 * time.Millisecond // that opening an end waits for the ways to its peers
)

// Hub deals the datagrams of a device to ends by their ports, and sends for all of them. A loop that carries several ends over one
// interface has one. A Hub and its ends belong to one goroutine. The zero Hub is not valid: use OpenHub.
//
// A frame is copied once on its way out, from its ring into a chunk, and once on its way in, from the chunk into its mirror: the end that
// looks for news is lent the chunks themselves. What is for another end meanwhile is copied once more, into that end's inbox.
type Hub struct {
	options  HubOptions
	device   *Device
	sockets  []*Socket
	resolver *packet.Resolver
	ends     []*End

	in      []Chunk
	held    []int // chunks peeked and not released, of each socket
	lent    *End  // who has some of them
	spill   []byte
	parser  packet.Parser
	memo    memo
	touched byte
	turns   int
	wayAt   time.Time

	keeper              // has resolver while it is away
	mtu       int       // as the resolver knew it last
	fault     error     // what the keeper found, until the hub says so
	counts    bool      // what it is asked: how many queues the interface has,
	countedAt time.Time // when it was asked last,
	checks    bool      // and whether program and interface are there
	checkedAt time.Time // when it was, or they were known to be
	heard     uint64    // received by then

	out     []Chunk // claimed of the first socket
	claimed int
	placed  int
	ways    []*way // of what is placed

	HubStats
}

// HubOptions say which interface, and how.
type HubOptions struct {
	Device Options // its Ports are those of the ends; the first of its Queues sends
	TTL    uint8   // hop limit; 0 is 64, and 1 to groups
	DSCP   uint8   // 0 to 63

	// Checksum has IPv4 datagrams carry the UDP checksum; IPv6 ones always do. Where Mode.Checksums says so, nobody reads the payload
	// for it here.
	Checksum bool
}

// HubStats is what a Hub has done.
type HubStats struct {
	Received uint64                 // datagrams dealt to ends
	Sent     uint64                 // datagrams put on their way
	Nobody   uint64                 // datagrams to an address or a port that no end has
	Overrun  uint64                 // datagrams whose end comes too seldom for them
	Refused  [packet.Reasons]uint64 // frames that are none, by packet.Reason
}

// OpenHub opens the device, and what finds the ways to peers.
func OpenHub(o HubOptions) (*Hub, error) {
	d, err := Open(o.Device)
	if err != nil {
		return nil, err
	}
	h := &Hub{options: o, device: d, sockets: d.Sockets(), in: make([]Chunk, hubChunks), out: make([]Chunk, hubChunks),
		ways: make([]*way, hubChunks), spill: make([]byte, hubSpill)}
	h.held = make([]int, len(h.sockets))
	h.parser = packet.Parser{MaxFrame: frameOf(d.iface.MTU)}
	if h.resolver, err = packet.OpenResolver(o.Device.Interface); err != nil {
		return nil, errors.Join(fmt.Errorf("xdp: %s: %w", o.Device.Interface, err), d.Close())
	}
	now := time.Now()
	if _, err = h.resolver.Do(now); err != nil {
		return nil, errors.Join(fmt.Errorf("xdp: %s: %w", o.Device.Interface, err), h.resolver.Close(), d.Close())
	}
	h.mtu, h.countedAt, h.checkedAt = h.resolver.MTU(), now, now // nothing has to be asked while the first peers are met
	h.keeper.start(h.ask)
	return h, nil
}

// frameOf is the longest frame of an MTU.
func frameOf(mtu int) int { return mtu + packet.EthernetSize + packet.VLANSize }

// SetPorts makes the device's ports others, see Device.SetPorts. Ends of ports that are none any more hear nothing.
func (h *Hub) SetPorts(ports []uint16) error {
	if err := h.device.SetPorts(ports); err != nil {
		return err
	}
	h.options.Device.Ports = slices.Clone(ports)
	return nil
}

// Mode says which way packets take, and why not a better one.
func (h *Hub) Mode() Mode { return h.device.Mode() }

// Stats counts since the hub was opened. It belongs to the hub's goroutine.
func (h *Hub) Stats() HubStats { return h.HubStats }

// Queues reads what the kernel counts of each queue's socket, and Passed what the program let the kernel have. Both may be called from any
// goroutine until Close.
func (h *Hub) Queues() (all []Stats, err error) {
	for _, s := range h.sockets {
		one, err := s.Stats()
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// Passed is what the device's program let the kernel have.
func (h *Hub) Passed() (Passed, error) { return h.device.Passed() }

// Wait sleeps until something arrives on the first queue, at most timeout, as Socket.Wait does.
func (h *Hub) Wait(timeout time.Duration) error { return h.sockets[0].Wait(timeout, false) }

// Close closes the ends that are open, and the device.
func (h *Hub) Close() error {
	var faults []error
	for _, e := range slices.Clone(h.ends) {
		faults = append(faults, e.Close())
	}
	h.keeper.stop()
	return errors.Join(append(faults, h.resolver.Close(), h.device.Close())...)
}

// pull deals what has arrived: what is for e is lent to it. While another end has chunks nothing is dealt.
func (h *Hub) pull(e *End) error {
	if h.lent != nil && h.lent != e {
		return nil
	}
	h.giveBack()
	if err := h.keepWays(); err != nil {
		return err
	}
	spill := h.spill
	for i, s := range h.sockets {
		n := s.Peek(h.in)
		h.held[i] = n
		if n == 1 {
			h.touched += touch(h.in[0].Data)
		}
		for rest := h.in[:n]; len(rest) > 0; {
			var frame []byte
			if frame, rest, spill = assemble(rest, spill); frame == nil {
				h.Overrun++
				continue
			}
			h.deal(frame, e)
		}
	}
	if h.lent = e; len(e.lent) == 0 {
		h.giveBack()
	}
	return nil
}

// touch reads a byte of the second and the third line of a packet: they come from the processor that received it while the first is parsed.
func touch(p []byte) (sum byte) {
	if len(p) > 64 {
		sum = p[64]
	}
	if len(p) > 128 {
		sum += p[128]
	}
	return sum
}

// giveBack releases all chunks.
func (h *Hub) giveBack() {
	for i, n := range h.held {
		if n > 0 {
			h.sockets[i].Release(n)
			h.held[i] = 0
		}
	}
	h.lent = nil
}

// assemble takes the first packet off. One of several chunks is copied into spill; where there is no room for it frame is nil.
func assemble(chunks []Chunk, spill []byte) (frame []byte, rest []Chunk, left []byte) {
	if !chunks[0].More {
		return chunks[0].Data, chunks[1:], spill
	}
	n, size := 0, 0
	for more := true; more && n < len(chunks); n++ {
		size += len(chunks[n].Data)
		more = chunks[n].More
	}
	if size > len(spill) {
		return nil, chunks[n:], spill
	}
	frame = spill[:0:size]
	for _, c := range chunks[:n] {
		frame = append(frame, c.Data...)
	}
	return frame, chunks[n:], spill[size:]
}

// deal finds whose a frame is.
func (h *Hub) deal(frame []byte, asks *End) {
	if h.memo.says(frame) && asks == h.memo.end {
		asks.lent = append(asks.lent, parcel{frame[h.memo.from:h.memo.to:h.memo.to], h.memo.source})
		h.Received++
		return
	}
	var p packet.Packet
	if why := h.parser.Parse(frame, &p); why != packet.Accepted {
		h.Refused[why]++
		return
	}
	for _, e := range h.ends {
		if e.local.Port() != p.Destination.Port() || e.local.Addr() != p.Destination.Addr() && !slices.Contains(e.groups, p.Destination.Addr()) {
			continue
		}
		switch {
		case e == asks:
			e.lent = append(e.lent, parcel{p.Payload, p.Source})
			h.memo.keep(frame, &p, e)
		case !e.keep(p.Payload, p.Source):
			h.Overrun++
			return
		}
		h.Received++
		return
	}
	h.Nobody++
}

// keepWays follows what the kernel knows of routes and neighbours, and whether all is there. What has to be asked the keeper asks.
func (h *Hub) keepWays() error {
	if h.turns++; h.turns%wayTurns != 0 {
		return nil
	}
	now := time.Now()
	if now.Sub(h.wayAt) < wayEvery {
		return nil
	}
	h.wayAt = now
	if !h.here() {
		return nil
	}
	if h.fault != nil {
		return h.fault
	}
	due, err := h.resolver.Hear(now)
	if err != nil {
		return fmt.Errorf("xdp: %s: %w", h.options.Device.Interface, err)
	}
	h.checks, h.counts = false, now.Sub(h.countedAt) >= countEvery // others may be busy while a new queue's datagrams are lost
	if h.counts {
		h.countedAt = now
	}
	if h.Received != h.heard { // then both are there
		h.heard, h.checkedAt = h.Received, now
	} else if h.checks = now.Sub(h.checkedAt) >= checkEvery; h.checks {
		h.checkedAt = now
	}
	if due || h.checks || h.counts {
		h.put(now)
	}
	return nil
}

// ask is the keeper's: it may take long.
func (h *Hub) ask(now time.Time) (err error) {
	if h.checks {
		err = h.device.Check() // counts, too
		if errors.Is(err, ErrDown) {
			err = nil // it may come up again; gone or detached it is over
		}
	} else if h.counts {
		err = h.device.recount()
	}
	if err == nil {
		_, err = h.resolver.Do(now)
	}
	if err != nil {
		return fmt.Errorf("xdp: %s: %w", h.options.Device.Interface, err)
	}
	return nil
}

// answered takes over what the keeper has found out.
func (h *Hub) answered(err error) {
	h.fault = errors.Join(h.fault, err)
	h.mtu = h.resolver.MTU()
	h.parser.MaxFrame = max(h.parser.MaxFrame, frameOf(h.mtu))
}

// here reports whether the keeper has nothing to find out, and takes over what it has found.
func (h *Hub) here() bool {
	if h.away {
		ok, err := h.back()
		if !ok {
			return false
		}
		h.answered(err)
	}
	return true
}

// home waits for the keeper: whoever opens an end waits for the kernel in any case.
func (h *Hub) home() {
	if h.away {
		h.answered(h.wait())
	}
}

// spare is how many chunks there are to write to.
func (h *Hub) spare() int {
	if h.placed == 0 && h.claimed < len(h.out) { // those that were under way may be back
		h.claimed = h.sockets[0].Claim(h.out)
	}
	return h.claimed - h.placed
}

// flush sends what was placed by any end, and has the kernel go on with what it left. It returns how many chunks the kernel has not taken.
func (h *Hub) flush() (waiting int, err error) {
	s := h.sockets[0]
	if h.placed == 0 {
		err = s.Flush()
	} else {
		for i, w := range h.ways[:h.placed] {
			w.template.Put(h.out[i].Data, 0)
			h.out[i].Sum = w.sum
		}
		h.Sent += uint64(h.placed)
		err = s.Commit(h.out[:h.placed])
		h.placed, h.claimed = 0, 0
	}
	return s.Unsent(), err
}
