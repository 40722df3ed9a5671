package tlv

// List is the variable part of a payload: order book levels, reserves, instruments. A List read from a message points
// into its bytes; one to be written is made with ListOf. The zero List is empty.
type List[T any] struct {
	items []T
	wire  []byte
	step  int
	get   func([]byte) T
}

// ListOf wraps items for writing. It does not copy them.
func ListOf[T any](items ...T) List[T] { return List[T]{items: items} }

// wireList reads elements of step bytes from b, a whole number of them.
func wireList[T any](b []byte, step int, get func([]byte) T) List[T] {
	return List[T]{wire: b, step: step, get: get}
}

// Len is the number of elements.
func (l List[T]) Len() int {
	if l.step > 0 {
		return len(l.wire) / l.step
	}
	return len(l.items)
}

// At returns element i; it panics when i is not in [0, Len()).
func (l List[T]) At(i int) T {
	if l.step > 0 {
		return l.get(l.wire[i*l.step : (i+1)*l.step])
	}
	return l.items[i]
}

// Append appends all elements to dst.
func (l List[T]) Append(dst []T) []T {
	for i := range l.Len() {
		dst = append(dst, l.At(i))
	}
	return dst
}
