package numa

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/alphapulse/transport/internal/sys"
)

var (
	// ErrNoNode is returned by Bind: the machine has no such node, or the cpuset keeps this process off it. Choose another one.
	ErrNoNode = errors.New("no such node for this process")

	// ErrMisplaced is returned by Bind: pages stay on another node because the wanted one is full or because another process, or a
	// second mapping, holds them too. The binding holds for pages to come; Placement tells which pages lie where.
	ErrMisplaced = errors.New("pages stay on another node")

	// ErrLimit is returned by Lock: RLIMIT_MEMLOCK is too low. Raise it (ulimit -l, LimitMEMLOCK= of a systemd unit) or grant
	// CAP_IPC_LOCK.
	ErrLimit = errors.New("over RLIMIT_MEMLOCK")
)

// Untouched is Placement's key for pages that are not present, so that they lie nowhere yet.
const Untouched = -1

// Bind makes the pages of mapped memory come from one node, moves the pages there that are present already, and looks where they
// lie. mem is mapped and starts on a page; its last page is bound whole. Bind before the memory is touched: pages that a second
// mapping or process holds do not move, and the kernel alone would keep quiet about it. On shared memory the binding belongs to the
// memory, not to this mapping, so every process that maps it sees it; ordinary files on disk ignore it.
func Bind(mem []byte, node int) error {
	err := sys.BindNode(mem, node)
	if err == nil {
		err = verify(mem, node)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EIO):
		err = ErrMisplaced
	case errors.Is(err, syscall.EINVAL):
		err = fmt.Errorf("%w, or the memory does not start on a page", ErrNoNode)
	}
	return fmt.Errorf("numa: bind %d bytes to node %d: %w", len(mem), node, err)
}

// verify reports pages that lie on another node.
func verify(mem []byte, node int) error {
	astray, pages := 0, 0
	err := sys.PageNodes(mem, func(at int) {
		pages++
		if at >= 0 && at != node {
			astray++
		}
	})
	if err == nil && astray > 0 {
		err = fmt.Errorf("%w: %d of %d", ErrMisplaced, astray, pages)
	}
	return err
}

// Placement asks the kernel where the pages of mem truly lie and counts them by node, in pages of the base size also where huge
// pages back them. It touches nothing: pages that are not present in this mapping count as Untouched, also when another process has
// touched them; Prefault first to see those.
func Placement(mem []byte) (map[int]int, error) {
	pages := make(map[int]int)
	err := sys.PageNodes(mem, func(node int) { pages[max(node, Untouched)]++ })
	if err != nil {
		return nil, fmt.Errorf("numa: placement of %d bytes: %w", len(mem), err)
	}
	return pages, nil
}

// Lock brings mapped memory in and keeps it from being swapped out until it is unmapped.
func Lock(mem []byte) error {
	err := sys.Mlock(mem)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EPERM):
		// ENOMEM is also a file too short for its mapping; what is locked already tells the two apart.
		limit, unknown := sys.MemlockLimit()
		locked, _ := tree{os.DirFS("/")}.meminfo("proc/self/status", "VmLck:")
		if unknown == nil && locked+uint64(len(mem)) > limit {
			err = fmt.Errorf("%w of %d bytes: raise it (ulimit -l, LimitMEMLOCK=) or grant CAP_IPC_LOCK: %w", ErrLimit, limit, err)
		}
	}
	return fmt.Errorf("numa: lock %d bytes: %w", len(mem), err)
}

// Prefault brings every page of mapped memory in, for writing where the mapping allows it, without changing a byte, so that no page
// fault comes later. mem starts on a page. It needs Linux 5.14; where it is errors.ErrUnsupported, pages come at first touch.
func Prefault(mem []byte) error {
	if err := sys.Populate(mem); err != nil {
		return fmt.Errorf("numa: prefault %d bytes: %w", len(mem), err)
	}
	return nil
}
