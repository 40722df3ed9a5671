// Package watch is what a node says of itself while it runs, and after: metrics with their meaning, snapshots of them, and health.
//
// A number's life: a Board of the process that knows it puts it into the process's stats file, DIR/.watch/NAME.stats; whoever wants to know
// reads a Snapshot of the file, in which each number has its Metric with it. Nothing of it is on a message's way.
//
// Limits: those of a stats file, 4096 numbers of a process, 256 of them histograms; what finds no room is counted in pulse_watch_unkept.
package watch
