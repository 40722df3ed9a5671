package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/mqadapt"
)

// Consumer is one member of a group: it reads segments in place and moves the group's cursor. It belongs to one goroutine. The zero Consumer
// is not valid: use Journal.Consumer.
type Consumer struct {
	j      *Journal
	group  string
	cursor *small
	boot   uint64
	active bool // it has the group's lock
	acked  uint64
	trail
	held []*segment // read to their end, and not acknowledged to there
}

var _ mqadapt.Consumer = (*Consumer)(nil)

// trail walks the entries of a journal from one segment to the next.
type trail struct {
	dir     string
	journal uint64
	seg     *segment
	off     uint64
	next    uint64 // number of the next entry
	epoch   uint32
	lost    uint64 // entries dropped before next that nobody was told of
}

func newConsumer(j *Journal, group string) (*Consumer, error) {
	path := filepath.Join(j.options.Dir, group+cursorSuffix)
	cursor, err := openSmall(path, j.state.journal, kindCursor, true)
	for range 8 { // another process may create it meanwhile
		if !gone(err) {
			break
		}
		var m *mapped
		m, err = create(path, fileSize, func(m sys.Mem) {
			putSmall(m, j.state.journal, kindCursor)
			register{m.At(cursorNext)}.init(0)
		})
		cursor = &small{m, j.state.journal}
		if errors.Is(err, fs.ErrExist) {
			cursor, err = openSmall(path, j.state.journal, kindCursor, true)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("journal: group %s: %w", group, err)
	}
	return &Consumer{j: j, group: group, cursor: cursor, boot: bootNow(), trail: trail{dir: j.options.Dir, journal: j.state.journal}}, nil
}

const (
	leastPause = 50 * time.Microsecond
	mostPause  = time.Millisecond
)

// Get lends entries where they lie. It looks for the first one at least every millisecond. Nothing that is not whole is delivered: the error
// is mqadapt.ErrCorrupt and names file and offset, again at every Get.
func (c *Consumer) Get(batch []mqadapt.Delivery, wait time.Duration) (n int, err error) {
	until := time.Now().Add(wait)
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		err = sys.Guard(func() error {
			n, err = c.get(batch)
			return err
		})
		left := time.Until(until)
		if n > 0 || err != nil || wait <= 0 || left <= 0 || len(batch) == 0 {
			return n, err
		}
		time.Sleep(min(pause, left))
	}
}

func (c *Consumer) get(batch []mqadapt.Delivery) (n int, err error) {
	if c.cursor == nil {
		return 0, fmt.Errorf("journal: group %s: %w", c.group, mqadapt.ErrClosed)
	}
	if !c.active {
		if ok, err := c.begin(); !ok || err != nil {
			return 0, err
		}
	}
	visible, err := c.j.state.get(stateVisible)
	if err != nil {
		return 0, err
	}
	for n < len(batch) && c.next < visible {
		r, err := c.step(func(s *segment) { c.held = append(c.held, s) })
		if err == errEnd {
			break
		}
		if err != nil {
			if n > 0 { // what is whole comes first
				return n, nil
			}
			return 0, err
		}
		batch[n] = mqadapt.Delivery{Envelope: r.payload, Position: r.number, Lost: c.lost}
		c.lost = 0
		n++
	}
	return n, nil
}

// begin takes the group's lock, if it is free, and goes where the group is.
func (c *Consumer) begin() (ok bool, err error) {
	boot, err := c.j.state.get(stateBoot)
	if err != nil || boot != c.boot { // no producer has been here, or none since the machine went down: what is whole is not known
		return false, err
	}
	if ok, err = sys.LockByte(c.cursor.file, lockByte); err != nil || !ok {
		return false, err
	}
	next, err := c.cursor.get(cursorNext)
	if err != nil {
		return false, err
	}
	if err := c.seek(next); err != nil {
		return false, err
	}
	c.active, c.acked = true, c.next-1
	return true, nil
}

// Ack moves the group's cursor behind position. What was lent up to there is not to be looked at any more.
func (c *Consumer) Ack(position uint64) error {
	if c.cursor == nil {
		return fmt.Errorf("journal: group %s: %w", c.group, mqadapt.ErrClosed)
	}
	if !c.active || position >= c.next {
		return fmt.Errorf("journal: group %s: %w: position %d, entries up to %d were lent", c.group, mqadapt.ErrOptions, position, c.next-1)
	}
	if position <= c.acked {
		return nil
	}
	if err := sys.Guard(func() error { return c.cursor.set(cursorNext, position+1) }); err != nil {
		return err
	}
	c.acked = position
	var faults []error
	for len(c.held) > 0 {
		after := c.seg.first
		if len(c.held) > 1 {
			after = c.held[1].first
		}
		if position+1 < after {
			break
		}
		faults = append(faults, c.held[0].close())
		c.held = c.held[1:]
	}
	return errors.Join(faults...)
}

// Position returns the number of the last entry that is acknowledged.
func (c *Consumer) Position() uint64 { return c.acked }

// Close gives the group to its next member.
func (c *Consumer) Close() error { return c.j.release(c) }

func (c *Consumer) shut() error {
	faults := []error{c.cursor.close()}
	for _, s := range c.held {
		faults = append(faults, s.close())
	}
	if c.seg != nil {
		faults = append(faults, c.seg.close())
	}
	c.cursor, c.held, c.seg, c.active = nil, nil, nil, false
	return errors.Join(faults...)
}

// seek goes to the entry of that number, or the oldest after it. 0 is the oldest, and nothing before it is lost.
func (t *trail) seek(number uint64) error {
	firsts, err := segments(t.dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if len(firsts) == 0 {
		return corrupt(t.dir, 0, errors.New("no segment"))
	}
	from := firsts[0]
	for _, first := range firsts {
		if first <= number {
			from = first
		}
	}
	if t.seg, err = openSegment(t.dir, from, t.journal, false); err != nil {
		return err
	}
	t.off, t.next, t.epoch = segHeader, from, 0
	if number != 0 && number < from {
		t.lost = from - number
	}
	for t.next < number {
		if _, err := t.step(nil); err == errEnd {
			return corrupt(t.seg.path, t.off, fmt.Errorf("the journal ends before entry %d, where the group is", number))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// step returns the next entry. done is told of each segment that is read to its end and gives it back; nil: it is given back at once.
func (t *trail) step(done func(*segment)) (record, error) {
	for {
		r, err := t.seg.at(t.off, t.next, t.epoch)
		if err != nil {
			return r, err
		}
		if t.epoch = r.epoch; r.kind != kindEnd {
			t.off = r.next
			t.next++
			return r, nil
		}
		next, err := t.successor()
		if err != nil {
			return r, err
		}
		old := t.seg
		t.lost += next.first - t.next
		t.seg, t.off, t.next = next, segHeader, next.first
		if done != nil {
			done(old)
		} else if err := old.close(); err != nil {
			return r, err
		}
	}
}

// successor opens the segment that begins with next, or if it was let go the oldest after it.
func (t *trail) successor() (*segment, error) {
	for range 8 { // segments may go while we look
		s, err := openSegment(t.dir, t.next, t.journal, false)
		if !gone(err) {
			return s, err
		}
		firsts, err := segments(t.dir)
		if err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		for _, first := range firsts {
			if first > t.next {
				s, err := openSegment(t.dir, first, t.journal, false)
				if !gone(err) {
					return s, err
				}
				break
			}
		}
	}
	return nil, corrupt(segPath(t.dir, t.next), 0, errors.New("missing, and the segment before it ends"))
}
