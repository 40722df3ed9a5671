package udp

import (
	"testing"
	"time"
)

func TestStampsTellHowLongMessagesWaited(t *testing.T) {
	b := newBed(t, SenderOptions{}, ReceiverOptions{Socket: Socket{Timestamps: true}}, nil)
	b.until("the first stamp", func() bool { // the kernel begins to stamp a little after it is asked to
		b.publish(1, 64)
		return b.recv.Waits(0).Messages > 0
	})
	b.until("all so far", func() bool { return uint64(len(b.got)) == b.pub.Seq()-1 })
	before := b.recv.Waits(0)
	for range 2 * quietAfter { // a line that is quiet is still asked for stamps
		b.step()
	}
	const pause = 20 * time.Millisecond
	b.publish(1, 64)
	_, err := b.send.Do()
	must(t, err)
	began := time.Now()
	for time.Since(began) < pause {
	}
	b.until("the last message", func() bool { return uint64(len(b.got)) == b.pub.Seq()-1 })
	after := b.recv.Waits(0)
	if after.Messages <= before.Messages || after.Max < pause || after.Mean <= 0 || after.Device != 0 {
		t.Errorf("%+v after a message that waited %s, %+v before", after, pause, before)
	}
	if off := newBed(t, SenderOptions{}, ReceiverOptions{}, nil).recv.Waits(0); off != (Waits{}) {
		t.Errorf("nobody asked, and yet %+v", off)
	}
}
