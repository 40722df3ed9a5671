// Package seal knows frames: messages with the name that is theirs for life.
//
// A frame lives in memory. A subscriber lends it for the length of one call: its payload is the publisher's own bytes in
// the ring, and nothing of it is copied.
//
// Limits: a Frame describes one message on one host; its payload is valid only where its lender says so.
package seal
