package udp

import "fmt"

// onChannel says which channel an error concerns.
func onChannel(channel string, err error) error {
	return fmt.Errorf("udp: channel %q: %w", channel, err)
}

// onLine says which of its lines, too.
func onLine(channel string, line int, err error) error {
	return fmt.Errorf("udp: channel %q: line %d: %w", channel, line, err)
}

// String names the sender in errors.
func (s *Sender) String() string { return fmt.Sprintf("udp sender of channel %q", s.options.Channel) }

// String names the receiver in errors.
func (r *Receiver) String() string {
	return fmt.Sprintf("udp receiver of channel %q", r.options.Channel)
}
