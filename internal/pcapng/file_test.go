package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type packet struct {
	of       uint32
	ns       uint64
	data     string
	comments []string
}

// parse is a reader written from the draft and not from the writer.
func parse(t *testing.T, b []byte) (names []string, all []packet) {
	t.Helper()
	le := binary.LittleEndian
	for first := true; len(b) > 0; first = false {
		kind, size := le.Uint32(b), le.Uint32(b[4:])
		if size%4 != 0 || size < 12 || int(size) > len(b) || le.Uint32(b[size-4:]) != size || first != (kind == 0x0a0d0d0a) {
			t.Fatalf("block %#x of %d bytes in %d", kind, size, len(b))
		}
		body := b[8 : size-4]
		b = b[size:]
		switch kind {
		case 0x0a0d0d0a:
			if le.Uint32(body) != 0x1a2b3c4d || le.Uint16(body[4:]) != 1 || le.Uint16(body[6:]) != 0 || le.Uint64(body[8:]) != math.MaxUint64 {
				t.Fatalf("section % x", body)
			}
			if got := options(t, body[16:])[4]; len(got) != 1 {
				t.Errorf("application %q", got)
			}
		case 1:
			o := options(t, body[8:])
			if le.Uint16(body) != 147 || le.Uint32(body[4:]) != 0 || len(o[9]) != 1 || o[9][0] != "\x09" {
				t.Fatalf("interface % x", body)
			}
			names = append(names, o[2][0])
		case 6:
			n := le.Uint32(body[12:])
			if n != le.Uint32(body[16:]) {
				t.Fatal("not whole")
			}
			all = append(all, packet{le.Uint32(body), uint64(le.Uint32(body[4:]))<<32 | uint64(le.Uint32(body[8:])), string(body[20 : 20+n]),
				options(t, body[20+(n+3)&^3:])[1]})
		default:
			t.Fatalf("block %#x", kind)
		}
	}
	return names, all
}

func options(t *testing.T, b []byte) map[uint16][]string {
	t.Helper()
	all := map[uint16][]string{}
	for {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == 0 {
			if n != 0 || len(b) != 4 {
				t.Fatalf("end of options % x", b)
			}
			return all
		}
		all[code] = append(all[code], string(b[4:4+n]))
		b = b[4+(n+3)&^3:]
	}
}

// sample writes two interfaces and messages of every padding.
func sample(t *testing.T) (file []byte, want []packet) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, "pulse")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if i == 0 || i == 5 {
			if of, err := w.Interface([]string{"trades/feed.0.ring", "signals"}[i/5], LinkUser0); err != nil || of != i/5 {
				t.Fatal(of, err)
			}
		}
		p := packet{uint32(i / 6), 1_795_000_000_123_456_789 + uint64(i), strings.Repeat("x", i), nil}
		for j := range i % 3 {
			p.comments = append(p.comments, strings.Repeat("c", i+j))
		}
		if err := w.Packet(int(p.of), time.Unix(0, int64(p.ns)), []byte(p.data), p.comments...); err != nil {
			t.Fatal(err)
		}
		want = append(want, p)
	}
	return b.Bytes(), want
}

func TestFileIsWhatTheDraftSays(t *testing.T) {
	file, want := sample(t)
	names, got := parse(t, file)
	if len(names) != 2 || names[0] != "trades/feed.0.ring" || names[1] != "signals" || len(got) != len(want) {
		t.Fatalf("%q, %d packets", names, len(got))
	}
	for i, p := range got {
		if w := want[i]; p.of != w.of || p.ns != w.ns || p.data != w.data || strings.Join(p.comments, "|") != strings.Join(w.comments, "|") {
			t.Errorf("%d: %+v, want %+v", i, p, w)
		}
	}
}

// Somebody else's reader finds the same bytes at the same nanoseconds.
func TestLibpcapReadsIt(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("no tcpdump command (package tcpdump)")
	}
	file, want := sample(t)
	in := filepath.Join(t.TempDir(), "in.pcapng")
	if err := os.WriteFile(in, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c := exec.Command(tcpdump, "-r", in, "--time-stamp-precision=nano", "-w", "-")
	c.Stderr = &said
	b, err := c.Output()
	if err != nil || len(b) < 24 {
		t.Fatalf("%v: %s", err, said.String())
	}
	le := binary.LittleEndian
	if le.Uint32(b) != 0xa1b23c4d || le.Uint32(b[20:]) != LinkUser0 {
		t.Fatalf("header % x", b[:24])
	}
	b = b[24:]
	for i, w := range want {
		if len(b) < 16 {
			t.Fatalf("%d of %d packets", i, len(want))
		}
		n := le.Uint32(b[8:])
		if ns := uint64(le.Uint32(b))*1e9 + uint64(le.Uint32(b[4:])); ns != w.ns || string(b[16:16+n]) != w.data {
			t.Errorf("%d: %d %q, want %+v", i, ns, b[16:16+n], w)
		}
		b = b[16+n:]
	}
}

func TestWhatHasNoRoomIsRefused(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, "pulse")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Packet(0, time.Time{}, nil); err == nil {
		t.Error("there is no interface")
	}
	if _, err := w.Interface("a", LinkUser0); err != nil {
		t.Fatal(err)
	}
	before := b.Len()
	if err := w.Packet(0, time.Now(), nil, strings.Repeat("c", 1<<16)); !errors.Is(err, ErrTooLarge) || b.Len() != before {
		t.Error(err)
	}
}
