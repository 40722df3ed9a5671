package trust

import (
	"errors"
	"fmt"
	"time"
)

// ErrOptions: options no identity can have. The text lists all faults.
var ErrOptions = errors.New("trust: options")

// DefaultPoll is how often the files are looked at.
const DefaultPoll = 5 * time.Second

const (
	minPoll = 10 * time.Millisecond
	maxPoll = time.Hour
)

// Options name the files and whom to believe. Cert, Key, CA and Allow are needed.
type Options struct {
	Cert  string   // PEM: this node's certificate, then those between it and an authority
	Key   string   // PEM: its private key; refused when anybody but its owner may read or write it
	CA    string   // PEM: the authorities whose certificates are believed
	Allow []string // names of which a peer must have one; see the package's comment. "*": whoever the authorities vouch for

	// Poll is how often the files are looked at: 0 is DefaultPoll, below 0 never. Reload looks at once.
	Poll time.Duration

	// Events, if set, is told what operators want to know. It runs on the goroutine that looks, or that calls Reload.
	Events func(Event)
}

// Event is what became of the files.
type Event struct {
	Kind     EventKind
	Err      error     // of Trouble: what is wrong with the new files
	NotAfter time.Time // when the certificate that is used ends
}

// EventKind says what happened.
type EventKind uint8

// The kinds of Event.
const (
	Reloaded EventKind = iota + 1 // new files are used from the next handshake on
	Trouble                       // new files are no good, and what was loaded before stays; told once for the same files
	Expiring                      // less than a tenth of the certificate's life is left; told once for a certificate
)

// String names the kind.
func (k EventKind) String() string {
	return [...]string{"", "reloaded", "trouble", "expiring"}[min(k, Expiring)]
}

func (o Options) checked() (Options, []pattern, error) {
	if o.Poll == 0 {
		o.Poll = DefaultPoll
	}
	var faults []error
	for _, f := range []struct{ name, path string }{{"certificate", o.Cert}, {"key", o.Key}, {"CA file", o.CA}} {
		if f.path == "" {
			faults = append(faults, fmt.Errorf("no %s: make one with pulse cert", f.name))
		}
	}
	if len(o.Allow) == 0 {
		faults = append(faults, errors.New(`nobody is allowed: name peers, or "*" for whoever the authorities vouch for`))
	}
	allow, err := patterns(o.Allow)
	if err != nil {
		faults = append(faults, err)
	}
	if o.Poll > 0 && (o.Poll < minPoll || o.Poll > maxPoll) {
		faults = append(faults, fmt.Errorf("poll every %v: %v to %v", o.Poll, minPoll, maxPoll))
	}
	if err := errors.Join(faults...); err != nil {
		return o, nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return o, allow, nil
}
