// Package netio has what all socket workers share: the inbox, which finds or makes the ring for an arriving frame.
//
// The life of one frame: a receiver takes it from a socket, checks it, and asks its inbox for the mirror of the frame's
// source. The mirror is a ring that carries the source's records under their own numbers; local subscribers read it like
// any other ring of the channel.
//
// Limits: one inbox serves one channel; its mirrors are as many as InboxOptions.Sources.
package netio
