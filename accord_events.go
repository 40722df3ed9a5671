package transport

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/control"
	"github.com/alphapulse/transport/netio/link"
	"github.com/alphapulse/transport/netio/trust"
)

var errBothDial = errors.New("it dials this node, which dials it: their files have the nodes in different orders, and the first one dials")

const strangersTold = time.Minute // between two notes of one reason why nodes that dial are refused: they choose how often they come

// event notes what became of a link, of one that was dialled here or of another. It runs on the link's goroutine.
func (a *accord) event(e control.Event, dialled bool) {
	p := a.peer(e.Peer)
	n := netio.Note{Medium: "control", Node: e.Peer, Channel: e.Channel, What: e.Kind.String(), Err: e.Err}
	switch {
	case p != nil && p.dials && !dialled:
		if e.Kind == control.Disconnected {
			p.crossed.Store(false)
		}
		if e.Kind != control.Connected || p.crossed.Swap(true) {
			return
		}
		n.What, n.Err = control.Trouble.String(), errBothDial
	case e.Kind == control.Trouble && e.Peer == "":
		if !a.news(e.Err) {
			return
		}
	case p == nil:
		return
	case e.Kind == control.Refused:
		text := differences(e.Fields)
		if n.Err = fmt.Errorf("the nodes mean different things by the channel: %s", text); !p.refused(e.Channel, text) {
			return
		}
	case e.Kind == control.Trouble:
		p.troubled(e.Err)
	case e.Kind == control.Connected:
		for _, channel := range p.connected() {
			a.fabric.note(netio.Note{Medium: "control", Node: e.Peer, Channel: channel, What: "recovered"})
		}
		p.changed.Store(true)
	case e.Kind == control.Disconnected:
		p.changed.Store(true) // who is not believed any more has lost its secrets
		if errors.Is(e.Err, control.ErrUpdated) {
			return
		}
	}
	a.fabric.note(n)
}

// news reports whether a reason to refuse strangers was not told lately.
func (a *accord) news(err error) bool {
	reason := "other"
	if r := (*trust.Refusal)(nil); errors.As(err, &r) {
		reason = r.Reason.String()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	last, told := a.told[reason]
	if told && time.Since(last) < strangersTold {
		return false
	}
	a.told[reason] = time.Now()
	return true
}

// differences names each field with both values.
func differences(fields []link.Difference) string {
	var all []string
	for _, d := range fields {
		all = append(all, d.String())
	}
	return strings.Join(all, "; ")
}

// refused remembers what nodes mean different things by, and reports whether it is news.
func (p *peering) refused(channel, text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[channel] = text
	return p.differs[channel] != text
}

func (p *peering) troubled(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = err.Error()
}

// connected returns the channels about which the nodes agree again.
func (p *peering) connected() (again []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for channel := range p.differs {
		if p.next[channel] == "" {
			again = append(again, channel)
		}
	}
	p.differs, p.next, p.trouble = p.next, map[string]string{}, ""
	return again
}
