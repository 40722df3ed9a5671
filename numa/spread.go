package numa

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrTooFewCores is returned by Spread: the node has fewer usable cores than loops. Let loops carry more workers each, or choose
// another node.
var ErrTooFewCores = errors.New("too few cores")

// Spread picks n CPUs of a node (AnyNode: of the machine) for n loops, no two on the same core. Isolated cores come first, then
// the faster kind, then the lowest node, so that loops stay together; the core of CPU 0, where the kernel does its housework, is a
// node's last. The first k of Spread(n) are Spread(k).
func (m *Machine) Spread(n, node int) ([]int, error) {
	cores := m.cores(node)
	if n > len(cores) {
		return nil, fmt.Errorf("numa: %d loops on %d cores of %s: %w", n, len(cores), nodeName(node), ErrTooFewCores)
	}
	slices.SortStableFunc(cores, func(a, b CPU) int {
		return cmp.Or(
			last(!a.Isolated, !b.Isolated),
			last(a.Kind == Efficiency, b.Kind == Efficiency),
			cmp.Compare(a.Node, b.Node),
			last(slices.Contains(a.Siblings, 0), slices.Contains(b.Siblings, 0)),
		)
	})
	ids := make([]int, 0, max(n, 0))
	for _, c := range cores[:max(n, 0)] {
		ids = append(ids, c.ID)
	}
	return ids, nil
}

// cores returns one usable CPU for each core.
func (m *Machine) cores(node int) []CPU {
	var cores []CPU
	taken := make(map[int]bool)
	for _, id := range m.CPUs(node) {
		if taken[id] {
			continue
		}
		c, _ := m.CPU(id)
		for _, sibling := range c.Siblings {
			taken[sibling] = true
		}
		cores = append(cores, c)
	}
	return cores
}

// last orders what has the property behind what does not.
func last(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func nodeName(node int) string {
	if node == AnyNode {
		return "the machine"
	}
	return fmt.Sprintf("node %d", node)
}
