package ring

import "errors"

// What a call on a ring can answer. Callers compare with errors.Is.
var (
	// ErrFull: a gating reader has not released what the claim would overwrite. The caller yields, drops or sheds, and
	// may ask Writer.Slowest whom it waits for.
	ErrFull = errors.New("ring full")

	// ErrTooLarge: the payload is larger than MaxPayload, or a commit is larger than its claim. The caller splits it.
	ErrTooLarge = errors.New("record too large")

	// ErrEmpty: a claim or commit of no bytes. A record carries at least one.
	ErrEmpty = errors.New("record of no bytes")

	// ErrNoClaim: a commit without a claim before it: a second commit of one claim, or a commit after Abort.
	ErrNoClaim = errors.New("commit without a claim")

	// ErrOwned: the ring has a living writer, or the durable reader of that name is alive. The caller waits for its end
	// or takes another ring.
	ErrOwned = errors.New("owned by a living process")

	// ErrFenced: a later writer has raised the epoch. The caller stops writing for good.
	ErrFenced = errors.New("fenced by a later writer")

	// ErrEvicted: the writer went on without this reader; what it peeked last may have been overwritten and is to be
	// discarded. The caller opens a new reader.
	ErrEvicted = errors.New("reader evicted")

	// ErrReleased: a release of more records than were peeked.
	ErrReleased = errors.New("release of records that were not peeked")

	// ErrRange: a position that is no record's, no longer held, or not yet written.
	ErrRange = errors.New("position not in the ring")

	// ErrNoSlot: all reader slots are taken, some perhaps by dead durable readers (see Ring.Readers and Ring.Forget).
	ErrNoSlot = errors.New("no free reader slot")

	// ErrClosed: the ring, reader or writer was closed.
	ErrClosed = errors.New("ring closed")

	// ErrCorrupt: what the shared memory says cannot be. The caller stops and tells the operator; the ring is unusable.
	ErrCorrupt = errors.New("ring corrupt")

	// ErrVersion: the file is a ring of another version of the layout. The operator upgrades the older side.
	ErrVersion = errors.New("ring of another layout version")

	// ErrSize: the file's size is not what its header says: truncated or half copied.
	ErrSize = errors.New("ring file of the wrong size")

	// ErrForeign: the file's owner or permissions let somebody else write it. The operator removes it or mends the rights.
	ErrForeign = errors.New("ring file not private")

	// ErrUnlinked: the file was removed between the look at its name and its use. The caller opens the name again.
	ErrUnlinked = errors.New("ring file removed")

	// ErrOptions: Options no ring can have. The text says which and what is allowed.
	ErrOptions = errors.New("ring options")
)
