// Package bench measures the transport beside the obvious alternatives, on the same two cores, in the same seconds.
//
// The life of one figure: a [Workload] opens its lanes (the subject, its variants, its baselines), each with a near side in this
// process and a far side in a second process of the same program. Rounds follow; in every round each lane carries messages for one short
// slice, in an order that turns round every round, and a few quiet slices measure how long the cores themselves stall. A slice cuts
// its warm-up, records every round trip (or, in an open loop, the time since a message's intended instant) in a histogram of its own,
// and leaves behind one p50, one p99, one rate and one count of allocations. When time is up the slices of a round are divided by each
// other: a ratio is the median of those quotients with their 10th and 90th percentile, so a host that moves its virtual cores every
// few seconds moves subject and baseline together. The [Report] is printed as a table or JSON, and written as .hgrm, .hlog and one
// HTML page that needs no network.
//
// # Limits
//
// A workload keeps one spinning thread on each of two processors; on a machine with one processor the figures mean nothing.
// Percentiles are per lane over all its measured slices, never averages of percentiles. p99.99 is given from a million samples up.
// Latencies above 10 s are recorded as 10 s. Workloads over UDP run on Linux only. More readers than far processors share the far thread.
package bench
