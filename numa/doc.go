// Package numa says which core runs what, on which node memory lives, and runs workers in pinned loops.
//
// The life of one decision: Local reads the machine from sysfs once, at start. NICNode names the node a network card hangs on,
// Spread picks cores of that node that share no core with each other, a Loop per core locks its goroutine to a thread and that
// thread to the core, and Bind keeps the memory the loop works on at the same node; Placement shows where the pages truly are.
//
// The life of one cycle: the loop looks at its stop word, reads the clock once if a worker borrows it, calls Do of every worker
// and adds up what they did. Work makes the next cycle follow at once. Without work Idle decides: Spin, then Yield, then Park. A
// parked loop sleeps in the kernel on the words its workers named, so that another thread or process wakes it by a store and a
// futex call, and a cancelled context wakes it by the stop word.
//
// # No lost wake-up
//
// A worker that can be woken is a Sleeper. The loop parks in this order: Arm every Sleeper, then sleep on the words returned, each
// with the value Arm saw. A waker makes its work visible first and changes the word after. Whatever happens before Arm's own look
// at the work, Arm sees and refuses the sleep. Whatever happens after it changes the word, and the kernel compares word and value
// under its own lock before it sleeps and refuses too. There is no instant in between that belongs to neither. The stop word
// obeys the same rule. Every sleep has a time limit besides, so a waker that dies between its two steps costs one nap, not the
// loop.
//
// # Limits
//
// CPU numbers stay below 8192. A loop sleeps on at most 127 workers' words; further workers are looked at once per short nap. A
// machine whose kernel shows no nodes has one, number 0. SCHED_FIFO and a loop that never parks are refused together: the kernel
// stops such a thread for 50 ms of every second. On systems other than Linux loops run unpinned, and Local, Bind, Placement, Lock
// and Prefault return an error for which errors.Is(err, errors.ErrUnsupported) holds.
package numa
