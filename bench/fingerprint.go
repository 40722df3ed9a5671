package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// memoryStep is how exactly a fingerprint knows the size of memory: a kernel keeps a few pages more or less for itself.
const memoryStep = 256 << 10 // KiB

// fact is something about a host that speed hangs on.
type fact struct{ name, value string }

// facts lists what makes two hosts the same for a measurement, in the order they are hashed.
func (h Host) facts() []fact {
	known := func(n uint64, text string) string {
		if n == 0 {
			return ""
		}
		return text
	}
	return []fact{
		{"processor", h.CPU},
		{"processors", known(uint64(h.Processors), fmt.Sprint(h.Processors))},
		{"kernel", h.Kernel},
		{"memory", known(h.MemoryKB, fmt.Sprintf("%d MiB", (h.MemoryKB+memoryStep/2)/memoryStep*memoryStep>>10))},
		{"clock source", h.ClockSource},
		{"mitigations", h.Mitigations},
		{"governor", h.Governor},
		{"hypervisor", h.Hypervisor},
	}
}

// fingerprint is the first twelve hex digits of the SHA-256 of the lines "name=value" of all facts.
func (h Host) fingerprint() string {
	sum := sha256.New()
	for _, f := range h.facts() {
		fmt.Fprintf(sum, "%s=%s\n", f.name, f.value)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// unlike names the facts that both hosts tell and that differ.
func (h Host) unlike(other Host) (found []string) {
	theirs := other.facts()
	for i, f := range h.facts() {
		if v := theirs[i].value; f.value != "" && v != "" && f.value != v {
			found = append(found, fmt.Sprintf("%s %s and %s", f.name, f.value, v))
		}
	}
	return found
}
