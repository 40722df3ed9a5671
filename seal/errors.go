package seal

import "errors"

// What the cryptographic half can answer. Callers compare with errors.Is. What arrives from outside is counted with its
// reason and skipped, never logged one by one.
var (
	// ErrShort: the sealed bytes are fewer than Overhead, or the header is not 32 bytes. The receiver skips the envelope.
	ErrShort = errors.New("sealed envelope too short")

	// ErrReplayed: the packet number was opened before, lies behind the replay window or is 0; of an announce, its nonce
	// is not the one that was asked with. The receiver skips it.
	ErrReplayed = errors.New("replayed")

	// ErrForged: the tag or mac is not that of these bytes under this key. The receiver skips it.
	ErrForged = errors.New("forged")

	// ErrOldKey: the key epoch is none of those that are open: neither the current key nor the next, nor the one before
	// within the reorder window. The receiver skips the envelope, and says hello (at bounded rate) when nothing else comes.
	// Of Seal: the header carries another key epoch than the sealer's. The sender asks Next before it writes headers.
	ErrOldKey = errors.New("key epoch not open")

	// ErrKeyDue: a key has sealed twice its limit because Next was not called. The sender calls Next, writes its header
	// anew and seals again.
	ErrKeyDue = errors.New("key past its limit")

	// ErrKeysSpent: a packet number or a key number would repeat. The sender stops and opens a new session: a new Sealer,
	// or a BackSealer with a new receiver.
	ErrKeysSpent = errors.New("keys spent")

	// ErrBody: a hello or announce of another size, or with bytes where zeroes are due. The receiver skips it as malformed.
	ErrBody = errors.New("malformed hello or announce")

	// ErrSuite: a suite this build does not know. The operator names one that both sides have.
	ErrSuite = errors.New("unknown suite")

	// ErrSecret: the secret is missing, or its file cannot be trusted or read as one. The text says why and what the
	// operator does.
	ErrSecret = errors.New("secret")

	// ErrLimits: Limits or a Window no session can have. The text says which and what is allowed.
	ErrLimits = errors.New("limits")
)
