// Package sys is the only package that speaks to the kernel and the CPU: syscalls, build tags, unsafe and assembly stubs.
//
// A page of a mapped file comes in through Map or MapDouble, is read and written through a Mem, and leaves with Unmap.
// Everything above deals in offsets and byte slices and stays portable.
//
// Limits: what a system lacks answers errors.ErrUnsupported under the same name; nothing here retries or waits longer
// than its caller asked.
package sys
