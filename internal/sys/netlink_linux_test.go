package sys

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A dump of the interfaces is asked for and read into rooms of several sizes.
func TestNetlinkTellsOfWhatDidNotFit(t *testing.T) {
	n, err := OpenNetlink(unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Recv(make([]byte, 100)); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing there: %v", err)
	}
	ask := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(ask, uint32(len(ask)))
	binary.NativeEndian.PutUint16(ask[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(ask[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	for _, size := range []int{32 << 10, 100, 0} {
		if err := n.Send(ask); err != nil {
			t.Fatal(err)
		}
		if err := n.Wait(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		got, err := n.Recv(make([]byte, size))
		if size > 100 && (err != nil || got < unix.SizeofNlMsghdr) || size <= 100 && !errors.Is(err, unix.ENOBUFS) {
			t.Errorf("room for %d: %d, %v", size, got, err)
		}
		for err == nil || !errors.Is(err, unix.EAGAIN) { // the rest of the dump
			_, err = n.Recv(make([]byte, 32<<10))
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Recv(make([]byte, 100)); !errors.Is(err, unix.EBADF) || !errors.Is(n.Send(ask), unix.EBADF) ||
		!errors.Is(n.Wait(time.Hour), unix.EBADF) || !errors.Is(n.Close(), unix.EBADF) {
		t.Errorf("closed: %v", err)
	}
	if n, err := OpenNetlink(1 << 20); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a group that is not there: %v, %v", n, err)
	}
}

func TestATapIsOfOneInterface(t *testing.T) {
	if tap, err := OpenTap("nosuch"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("%v, %v", tap, err)
	}
	tap, err := OpenTap("lo")
	if errors.Is(err, unix.EPERM) {
		t.Skip("not root")
	}
	if err != nil {
		t.Fatal(err)
	}
	frame := []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x88\xb5a type for experiments")
	if err := tap.Send(frame); err != nil {
		t.Fatal(err)
	}
	for b, deadline := make([]byte, 2000), time.Now().Add(10*time.Second); ; {
		n, err := tap.Recv(b, time.Until(deadline))
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == string(frame) {
			break
		}
	}
	if err := tap.Close(); err != nil {
		t.Fatal(err)
	}
}
