package numa

import (
	"io/fs"
	"slices"
	"strings"
)

// readAllowed fills the Allowed of CPUs and nodes. The status file lists the affinity mask already cut by the cpuset. Isolated CPUs
// are missing from the mask every process starts with, yet a thread may ask for them: for these the cpuset decides.
func (m *Machine) readAllowed(t tree) error {
	const status = "proc/self/status"
	cpus, cpusKnown, err := t.field(status, "Cpus_allowed_list")
	if err != nil {
		return err
	}
	mems, memsKnown, err := t.field(status, "Mems_allowed_list")
	if err != nil {
		return err
	}
	set, setKnown, err := t.cpuset()
	if err != nil {
		return err
	}
	for i := range m.Processors {
		c := &m.Processors[i]
		inSet := !setKnown || slices.Contains(set, c.ID)
		c.Allowed = !cpusKnown || slices.Contains(cpus, c.ID) || c.Isolated && inSet
	}
	for i := range m.Nodes {
		m.Nodes[i].Allowed = !memsKnown || slices.Contains(mems, m.Nodes[i].ID)
	}
	return nil
}

// cpuset returns the CPUs of the process's cpuset, whichever of the two hierarchies has it.
func (t tree) cpuset() (cpus []int, known bool, err error) {
	groups, _, err := t.text("proc/self/cgroup")
	if err != nil {
		return nil, false, err
	}
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := "sys/fs/cgroup", "cpuset.cpus.effective"
		if parts[1] != "" {
			if !slices.Contains(strings.Split(parts[1], ","), "cpuset") {
				continue
			}
			mount, file = "sys/fs/cgroup/cpuset", "cpuset.effective_cpus"
		}
		// The nearest ancestor that has the file decides; a container may see only the last part of its path.
		for path := strings.Trim(parts[2], "/"); ; path = parent(path) {
			name := strings.Trim(mount+"/"+path, "/") + "/" + file
			if fs.ValidPath(name) {
				if cpus, known, err = t.list(name); err != nil || known {
					return cpus, known, err
				}
			}
			if path == "" {
				break
			}
		}
	}
	return nil, false, nil
}

// parent cuts the last element off a path.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i]
	}
	return ""
}
