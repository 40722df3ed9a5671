package redis

import (
	"errors"
	"fmt"
)

// entry is one entry of a stream as a reply has it.
type entry struct {
	id       id
	envelope []byte // nil: it has no such field
	gone     bool   // trimmed since it was given out
}

// lot is the reply of the script that reads.
type lot struct {
	ours    bool // the lease
	entries []entry
	told    bool   // the rest is known
	removed uint64 // entries that were trimmed since the stream began
	first   string // id of the oldest that is there
}

var errReply = errors.New("a reply nobody understands")

func parseLot(reply []any, into []entry) (l lot, err error) {
	if len(reply) == 0 {
		return l, errReply
	}
	if n, ok := reply[0].(int64); !ok || n != 1 {
		return l, nil
	}
	if l.ours = true; len(reply) < 2 {
		return l, errReply
	}
	list, ok := reply[1].([]any)
	if !ok { // none
		return l, nil
	}
	l.entries = into
	for _, one := range list {
		e, err := parseEntry(one)
		if err != nil {
			return l, err
		}
		l.entries = append(l.entries, e)
	}
	if len(reply) == 5 {
		added, _ := reply[2].(int64) // 0, where it is not what it should be: then nothing is known
		length, _ := reply[3].(int64)
		l.first, _ = reply[4].(string)
		if l.told = added > 0 && added >= length && length >= 0; l.told {
			l.removed = uint64(added - length)
		}
	}
	return l, nil
}

// parseClaim takes {where to go on, ids} and, since Redis 7, the ids of what is gone.
func parseClaim(reply []any) (next string, gone uint64, err error) {
	if len(reply) < 2 {
		return "", 0, errReply
	}
	next, ok := reply[0].(string)
	if !ok {
		return "", 0, errReply
	}
	if len(reply) > 2 {
		ids, _ := reply[2].([]any)
		gone = uint64(len(ids))
	}
	return next, gone, nil
}

// parseEntry takes {id, {field, value, …}}, or {id, nothing} for one that is gone.
func parseEntry(one any) (e entry, err error) {
	pair, ok := one.([]any)
	if !ok || len(pair) == 0 {
		return e, errReply
	}
	name, ok := pair[0].(string)
	if !ok {
		return e, errReply
	}
	if e.id, err = parseID(name); err != nil {
		return e, fmt.Errorf("%w: %w", errReply, err)
	}
	if len(pair) < 2 {
		e.gone = true
		return e, nil
	}
	fields, ok := pair[1].([]any)
	if !ok || len(fields) == 0 { // an entry has a field at least
		e.gone = true
		return e, nil
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if key, _ := fields[i].(string); key == envelopeField {
			value, _ := fields[i+1].(string)
			e.envelope = []byte(value)
		}
	}
	return e, nil
}
