package rabbitmq

import "slices"

// tags are the delivery tags of a channel, as far as the broker was told of them. It knows no tag that was acknowledged before, so each is said
// once, and the last of several must be one of those that are left.
type tags struct {
	told uint64   // all up to it are acknowledged
	top  uint64   // the highest that is
	left []uint64 // between the two, not acknowledged: no more than are lent
}

// one acknowledges a tag alone, and reports whether the broker is to be told.
func (t *tags) one(tag uint64) bool {
	if tag > t.top {
		for t.top++; t.top < tag; t.top++ {
			t.left = append(t.left, t.top)
		}
		return true
	}
	i, ok := slices.BinarySearch(t.left, tag)
	if ok {
		t.left = slices.Delete(t.left, i, i+1)
	}
	return ok
}

// all acknowledges everything up to a tag. last is what the broker is to be told, with all before it; 0: nothing.
func (t *tags) all(upTo uint64) (last uint64) {
	switch n, _ := slices.BinarySearch(t.left, upTo+1); {
	case upTo <= t.told:
		return 0
	case upTo > t.top:
		last, t.top, t.left = upTo, upTo, t.left[:0]
	case n > 0:
		last = t.left[n-1]
		t.left = slices.Delete(t.left, 0, n)
	}
	t.told = upTo
	return last
}
