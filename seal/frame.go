package seal

// Frame is one message and its name. (Source, Epoch, Seq) never names another message.
type Frame struct {
	Source  uint64 // the publisher's ring, drawn at random when it was made
	Epoch   uint64 // the publisher's life: a restarted one has a higher epoch
	Seq     uint64 // counts the messages of a source from 1, through all its epochs
	Stamp   uint64 // what the publisher lent, by custom nanoseconds of the monotonic clock; 0 is none
	Payload []byte // the message, valid until the call that lent it returns
}
