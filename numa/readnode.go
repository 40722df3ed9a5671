package numa

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// readNodes fills Nodes and each CPU's Node. Where the kernel shows no nodes there is one with every online CPU.
func (m *Machine) readNodes(t tree) error {
	ids, known, err := t.list(nodeDir + "/online")
	if err != nil {
		return err
	}
	if !known || len(ids) == 0 {
		return m.oneNode(t)
	}
	for _, id := range ids {
		n, err := readNode(t, id, len(ids))
		if err != nil {
			return err
		}
		for _, cpu := range n.CPUs {
			if i, ok := m.find(cpu); ok {
				m.Processors[i].Node = id
			}
		}
		m.Nodes = append(m.Nodes, n)
	}
	return nil
}

// oneNode is the machine whose kernel was built without NUMA or hides it.
func (m *Machine) oneNode(t tree) error {
	n := Node{Distances: []int{10}}
	for i := range m.Processors {
		if m.Processors[i].Online {
			m.Processors[i].Node = 0
			n.CPUs = append(n.CPUs, m.Processors[i].ID)
		}
	}
	var err error
	if n.Memory, err = t.meminfo("proc/meminfo", "MemTotal:"); err != nil {
		return err
	}
	if n.Free, err = t.meminfo("proc/meminfo", "MemFree:"); err != nil {
		return err
	}
	m.Nodes = []Node{n}
	return nil
}

func readNode(t tree, id, nodes int) (Node, error) {
	dir := fmt.Sprintf("%s/node%d", nodeDir, id)
	n := Node{ID: id}
	var err error
	if n.CPUs, _, err = t.list(dir + "/cpulist"); err != nil {
		return n, err
	}
	if n.Memory, err = t.meminfo(dir+"/meminfo", "MemTotal:"); err != nil {
		return n, err
	}
	if n.Free, err = t.meminfo(dir+"/meminfo", "MemFree:"); err != nil {
		return n, err
	}
	if n.Distances, err = t.distances(dir+"/distance", nodes); err != nil {
		return n, err
	}
	n.Huge, err = readHuge(t, dir+"/hugepages")
	return n, err
}

// readHuge reads the pools in a node's hugepages directory, smallest page first.
func readHuge(t tree, dir string) ([]HugePages, error) {
	names, err := t.names(dir)
	if err != nil {
		return nil, err
	}
	var pools []HugePages
	for _, name := range names {
		text, found := strings.CutPrefix(name, "hugepages-")
		text, kilobytes := strings.CutSuffix(text, "kB")
		size, err := strconv.ParseUint(text, 10, 32)
		if !found || !kilobytes || err != nil {
			return nil, fmt.Errorf("%s/%s: not a page size", dir, name)
		}
		p := HugePages{Size: size << 10}
		if p.Total, err = t.number(dir+"/"+name+"/nr_hugepages", 0); err != nil {
			return nil, err
		}
		if p.Free, err = t.number(dir+"/"+name+"/free_hugepages", 0); err != nil {
			return nil, err
		}
		pools = append(pools, p)
	}
	slices.SortFunc(pools, func(a, b HugePages) int { return int(int64(a.Size) - int64(b.Size)) })
	return pools, nil
}

// distances reads a row with one number for each node that is online.
func (t tree) distances(path string, nodes int) ([]int, error) {
	text, known, err := t.text(path)
	if err != nil || !known {
		return nil, err
	}
	fields := strings.Fields(text)
	if len(fields) != nodes {
		return nil, fmt.Errorf("%s: %d distances for %d nodes", path, len(fields), nodes)
	}
	row := make([]int, nodes)
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%s: %.20q is not a distance", path, f)
		}
		row[i] = int(n)
	}
	return row, nil
}

// meminfo returns the bytes of a line like "Node 0 MemTotal:  4286668 kB", 0 when there is none.
func (t tree) meminfo(path, key string) (uint64, error) {
	text, _, err := t.text(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		i := slices.Index(fields, key)
		if i < 0 {
			continue
		}
		if i+2 >= len(fields) || fields[i+2] != "kB" {
			return 0, fmt.Errorf("%s: %s without kB", path, key)
		}
		n, err := strconv.ParseUint(fields[i+1], 10, 54)
		if err != nil {
			return 0, fmt.Errorf("%s: %s %.20q is not a number", path, key, fields[i+1])
		}
		return n << 10, nil
	}
	return 0, nil
}
