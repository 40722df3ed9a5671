package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/route/topo"
)

// seenNode is a node's directory as somebody sees it who is no part of it. Names are a contract (docs/views.md).
type seenNode struct {
	Dir      string        `json:"dir"`
	Run      *seenRun      `json:"run,omitempty"` // nil: no pulse run has joined it to others
	Channels []seenChannel `json:"channels"`
	Fault    string        `json:"error,omitempty"`
}

// seenRun is what pulse run says of a node.
type seenRun struct {
	nodeStatus
	Alive bool          `json:"alive"`
	Age   time.Duration `json:"age_ns"` // of what it said last
}

type seenChannel struct {
	Name  string     `json:"channel"`
	Rings []seenRing `json:"rings"`
}

type seenRing struct {
	Name      string       `json:"ring"`
	Source    string       `json:"source"` // 16 hex digits
	Mirror    bool         `json:"mirror"` // it carries another node's ring
	Epoch     uint64       `json:"epoch"`
	Committed uint64       `json:"committed"` // number of the last message
	Bytes     uint64       `json:"bytes"`     // committed since it was made
	Capacity  int          `json:"capacity"`
	PerSecond float64      `json:"messages_per_second"`
	BytesRate float64      `json:"bytes_per_second"`
	PID       int          `json:"writer_pid"`
	Alive     bool         `json:"writer_alive"`
	Readers   []seenReader `json:"readers"`
	Fault     string       `json:"error,omitempty"`

	path string
}

type seenReader struct {
	Name    string `json:"reader"`
	Gating  bool   `json:"gating"`
	Durable bool   `json:"durable"`
	Held    bool   `json:"held"`
	Alive   bool   `json:"alive"`
	PID     int    `json:"pid"`
	Command string `json:"command"`
	Lag     uint64 `json:"lag_bytes"`
}

// nodesRoot is where nodes' directories are unless they were told otherwise.
func nodesRoot() string { return filepath.Dir(transport.DirOf("any", "any")) }

// whereFlags name directories of nodes.
type whereFlags struct{ node string }

func (w *whereFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&w.node, "node", "", "the node, by its name in FILE")
}

// dirs are the directories that a DIR, or a topology FILE with or without a node, stands for. Empty: all there are on this machine.
func (w *whereFlags) dirs(at string) ([]string, error) {
	if at == "" {
		if w.node != "" {
			return nil, errors.New("--node belongs to a topology FILE")
		}
		all, err := filepath.Glob(filepath.Join(nodesRoot(), "pulse-*"))
		return slices.DeleteFunc(all, func(dir string) bool { info, err := os.Lstat(dir); return err != nil || !info.IsDir() }), err
	}
	info, err := os.Stat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: on this machine are %s", err, w.there())
	case err != nil:
		return nil, err
	case info.IsDir() && w.node != "":
		return nil, fmt.Errorf("--node belongs to a topology FILE, and %s is a directory", at)
	case info.IsDir():
		return []string{at}, nil
	}
	t, found := topo.Load(at)
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("%s is neither a directory nor a sound topology: %w", at, err)
	}
	if w.node != "" && t.Node(w.node) == nil {
		return nil, fmt.Errorf("--node %s: %s has %s", w.node, at, names(t.Nodes, func(n topo.Node) string { return n.Name }))
	}
	var all, missing []string
	for _, n := range t.Nodes {
		dir := transport.DirOf(t.Name, n.Name)
		if w.node != "" && n.Name != w.node {
			continue
		}
		if _, err := os.Stat(dir); err != nil {
			missing = append(missing, dir)
			continue
		}
		all = append(all, dir)
	}
	if all == nil {
		return nil, fmt.Errorf("no node of %s has run here: there is no %s (--dir of pulse run names another place: name that DIR)", at, strings.Join(missing, ", "))
	}
	return all, nil
}

// there lists what could have been meant.
func (w *whereFlags) there() string {
	all, _ := (&whereFlags{}).dirs("") // an unreadable root has none
	return names(all, func(dir string) string { return dir })
}

// one is dirs that must be one.
func (w *whereFlags) one(at string) (string, error) {
	all, err := w.dirs(at)
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", fmt.Errorf("no node has run here: nothing is in %s", nodesRoot())
	case len(all) > 1:
		return "", fmt.Errorf("say which of them: %s", strings.Join(all, ", "))
	}
	return all[0], nil
}

// seeNode looks at a directory. What cannot be seen says so in its place.
func seeNode(dir string) *seenNode {
	n := &seenNode{Dir: dir, Run: seeRun(dir), Channels: []seenChannel{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		n.Fault = err.Error()
		return n
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		paths, err := ringsIn(filepath.Join(dir, e.Name()))
		if err != nil {
			n.Fault = err.Error()
		}
		c := seenChannel{Name: e.Name(), Rings: []seenRing{}}
		for _, path := range paths {
			c.Rings = append(c.Rings, seeRing(path))
		}
		if len(paths) > 0 {
			n.Channels = append(n.Channels, c)
		}
	}
	return n
}

// ringsIn are the rings of a channel's directory.
func ringsIn(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".ring") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, err
}

// seeRun is nil where no pulse run is or was.
func seeRun(dir string) *seenRun {
	b, err := os.ReadFile(filepath.Join(dir, statusFile))
	alive := joined(dir)
	if err != nil && !alive {
		return nil
	}
	r := &seenRun{Alive: alive}
	if json.Unmarshal(b, &r.nodeStatus) == nil {
		r.Age = time.Since(r.At)
	}
	return r
}

// joined reports whether a living process joins a directory's node to others.
func joined(dir string) bool {
	f, err := os.Open(filepath.Join(dir, ".fabric"))
	if err != nil {
		return false
	}
	held, err := sys.ByteHeld(f, 0)
	return f.Close() == nil && err == nil && held
}

// seeRing looks at one ring.
func seeRing(path string) seenRing {
	s := seenRing{Name: filepath.Base(path), Readers: []seenReader{}, path: path}
	o, err := ring.Look(path)
	if err == nil {
		err = errors.Join(s.fill(o), o.Close())
	}
	if err != nil {
		s.Fault = err.Error()
	}
	return s
}

func (s *seenRing) fill(o *ring.Onlooker) error {
	end, err := o.End()
	i := o.Info()
	s.Source, s.Epoch, s.Capacity, s.PID = fmt.Sprintf("%016x", i.Instance), i.Epoch, i.Capacity, i.WriterPID
	s.Mirror = s.Name == s.Source+".ring"
	if err != nil {
		return err
	}
	s.Committed, s.Bytes = end.Seq-1, end.Position-uint64(i.Capacity)
	if s.Alive, err = o.WriterAlive(); err != nil {
		return err
	}
	all, err := o.Readers()
	for _, r := range all {
		s.Readers = append(s.Readers, seenReader{r.Name, r.Gating, r.Durable, r.Held, r.Alive, r.PID, r.Command, r.Lag})
	}
	return err
}

// rate compares with a later look. A ring that was replaced in between has none.
func (s *seenRing) rate(before seenRing, passed time.Duration) {
	if s.Source == before.Source && s.Fault == "" && before.Fault == "" && s.Committed >= before.Committed && passed > 0 {
		s.PerSecond = float64(s.Committed-before.Committed) / passed.Seconds()
		s.BytesRate = float64(s.Bytes-before.Bytes) / passed.Seconds()
	}
}

// channel finds a channel, or says which there are.
func (n *seenNode) channel(name string) (*seenChannel, error) {
	for i := range n.Channels {
		if n.Channels[i].Name == name {
			return &n.Channels[i], nil
		}
	}
	if n.Fault != "" {
		return nil, errors.New(n.Fault)
	}
	err := fmt.Errorf("no channel %q in %s: there are %s", name, n.Dir, names(n.Channels, func(c seenChannel) string { return c.Name }))
	if like := nearest(name, n.Channels); like != "" {
		err = fmt.Errorf("%w; do you mean %s?", err, like)
	}
	return nil, err
}

// nearest is the channel whose name differs in the fewest letters, if that is less than half of them.
func nearest(name string, all []seenChannel) string {
	best, least := "", (len(name)+1)/2
	for _, c := range all {
		if d := distance(name, c.Name); d <= least && (best == "" || d < least) {
			best, least = c.Name, d
		}
	}
	return best
}

// distance is how many letters are to be put in, taken out or replaced to make one name the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := before
			if a[i] != b[j] {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// processName is a process for people.
func processName(pid int, command string, alive bool) string {
	state := "dead"
	if alive {
		state = "alive"
	}
	if pid == 0 {
		return "nobody"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", pid, command)) + " " + state
}
