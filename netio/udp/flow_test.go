package udp

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/alphapulse/transport/internal/sys"
	"github.com/alphapulse/transport/ring"
)

// childEnv makes the test's program a receiver in a process of its own.
const childEnv = "PULSE_UDP_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := receive(os.Stdin, os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// receive says where it listens and what its monotonic clock reads, and takes what arrives until standard input ends. Then it says
// how many messages it got, how many it was told are lost, and what is wrong with them.
func receive(in io.Reader, out io.Writer) error {
	b := &bed{}
	if err := b.open(ReceiverOptions{Reliability: Repaired, Socket: Socket{RecvBuffer: crowdBuffer}}); err != nil {
		return err
	}
	fmt.Fprintln(out, b.recv.Local(0), sys.Monotonic())
	end := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		end <- err
	}()
	fault := "none"
	for next := uint64(1); ; {
		select {
		case err := <-end:
			fmt.Fprintln(out, b.recv.Stats().Frames, b.recv.Stats().Lost, fault)
			return err
		default:
		}
		n, err := b.recv.Do()
		if err != nil {
			return err
		}
		if b.poll(); n == 0 {
			time.Sleep(10 * time.Microsecond) // beside the sender, which spins
		}
		for _, m := range b.got {
			if m.seq < next || m.stamp != m.seq+7 {
				fault = fmt.Sprintf("number_%d_with_stamp_%d_where_%d_is_due", m.seq, m.stamp, next)
			}
			next = m.seq + 1
		}
		b.got = b.got[:0]
	}
}

// child is such a process.
type child struct {
	cmd   *exec.Cmd
	in    io.Closer
	out   *bufio.Reader
	addr  netip.AddrPort
	clock uint64 // its monotonic clock's reading when it began
}

// startChild starts one, by way of the program and arguments that wrap it.
func startChild(t *testing.T, wrap ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	words := append(wrap, exe)
	c := &child{cmd: exec.Command(words[0], words[1:]...)}
	c.cmd.Env = append(os.Environ(), childEnv+"=1")
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // gone already if all is well
		_ = c.cmd.Wait()
	})
	c.out = bufio.NewReader(out)
	var addr string
	c.says(t, &addr, &c.clock)
	c.addr = netip.MustParseAddrPort(addr)
	return c
}

// aheadOf is what wraps a child whose monotonic clock shall be that many seconds ahead.
func aheadOf(t *testing.T, seconds int) (words []string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: no time namespace")
	}
	for _, clock := range []string{"--monotonic", "--boottime"} {
		words = append(words, clock, fmt.Sprint(seconds))
	}
	words = append([]string{"unshare", "--time", "--fork", "--kill-child"}, words...)
	if out, err := exec.Command(words[0], append(words[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no time namespace: %v: %s", err, out)
	}
	return words
}

// says reads a line of the child's.
func (c *child) says(t *testing.T, words ...any) {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if _, scan := fmt.Sscan(line, words...); err != nil || scan != nil {
		t.Fatalf("child says %q: %v, %v", line, err, scan)
	}
}

// ends ends the child and checks what it got of total messages; some says that some of them must have been lost.
func (c *child) ends(t *testing.T, total uint64, some bool) {
	t.Helper()
	must(t, c.in.Close())
	var frames, lost uint64
	var fault string
	c.says(t, &frames, &lost, &fault)
	if frames+lost != total || (lost > 0) != some || fault != "none" {
		t.Errorf("the child got %d messages of %d, and was told that %d are lost; what is wrong: %s", frames, total, lost, fault)
	}
}

// newCrowd is a sender whose lines each lead to a receiver of its own, or to more places.
func newCrowd(t *testing.T, source ring.Options, so SenderOptions, more []netip.AddrPort, ros ...ReceiverOptions) *labBed {
	t.Helper()
	b := &labBed{bed: &bed{t: t}}
	b.source = mustRing(t, source)
	var err error
	b.pub, err = b.source.Writer()
	must(t, err)
	so.Channel, so.Reliability = "signals", Repaired
	for _, ro := range ros {
		one := &bed{t: t, pub: b.pub}
		ro.Reliability = Repaired
		one.listen(ro)
		b.beds = append(b.beds, one)
		so.Lines = append(so.Lines, Dial{To: one.recv.Local(0)})
	}
	for _, to := range more {
		so.Lines = append(so.Lines, Dial{To: to})
	}
	if len(b.beds) > 0 {
		b.recv = b.beds[0].recv
	}
	b.send, err = NewSender(so)
	must(t, err)
	t.Cleanup(func() { must(t, b.send.Close()) })
	must(t, b.send.Add(b.source))
	return b
}

// met reports whether the sender knows n receivers.
func (b *labBed) met(n int) func() bool {
	return func() bool { return len(b.send.feeds) == 1 && len(b.send.feeds[0].receivers) == n }
}

// round lets a millisecond go by; these receivers do their share.
func (b *labBed) round(run ...*bed) {
	b.t.Helper()
	b.pass(time.Millisecond)
	_, err := b.send.Do()
	must(b.t, err)
	for _, one := range run {
		one.recv.SetNow(b.now)
		_, err := one.recv.Do()
		must(b.t, err)
		one.poll()
	}
}

// rounds are at most n of them, until ok.
func (b *labBed) rounds(what string, n int, ok func() bool, run ...*bed) (took int) {
	b.t.Helper()
	for ; !ok(); took++ {
		if took == n {
			b.t.Fatalf("%s did not come about in %d ms: sender %+v, receiver %+v", what, n, b.send.Stats(), run[0].recv.Stats())
		}
		b.round(run...)
	}
	return took
}

const (
	crowdWindow = 32 << 10                   // bytes that a receiver with the smallest stash lets the sender run ahead
	crowdAhead  = crowdWindow/80 + 2*1440/80 // the same as messages of 64 bytes, and a datagram more at either end
	crowdRing   = 4 * crowdWindow            // capacity of the publisher's ring
	crowdTotal  = 10 * crowdRing / 80        // messages
	crowdStash  = 2 * crowdWindow            // which is the least
	crowdSlow   = 400                        // rounds, of which a slow receiver takes part in the first twentieth
	crowdBuffer = 16 << 10                   // bytes of the socket of a receiver that stops: what comes meanwhile is lost
	forLong     = time.Hour                  // a liveness that nobody outlasts
)

// TestFlowGoesByWhomItNames has one receiver keep up and one that comes round seldom. The sender never runs further ahead of the
// one it goes by than that one's window, which loses nothing and alone decides whether the publisher is refused.
func TestFlowGoesByWhomItNames(t *testing.T) {
	for _, c := range []struct {
		flow Flow
		tag  uint64
		slow bool // it goes by the slow one
	}{{FlowMin, 0, true}, {FlowMax, 0, false}, {FlowTagged, 1, false}, {FlowTagged, 2, true}} {
		t.Run(fmt.Sprintf("%s %d", c.flow, c.tag), func(t *testing.T) {
			var told events
			b := newCrowd(t, ring.Options{Capacity: crowdRing}, SenderOptions{Flow: c.flow, Tag: c.tag, Liveness: forLong, Events: told.add}, nil,
				ReceiverOptions{Tag: 1, Stash: crowdStash, Liveness: forLong}, ReceiverOptions{Tag: 2, Stash: crowdStash, Liveness: forLong, Socket: Socket{RecvBuffer: crowdBuffer}})
			b.rounds("two receivers", 1000, b.met(2), b.beds...)
			fast, slow := b.beds[0], b.beds[1]
			leads, other := fast, slow
			if c.slow {
				leads, other = slow, fast
			}
			refused, furthest := 0, 0
			for i := 1; len(leads.got) < crowdTotal; i++ {
				for k := 0; k < 10 && b.pub.Seq() <= crowdTotal; k++ {
					if !b.offer(64) {
						refused++
					}
				}
				if i%crowdSlow < crowdSlow/20 {
					b.round(b.beds...)
				} else {
					b.round(fast)
				}
				sent := int(b.send.Frames)
				furthest = max(furthest, sent-len(other.got))
				if ahead := sent - len(leads.got); ahead > crowdAhead {
					t.Fatalf("%d messages ahead of whom it goes by, whose window has room for %d", ahead, crowdAhead)
				}
				if i > 100*crowdSlow {
					t.Fatalf("%d of %d messages: %+v", len(leads.got), crowdTotal, b.send.Stats())
				}
			}
			leads.verify(1, crowdTotal, false)
			if (refused > 0) != c.slow {
				t.Errorf("the publisher was refused %d times", refused)
			}
			if s := leads.recv.Stats(); s.Lost != 0 {
				t.Errorf("whom it goes by lost %d", s.Lost)
			}
			all := func() bool { s := other.recv.Stats(); return s.Frames+s.Lost == crowdTotal }
			b.rounds("the other's end", 5000, all, b.beds...)
			other.verify(1, crowdTotal, true)
			lost := other.recv.Stats().Lost
			if (lost > 0) == c.slow || uint64(len(other.got))+lost != crowdTotal || (furthest > crowdAhead) == c.slow {
				t.Errorf("the other got %d, was told of %d lost, and was behind by %d at most", len(other.got), lost, furthest)
			}
			if told.count(Connected) != 2 || len(told) != 2 {
				t.Errorf("told %v", told)
			}
		})
	}
}

// TestStoppedReceiverIsDroppedAndTold: a receiver whose Do is not called holds the flow until its liveness is over, and not longer.
// When it goes on it is sent what the ring still holds, and told that the rest is lost.
func TestStoppedReceiverIsDroppedAndTold(t *testing.T) {
	var told, stops events
	b := newCrowd(t, ring.Options{Capacity: crowdRing}, SenderOptions{Events: told.add}, nil,
		ReceiverOptions{Stash: crowdStash}, ReceiverOptions{Stash: crowdStash, Events: stops.add, Socket: Socket{RecvBuffer: crowdBuffer}})
	b.rounds("two receivers", 1000, b.met(2), b.beds...)
	runs, stopped := b.beds[0], b.beds[1]
	refused := 0
	fill := func() {
		for range 20 {
			if !b.offer(64) {
				refused++
			}
		}
	}
	took := b.rounds("its end", 1000, func() bool {
		fill()
		if n := told.count(Disconnected); n == 0 && (len(runs.got) > crowdAhead || int(b.send.Frames) > crowdAhead) {
			t.Fatalf("%d messages were sent while the stopped receiver counted", b.send.Frames)
		}
		return told.count(Disconnected) > 0
	}, runs)
	if least, most := int(DefaultLiveness/time.Millisecond), int(DefaultLiveness/time.Millisecond)*11/10; took < least-int(statusIdle/time.Millisecond) || took > most {
		t.Errorf("dropped after %d ms, want %d", took, least)
	}
	if one := told[len(told)-1]; one.Peer != stopped.recv.Local(0) || refused == 0 {
		t.Errorf("told %+v, publisher refused %d times", one, refused)
	}
	b.rounds("the others to go on", 10000, func() bool { fill(); return len(runs.got) > crowdTotal }, runs)
	total := b.pub.Seq() - 1
	b.rounds("delivery to the other", 1000, func() bool { return uint64(len(runs.got)) == total }, runs)
	runs.verify(1, total, false)
	b.rounds("what it missed", 5000, func() bool { s := stopped.recv.Stats(); return s.Frames+s.Lost == total }, b.beds...)
	stopped.verify(1, total, true)
	if s := stopped.recv.Stats(); s.Lost == 0 || uint64(len(stopped.got))+s.Lost != total {
		t.Errorf("the stopped one got %d of %d and was told that %d are lost", len(stopped.got), total, s.Lost)
	}
	fill() // and it counts again
	total = b.pub.Seq() - 1
	b.rounds("confirmation", 1000, b.send.Drained, b.beds...)
	if told.count(Connected) != 3 || told.count(Disconnected) != 1 || stops.count(Disconnected) != 0 {
		t.Errorf("sender told %v, the stopped receiver %v", told, stops)
	}
	if s := stopped.recv.Stats(); s.Frames+s.Lost != total {
		t.Errorf("the stopped one has %d and %d of %d", s.Frames, s.Lost, total)
	}
}

// TestStoppedProcessIsDroppedAndTold does the same to a process, by SIGSTOP, with clocks that are real.
func TestStoppedProcessIsDroppedAndTold(t *testing.T) {
	c := startChild(t)
	var told events
	b := newCrowd(t, ring.Options{Capacity: crowdRing}, SenderOptions{Liveness: 500 * time.Millisecond, Events: told.add}, []netip.AddrPort{c.addr},
		ReceiverOptions{Stash: crowdStash, Liveness: 500 * time.Millisecond})
	b.all("two receivers", b.beds, b.met(2))
	must(t, c.cmd.Process.Signal(syscall.SIGSTOP))
	refused := 0
	fill := func() {
		for range 20 {
			if !b.offer(64) {
				refused++
			}
		}
	}
	b.all("its end", b.beds, func() bool {
		fill()
		return slices.ContainsFunc(told, func(e Event) bool { return e.Kind == Disconnected && e.Peer == c.addr })
	})
	if refused == 0 {
		t.Error("the publisher was never refused")
	}
	b.all("the other to go on", b.beds, func() bool { fill(); return len(b.beds[0].got) > crowdTotal })
	must(t, c.cmd.Process.Signal(syscall.SIGCONT))
	b.all("its return", b.beds, b.met(2))
	b.all("what it missed", b.beds, func() bool {
		for _, r := range b.send.feeds[0].receivers {
			if r.next != b.pub.Seq() {
				return false
			}
		}
		return true
	})
	b.beds[0].verify(1, b.pub.Seq()-1, false)
	c.ends(t, b.pub.Seq()-1, true)
}
