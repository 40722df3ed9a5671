package ring

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/check"
)

func TestHotPathAllocatesNothing(t *testing.T) {
	if check.On {
		t.Log("with the invariants in, only that it runs")
	}
	onBeds(t, 1<<16, func(t *testing.T, r *Ring) {
		w := bedWriter(t, r)
		gate, lossy := bedReader(t, r, ReaderOptions{}), bedReader(t, r, ReaderOptions{Mode: Lossy})
		batch := make([]Record, 64)
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		drain := func() {
			for n := gate.Peek(batch); n > 0; n = gate.Peek(batch) {
				must(gate.Release(n / 2))
				must(gate.Release(n - n/2))
			}
		}
		for name, fn := range map[string]func(){
			"Claim and Commit": func() {
				for range 100 {
					_, err := w.Claim(48)
					must(err)
					must(w.Commit(48))
				}
			},
			"Stage and Flush": func() {
				for range 100 {
					_, err := w.Claim(48)
					must(err)
					must(w.Stage(48))
				}
				w.Flush()
			},
			"ClaimBatch and CommitBatch": func() {
				b, err := w.ClaimBatch(48, 16)
				must(err)
				for i := range b.Len() {
					b.At(i)[0] = 1
				}
				must(w.CommitBatch(b.Len()))
			},
			"Trace": func() {
				w.Trace([TraceSize]byte{1})
				_, err := w.Claim(48)
				must(err)
				must(w.Commit(48))
				for n := gate.Peek(batch); n > 0; n = gate.Peek(batch) {
					if t := gate.Trace(); t != nil {
						must(gate.Release(n))
						return
					}
					must(gate.Release(n))
				}
				t.Error("the trace is lost")
			},
			"lossy Peek":  func() { lossy.Peek(batch) },
			"empty Peek":  func() { gate.Peek(batch); gate.Peek(batch) },
			"Arm":         func() { drain(); gate.Arm() },
			"a full ring": func() { toTheBrim(t, w) },
		} {
			if n := testing.AllocsPerRun(100, func() { fn(); drain() }); n != 0 && !check.On {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	})
}

// toTheBrim fills the ring once and stops at ErrFull.
func toTheBrim(t *testing.T, w *Writer) {
	for {
		if _, err := w.Claim(1000); err == ErrFull {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(1000); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPublishIsAPlainStore reads the object code of the writer: no exchange and no locked instruction on the way of a
// commit. An atomic store there costs 40-60 % of the throughput.
func TestPublishIsAPlainStore(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the plain store is amd64's")
	}
	methods := []string{"(*Writer).Claim", "(*Writer).Commit", "(*Writer).Stage", "(*Writer).append", "(*Writer).Flush",
		"(*Writer).ClaimBatch", "(*Writer).CommitBatch", "(*Batch).At"}
	quoted := make([]string, len(methods))
	for i, m := range methods {
		quoted[i] = regexp.QuoteMeta(m)
	}
	code := objdump(t, `ring\.(`+strings.Join(quoted, "|")+`)$`)
	symbols := strings.Split(code, "TEXT ")
	for _, m := range methods { // a name that is not found would pass unseen
		if !strings.Contains(code, "ring."+m+"(SB)") {
			t.Errorf("no object code of %s", m)
		}
	}
	locked := regexp.MustCompile(`\b(XCHG[BWLQ]?|LOCK|CMPXCHG\w*|XADD\w*|MFENCE)\b`)
	for _, s := range symbols[1:] {
		name, _, _ := strings.Cut(s, "(SB)")
		if found := locked.FindString(s); found != "" {
			t.Errorf("%s has %s", name, found)
		}
		for _, call := range regexp.MustCompile(`CALL \S*(atomic|Mem\.Store|Mem\.Load)\S*`).FindAllString(s, -1) {
			t.Errorf("%s: %s", name, call)
		}
	}
}

// objdump builds the program without race detector and invariants, and returns the code of what matches.
func objdump(t *testing.T, symbols string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "ring.test")
	build := exec.Command("go", "test", "-vet=off", "-c", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("go", "tool", "objdump", "-s", symbols, bin).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestShortVerbsAreInlined asks the compiler: what a caller calls per record and is small must cost no call.
func TestShortVerbsAreInlined(t *testing.T) {
	build := exec.Command("go", "build", "-gcflags=-m", ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, verb := range []string{
		"Record.Payload", "Record.Stamp", "Record.Seq32", "(*Writer).Abort", "(*Writer).SetStamp", "(*Writer).Position",
		"(*Writer).Seq", "(*Reader).Seq", "(*Reader).First", "(*Reader).Position", "(*Reader).Trace", "stride",
	} {
		if !strings.Contains(string(out), "can inline "+verb+"\n") {
			t.Errorf("%s is not inlined", verb)
		}
	}
}
