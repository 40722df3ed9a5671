package tcp

import "github.com/alphapulse/transport/netio"

var _ netio.Counted = (*way)(nil)

// Counts tells what the link has done, all its channels together.
func (w *way) Counts(tell func(netio.Count)) {
	s := w.Stats()
	tell(netio.Count{What: netio.CountConnections, Value: s.Connections})
	s.Counts("", tell)
}
