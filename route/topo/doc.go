// Package topo reads the topology file: which nodes there are, which actors run where, which channels join them and how
// each channel wants to be carried. It decides nothing: package route turns a Topology into a plan.
//
// A file's life: bytes → YAML nodes, bounded → fields by one table, every fault noted with line and column → defaults,
// profiles and channels laid over each other, each value with where it came from → checks across the file → Topology
// and Findings. The same table prints the JSON schema that editors use.
//
// # Limits
//
// A file has at most MaxFile bytes, MaxNesting levels and MaxAliases aliases; all included files together MaxTotal bytes.
// A Topology is a value nobody changes after Load; it may be read from several goroutines.
package topo
