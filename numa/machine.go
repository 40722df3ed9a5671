package numa

import "slices"

// AnyNode stands for no node in particular: unknown as an answer, all nodes as a question. So m.CPUs(m.NICNode("eth0")) is the
// node's CPUs, or every CPU where the kernel does not say.
const AnyNode = -1

// Machine is what the kernel tells of a machine: processors, nodes and network cards. It is a snapshot and never changes.
type Machine struct {
	Processors []CPU  // every present CPU, online or not, ascending by ID
	Nodes      []Node // ascending by ID; at least one
	NICs       []NIC  // ascending by name
}

// CPU is one hardware thread, the thing the scheduler places threads on.
type CPU struct {
	ID       int
	Node     int     // AnyNode when offline
	Package  int     // socket; -1 when unknown
	Siblings []int   // the threads of its core, itself included
	Caches   []Cache // from the nearest; empty when the kernel does not say
	Kind     Kind
	Capacity int  // relative speed, 1024 is the machine's fastest; 0 when unknown
	Online   bool // whether the kernel runs threads on it
	Allowed  bool // whether this process may run threads on it (cpuset, affinity); an isolated CPU counts when its cpuset has it
	Isolated bool // kept out of load balancing (isolcpus, an isolated cpuset partition)
	Tickless bool // without the timer tick while one thread runs (nohz_full)
}

// Kind tells the cores of a hybrid processor apart.
type Kind uint8

const (
	Uniform     Kind = iota // all cores are alike, or the kernel does not say
	Performance             // a fast core of a hybrid processor
	Efficiency              // a slow core of a hybrid processor
)

// String is "uniform", "performance" or "efficiency".
func (k Kind) String() string {
	switch k {
	case Performance:
		return "performance"
	case Efficiency:
		return "efficiency"
	}
	return "uniform"
}

// Cache is one cache of a CPU.
type Cache struct {
	Level int    // 1 is the nearest
	Type  string // "Data", "Instruction" or "Unified"
	Size  uint64 // bytes
	Line  int    // bytes per line
	CPUs  []int  // the CPUs that share it
}

// Node is a bank of memory and the CPUs beside it. A node may have no CPUs or no memory.
type Node struct {
	ID        int
	CPUs      []int // its online CPUs
	Memory    uint64
	Free      uint64 // Memory and Free are bytes; 0 when unknown
	Huge      []HugePages
	Distances []int // to each of Machine.Nodes in order, 10 is local; empty when unknown
	Allowed   bool  // whether this process may have memory there (cpuset.mems)
}

// HugePages is a node's pool of huge pages of one size.
type HugePages struct {
	Size  uint64 // bytes of a page
	Total int    // pages in the pool
	Free  int    // of these, not in use
}

// NIC is a network interface. Its Node is AnyNode for software interfaces and where firmware does not say.
type NIC struct {
	Name string
	Node int
}

// CPUs returns the CPUs of a node, or of all nodes for AnyNode, that are online and that this process may run on.
func (m *Machine) CPUs(node int) []int {
	var ids []int
	for i := range m.Processors {
		c := &m.Processors[i]
		if c.Online && c.Allowed && (node == AnyNode || c.Node == node) {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// CPU returns the CPU with that number.
func (m *Machine) CPU(id int) (CPU, bool) {
	i, ok := m.find(id)
	if !ok {
		return CPU{}, false
	}
	return m.Processors[i], true
}

// Siblings returns the threads that share cpu's core, cpu included; nil for a CPU that is not present.
func (m *Machine) Siblings(cpu int) []int {
	i, ok := m.find(cpu)
	if !ok {
		return nil
	}
	return m.Processors[i].Siblings
}

// Distance returns how far node b's memory is from node a's CPUs in the firmware's units, 10 being local; 0 when unknown.
func (m *Machine) Distance(a, b int) int {
	from := m.nodeIndex(a)
	to := m.nodeIndex(b)
	if from < 0 || to < 0 || to >= len(m.Nodes[from].Distances) {
		return 0
	}
	return m.Nodes[from].Distances[to]
}

// NICNode returns the node a network interface hangs on, AnyNode when unknown.
func (m *Machine) NICNode(name string) int {
	for _, nic := range m.NICs {
		if nic.Name == name {
			return nic.Node
		}
	}
	return AnyNode
}

// find returns the index of a CPU.
func (m *Machine) find(id int) (int, bool) {
	return slices.BinarySearchFunc(m.Processors, id, func(c CPU, id int) int { return c.ID - id })
}

// nodeIndex returns the index of a node, -1 when there is none of that number.
func (m *Machine) nodeIndex(id int) int {
	return slices.IndexFunc(m.Nodes, func(n Node) bool { return n.ID == id })
}
