package xdp

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/alphapulse/transport/internal/sys"
)

// sockets is the capability without which nothing works; the others are for programs.
const sockets = "CAP_NET_RAW"

// capabilities that AF_XDP takes, with their numbers (linux/capability.h). CAP_SYS_ADMIN stands in for the last two.
var capabilities = []struct {
	name string
	bits uint64
	why  string
}{
	{sockets, 1 << 13, "for the sockets"},
	{"CAP_NET_ADMIN", 1<<12 | 1<<21, "to attach the program"},
	{"CAP_BPF", 1<<39 | 1<<21, "to load the program"},
}

// missingRights names the capabilities that the calling thread lacks.
func missingRights() (names []string) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		hex, found := strings.CutPrefix(line, "CapEff:")
		if !found {
			continue
		}
		has, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
		if err != nil {
			return nil
		}
		for _, c := range capabilities {
			if has&c.bits == 0 {
				names = append(names, c.name+" "+c.why)
			}
		}
	}
	return names
}

// rights says what is behind a refusal of the kernel that names nothing.
func rights(err error, bytes int) error {
	switch {
	case errors.Is(err, syscall.EPERM):
		if names := missingRights(); len(names) > 0 {
			return fmt.Errorf("%w: it takes %s: %w", ErrRights, strings.Join(names, ", "), err)
		}
		return fmt.Errorf("%w: %w", ErrRights, err)
	case errors.Is(err, syscall.ENOBUFS):
		limit, _ := sys.MemlockLimit() // 0 if the kernel does not tell
		return fmt.Errorf("%w: %d bytes of chunks, the limit is %d: raise it (ulimit -l, LimitMEMLOCK=) or grant CAP_IPC_LOCK: %w",
			ErrMemlock, bytes, limit, err)
	}
	return err
}
