package simnet

// Counters count one direction's datagrams since the relay began. At every moment
//
//	In + Duplicated = Forwarded + Lost + Limited + Partitioned + Unsent + Pending
type Counters struct {
	In          uint64 `json:"in"`          // taken from the socket
	Forwarded   uint64 `json:"forwarded"`   // given to the kernel, both copies of a duplicated one
	Lost        uint64 `json:"lost"`        // by loss or burst
	Limited     uint64 `json:"limited"`     // the rate's queue or the relay's memory was full
	Partitioned uint64 `json:"partitioned"` // by partition or outage
	Unsent      uint64 `json:"unsent"`      // refused by the kernel, or still there when the relay ended
	Pending     uint64 `json:"pending"`     // still there

	Delayed    uint64 `json:"delayed"`    // not sent at once, for delay, jitter or rate
	Reordered  uint64 `json:"reordered"`  // sent after at least one that came later
	Duplicated uint64 `json:"duplicated"` // sent twice: one more than came
	Corrupted  uint64 `json:"corrupted"`  // sent with a bit turned
	Truncated  uint64 `json:"truncated"`  // sent with bytes missing
	Foreign    uint64 `json:"foreign"`    // from neither the target nor the peer: ignored, and not in In
}

// Dropped is how many datagrams came in and are not, and will not be, sent.
func (c Counters) Dropped() uint64 { return c.Lost + c.Limited + c.Partitioned + c.Unsent }

// Exact reports whether every datagram is accounted for. It always holds.
func (c Counters) Exact() bool { return c.In+c.Duplicated == c.Forwarded+c.Dropped()+c.Pending }
