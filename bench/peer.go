package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/alphapulse/transport/internal/sys"
)

// The far side is told what to do in JSON lines on its standard input and answers in JSON lines. Between slices it sleeps in a read, so
// that its processor is free; within a slice it sees the board only. It ends when its input ends: a far side never outlives a near side.

// order is one line to the far side: first an opening, then one Run per slice.
type order struct {
	Open *opening `json:"open,omitempty"`
	Run  int      `json:"run,omitempty"` // lane number, from 1
}

// opening is what the far side needs before the first slice.
type opening struct {
	Clock clockFacts `json:"clock"`
	CPU   int        `json:"cpu"`
	Board int        `json:"board"` // bytes
	Lanes []laneSpec `json:"lanes"`
}

// answer is one line from the far side: Ready when a lane is about to be served, Done afterwards.
type answer struct {
	Ready    bool   `json:"ready,omitempty"`
	Done     bool   `json:"done,omitempty"`
	Messages uint64 `json:"messages,omitempty"`
	Lost     uint64 `json:"lost,omitempty"`
	Bad      uint64 `json:"bad,omitempty"`
	Mallocs  uint64 `json:"mallocs,omitempty"`
	Hist     []byte `json:"hist,omitempty"` // V2 encoded
	Err      string `json:"err,omitempty"`
}

// peerFD is where a far side in a process of its own finds the board.
const peerFD = 3

// ServePeer is the far side of a workload in a process of its own: orders on in, answers on out, the board as file descriptor 3.
// It returns when in ends. The program calls it under a verb that [Setup].Peer names, "bench-peer" by default.
func ServePeer(in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), spinnersPerSide+1))
	f := os.NewFile(peerFD, "board")
	if f == nil {
		return fmt.Errorf("%w: no board on descriptor %d", ErrPeer, peerFD)
	}
	// Lanes run on a thread of their own while this one waits for orders, so that the end of the input ends the process even when a
	// lane waits for a near side that is no more.
	orders, lines := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- serve(orders, out, func(size int) (board, func() error, error) { return mapBoard(f, size) })
		_ = orders.Close() // cannot fail
	}()
	_, err := io.Copy(lines, in)
	if err == nil || errors.Is(err, io.ErrClosedPipe) {
		err = lines.Close()
	}
	serveErr, _, timely := within(served, defaultPatience)
	if !timely {
		serveErr = fmt.Errorf("%w: a lane did not stop", ErrSilent)
	}
	return errors.Join(err, serveErr)
}

// spinnersPerSide is how many threads of one process may spin at once: one lane end, or both ends of a channel.
const spinnersPerSide = 2

// mapBoard maps the shared memory behind f and returns how to give it back.
func mapBoard(f *os.File, size int) (board, func() error, error) {
	m, err := sys.Map(f, 0, size, true)
	if err != nil {
		return board{}, nil, fmt.Errorf("bench: %w", err)
	}
	return board{m.Mem}, m.Unmap, nil
}

// serve follows orders until in ends. It narrows its thread to one processor and must run on a goroutine that ends afterwards.
func serve(in io.Reader, out io.Writer, open func(size int) (board, func() error, error)) (err error) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	answers := json.NewEncoder(out)
	defer func() {
		if err != nil {
			err = errors.Join(err, answers.Encode(answer{Done: true, Err: err.Error()}))
		}
	}()
	var (
		t     turn
		lanes []far
	)
	defer func() {
		for _, l := range lanes {
			if l != nil {
				err = errors.Join(err, l.close())
			}
		}
	}()
	for orders := json.NewDecoder(in); ; {
		var o order
		switch err := orders.Decode(&o); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("bench: order: %w", err)
		}
		if o.Open != nil {
			b, unmap, err := open(o.Open.Board)
			if err != nil {
				return err
			}
			defer func() { _ = unmap() }() // the process or the run ends: nothing depends on it
			t = turn{board: b, clock: clockFrom(o.Open.Clock), hist: newHistogram()}
			if lanes, err = openLanes(o.Open.Lanes, b); err != nil {
				return err
			}
			if err := pin(o.Open.CPU); err != nil {
				return err
			}
			if err := answers.Encode(answer{Done: true}); err != nil {
				return fmt.Errorf("bench: answer: %w", err)
			}
			continue
		}
		if o.Run < 1 || o.Run > len(lanes) || lanes[o.Run-1] == nil {
			return fmt.Errorf("bench: order for lane %d of %d", o.Run, len(lanes))
		}
		if err := serveTurn(&t, lanes[o.Run-1], out, answers); err != nil {
			return err
		}
	}
}

func openLanes(specs []laneSpec, b board) (lanes []far, err error) {
	for _, s := range specs {
		l, err := openFar(s, b)
		if err != nil {
			return lanes, fmt.Errorf("lane %s: %w", s.Name, err)
		}
		lanes = append(lanes, l)
	}
	return lanes, nil
}

var readyLine = []byte("{\"ready\":true}\n")

// serveTurn serves one slice of a lane and answers with what it saw.
func serveTurn(t *turn, l far, out io.Writer, answers *json.Encoder) error {
	t.messages, t.lost, t.bad, t.lacking = 0, 0, 0, false
	t.hist.Reset()
	before := mallocs()
	if _, err := out.Write(readyLine); err != nil {
		return fmt.Errorf("bench: answer: %w", err)
	}
	if err := l.serve(t); err != nil {
		return err
	}
	a := answer{Done: true, Messages: t.messages, Lost: t.lost, Bad: t.bad, Mallocs: mallocs() - before}
	if t.hist.TotalCount() > 0 {
		coded, err := t.hist.EncodeV2()
		if err != nil {
			return fmt.Errorf("bench: encode histogram: %w", err)
		}
		a.Hist = coded
	}
	if err := answers.Encode(a); err != nil {
		return fmt.Errorf("bench: answer: %w", err)
	}
	return nil
}

// peer is the far side as the near side sees it.
type peer struct {
	orders  *json.Encoder
	in      io.Closer
	answers chan answer
	gone    atomic.Bool
	board   *sys.Mapping
	process *exec.Cmd // nil within one process
	words   lastWords
	stopped func() error
	waits   time.Duration
}

// startPeer starts the far side, in a process of its own or as a thread, has open open the near ends, and then the far side its own.
func startPeer(s Setup, clk *clock, boardSize int64, open func(board) ([]laneSpec, error)) (p *peer, err error) {
	f, err := sys.Memfd("pulse-bench", boardSize, false)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m, err := sys.Map(f, 0, int(boardSize), true)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p = &peer{board: m, answers: make(chan answer, 4), waits: s.patience}
	p.view().stop(0)
	if s.InProcess {
		p.startThread()
	} else if err := p.startProcess(s.Peer, f); err != nil {
		return nil, errors.Join(err, m.Unmap())
	}
	lanes, err := open(p.view())
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	o := opening{Clock: clk.facts, CPU: s.CPUs[1], Board: int(boardSize), Lanes: lanes}
	if err := p.orders.Encode(order{Open: &o}); err != nil {
		return nil, errors.Join(p.why(ErrPeer), p.close())
	}
	if _, err := p.wait(2 * p.waits); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *peer) view() board { return board{p.board.Mem} }

// startThread runs the far side on a thread of this process.
func (p *peer) startThread() {
	in, orders := io.Pipe()
	answers, out := io.Pipe()
	served := make(chan error, 1)
	go func() {
		b := p.view()
		err := serve(in, out, func(int) (board, func() error, error) { return b, func() error { return nil }, nil })
		served <- errors.Join(err, out.Close())
	}()
	p.orders, p.in = json.NewEncoder(orders), orders
	p.stopped = func() error { return <-served }
	go p.listen(answers)
}

// startProcess runs the far side as the program that argv names.
func (p *peer) startProcess(argv []string, f *os.File) error {
	if argv == nil {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		argv = []string{self, "bench-peer"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = &p.words
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("bench: start the far side: %w", err)
	}
	p.process, p.orders, p.in = cmd, json.NewEncoder(in), in
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		p.listen(out)
	}()
	p.stopped = func() error {
		<-heard
		return cmd.Wait()
	}
	return nil
}

// listen passes answers on until there are no more, which is how the death of the far side shows.
func (p *peer) listen(out io.Reader) {
	defer close(p.answers)
	defer p.gone.Store(true)
	for d := json.NewDecoder(out); ; {
		var a answer
		if d.Decode(&a) != nil {
			return
		}
		p.answers <- a
	}
}

// wait returns the next answer, within a bound.
func (p *peer) wait(d time.Duration) (answer, error) {
	a, ok, timely := within(p.answers, d)
	switch {
	case !timely:
		return a, ErrSilent
	case !ok:
		return a, p.why(ErrPeer)
	case a.Err != "":
		return a, fmt.Errorf("%w: %s", ErrPeer, a.Err)
	}
	return a, nil
}

// enter has the far side serve lane i and returns once it does.
func (p *peer) enter(i int) error {
	p.view().start()
	if err := p.orders.Encode(order{Run: i + 1}); err != nil {
		return p.why(ErrPeer)
	}
	_, err := p.wait(p.waits)
	return err
}

// leave stops the slice after sent messages and returns what the far side saw of them.
func (p *peer) leave(sent uint64) (answer, *hdrhistogram.Histogram, error) {
	p.view().stop(sent)
	a, err := p.wait(p.waits)
	if err != nil || len(a.Hist) == 0 {
		return a, nil, err
	}
	h, err := hdrhistogram.Decode(a.Hist)
	if err != nil {
		return a, nil, fmt.Errorf("%w: histogram: %w", ErrPeer, err)
	}
	return a, h, nil
}

// why adds the far side's last words to err.
func (p *peer) why(err error) error {
	if w := p.words.String(); w != "" {
		return fmt.Errorf("%w: %s", err, w)
	}
	return err
}

// close ends the far side and waits for it, within a bound: then it is killed.
func (p *peer) close() error {
	p.view().stop(0)
	_ = p.in.Close() // the far side may be gone already: that is what the next lines find out
	done := make(chan error, 1)
	go func() {
		for range p.answers { // a last answer must not keep the far side from ending
		}
		done <- p.stopped()
	}()
	err, _, timely := within(done, p.waits)
	if !timely {
		if p.process == nil {
			return ErrSilent // its thread still uses the board: leave the memory mapped
		}
		err = errors.Join(ErrSilent, p.process.Process.Kill())
		<-done
	}
	return errors.Join(err, p.board.Unmap())
}

// lastWords keeps the end of what the far side wrote to its standard error.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

const maxWords = 2000

func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b...)
	if over := len(w.text) - maxWords; over > 0 {
		w.text = w.text[over:]
	}
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.text))
}
