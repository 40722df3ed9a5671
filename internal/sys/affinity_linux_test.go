package sys

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAffinityReadsBackWhatWasSet(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := Affinity()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := SetAffinity(before); err != nil {
			t.Error(err)
		}
	}()
	for _, cpu := range before {
		if err := SetAffinity([]int{cpu}); err != nil {
			t.Fatal(err)
		}
		if got, err := Affinity(); err != nil || !slices.Equal(got, []int{cpu}) {
			t.Errorf("%v, %v, want %d", got, err, cpu)
		}
	}
}

func TestAffinityRefusesWhatIsNoCPU(t *testing.T) {
	for _, cpus := range [][]int{nil, {-1}, {affinityCPUs}, {affinityCPUs - 1}} {
		if err := SetAffinity(cpus); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%v: %v, want EINVAL", cpus, err)
		}
	}
}

func TestSchedulingReadsBackWhatWasSet(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := ThreadScheduling()
	if err != nil {
		t.Fatal(err)
	}
	if err := FIFO(3).Apply(); errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_NICE")
	} else if err != nil {
		t.Fatal(err)
	}
	during, err := ThreadScheduling()
	if err != nil || !during.Realtime() || during.attr.Priority != 3 {
		t.Errorf("%+v, %v", during, err)
	}
	if err := before.Apply(); err != nil {
		t.Fatal(err)
	}
	if after, err := ThreadScheduling(); err != nil || after != before {
		t.Errorf("%+v, %v, want %+v", after, err, before)
	}
	if err := FIFO(100).Apply(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("priority 100: %v", err)
	}
}
