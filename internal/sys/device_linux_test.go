package sys

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDeviceTellsOfLoopback(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	d, err := DeviceOf(lo.Name)
	if err != nil || d.Queues != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	f, err := FeaturesOf(lo.Index)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || f.Basic || f.ZeroCopy { // it has no driver
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := FeaturesOf(1 << 30); !errors.Is(err, unix.ENODEV) {
		t.Errorf("features of nothing: %v", err)
	}
	if _, err := DeviceOf("none0"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("nothing: %v", err)
	}
}

func TestAttributesAreWalkedAsFarAsTheyAreWhole(t *testing.T) {
	two := append(attr(7, []byte("seven")), attr(8, []byte{1, 2, 3, 4})...)
	for cut := range len(two) + 1 {
		var kinds []uint16
		eachAttr(two[:cut], func(kind uint16, value []byte) {
			kinds = append(kinds, kind)
			if kind == 7 && string(value) != "seven" || kind == 8 && len(value) != 4 {
				t.Errorf("cut at %d: %d is %q", cut, kind, value)
			}
		})
		want := 0
		if cut >= 9 {
			want++
		}
		if cut == len(two) {
			want++
		}
		if len(kinds) != want {
			t.Errorf("cut at %d: %v", cut, kinds)
		}
	}
	for _, lie := range [][]byte{{3, 0, 1, 0}, {0, 0, 0, 0}, {255, 255, 1, 0, 0}} {
		eachAttr(lie, func(kind uint16, value []byte) { t.Errorf("%v holds %d", lie, kind) })
	}
}
