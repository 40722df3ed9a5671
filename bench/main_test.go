package bench

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test program is also the far side, a healthy one and several that fail on their third slice.
const (
	peerKilled  = "bench-peer-killed"
	peerStopped = "bench-peer-stopped"
	peerBabbles = "bench-peer-babbles"
	peerMute    = "bench-peer-mute"

	nearHeld = "bench-near-held" // a near side that opens its directory in the one named and waits
)

func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		goleak.VerifyTestMain(m)
		return
	}
	var err error
	switch os.Args[1] {
	case "bench-peer":
		err = ServePeer(os.Stdin, os.Stdout)
	case peerKilled:
		err = ServePeer(&fuse{in: os.Stdin, signal: syscall.SIGKILL}, os.Stdout)
	case peerStopped:
		err = ServePeer(&fuse{in: os.Stdin, signal: syscall.SIGSTOP}, os.Stdout)
	case peerBabbles:
		fmt.Println("hello")
	case peerMute:
		_, err = io.Copy(io.Discard, os.Stdin)
	case nearHeld:
		err = holdScratch(os.Args[2], os.Stdin, os.Stdout)
	default:
		goleak.VerifyTestMain(m)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// holdScratch opens a run's directory, leaves a file in it, says so, and keeps it until in ends.
func holdScratch(parent string, in io.Reader, out io.Writer) error {
	s, err := openScratch(parent)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "lane0"), make([]byte, 4096), 0o600); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, s.dir); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	return s.close()
}

// fuse passes orders on and sends its own process a signal soon after the third slice was ordered.
type fuse struct {
	in     io.Reader
	signal os.Signal
	seen   int
}

func (f *fuse) Read(b []byte) (int, error) {
	n, err := f.in.Read(b)
	if f.seen += bytes.Count(b[:n], []byte(`"run"`)); f.seen == 3 {
		f.seen++
		time.AfterFunc(2*time.Millisecond, func() {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Signal(f.signal)
			}
			if err != nil {
				panic(err)
			}
		})
	}
	return n, err
}

// brief is a setup that takes as little time as every lane's slice allows.
func brief() Setup {
	return Setup{For: 20 * time.Millisecond, Slice: 2 * time.Millisecond, Seed: 7}
}
