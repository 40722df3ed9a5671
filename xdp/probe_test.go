package xdp

import (
	"errors"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/netlab"
)

func (b *bed) probe(host, name string) (a Ability) {
	b.t.Helper()
	if err := b.lab.In(host, func() (err error) {
		a, err = Probe(name)
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return a
}

// needNative skips where an old kernel's drivers do not say what they can do.
func needNative(t *testing.T, a Ability) {
	t.Helper()
	if !a.Told {
		t.Skip(a.Explain())
	}
}

func TestAProbeSaysWhatOpenFinds(t *testing.T) {
	for _, mtu := range []int{1500, 9000} {
		b := newBed(t, netlab.Options{MTU: mtu, Queues: 2})
		a := b.probe("b", netlab.Device)
		needNative(t, a)
		if a.Driver != "veth" || a.MTU != mtu || a.Queues != 2 || !a.Send || !a.Generic {
			t.Errorf("%+v", a)
		}
		for _, c := range []struct {
			o    Options
			said bool
		}{
			{Options{Ports: []uint16{port}, Attach: AttachNative, Copying: Copy}, a.Native},
			{Options{Ports: []uint16{port}, Attach: AttachGeneric, Copying: Copy}, a.Generic},
			{Options{Ports: []uint16{port}, Copying: ZeroCopy}, a.ZeroCopy},
			{Options{}, a.Send},
		} {
			d, err := b.try("b", c.o)
			if c.said != (err == nil) {
				t.Errorf("%s\n%+v: %v", a.Explain(), c.o, err)
			}
			if err == nil {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestAProbeNamesWhatStandsInTheWay(t *testing.T) {
	b := newBed(t, netlab.Options{})
	lo := b.probe("b", "lo")
	needNative(t, lo)
	if lo.Native || lo.ZeroCopy || !lo.Generic || !strings.Contains(lo.Explain(), "not native: the driver says no") {
		t.Error(lo.Explain())
	}
	d := b.open("b", Options{Ports: []uint16{port}, Attach: AttachGeneric})
	a := b.probe("b", netlab.Device)
	if a.Generic || a.Native || !a.Send || !strings.Contains(a.Explain(), "not receiving: another XDP program is attached: program ") {
		t.Error(a.Explain())
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.lab.LinkDown("b"); err != nil {
		t.Fatal(err)
	}
	a = b.probe("b", netlab.Device)
	if len(a.Why) == 0 || !errors.Is(a.Why[len(a.Why)-1].Err, ErrDown) {
		t.Error(a.Explain())
	}
	t.Log(a.Explain())
}

func TestLoopbackFallsBackToGenericAndSaysWhy(t *testing.T) {
	b := newBed(t, netlab.Options{})
	if err := b.lab.In("b", func() error {
		_, err := Open(Options{Interface: "lo", Ports: []uint16{port}, Attach: AttachNative})
		if !errors.Is(err, ErrMode) {
			t.Errorf("native on loopback: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var d *Device
	if err := b.lab.In("b", func() (err error) {
		d, err = Open(Options{Interface: "lo", Ports: []uint16{port}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	m := d.Mode()
	if m.Attach != AttachGeneric || len(m.Why) != 2 || m.Why[0].Wish != "native" || m.Why[1].Wish != "zero-copy" {
		t.Errorf("%s", m.Explain())
	}
	t.Log(m.Explain())
	// Loopback's own MTU is 65536, so a packet takes several chunks.
	from := b.listen("b", netipPort(b.addr4("b"), port+1))
	say(t, from, text(30_000, 1), b.addr4("b"))
	expect(t, text(30_000, 1), d.Sockets()[0])
}
