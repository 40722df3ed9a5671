package mqadapt

import "errors"

// What a queue can answer, whatever its kind. Callers compare with errors.Is.
var (
	// ErrFull: the queue has no room and drops nothing it was not told to drop: a bound of its own, or a full disk. The envelope is tried
	// again; the text says what would make room.
	ErrFull = errors.New("queue full")

	// ErrRefused: the queue will never take this envelope: too large, or malformed. The caller gives it up and counts it.
	ErrRefused = errors.New("envelope refused")

	// ErrOwned: the queue has one producer at a time, and there is one. The text names it. The caller waits for its end.
	ErrOwned = errors.New("queue owned by a living producer")

	// ErrFenced: a later producer has taken over. The caller stops putting for good.
	ErrFenced = errors.New("fenced by a later producer")

	// ErrCorrupt: what the queue holds is not what was put into it. The text names file and offset, or the position. The caller stops and
	// tells the operator.
	ErrCorrupt = errors.New("queue corrupt")

	// ErrClosed: the queue, producer or consumer was closed.
	ErrClosed = errors.New("queue closed")

	// ErrOptions: options nothing can have. The text says which and what is allowed.
	ErrOptions = errors.New("queue options")
)
