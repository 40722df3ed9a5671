package udp

import (
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// TestBothEndsStartAgainWithoutLossOrRepeat restarts publisher, sender and receiver in turns; rings and mirrors have files.
func TestBothEndsStartAgainWithoutLossOrRepeat(t *testing.T) {
	secret := seal.NewSecret()
	for name, key := range map[string]*seal.Secret{"plain": nil, "sealed": &secret} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "out", "feed.0.ring")
			b := &bed{t: t}
			start := func() {
				r, err := ring.Open(ring.Options{Path: path})
				must(t, err)
				b.source = r
				b.pub, err = r.Writer()
				must(t, err)
			}
			receive := func() {
				b.mirrors, b.rings = nil, nil
				recv, err := NewReceiver(ReceiverOptions{Channel: "signals", Lines: []Listen{{Bind: anyPort()}}, Reliability: Repaired, Secret: key,
					Inbox: netio.InboxOptions{Dir: filepath.Join(dir, "in"), Opened: func(r *ring.Ring) {
						reader, err := r.Reader(ring.ReaderOptions{From: ring.Oldest, Name: "strategy", Durable: true})
						must(t, err)
						b.mirrors = append(b.mirrors, reader)
					}}})
				must(t, err)
				b.recv = recv
			}
			send := func() {
				s, err := NewSender(SenderOptions{Channel: "signals", Lines: []Dial{{To: b.recv.Local(0)}}, Reliability: Repaired, Secret: key})
				must(t, err)
				must(t, s.Add(b.source))
				b.send = s
			}
			stop := func() {
				for _, m := range b.mirrors {
					must(t, m.Close())
				}
				must(t, b.send.Close())
				must(t, b.recv.Close())
			}
			start()
			receive()
			send()
			total := uint64(0)
			for life := range 6 {
				b.publish(50, 100)
				total += 50
				if life%2 == 0 {
					b.until("delivery", func() bool { return uint64(len(b.got)) == total })
				} else {
					b.step() // some of it may be under way
				}
				stop()
				if life%3 == 2 {
					must(t, b.pub.Close())
					must(t, b.source.Close())
					start()
				}
				receive()
				send()
			}
			b.until("delivery", func() bool { return uint64(len(b.got)) == total })
			b.verify(1, total, false)
			stop()
			must(t, b.pub.Close())
			must(t, b.source.Close())
		})
	}
}
