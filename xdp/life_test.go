package xdp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/alphapulse/transport/internal/netlab"
	"github.com/alphapulse/transport/internal/sys"
)

func TestOpenAndCloseLeaveNothing(t *testing.T) {
	b := newBed(t, netlab.Options{})
	cycle := func(o Options) {
		d, err := b.try("b", o)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	modes := []Options{
		{Ports: []uint16{port}, Attach: AttachGeneric}, {Ports: []uint16{port}, Attach: AttachNative, Loss: 1}, {},
	}
	for _, o := range modes {
		cycle(o) // what is made once and kept
	}
	before := holdings(t)
	d := b.open("b", modes[0])
	if open := holdings(t); open.chunks != before.chunks+1 || open.rings != before.rings+4 || open.descriptors < before.descriptors+4 {
		t.Fatalf("%+v before, %+v while one is open: what leaks would not be seen", before, open)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range scaled(1000, 50) {
		cycle(modes[i%len(modes)])
		if i%5 != 0 {
			continue
		}
		if _, err := b.try("b", Options{Ports: []uint16{port}, Copying: ZeroCopy}); !errors.Is(err, ErrMode) {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(patience); ; runtime.GC() {
		after := holdings(t)
		if after == before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v before, %+v after", before, after)
		}
	}
}

type held struct{ descriptors, goroutines, chunks, rings int }

// holdings counts what the process has open, running and mapped; ordinary mappings grow and shrink with the Go heap, so only those
// of sockets count, and the size of a device's chunks.
func holdings(t *testing.T) (h held) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	size := []byte("Size: ")
	for line := range bytes.Lines(maps) {
		if bytes.Contains(line, []byte("socket:[")) || bytes.Contains(line, []byte("[xdp")) {
			h.rings++
		}
		if bytes.HasPrefix(line, size) && strings.Fields(string(line))[1] == "6144" {
			h.chunks++
		}
	}
	h.descriptors, h.goroutines = len(fds), runtime.NumGoroutine()
	return h
}

func TestAnInterfaceThatGoesDownComesBack(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{})
			s := b.open("b", Options{Ports: []uint16{port}, Attach: attach}).Sockets()[0]
			a := b.listen("a", b.addr4("a"))
			packet := b.datagram("b", "a", false, []byte("held back"))
			if err := b.lab.LinkDown("b"); err != nil {
				t.Fatal(err)
			}
			batch := make([]Chunk, 1)
			if s.Claim(batch) != 1 {
				t.Fatal("no chunk")
			}
			batch[0].Data = batch[0].Data[:copy(batch[0].Data, packet)]
			if err := s.Commit(batch); !errors.Is(err, ErrDown) {
				t.Errorf("commit: %v", err)
			}
			for name, do := range map[string]func() error{
				"flush": s.Flush, "check": s.Check, "wait": func() error { return s.Wait(time.Minute, false) },
			} {
				if err := do(); !errors.Is(err, ErrDown) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if st := stats(t, s); st.Refused < 2 {
				t.Errorf("%+v", st)
			}
			if err := b.lab.LinkUp("b"); err != nil {
				t.Fatal(err)
			}
			// The kernel learns by and by that both ends are up.
			for deadline := time.Now().Add(patience); ; {
				if err := s.Flush(); err != nil && !errors.Is(err, ErrDown) || time.Now().After(deadline) {
					t.Fatal(err)
				}
				if s.Check() == nil {
					break
				}
			}
			if err := a.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			for deadline := time.Now().Add(patience); ; {
				if n, err := a.Read(buf); err == nil && string(buf[:n]) == "held back" {
					break
				} else if time.Now().After(deadline) {
					t.Fatal("nothing comes through again")
				}
				if err := a.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				send(t, s, packet)
			}
			say(t, a, []byte("and the other way"), b.addr4("b"))
			expect(t, []byte("and the other way"), s)
		})
	}
}

func TestAnInterfaceThatIsGoneIsNamed(t *testing.T) {
	for _, attach := range []Attach{AttachGeneric, AttachNative} {
		t.Run(attach.String(), func(t *testing.T) {
			b := newBed(t, netlab.Options{})
			d := b.open("b", Options{Ports: []uint16{port}, Attach: attach})
			s := d.Sockets()[0]
			packet := b.datagram("b", "a", false, []byte("nowhere"))
			send(t, s, packet)
			waited := make(chan error, 1)
			go func() {
				var err error
				// It goes down first.
				for deadline := time.Now().Add(patience); (err == nil || errors.Is(err, ErrDown)) && time.Now().Before(deadline); {
					err = s.Wait(10*time.Millisecond, false)
				}
				waited <- err
			}()
			if _, err := b.lab.Exec("b", "ip", "link", "del", netlab.Device); err != nil {
				t.Fatal(err)
			}
			if err := <-waited; !errors.Is(err, ErrGone) {
				t.Errorf("wait: %v", err)
			}
			batch := make([]Chunk, 1)
			if s.Claim(batch) != 1 {
				t.Fatal("no chunk")
			}
			batch[0].Data = batch[0].Data[:copy(batch[0].Data, packet)]
			if err := s.Commit(batch); !errors.Is(err, ErrGone) {
				t.Errorf("commit: %v", err)
			}
			if n := s.Peek(batch); n != 0 {
				t.Errorf("%d packets come", n)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if err := s.Check(); !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
			if _, err := s.Stats(); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
			if _, err := b.try("b", Options{Ports: []uint16{port}}); !errors.Is(err, syscall.ENODEV) {
				t.Errorf("open: %v", err)
			}
		})
	}
}

func TestAForeignProgramStays(t *testing.T) {
	for _, flags := range []link.XDPAttachFlags{link.XDPGenericMode, link.XDPDriverMode} {
		b := newBed(t, netlab.Options{})
		foreign, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "somebody", Type: ebpf.XDP, License: "MIT",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, verdictPass), asm.Return()}})
		if err != nil {
			t.Fatal(err)
		}
		defer foreign.Close()
		var at link.Link
		if err := b.lab.In("b", func() error {
			i, err := net.InterfaceByName(netlab.Device)
			if err == nil {
				at, err = link.AttachXDP(link.XDPOptions{Program: foreign, Interface: i.Index, Flags: flags})
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		defer at.Close()
		info, err := at.Info()
		if err != nil {
			t.Fatal(err)
		}
		for _, attach := range []Attach{AttachAuto, AttachNative, AttachGeneric} {
			_, err := b.try("b", Options{Ports: []uint16{port}, Attach: attach})
			if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), fmt.Sprintf("program %d,", info.Program)) {
				t.Errorf("%v beside %v: %v", attach, flags, err)
			}
			facts := b.facts("b")
			if facts.Foreign != uint32(info.Program) || facts.Generic != (flags == link.XDPGenericMode) {
				t.Errorf("%v beside %v: the interface has %+v", attach, flags, facts)
			}
		}
		if err := b.open("b", Options{}).Close(); err != nil { // sending takes no program
			t.Fatal(err)
		}
		if err := at.Close(); err != nil {
			t.Fatal(err)
		}
		b.open("b", Options{Ports: []uint16{port}, Queues: []int{0}, Attach: AttachGeneric})
	}
}

func TestAProgramThatSomebodyDetachesIsMissed(t *testing.T) {
	b := newBed(t, netlab.Options{})
	d := b.open("b", Options{Ports: []uint16{port}})
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	if err := b.open("a", Options{}).Check(); err != nil {
		t.Errorf("who only sends: %v", err)
	}
	raw, ok := d.program.link.(interface{ Detach() error })
	if !ok {
		t.Fatalf("%T", d.program.link)
	}
	if err := raw.Detach(); err != nil {
		t.Skip(err) // before Linux 5.9
	}
	if err := d.Check(); !errors.Is(err, ErrDetached) {
		t.Errorf("detached: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Check(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func (b *bed) facts(host string) (d sys.Device) {
	b.t.Helper()
	if err := b.lab.In(host, func() (err error) {
		d, err = sys.DeviceOf(netlab.Device)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return d
}
