package demo

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/alphapulse/transport/netio/udp"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/xdp"
)

// Far is the other end of the trades' way when feed and strategy share no directory: the feed sends there, or the strategy listens
// there. The zero Far is none.
type Far struct {
	Addr   netip.AddrPort
	Secret *seal.Secret // seals every envelope; nil: none
	XDP    *xdp.Options // past the kernel's sockets, on this interface; where that cannot be, with a socket and a notice. nil: with a socket

	Notice func(format string, args ...any) // a line for people; nil: nobody
}

func (f Far) notice(format string, args ...any) {
	if f.Notice != nil {
		f.Notice(format, args...)
	}
}

// sending is the feed with the sender that carries its ring off, one after the other: what was published leaves in the same cycle.
type sending struct {
	feed   *feed
	sender *udp.Sender
	meter  meter
	ending bool // nothing more is published
}

// sends opens the sender and has the node's publishers carried by it.
func (s *stage) sends(to Far) (*sending, error) {
	line := udp.Dial{To: to.Addr, Medium: to.medium(xdp.EndOptions{Peers: []netip.Addr{to.Addr.Addr()}})}
	sender, err := udp.NewSender(udp.SenderOptions{Channel: TradesChannel, Lines: []udp.Dial{line}, Reliability: udp.Repaired,
		Secret: to.Secret, Events: to.troubles(line.Medium)})
	if err != nil {
		return nil, err
	}
	if err := s.node.Carry(TradesChannel, sender); err != nil {
		return nil, errors.Join(err, sender.Close())
	}
	return &sending{sender: sender, meter: newMeter(s.book, sender.Stats)}, nil
}

// Do publishes what is due and sends what is there. It ends once everything is confirmed.
func (s *sending) Do() (n int, err error) {
	if !s.ending {
		if n, err = s.feed.Do(); errors.Is(err, errDone) {
			s.ending, err = true, nil
		}
		if err != nil {
			return n, err
		}
	}
	sent, err := s.sender.Do()
	s.meter.tick()
	if err == nil && s.ending && s.sender.Drained() {
		err = errDone
	}
	return n + sent, err
}

// SetNow lends both the loop's clock.
func (s *sending) SetNow(now time.Time) {
	s.sender.SetNow(now)
	s.meter.now = now
}

func (s *sending) drain() { s.ending = true }

// String names the worker in errors.
func (s *sending) String() string { return "feed" }

func (s *sending) close() error {
	err := s.sender.Close()
	s.meter.note()
	return err
}

// receiving is the strategy with the receiver that fills the mirror it reads, one after the other.
type receiving struct {
	strategy *strategy
	receiver *udp.Receiver
	meter    meter
	fault    error // what a mirror has
}

// receives opens the receiver. The strategy's subscriber is open by then: what a former life left in a mirror it has a hold of.
func (s *stage) receives(at Far, w *strategy) (*receiving, error) {
	inbox, err := s.node.Inbox(TradesChannel)
	if err != nil {
		return nil, err
	}
	r := &receiving{strategy: w}
	line := udp.Listen{Bind: at.Addr, Medium: at.medium(xdp.EndOptions{Local: at.Addr})}
	r.receiver, err = udp.NewReceiver(udp.ReceiverOptions{Channel: TradesChannel, Lines: []udp.Listen{line}, Inbox: inbox,
		Reliability: udp.Repaired, Secret: at.Secret, Events: r.hear})
	if err != nil {
		return nil, err
	}
	r.meter = newMeter(s.book, r.receiver.Stats)
	return r, nil
}

// hear ends the receiver when a mirror cannot be written: trades that go nowhere are no small matter.
func (r *receiving) hear(e udp.Event) {
	if e.Kind == udp.Trouble && r.fault == nil {
		r.fault = e.Err
	}
}

// Do takes what has arrived and answers it. Asked to end, it answers what is here and takes no more.
func (r *receiving) Do() (n int, err error) {
	if !r.strategy.draining {
		n, err = r.receiver.Do()
		r.meter.tick()
		if err = errors.Join(err, r.fault); err != nil {
			return n, err
		}
	}
	answered, err := r.strategy.Do()
	return n + answered, err
}

// SetNow lends both the loop's clock.
func (r *receiving) SetNow(now time.Time) {
	r.receiver.SetNow(now)
	r.meter.now = now
}

// String names the worker in errors.
func (r *receiving) String() string { return "strategy" }

func (r *receiving) close() error {
	err := r.receiver.Close()
	r.meter.note()
	return err
}

// meterEvery is how often a meter is read, and so how much of the network's counts a kill may take along.
const meterEvery = time.Millisecond

// meter adds what a worker on the network counts to what its former lives counted in the book.
type meter struct {
	book   *book
	stats  func() udp.Stats
	former netCounts
	now    time.Time
	read   time.Time
}

func newMeter(b *book, stats func() udp.Stats) meter {
	return meter{book: b, stats: stats, former: b.network()}
}

func (m *meter) tick() {
	if m.now.Sub(m.read) >= meterEvery {
		m.read = m.now
		m.note()
	}
}

func (m *meter) note() {
	s := m.stats()
	c := m.former
	c.add(&netCounts{datagrams: s.Datagrams, again: s.Again, naks: s.Naks, lost: s.Lost})
	for i, reason := range udp.Reasons() {
		c.dropped[i] += s.Drops(reason)
	}
	m.book.setNetwork(&c)
}

// netCounts are a book's words on the network.
type netCounts struct {
	datagrams, again, naks, lost uint64
	dropped                      [maxReasons]uint64 // by udp.Reason
}

// maxReasons is how many reasons a book has room for.
const maxReasons = 32

func (c *netCounts) add(o *netCounts) {
	c.datagrams, c.again, c.naks, c.lost = c.datagrams+o.datagrams, c.again+o.again, c.naks+o.naks, c.lost+o.lost
	for i, n := range o.dropped {
		c.dropped[i] += n
	}
}

// since is what came between two readings.
func (c netCounts) since(base *netCounts) netCounts {
	c.datagrams, c.again, c.naks, c.lost = c.datagrams-base.datagrams, c.again-base.again, c.naks-base.naks, c.lost-base.lost
	for i, n := range base.dropped {
		c.dropped[i] -= n
	}
	return c
}

// network reads the words on the network.
func (b *book) network() (c netCounts) {
	for i, to := range []*uint64{&c.datagrams, &c.again, &c.naks, &c.lost} {
		*to = b.Load64(bookNet + 8*uint64(i))
	}
	for i := range c.dropped {
		c.dropped[i] = b.Load64(bookDropped + 8*uint64(i))
	}
	return c
}

func (b *book) setNetwork(c *netCounts) {
	for i, v := range [...]uint64{c.datagrams, c.again, c.naks, c.lost} {
		b.Store64(bookNet+8*uint64(i), v)
	}
	for i, v := range c.dropped {
		if at := bookDropped + 8*uint64(i); b.Load64(at) != v {
			b.Store64(at, v)
		}
	}
}

// UDP is what the network did in a demo over UDP. Its JSON keys are part of the report's contract.
type UDP struct {
	Network   string            `json:"network"` // "namespaces" or "loopback"
	Sealed    bool              `json:"sealed"`
	Loss      float64           `json:"loss_percent"`  // asked for, each way
	Datagrams uint64            `json:"datagrams"`     // sent by the feed
	Arrived   uint64            `json:"arrived"`       // of them
	Again     uint64            `json:"again"`         // frames sent again
	Naks      uint64            `json:"naks"`          // ranges of frames that the strategy asked for
	Lost      uint64            `json:"lost"`          // frames that could not be had
	Dropped   map[string]uint64 `json:"dropped"`       // by reason, at both ends; what did not happen is not listed
	XDP       map[string]string `json:"xdp,omitempty"` // with --xdp, by end: the interface and the mode in force, or why it has a socket
}

// account takes over what the two ends counted.
func (u *UDP) account(feed, strategy netCounts) {
	u.Datagrams, u.Again = feed.datagrams, feed.again
	u.Arrived, u.Naks, u.Lost = strategy.datagrams, strategy.naks, strategy.lost
	u.Dropped = map[string]uint64{}
	for i, reason := range udp.Reasons() {
		if n := feed.dropped[i] + strategy.dropped[i]; n > 0 {
			u.Dropped[reason.String()] = n
		}
	}
}

// String is a line for people.
func (u *UDP) String() string {
	s := fmt.Sprintf("%s, %d datagrams, %d arrived; %d ranges asked for, %d frames sent again, %d lost", u.Network, u.Datagrams, u.Arrived,
		u.Naks, u.Again, u.Lost)
	if u.Sealed {
		s = "sealed, " + s
	}
	return s
}
