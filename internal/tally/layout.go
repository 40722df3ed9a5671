package tally

// The file's bytes, little-endian; docs/layout.md draws them.
const (
	magic   = 0x594C4C4154534C50 // "PLSTALLY"
	version = 1

	hdrMagic   = 0
	hdrVersion = 8  // u32
	hdrPID     = 12 // u32
	hdrStarted = 16 // ns since 1970
	hdrBeat    = 24 // ns since 1970, when the owner last said that it is there
	hdrEntries = 32 // how many entries, from the first, have ever been used
	hdrNode    = 64 // text of nameSize bytes, its rest zero
	hdrProcess = 128
	nameSize   = 64
	headerSize = 4096

	// An entry. Its state counts: even, the entry is whole and, unless it is 0 or its kind is 0, in use; odd, it is being changed.
	entState  = 0  // u64
	entKind   = 8  // u32
	entLength = 12 // u32, of the text
	entValue  = 16 // u64: a count, a float64's bits, or the number of a histogram's block
	entText   = 24
	entrySize = 256
	textSize  = entrySize - entText
	entries   = 4096

	// A histogram's block: the largest value and the sum of all, in ns, then how many values fell in each bucket.
	hisMax       = 0
	hisSum       = 8
	hisCounts    = 64
	blockSize    = 32 << 10
	blocks       = 256
	blocksOffset = headerSize + entries*entrySize
	fileSize     = blocksOffset + blocks*blockSize

	// ownerByte is the byte that the owner of a file has locked while it lives.
	ownerByte = 1 << 20
)

// Kind is what an entry's value is.
type Kind uint32

// Kinds of entry.
const (
	Counter   Kind = 1 // a count that only grows while its owner lives
	Gauge     Kind = 2 // a float64
	Histogram Kind = 3 // of nanoseconds
)

const _ = uint(blockSize - hisCounts - 8*Buckets) // a block holds its counts
