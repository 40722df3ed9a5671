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
// A worker that can be woken is a Sleeper. Four steps matter, and their order:
//
//	waker    W1 make the work visible     W2 change the word, then wake its sleepers (Wake)
//	loop     L1 Arm reads the word        L2 Arm looks for work        L3 sleep while the word is what L1 read
//
// Suppose L2 misses the work. Then W1 came after L2, so W2 came after L1, and the word no longer is what L1 read. Either W2 came
// before L3: the kernel compares word and value under its own lock, sees the difference and does not sleep. Or it came after: the
// loop was asleep on the word by then, and the wake-up that follows W2 finds it. All four are sequentially consistent atomics. A
// Sleeper whose waker saves itself the system call, or uses plain stores, brings its own proof of the same. The stop word obeys the
// rule with W1 and W2 in one. A word that changed 2^32 times between L1 and L3 looks unchanged; the time limit of every sleep ends
// that, and bounds what a waker that dies between its two steps costs.
//
// # Limits
//
// CPU numbers stay below 8192. A loop sleeps on at most 127 workers' words; further workers are looked at once per short nap. A
// machine whose kernel shows no nodes has one, number 0. SCHED_FIFO and a loop that never parks are refused together: the kernel
// stops such a thread for 50 ms of every second. A kernel before 5.16 cannot sleep on several words: loops there wake every
// millisecond. On systems other than Linux loops run, but Local, Bind, Placement, Lock, Prefault and a Loop with CPUs or FIFO return
// an error for which errors.Is(err, errors.ErrUnsupported) holds.
package numa
