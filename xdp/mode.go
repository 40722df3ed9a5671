package xdp

import (
	"fmt"
	"strings"
)

// Mode is what is in force.
type Mode struct {
	Attach     Attach
	ZeroCopy   bool // the device reads and writes chunks; otherwise the kernel copies
	Segments   bool // a packet may take several chunks
	ChunkSize  int
	HugePages  bool
	Checksums  bool // of sent datagrams are filled in by the kernel or the device where Chunk.Sum asks for it; otherwise by Hub itself
	Queues     int
	SendBudget int      // packets that one system call sends, when copied
	BusyPoll   bool     // our calls drive the device
	Why        []Reason // what would be better, and why it is not
}

// Reason is why something is not in force.
type Reason struct {
	Wish string
	Err  error
}

// String is "wish: error".
func (r Reason) String() string { return r.Wish + ": " + r.Err.Error() }

// String is one line, as "native, copy, 1 queue, chunks of 2048".
func (m Mode) String() string {
	words := []string{m.Attach.String(), "copy"}
	if m.Attach == AttachNone {
		words[0] = "send only"
	}
	if m.ZeroCopy {
		words[1] = "zero-copy"
	}
	queues := "1 queue"
	if m.Queues != 1 {
		queues = fmt.Sprintf("%d queues", m.Queues)
	}
	words = append(words, queues, fmt.Sprintf("chunks of %d", m.ChunkSize))
	for _, w := range []struct {
		is   bool
		word string
	}{{m.Segments, "several chunks a packet"}, {m.Checksums, "checksum offload"}, {m.HugePages, "huge pages"}, {m.BusyPoll, "busy poll"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ", ")
}

// Explain is String, and a line for each reason.
func (m Mode) Explain() string {
	lines := []string{m.String()}
	for _, r := range m.Why {
		lines = append(lines, "not "+strings.ReplaceAll(r.String(), "\n", "; "))
	}
	return strings.Join(lines, "\n")
}

// not notes why a wish is not in force.
func (m *Mode) not(wish string, err error) { m.Why = append(m.Why, Reason{wish, err}) }
