package sys

import "golang.org/x/sys/cpu"

// FastAES reports whether this CPU has the instructions with which Go computes AES-GCM: AES and carry-less multiplication.
// Without them it is many times slower than ChaCha20-Poly1305, and its time tells of the key.
func FastAES() bool {
	x86 := cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ && cpu.X86.HasSSE41 && cpu.X86.HasSSSE3
	arm := cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
	return x86 || arm
}
