package packet

// Reason says why a Parser refused a frame, or that it did not. It counts up from Accepted: an array of Reasons counters holds them all.
type Reason uint8

// What Parse returns.
const (
	Accepted        Reason = iota
	Runt                   // ends before its headers do
	Giant                  // longer than the Parser takes: several datagrams in one, or not of this network
	NotIP                  // another type of frame, two VLAN tags, or another version of IP than the type says
	IPv4Options            // which may say how to travel; nobody asked for that
	IPv6Extension          // a header between IPv6 and UDP
	Fragment               // part of a datagram
	BadIPv4Checksum        // damaged, or forged badly
	LengthLies             // a length says more than there is, or less than its header
	NotUDP                 // another protocol
	BadSource              // a group, everybody or nobody: not to be answered
	ForeignPort            // not the Parser's port
	BadUDPChecksum         // only where the Parser was told to look
	reasons

	// Reasons is how many there are, Accepted among them.
	Reasons = int(reasons)
)

var reasonNames = [Reasons]string{
	"accepted", "runt", "giant", "not IP", "IPv4 options", "IPv6 extension", "fragment", "bad IPv4 checksum", "length lies", "not UDP",
	"bad source", "foreign port", "bad UDP checksum",
}

// String is the reason in plain words.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "no reason"
}
