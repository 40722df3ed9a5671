// Package doctor looks at a host and says what of it costs latency or loses messages, why, and what mends it.
//
// The life of one check: a row of the table names what it reads, why that matters, what each profile wants, and what sets it → its judge
// reads files below one root directory and finds the host good, poor or bad, or says why it cannot tell → the profile decides how
// much that weighs → a Result, and a Report of all of them. Most rows only compare settings: what they want of a sysctl, a file or
// the kernel's command line is also what TunedHost hands to whoever configures hosts, so the two cannot disagree.
//
// # Limits
//
// It changes nothing and writes nothing. What only a running system tells (drivers, counters that move, other processes at work) is skipped
// with that reason when the root is not "/". A check that cannot be, such as the governor of a virtual machine, is skipped and not failed.
// Limits and rights are those of the process that asks, so ask as the user that will run the node. Files that are absent or
// forbidden count as unknown. One look takes a second, a quick one a few milliseconds.
package doctor
