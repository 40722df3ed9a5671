package watch

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/alphapulse/transport/internal/tally"
)

// Spread is a histogram of durations in nanoseconds, in the stats file. It belongs to one goroutine at a time; a nil Spread records nothing.
type Spread = tally.Spread

// Board is a process's stats file as the process writes it. Counts and gauges are put by one goroutine, round after round: what a round does not
// say is taken out of the file. Spreads come and go when their owners say so. A nil Board keeps nothing.
type Board struct {
	file *tally.File
	now  map[string]*shown
	turn uint64
	key  []byte

	mu     sync.Mutex
	unkept uint64
}

// shown is a number of the last rounds.
type shown struct {
	value *tally.Value
	turn  uint64
}

// Post makes the stats file of a process: dir is its node's directory, name what it is called there. Where the name is another living
// process's, a number is added to it.
func Post(dir, node, name string) (*Board, error) {
	const most = 64 // processes of one name
	for i := range most {
		as := name
		if i > 0 {
			as = fmt.Sprintf("%s.%d", name, i)
		}
		f, err := tally.Create(pathOf(dir, as), node, as)
		if err == nil {
			return &Board{file: f, now: map[string]*shown{}}, nil
		}
		if alive, _ := tally.Alive(pathOf(dir, as)); !alive {
			return nil, err
		}
	}
	return nil, fmt.Errorf("watch: %d living processes of %s are called %q", most, dir, name)
}

// Round puts what fn says, and takes out what it does not say, unless fn reports that it could not say all.
func (b *Board) Round(now time.Time, fn func() (all bool)) {
	if b == nil {
		return
	}
	b.turn++
	all := fn()
	b.Count(WatchUnkept, b.lost())
	b.file.Publish()
	b.file.Beat(now)
	if !all {
		return
	}
	for text, s := range b.now {
		if s.turn != b.turn {
			s.value.Remove()
			delete(b.now, text)
		}
	}
}

func (b *Board) lost() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unkept
}

// Count says a counter, within a Round. labels are those of the Metric, in its order; empty ones are left out.
func (b *Board) Count(name string, n uint64, labels ...string) { b.value(name, labels).Set(n) }

// Gauge says a gauge, within a Round.
func (b *Board) Gauge(name string, x float64, labels ...string) { b.value(name, labels).SetFloat(x) }

// Fact says a gauge that is 1 or 0, within a Round.
func (b *Board) Fact(name string, holds bool, labels ...string) {
	x := 0.0
	if holds {
		x = 1
	}
	b.Gauge(name, x, labels...)
}

func (b *Board) value(name string, labels []string) *tally.Value {
	m, ok := Find(name)
	if !ok || len(labels) > len(m.Labels) {
		panic(fmt.Sprintf("watch: %s with %d labels is not in the catalogue", name, len(labels))) // the caller's mistake, whatever runs
	}
	b.key = appendText(b.key[:0], m, labels)
	s, ok := b.now[string(b.key)]
	if !ok {
		s = &shown{}
		b.now[string(b.key)] = s
	}
	if s.value == nil { // there was no room: others may have gone
		var err error
		if s.value, err = b.file.Value(m.Kind, string(b.key)); err != nil && !ok {
			b.keepNot()
		}
	}
	s.turn = b.turn
	return s.value
}

func (b *Board) keepNot() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unkept++
}

// Spread makes a histogram; it is nil where there is no room, or no Board. It may be called from any goroutine.
func (b *Board) Spread(name string, labels ...string) *Spread {
	if b == nil {
		return nil
	}
	m, ok := Find(name)
	if !ok || m.Kind != Histogram || len(labels) > len(m.Labels) {
		panic(fmt.Sprintf("watch: %s with %d labels is no histogram of the catalogue", name, len(labels)))
	}
	s, err := b.file.Spread(string(appendText(nil, m, labels)))
	if err != nil {
		b.keepNot()
		return nil
	}
	return s
}

// Close gives the file up: it stays for whoever reads it. Nobody may be using its Spreads any more.
func (b *Board) Close() error {
	if b == nil {
		return nil
	}
	return b.file.Close()
}

// pathOf is the stats file of a process.
func pathOf(dir, name string) string {
	return dir + string(os.PathSeparator) + Directory + string(os.PathSeparator) + name + suffix
}

// appendText appends what an entry is called: name{label="value",…}.
func appendText(b []byte, m Metric, labels []string) []byte {
	b = append(b, m.Name...)
	open := byte('{')
	for i, v := range labels {
		if v == "" {
			continue
		}
		b = append(append(append(b, open), m.Labels[i]...), `="`...)
		b = append(append(b, escape.Replace(v)...), '"')
		open = ','
	}
	if open == ',' {
		b = append(b, '}')
	}
	return b
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
