package brokers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/alphapulse/transport/internal/sys"
)

// Note is what is written down of a broker that runs. A process is known by number and start time: numbers come again.
type Note struct {
	Kind  Kind   `json:"kind"`
	URL   string `json:"url"`
	Dir   string `json:"dir"`
	Ports []int  `json:"ports"`
	Own   bool   `json:"own"` // Dir goes with it
	Pid   int    `json:"pid"`
	Start uint64 `json:"start"`
	Owner int    `json:"owner"` // 0: it runs until it is taken down
	Since uint64 `json:"since"` // the owner's start
}

// notes is the directory where notes of this user lie.
func notes() string { return filepath.Join(os.TempDir(), "pulse-brokers-"+strconv.Itoa(os.Getuid())) }

func (b *Broker) writeNote(owner int) error {
	n := Note{Kind: b.Kind, URL: b.URL, Dir: b.Dir, Ports: b.Ports, Own: b.own, Pid: b.Pid(), Start: startOf(b.Pid()), Owner: owner, Since: startOf(owner)}
	text, err := json.Marshal(n)
	if err == nil {
		err = os.MkdirAll(notes(), 0o700)
	}
	if err == nil {
		b.note = filepath.Join(notes(), fmt.Sprintf("%s-%d.json", b.Kind, b.Pid()))
		tmp := b.note + ".new"
		if err = os.WriteFile(tmp, text, 0o600); err == nil {
			err = os.Rename(tmp, b.note)
		}
	}
	if err != nil {
		return fmt.Errorf("brokers: %w", err)
	}
	return nil
}

func (b *Broker) eraseNote() {
	if b.note != "" {
		_ = os.Remove(b.note) // a sweep may have been quicker
		b.note = ""
	}
}

// Keep has the broker outlive this process: it runs until TakeDown.
func (b *Broker) Keep() error {
	if !b.Private() {
		return fmt.Errorf("brokers: %s: %w", b.URL, ErrForeign)
	}
	return b.writeNote(0)
}

// Running lists the brokers of this user that run.
func Running() (all []Note) {
	paths, _ := filepath.Glob(filepath.Join(notes(), "*.json")) // the pattern is a good one
	for _, path := range paths {
		if n, err := readNote(path); err == nil && alive(n.Pid, n.Start) {
			all = append(all, n)
		}
	}
	return all
}

// TakeDown ends a broker that Running listed.
func TakeDown(n Note) error {
	r := recipes[n.Kind]
	if r == nil || !alive(n.Pid, n.Start) {
		return nil
	}
	err := sys.SignalGroup(n.Pid, syscall.SIGKILL)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("brokers: %s: %w", n.Kind, err)
	}
	if n.Own {
		err = os.RemoveAll(n.Dir)
	}
	return errors.Join(err, os.Remove(filepath.Join(notes(), fmt.Sprintf("%s-%d.json", n.Kind, n.Pid))))
}

func readNote(path string) (n Note, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &n)
	}
	return n, err
}

// sweep ends brokers whose owner is gone, and forgets those that are gone themselves. What cannot be removed now is left to the next sweep.
func sweep() {
	paths, _ := filepath.Glob(filepath.Join(notes(), "*.json")) // the pattern is a good one
	for _, path := range paths {
		n, err := readNote(path)
		switch {
		case err != nil:
			_ = os.Remove(path)
		case !alive(n.Pid, n.Start):
			if n.Own && n.Owner != 0 && !alive(n.Owner, n.Since) {
				_ = os.RemoveAll(n.Dir)
			}
			_ = os.Remove(path)
		case n.Owner != 0 && !alive(n.Owner, n.Since):
			_ = TakeDown(n)
		}
	}
}

// stat is a process as /proc/PID/stat tells it.
type stat struct {
	state string
	group int
	start uint64 // in ticks since the machine's start
}

func readStat(path string) (s stat, ok bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, false
	}
	_, rest, ok := strings.Cut(string(text), ") ") // the name before may hold anything but this, mostly
	f := strings.Fields(rest)
	if !ok || len(f) < 20 {
		return s, false
	}
	group, e1 := strconv.Atoi(f[2])
	start, e2 := strconv.ParseUint(f[19], 10, 64)
	return stat{f[0], group, start}, e1 == nil && e2 == nil
}

// startOf is when a process started; 0: there is none.
func startOf(pid int) uint64 {
	s, _ := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return s.start
}

func alive(pid int, start uint64) bool { return pid > 0 && start != 0 && startOf(pid) == start }
