package main

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/alphapulse/transport"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// verb runs a verb to its end and returns what it printed and its exit code.
func verb(ctx context.Context, c *cobra.Command, args ...string) (out string, code int) {
	var b strings.Builder
	c.SetArgs(args)
	c.SetOut(&b)
	c.SetErr(&b)
	c.SilenceErrors, c.SilenceUsage = true, true
	var coded *exitError
	switch err := c.ExecuteContext(ctx); {
	case err == nil:
		return b.String(), 0
	case errors.As(err, &coded):
		return b.String() + err.Error(), coded.code
	default:
		return b.String() + err.Error(), exitUsage
	}
}

func TestRecordedChannelIsReplayedMessageByMessage(t *testing.T) {
	rings, dir := t.TempDir(), filepath.Join(t.TempDir(), "journal")
	node, err := transport.Open(t.Context(), transport.Config{Dir: rings, Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	}()
	pub, err := node.Publisher("ticks")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	recorder := make(chan string, 1)
	go func() {
		out, code := verb(ctx, newRecord(), "ticks", "--dir", rings, "--journal", dir)
		if code != 0 {
			out = "exit code: " + out
		}
		recorder <- out
	}()
	const messages, pause = 300, 100 * time.Millisecond
	for i := range uint64(messages) {
		if i == messages/2 {
			time.Sleep(pause) // the pace that is to come back, but for the millisecond after which a recorder looks
		}
		if err := pub.Send(binary.LittleEndian.AppendUint64(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := node.Drain(t.Context()); err != nil { // the recorder, if it is there already
		t.Fatal(err)
	}
	end()
	if out := <-recorder; !strings.HasPrefix(out, "300 messages") || !strings.Contains(out, " 0 lost") {
		t.Fatal(out)
	}
	for _, name := range []string{"ls", "verify"} {
		if out, code := verb(t.Context(), newJournal(), name, dir); code != 0 || !strings.Contains(out, "next entry") {
			t.Fatalf("%d: %s", code, out)
		}
	}
	for _, pace := range []string{"flat", "recorded", "x4"} {
		sub, err := node.Subscriber("again-" + pace)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan string, 1)
		began := time.Now()
		go func() {
			out, code := verb(t.Context(), newJournal(), "replay", dir, "--dir", rings, "--channel", "again-"+pace, "--pace", pace)
			if code != 0 {
				out = "exit code: " + out
			}
			done <- out
		}()
		due := uint64(0)
		for end := time.Now().Add(20 * time.Second); due < messages; {
			if _, err := sub.Poll(64, func(f seal.Frame) {
				if binary.LittleEndian.Uint64(f.Payload) != due {
					t.Errorf("message %d where %d is due", binary.LittleEndian.Uint64(f.Payload), due)
				}
				due++
			}); err != nil && !errors.Is(err, ring.ErrClosed) {
				t.Fatal(err)
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %d messages", pace, due)
			}
			_ = sub.Wait(time.Millisecond) // it may return early
		}
		took := time.Since(began)
		if out := <-done; !strings.HasPrefix(out, "300 messages, 0 repeated in the journal, 0 lost") {
			t.Fatal(out)
		}
		if least := map[string]time.Duration{"recorded": pause * 9 / 10, "x4": pause * 9 / 40}[pace]; took < least {
			t.Errorf("%s took %s", pace, took)
		}
	}
}

func TestDamagedJournalIsAFailedCheck(t *testing.T) {
	dir := t.TempDir()
	if out, code := verb(t.Context(), newJournal(), "verify", dir); code != exitRuntime || !strings.Contains(out, "no journal") {
		t.Fatalf("%d: %s", code, out)
	}
	rings := t.TempDir()
	ctx, end := context.WithCancel(t.Context())
	end()
	if out, code := verb(ctx, newRecord(), "none", "--dir", rings, "--journal", dir); code != 0 {
		t.Fatal(out)
	}
	path := filepath.Join(dir, "0000000000000001.seg")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{1}, 64)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if out, code := verb(t.Context(), newJournal(), "verify", dir); code != exitCheck || !strings.Contains(out, path+" at offset 64") {
		t.Fatalf("%d: %s", code, out)
	}
}

func TestReplayAndRecordRefuseWhatCannotBe(t *testing.T) {
	for _, args := range [][]string{{"replay", "x", "--pace", "y"}, {"replay", "x"}, {"replay", "x", "--pace", "x0", "--dir", "a", "--channel", "b"}} {
		if out, code := verb(t.Context(), newJournal(), args...); code != exitUsage {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
	for _, args := range [][]string{{"c"}, {"c", "--dir", "a", "--journal", "b", "--durability", "forever"}} {
		if out, code := verb(t.Context(), newRecord(), args...); code != exitUsage {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
}
