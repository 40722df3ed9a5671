package redis

import (
	"fmt"
	"strconv"
	"strings"
)

// id is the name of an entry: when it was added by the server's clock, and the count within that millisecond. Ids rise.
type id struct{ ms, seq uint64 }

const seqBits = 20

func parseID(text string) (id, error) {
	ms, seq, ok := strings.Cut(text, "-")
	var i id
	var err error
	if i.ms, err = strconv.ParseUint(ms, 10, 64); err == nil && ok {
		i.seq, err = strconv.ParseUint(seq, 10, 64)
	}
	if err != nil || !ok {
		return i, fmt.Errorf("%q is no id of an entry", text)
	}
	return i, nil
}

func (i id) String() string {
	return strconv.FormatUint(i.ms, 10) + "-" + strconv.FormatUint(i.seq, 10)
}

func (i id) before(j id) bool { return i.ms < j.ms || i.ms == j.ms && i.seq < j.seq }

// next is the lowest id after i.
func (i id) next() id {
	if i.seq++; i.seq == 0 {
		i.ms++
	}
	return i
}

// position is an id as one number. It rises as ids do, until 2527, unless a clock that went back makes one millisecond last longer than 2^20
// entries: then it rises by one from last.
func (i id) position(last uint64) uint64 {
	p := last + 1
	if i.ms < 1<<(64-seqBits) && i.seq < 1<<seqBits {
		p = max(p, i.ms<<seqBits|i.seq)
	}
	return p
}
