package transport_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	transport "github.com/alphapulse/transport"
	"github.com/alphapulse/transport/mqadapt/journal"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/netio/tcp"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

const lifeVariable = "PULSE_TEST_LIFE" // FILE ROLE, of a process that a test starts

func TestMain(m *testing.M) {
	file, role, ok := strings.Cut(os.Getenv(lifeVariable), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := live(file, role); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// live is one process of a test that kills them.
func live(file, role string) error {
	bounded, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // should nobody end it
	defer cancel()
	ctx, stop := signal.NotifyContext(bounded, syscall.SIGTERM)
	defer stop()
	c := transport.Config{File: file, HoldDown: 300 * time.Millisecond, Notes: func(n netio.Note) { fmt.Println(time.Now().Format("05.000"), role, n.What, n.Medium, n.Channel, n.Err) }}
	switch role {
	case "left", "right":
		c.At, c.Media, c.Queues = role, []transport.Medium{tcp.Medium{}}, []transport.QueueMedium{journal.Medium{}}
	default:
		c.Actor = role
	}
	c.Dir = filepath.Join(filepath.Dir(file), map[string]string{"left": "left", "feed": "left", "right": "right", "desk": "right"}[role])
	n, err := transport.Open(ctx, c)
	if err != nil {
		return err
	}
	switch role {
	case "feed":
		err = liveAsFeed(n, ctx.Done())
	case "desk":
		err = liveAsDesk(n, filepath.Join(filepath.Dir(file), "desk.log"), ctx.Done())
	default:
		<-ctx.Done()
	}
	return errors.Join(err, n.Close())
}

// liveAsFeed publishes about 20 thousand numbers a second.
func liveAsFeed(n *transport.Node, over <-chan struct{}) error {
	p, err := n.Publisher("quotes")
	if err != nil {
		return err
	}
	for {
		select {
		case <-over:
			return nil
		case <-time.After(time.Millisecond):
		}
		if err := sendUpTo(p, p.Seq()+19, 30*time.Second); err != nil {
			return err
		}
	}
}

// liveAsDesk writes down each number as it comes. What a killed one wrote down and had not released comes again, and is known.
func liveAsDesk(n *transport.Node, path string, over <-chan struct{}) error {
	log, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	had, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	last := uint64(0)
	if k := len(had) / 8 * 8; k > 0 {
		last = binary.LittleEndian.Uint64(had[k-8:])
	}
	s, err := n.Subscriber("quotes")
	if err != nil {
		return err
	}
	var fault error
	for {
		select {
		case <-over:
			return nil
		default:
		}
		k, err := s.Poll(256, func(f seal.Frame) {
			if f.Seq <= last || fault != nil {
				return
			}
			if number := binary.LittleEndian.Uint64(f.Payload); number != f.Seq {
				fault = fmt.Errorf("message %d says %d", f.Seq, number)
				return
			}
			last = f.Seq
			_, fault = log.Write(binary.LittleEndian.AppendUint64(nil, f.Seq))
		})
		if err = errors.Join(err, fault); err == nil && k == 0 {
			err = s.Wait(time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
}

// lives are the processes of a test.
type lives struct {
	*testing.T
	file string
	all  map[string]*exec.Cmd
}

// said is what the lives of a role printed.
func (l *lives) said(role string) string {
	text, err := os.ReadFile(l.file + "." + role)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (l *lives) begin(role string) {
	l.Helper()
	exe, err := os.Executable()
	if err != nil {
		l.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), lifeVariable+"="+l.file+" "+role)
	out, err := os.OpenFile(l.file+"."+role, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	l.all[role] = cmd
}

func (l *lives) kill(role string) {
	l.Helper()
	if err := l.all[role].Process.Kill(); err != nil {
		l.Fatal(role, err)
	}
	if err := l.all[role].Wait(); err == nil || l.all[role].ProcessState.Exited() {
		l.Fatalf("%s had ended before: %v\n%s", role, err, l.said(role))
	}
	delete(l.all, role)
}

// Nodes, publisher and subscriber are killed over and over while the channel goes by link and by queue. Every number comes once and in order.
func TestEveryNumberComesOnceWhoeverIsKilled(t *testing.T) {
	for _, mode := range []string{"message_queue", "direct_with_mq_fallback"} {
		t.Run(mode, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			l := &lives{t, queued(t, dir, "reliability: guaranteed_delivery, mode: "+mode+", breaker: { open: 200ms, window: 200ms }", ports(8)), map[string]*exec.Cmd{}}
			t.Cleanup(func() {
				for role, cmd := range l.all {
					_ = cmd.Process.Kill()
					_ = cmd.Wait()
					if t.Failed() {
						t.Logf("%s:\n%s", role, l.said(role))
					}
				}
			})
			roles := []string{"left", "right", "feed", "desk"}
			for _, role := range roles {
				l.begin(role)
			}
			log := filepath.Join(dir, "desk.log")
			written := func() int64 {
				info, err := os.Stat(log)
				if err != nil {
					return 0
				}
				return info.Size() / 8
			}
			flows := func(more int64) {
				t.Helper()
				for from, end := written(), time.Now().Add(20*time.Second); written() < from+more; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%d numbers, and no more come", written())
					}
				}
			}
			flows(1)
			if mode != "message_queue" { // one change for certain; between two lies a second
				time.Sleep(1100 * time.Millisecond)
				l.kill("right")
				for end := time.Now().Add(20 * time.Second); !strings.Contains(l.said("left"), "failover journal"); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("it never went by queue:\n%s", l.said("left"))
					}
				}
				l.begin("right")
				flows(1000)
			}
			for range scaled(16, 8) {
				role := roles[random.IntN(len(roles))]
				l.kill(role)
				time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond) // shorter and longer than the silence that is borne
				l.begin(role)
				if random.IntN(2) == 0 {
					flows(1000)
				}
			}
			flows(1000)
			l.kill("feed")
			last := lastOf(t, filepath.Join(dir, "left", "quotes", "feed.0.ring"))
			for end := time.Now().Add(20 * time.Second); written() < int64(last) && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			next := uint64(1)
			for ; len(text) >= 8; text = text[8:] {
				if n := binary.LittleEndian.Uint64(text); n != next {
					t.Fatalf("number %d where %d is due, of %d", n, next, last)
				}
				next++
			}
			if next-1 != last {
				t.Errorf("%d of %d came", next-1, last)
			}
			t.Logf("%d numbers, %d times by queue, %d times back", last, strings.Count(l.said("left"), "failover journal"), strings.Count(l.said("left"), "failback tcp"))
		})
	}
}

// lastOf is the number of the last message in a ring.
func lastOf(t *testing.T, path string) uint64 {
	t.Helper()
	r, err := ring.Attach(path, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader, err := r.Reader(ring.ReaderOptions{Mode: ring.Lossy})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	return reader.Seq() - 1
}
