package sys

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPageNodesTellsEveryPageOnce(t *testing.T) {
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, (2*pagesBatch+3)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	if err := unix.Madvise(mem, unix.MADV_NOHUGEPAGE); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(mem); i += 2 * page {
		mem[i] = 1
	}
	for _, c := range []struct{ from, to, pages int }{
		{0, len(mem), 2*pagesBatch + 3},
		{0, 1, 1},
		{page - 1, page + 1, 2},
		{3, page, 1},
		{0, 0, 0},
		{page, (pagesBatch + 1) * page, pagesBatch},
	} {
		at := c.from / page
		pages := 0
		err := PageNodes(mem[c.from:c.to], func(node int) {
			if present := node >= 0; present != (at%2 == 0) {
				t.Errorf("%d:%d: page %d is on node %d", c.from, c.to, at, node)
			}
			at++
			pages++
		})
		if errors.Is(err, unix.EPERM) || errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil || pages != c.pages {
			t.Errorf("%d:%d: %d pages, %v, want %d", c.from, c.to, pages, err, c.pages)
		}
	}
}
