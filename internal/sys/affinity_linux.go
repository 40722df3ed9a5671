package sys

import "golang.org/x/sys/unix"

const affinityCPUs = 8192 // the most Linux supports on amd64

// Affinity returns the CPUs the calling thread may run on, ascending.
func Affinity() ([]int, error) {
	set := unix.NewCPUSet(affinityCPUs)
	if err := unix.SchedGetaffinityDynamic(0, set); err != nil {
		return nil, err
	}
	cpus := make([]int, 0, set.Count())
	for cpu := range affinityCPUs {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// SetAffinity confines the calling thread to cpus, numbers from 0 to 8191; lock the goroutine to its thread first. It returns
// EINVAL when none of them is online and inside the thread's cpuset.
func SetAffinity(cpus []int) error {
	set := unix.NewCPUSet(affinityCPUs)
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= affinityCPUs {
			return unix.EINVAL
		}
		set.Set(cpu)
	}
	return unix.SchedSetaffinityDynamic(0, set)
}
