// Package route decides how each channel travels, with the reason on record, and keeps it travelling.
//
// A topology becomes a plan: Resolve is a pure function, and each Decision of the Plan keeps the rule that matched and what was
// rejected. Diff says what a new plan changes. While links run, a Breaker remembers how attempts ended, a Balancer says which
// stripe or node a source belongs to, a Failover moves a channel from a link that died to one that lives and back, and Slow says
// which reader may not hold up the others any longer.
//
// Nothing here does I/O, starts a goroutine or reads a clock: links are small interfaces, and time is an argument.
//
// Limits: it knows no medium. Media are told what to carry; who makes them from a plan is the package above.
package route
