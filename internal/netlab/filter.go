package netlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// filter is what a host's input hook drops. Counters stay when rules change.
type filter struct {
	percent float64
	every   int
	from    map[string]bool
}

// Counters are the packets that a host's filter has dropped since the lab was made, each once. Fragments are put together before.
type Counters struct {
	Lost        uint64 `json:"lost"`        // by Loss
	Every       uint64 `json:"every"`       // by DropEvery
	Partitioned uint64 `json:"partitioned"` // by Partition
}

// lossSteps is what Loss is rounded to: a thousandth of a percent.
const lossSteps = 100_000

// Loss has the host drop that many percent, 0 to 100, of the UDP datagrams that reach it, each drawn by itself.
func (l *Lab) Loss(host string, percent float64) error {
	if !(percent >= 0 && percent <= 100) {
		return fmt.Errorf("%w: a loss of %v is not 0 to 100 percent", ErrOptions, percent)
	}
	return l.refilter(host, func(f *filter) { f.percent = percent })
}

// DropEvery has the host drop every nth of the UDP datagrams that reach it, counted from now; 0 drops none.
func (l *Lab) DropEvery(host string, n int) error {
	if n < 0 || n > 1<<30 {
		return fmt.Errorf("%w: every %dth is not from 0 to 2^30", ErrOptions, n)
	}
	return l.refilter(host, func(f *filter) { f.every = n })
}

// Partition has the host drop all that comes from the named hosts, or from every other if none is named. The other direction stays:
// name both ends in turn to cut both, or see Isolate.
func (l *Lab) Partition(host string, from ...string) error { return l.partition(host, from, true) }

// Heal ends Partition for the named hosts, or for all.
func (l *Lab) Heal(host string, from ...string) error { return l.partition(host, from, false) }

// Isolate cuts the host off in both directions, or ends that: it hears nobody and nobody hears it.
func (l *Lab) Isolate(host string, on bool) error {
	faults := []error{l.partition(host, nil, on)}
	for _, other := range l.others(host) {
		faults = append(faults, l.partition(other, []string{host}, on))
	}
	return errors.Join(faults...)
}

func (l *Lab) partition(host string, from []string, on bool) error {
	for _, h := range from {
		if err := l.known(h); err != nil {
			return err
		}
	}
	if len(from) == 0 {
		from = l.others(host)
	}
	return l.refilter(host, func(f *filter) {
		for _, h := range from {
			f.from[h] = on
		}
	})
}

func (l *Lab) others(host string) []string {
	return slices.DeleteFunc(slices.Clone(l.options.Hosts), func(h string) bool { return h == host })
}

// Counters reads what the host has dropped.
func (l *Lab) Counters(host string) (c Counters, err error) {
	l.mu.Lock()
	made := l.filters[host] != nil
	l.mu.Unlock()
	if err := l.known(host); err != nil || !made {
		return c, err
	}
	err = l.change(host, func() error {
		text, err := l.nft(host, "", "-j", "list", "counters", "table", "inet", "pulse")
		if err != nil {
			return err
		}
		return c.read(text)
	})
	return c, err
}

func (c *Counters) read(text string) error {
	var all struct {
		Nftables []struct {
			Counter struct {
				Name    string
				Packets uint64
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return fmt.Errorf("nft: %w", err)
	}
	for _, one := range all.Nftables {
		switch one.Counter.Name {
		case "lost":
			c.Lost = one.Counter.Packets
		case "every":
			c.Every = one.Counter.Packets
		case "partitioned":
			c.Partitioned = one.Counter.Packets
		}
	}
	return nil
}

// refilter changes what the host drops, in one transaction.
func (l *Lab) refilter(host string, change func(*filter)) error {
	return l.change(host, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		f := filter{from: map[string]bool{}}
		if old := l.filters[host]; old != nil {
			f = *old
			f.from = maps.Clone(old.from)
		}
		change(&f)
		if _, err := l.nft(host, l.rules(f), "-f", "-"); err != nil {
			return err
		}
		l.filters[host] = &f
		return nil
	})
}

// rules is the nft script. A table that is there keeps its counters; only the chain's rules are replaced.
func (l *Lab) rules(f filter) string {
	lines := []string{
		"table inet pulse {",
		"  counter lost { }",
		"  counter every { }",
		"  counter partitioned { }",
		"  chain input {",
		"    type filter hook input priority 0",
		"  }",
		"}",
		"flush chain inet pulse input",
	}
	rule := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("add rule inet pulse input iifname %s ", Device)+fmt.Sprintf(format, args...))
	}
	for _, h := range l.options.Hosts {
		if f.from[h] {
			rule("ip saddr %s counter name partitioned drop", l.Addr(h))
			rule("ip6 saddr { %s, %s } counter name partitioned drop", l.Addr6(h), l.linkLocal(h))
		}
	}
	if f.every > 1 {
		rule("meta l4proto udp numgen inc mod %d == %d counter name every drop", f.every, f.every-1)
	} else if f.every == 1 {
		rule("meta l4proto udp counter name every drop")
	}
	if share := int(f.percent*lossSteps/100 + 0.5); share >= lossSteps {
		rule("meta l4proto udp counter name lost drop")
	} else if share > 0 {
		rule("meta l4proto udp numgen random mod %d < %d counter name lost drop", lossSteps, share)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (l *Lab) nft(host, script string, args ...string) (string, error) {
	if _, err := exec.LookPath("nft"); err != nil {
		return "", errors.New("no nft command (package nftables)")
	}
	return run(l.command(l.ctx, host, append([]string{"nft"}, args...)), script)
}
