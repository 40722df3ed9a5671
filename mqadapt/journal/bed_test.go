package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

func TestMain(m *testing.M) {
	if code, played := play(); played {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// bed opens a journal that is closed with the test.
func bed(t testing.TB, o Options) *Journal {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	j, err := Open(o)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no mapped files on this system")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, mqadapt.ErrClosed) {
			t.Error(err)
		}
	})
	return j
}

func bedAppender(t testing.TB, j *Journal) *Appender {
	t.Helper()
	a, err := j.Appender()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bedConsumer(t testing.TB, j *Journal, group string) mqadapt.Consumer {
	t.Helper()
	c, err := j.Consumer(group)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// envelope is the one of a number: its body follows from it.
func envelope(seq uint64, size int) mqadapt.Envelope {
	body := make([]byte, max(size, 16))
	binary.LittleEndian.PutUint64(body, seq)
	for i := 16; i < len(body); i++ {
		body[i] = byte(seq*31 + uint64(i))
	}
	h := fnv.New64a()
	_, _ = h.Write(body[:8])
	_, _ = h.Write(body[16:])
	binary.LittleEndian.PutUint64(body[8:], h.Sum64())
	return mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Channel: 1, Source: 2, Epoch: 3, Seq: seq}, Body: body}
}

// numberOf returns the number of an envelope, if it is what was put.
func numberOf(b []byte) (uint64, error) {
	var h seal.Header
	if err := h.Parse(b); err != nil {
		return 0, err
	}
	want := envelope(h.Seq, h.Length)
	got := make([]byte, want.Size())
	want.PutBytes(got)
	if string(got) != string(b) {
		return 0, fmt.Errorf("envelope %d is not what was put", h.Seq)
	}
	return h.Seq, nil
}

// put puts envelopes from..to and wants them accepted.
func put(t testing.TB, a mqadapt.Producer, from, to uint64, size int) {
	t.Helper()
	for seq := from; seq <= to; {
		var batch []mqadapt.Envelope
		for ; seq <= to && len(batch) < 32; seq++ {
			batch = append(batch, envelope(seq, size))
		}
		n, err := a.Put(batch)
		if err != nil || n != len(batch) {
			t.Fatalf("took %d of %d: %v", n, len(batch), err)
		}
		for _, o := range settle(t, a, n) {
			if o.Verdict != mqadapt.Accepted {
				t.Fatalf("%s: %v", o.Verdict, o.Why)
			}
		}
	}
}

// settle returns n outcomes.
func settle(t testing.TB, a mqadapt.Producer, n int) []mqadapt.Outcome {
	t.Helper()
	out, got := make([]mqadapt.Outcome, n), 0
	for end := time.Now().Add(10 * time.Second); got < n; {
		k, err := a.Settle(out[got:], 10*time.Millisecond)
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d of %d outcomes: %v", got, n, err)
		}
		got += k
	}
	return out
}

// read gets envelopes from..to and acknowledges them.
func read(t testing.TB, c mqadapt.Consumer, from, to uint64) {
	t.Helper()
	batch := make([]mqadapt.Delivery, 64)
	for seq := from; seq <= to; {
		n, err := c.Get(batch[:min(64, to-seq+1)], 5*time.Second)
		if err != nil || n == 0 {
			t.Fatalf("nothing where %d is due: %v", seq, err)
		}
		for _, d := range batch[:n] {
			got, err := numberOf(d.Envelope)
			if err != nil || got != seq {
				t.Fatalf("envelope %d where %d is due: %v", got, seq, err)
			}
			seq++
		}
		if err := c.Ack(batch[n-1].Position); err != nil {
			t.Fatal(err)
		}
	}
}

// nothing wants nothing to be there.
func nothing(t testing.TB, c mqadapt.Consumer) {
	t.Helper()
	if n, err := c.Get(make([]mqadapt.Delivery, 1), 0); n != 0 || err != nil {
		t.Fatalf("%d deliveries, %v", n, err)
	}
}

// scaled divides a full count as the scripts ask.
func scaled(full int) int {
	scale, err := strconv.Atoi(os.Getenv("PULSE_SCALE"))
	if err != nil || scale < 1 {
		scale = 20
	}
	return max(2, full/scale)
}
