package simnet

import (
	"io"
	"net"
	"testing"
	"time"
)

func TestStreamIsCutAtTheByteThatWasNamed(t *testing.T) {
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewStreamRelay(target.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{1, 10, 40_000} {
		r.CutAfter(n)
		near, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := target.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = near.Write(make([]byte, 100_000)) // it may be cut while it is written
		got, _ := io.Copy(io.Discard, far)       // a reset ends it, too
		if got != n {
			t.Errorf("%d bytes arrived, cut after %d", got, n)
		}
		_, _ = near.Close(), far.Close()
	}
	near, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r.Hold(true)
	if _, err := near.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = far.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := far.Read(make([]byte, 1)); n != 0 {
		t.Error("what is held arrived", err)
	}
	r.Hold(false)
	_ = far.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := far.Read(make([]byte, 1)); n != 1 {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	_, _, _ = near.Close(), far.Close(), target.Close()
}
