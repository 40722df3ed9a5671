package doctor

import (
	"context"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/alphapulse/transport/internal/sys"
)

const (
	journalRoom = 1 << 30 // bytes free where a journal is
	dialWait    = time.Second
)

// durableChecks ask for what durable queues need.
func durableChecks() []check {
	return []check{
		{
			id: "journal-disk", title: "journals lie on a disk that keeps them",
			reads: "/proc/self/mounts, statfs of the journal's directory",
			why:   "what a journal confirmed must be there after a power failure, and a full disk confirms nothing",
			asks:  asks{Fail, Fail, Fail}, wanted: each("a file system on a disk, with barriers, 1 GiB free"),
			advice: "name a directory on ext4, xfs, btrfs or zfs in queues: { journal: { directory: } }",
			judge:  (*host).journalDisk,
		},
		{
			id: "brokers", title: "brokers answer",
			reads: "the addresses under queues of the topology",
			why:   "a channel that goes through a queue stands still without its broker",
			asks:  asks{Fail, Fail, Fail}, wanted: each("all addresses answer"),
			advice: "start the broker, open the way to it, or correct addresses: under queues",
			judge:  (*host).brokers,
		},
	}
}

// volatile file systems lose what they hold with the machine; layered and remote ones confirm what others may still lose.
var (
	volatile = []string{"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"}
	layered  = []string{"overlay", "aufs", "nfs", "nfs4", "cifs", "fuse", "9p", "virtiofs"}
)

func (h *host) journalDisk() finding {
	mounts := h.mounts()
	switch {
	case len(h.use.Journals) == 0 && h.use.planned:
		return skip("no channel goes through a journal")
	case len(h.use.Journals) == 0:
		return skip("no topology says where journals are")
	case len(mounts) == 0:
		return skip("the mounts are not seen: %s", h.whyAbsent())
	}
	f := found(good, "")
	var is []string
	for _, dir := range h.use.Journals {
		m := mountOf(mounts, dir)
		text := fmt.Sprintf("%s on %s", dir, m.kind)
		barrier, _ := m.option("barrier")
		_, bare := m.option("nobarrier")
		_, readOnly := m.option("ro")
		switch {
		case slices.Contains(volatile, m.kind):
			f.grade = bad
		case readOnly:
			f.grade = bad
			text += ", read-only"
		case bare || barrier == "0":
			f.grade = bad
			text += ", without barriers"
			f = f.tell("mount %s with barriers", m.at)
		case slices.Contains(layered, m.kind) || strings.HasPrefix(m.kind, "fuse."):
			f.grade = max(f.grade, poor)
		}
		if h.live {
			if free, ok := freeNear(dir); ok {
				text += ", " + bytesText(free) + " free"
				if free < journalRoom {
					f.grade = bad
					f = f.tell("make room on %s: pulse journal forget gives back what was read", m.at)
				}
			}
		}
		is = append(is, text)
	}
	f.current = strings.Join(is, "; ")
	return f
}

// mountOf is the mount that a path lies on: the longest, of equal ones the last.
func mountOf(mounts []mount, dir string) (at mount) {
	dir = path.Clean(dir)
	for _, m := range mounts {
		if (m.at == "/" || dir == m.at || strings.HasPrefix(dir, m.at+"/")) && len(m.at) >= len(at.at) {
			at = m
		}
	}
	return at
}

// freeNear is the room at a directory, or at the nearest one above it that exists.
func freeNear(dir string) (uint64, bool) {
	for at := path.Clean(dir); ; at = path.Dir(at) {
		if free, err := sys.FreeBytes(at); err == nil {
			return free, true
		}
		if at == "/" || at == "." {
			return 0, false
		}
	}
}

func (h *host) brokers() finding {
	switch {
	case len(h.use.Brokers) == 0 && h.use.planned:
		return skip("no channel goes through a broker")
	case len(h.use.Brokers) == 0:
		return skip("no topology says where brokers are")
	case !h.live:
		return skip(notLive)
	case h.quick:
		return skip("a quick look dials nobody")
	}
	f := found(good, "")
	var is []string
	for _, b := range h.use.Brokers {
		answered, errs := dialAll(h.ctx, b.Addresses)
		is = append(is, fmt.Sprintf("%s %d of %d", b.Backend, answered, len(b.Addresses)))
		is = append(is, errs...)
		switch {
		case answered == 0:
			f.grade = bad
		case answered < len(b.Addresses):
			f.grade = max(f.grade, poor)
		}
	}
	f.current = strings.Join(is, ", ")
	return f
}

// dialAll connects to each address at once and says how many answered, within dialWait.
func dialAll(ctx context.Context, addresses []string) (answered int, errs []string) {
	ctx, stop := context.WithTimeout(ctx, dialWait)
	defer stop()
	results := make(chan error, len(addresses)) // bounded by the topology
	for _, a := range addresses {
		go func() {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", a)
			if err == nil {
				err = c.Close()
			}
			results <- err
		}()
	}
	for range addresses {
		if err := <-results; err != nil {
			errs = append(errs, err.Error())
		} else {
			answered++
		}
	}
	slices.Sort(errs)
	return answered, errs
}
