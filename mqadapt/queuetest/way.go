package queuetest

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
	"github.com/alphapulse/transport/seal/pack"
)

// way is ring → queue → mirror, all of it on the test's own goroutine.
type way struct {
	*bench
	dir      string
	ring     *ring.Ring
	writer   *ring.Writer
	sent     uint64
	size     func(seq uint64) int
	link     func(mqadapt.Producer) mqadapt.Producer
	ship     mqadapt.ShipperOptions
	take     mqadapt.TakerOptions
	capacity int // of the mirror
	shipper  *mqadapt.Shipper
	taker    *mqadapt.Taker
	refused  []error

	mirror *ring.Ring
	reader *ring.Reader
	got    uint64
	lost   uint64
}

func newWay(b *bench, capacity int) *way {
	w := &way{bench: b, dir: b.TempDir(), size: func(seq uint64) int { return 16 + int(seq*37%400) },
		link: func(p mqadapt.Producer) mqadapt.Producer { return p }}
	var err error
	if w.ring, err = ring.Create(ring.Options{Path: filepath.Join(w.dir, "source.ring"), Capacity: capacity}); err != nil {
		b.Fatal(err)
	}
	if w.writer, err = w.ring.Writer(); err != nil {
		b.Fatal(err)
	}
	w.ship.Channel, w.take.Channel = channelName, channelName
	w.take.Refused = func(_ mqadapt.Delivery, why error) error {
		w.refused = append(w.refused, why)
		return nil
	}
	b.Cleanup(func() {
		w.stopShipper()
		w.stopTaker()
		if w.reader != nil {
			if err := errors.Join(w.reader.Close(), w.mirror.Close()); err != nil {
				b.Error(err)
			}
		}
		if err := errors.Join(w.writer.Close(), w.ring.Close()); err != nil {
			b.Error(err)
		}
	})
	return w
}

func (w *way) startShipper() {
	w.Helper()
	s, err := mqadapt.NewShipper(w.link(w.producer(w.queue())), w.ship)
	if err == nil {
		err = s.Add(w.ring)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.shipper = s
}

func (w *way) stopShipper() {
	if w.shipper != nil {
		if err := w.shipper.Close(); err != nil {
			w.Error(err)
		}
		w.shipper = nil
	}
}

func (w *way) startTaker() {
	w.Helper()
	w.take.Inbox = netio.InboxOptions{Dir: filepath.Join(w.dir, "mirrors"), Capacity: w.capacity, Opened: w.opened}
	t, err := mqadapt.NewTaker(w.consumer(w.queue(), "mirror"), w.take)
	if err != nil {
		w.Fatal(err)
	}
	w.taker = t
}

func (w *way) stopTaker() {
	if w.taker != nil {
		if err := w.taker.Close(); err != nil {
			w.Error(err)
		}
		w.taker = nil
	}
}

// opened attaches the test's reader before the first frame is in the mirror.
func (w *way) opened(r *ring.Ring) {
	if w.reader != nil {
		return
	}
	var err error
	if w.mirror, err = ring.Attach(r.Info().Path, ring.Options{}); err == nil {
		w.reader, err = w.mirror.Reader(ring.ReaderOptions{From: ring.Oldest})
	}
	if err != nil {
		w.Fatal(err)
	}
}

func fill(b []byte, seq uint64) {
	for i := range b {
		b[i] = byte(seq*31 + uint64(i))
	}
	binary.LittleEndian.PutUint64(b, seq)
}

// publish commits messages until the ring is full or the number is reached.
func (w *way) publish(to uint64) {
	w.Helper()
	for w.sent < to {
		b, err := w.writer.Claim(w.size(w.sent + 1))
		if errors.Is(err, ring.ErrFull) {
			return
		}
		if err == nil {
			fill(b, w.sent+1)
			err = w.writer.Commit(len(b))
		}
		if err != nil {
			w.Fatal(err)
		}
		w.sent++
	}
}

// read takes what is in the mirror, and holds it to being the next.
func (w *way) read(most int) {
	w.Helper()
	if w.reader == nil {
		return
	}
	batch := make([]ring.Record, most)
	n := w.reader.Peek(batch)
	for i, r := range batch[:n] {
		seq, want := w.reader.First()+uint64(i), make([]byte, w.size(w.reader.First()+uint64(i)))
		fill(want, seq)
		if string(want) != string(r.Payload()) {
			w.Fatalf("message %d is not what was published", seq)
		}
		if seq != w.got+1+(w.reader.Lost()-w.lost) {
			w.Fatalf("message %d where %d is due", seq, w.got+1)
		}
		w.got, w.lost = seq, w.reader.Lost()
	}
	if err := errors.Join(w.reader.Err(), w.reader.Release(n)); err != nil {
		w.Fatal(err)
	}
}

// step lets everybody do something.
func (w *way) step(to uint64) {
	w.Helper()
	w.publish(to)
	if w.shipper != nil {
		if _, err := w.shipper.Do(); err != nil {
			w.Fatal(err)
		}
	}
	if w.taker != nil {
		if _, err := w.taker.Do(); err != nil {
			w.Fatal(err)
		}
	}
	w.read(256)
}

// finish goes on until every message has come out, and nothing was lost, and all of it is accepted.
func (w *way) finish(to uint64) {
	w.Helper()
	w.until("all messages in the mirror", func() bool {
		w.step(to)
		return w.got == to && w.shipper.Idle()
	})
	if w.lost != 0 {
		w.Fatalf("%d lost", w.lost)
	}
}

func ringsComeOut(b *bench) {
	w := newWay(b, 64<<10)
	w.startTaker()
	w.startShipper()
	w.finish(5000)
	s, t := w.shipper.Stats(), w.taker.Stats()
	if s.Frames != 5000 || t.Frames != 5000 || s.Envelopes >= 5000 || s.Lost+t.Lost+s.Unknown+s.Rejected != 0 {
		b.Errorf("shipper %+v, taker %+v", s, t)
	}
}

func badLink(b *bench) {
	seed := uint64(time.Now().UnixNano())
	b.Logf("seed %d", seed)
	w := newWay(b, 64<<10)
	w.link = func(p mqadapt.Producer) mqadapt.Producer {
		return &flaky{Producer: p, rnd: rand.New(rand.NewPCG(seed, 1)), harm: 20}
	}
	w.ship.Separate = true
	w.startTaker()
	w.startShipper()
	w.finish(600)
	s, t := w.shipper.Stats(), w.taker.Stats()
	if s.Unknown == 0 || s.Rejected == 0 || t.Repeated == 0 || s.Lost+t.Lost != 0 {
		b.Errorf("shipper %+v, taker %+v", s, t)
	}
}

// sealedAndPacked: whatever is stolen from the queue, or put into it by who has not the secret, is of no use.
func sealedAndPacked(b *bench) {
	w := newWay(b, 256<<10)
	w.capacity = 256 << 10
	w.size = func(seq uint64) int { return 64 + int(seq%20)*1000 }
	w.ship.Body = min(mqadapt.DefaultBody, b.bed.Largest-seal.StoreOverhead) // and the largest travel in parts
	secret := seal.NewSecret()
	w.ship.Secret, w.take.Secret = &secret, &secret
	for _, c := range []*seal.Codec{&w.ship.Codec, &w.take.Codec} {
		var err error
		if *c, err = pack.New(pack.Options{Method: pack.LZ4}); err != nil {
			b.Fatal(err)
		}
	}
	p := w.producer(w.queue())
	b.put(p, envelope(w.ring.Info().Instance, 1, 100)) // forged: not sealed at all
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	w.startTaker()
	w.startShipper()
	w.finish(500)
	s, t := w.shipper.Stats(), w.taker.Stats()
	if s.Frames != 500 || t.Frames != 500 || t.Undecodable != 1 || len(w.refused) != 1 || !errors.Is(w.refused[0], mqadapt.ErrUndecodable) {
		b.Errorf("shipper %+v, taker %+v, %v", s, t, w.refused)
	}
	other := seal.NewSecret()
	w.stopTaker()
	w.take.Secret = &other
	w.startTaker()
	w.publish(510)
	b.until("what another secret does not open is refused", func() bool {
		_, shipped := w.shipper.Do()
		_, took := w.taker.Do()
		if err := errors.Join(shipped, took); err != nil {
			b.Fatal(err)
		}
		return w.taker.Stats().Undecodable > 0
	})
	if t := w.taker.Stats(); t.Frames != 0 {
		b.Errorf("%+v", t)
	}
}

// workersReplaced stops both sides without warning, as far as that is possible within a process: what is under way has no outcome, what is
// lent is not acknowledged.
func workersReplaced(b *bench) {
	seed := uint64(time.Now().UnixNano())
	b.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	w := newWay(b, 64<<10)
	w.startTaker()
	w.startShipper()
	for i := range uint64(30) {
		for range rnd.IntN(20) {
			w.step((i + 1) * 100)
		}
		if rnd.IntN(2) == 0 {
			w.stopShipper()
			w.startShipper()
		} else {
			w.stopTaker()
			w.startTaker()
		}
	}
	w.finish(3000)
}

func largeMessages(b *bench) {
	w := newWay(b, 4<<20)
	w.capacity = 4 << 20
	w.size = func(seq uint64) int { return 20 + int(seq%4)*150_000 }
	w.ship.Body = min(mqadapt.DefaultBody, b.bed.Largest)
	w.startTaker()
	w.startShipper()
	for i := range uint64(4) {
		for range 3 {
			w.step(i*10 + 10)
		}
		w.stopTaker() // amid the parts of one
		w.startTaker()
		w.step(i*10 + 10)
		w.stopShipper()
		w.startShipper()
	}
	w.finish(40)
	// A mirror that is too small for one gives it up, counted, and goes on.
	if t := w.taker.Stats(); t.TooLarge != 0 || len(w.refused) != 0 {
		b.Errorf("%+v, %v", t, w.refused)
	}
}

// refusing is a producer whose queue never takes one of its envelopes.
type refusing struct {
	mqadapt.Producer
	seq uint64
}

func (r *refusing) Put(batch []mqadapt.Envelope) (int, error) {
	for i, e := range batch {
		if e.Kind == seal.Data && e.Seq == r.seq {
			if i > 0 {
				return r.Producer.Put(batch[:i])
			}
			return r.Producer.Put([]mqadapt.Envelope{{Header: e.Header, Body: make([]byte, seal.MaxBody*2)}})
		}
	}
	return r.Producer.Put(batch)
}

func refusedIsTold(b *bench) {
	w := newWay(b, 64<<10)
	w.ship.Separate = true
	w.link = func(p mqadapt.Producer) mqadapt.Producer { return &refusing{p, 50} }
	w.startTaker()
	w.startShipper()
	w.until("all messages but one in the mirror", func() bool {
		w.step(100)
		return w.got == 100 && w.shipper.Idle()
	})
	if s := w.shipper.Stats(); w.lost != 1 || s.Refused != 1 || s.Lost != 1 || w.taker.Stats().Lost != 1 {
		b.Errorf("lost %d, shipper %+v, taker %+v", w.lost, s, w.taker.Stats())
	}
	if err := w.shipper.Trouble(); !errors.Is(err, mqadapt.ErrRefused) {
		b.Error(err)
	}
}

// tardy is a producer that rejects a source's first envelope the first time.
type tardy struct {
	flaky
	over bool
}

func (f *tardy) Put(batch []mqadapt.Envelope) (n int, err error) {
	for i := range batch {
		o := mqadapt.Outcome{Verdict: mqadapt.Rejected, Why: mqadapt.ErrFull}
		if batch[i].Seq > 1 || f.over {
			if o, err = f.through(batch[i : i+1]); err != nil {
				return n, err
			}
		}
		f.over = f.over || batch[i].Seq == 1
		f.pending = append(f.pending, o)
		n++
	}
	return n, nil
}

func firstComesFirst(b *bench) {
	w := newWay(b, 64<<10)
	w.ship.Separate = true
	w.link = func(p mqadapt.Producer) mqadapt.Producer {
		return &tardy{flaky: flaky{Producer: p, rnd: rand.New(rand.NewPCG(1, 3))}}
	}
	w.startTaker()
	w.startShipper()
	w.finish(100)
}

func poisonIsGivenUp(b *bench) {
	w := newWay(b, 64<<10)
	p := w.producer(w.queue())
	source := w.ring.Info().Instance
	foreign := envelope(source, 1, 100)
	foreign.Channel++
	beat := mqadapt.Envelope{Header: seal.Header{Kind: seal.Heartbeat, Channel: seal.ChannelID(channelName), Source: source, Epoch: 7, Seq: 1}}
	garbage := envelope(source, 1, 1000) // no records
	b.put(p, garbage, foreign, beat)
	if err := p.Close(); err != nil {
		b.Fatal(err)
	}
	w.startTaker()
	w.startShipper()
	w.finish(200)
	if t := w.taker.Stats(); t.Malformed != 1 || t.Foreign != 2 || len(w.refused) != 3 {
		b.Errorf("%+v, %v", t, w.refused)
	}
	w.stopTaker()
	w.startTaker() // they do not come again
	w.finish(300)
	if len(w.refused) != 3 {
		b.Errorf("%v", w.refused)
	}
}

func fullMirror(b *bench) {
	w := newWay(b, 64<<10)
	w.capacity = 16 << 10
	w.startTaker()
	w.startShipper()
	w.until("a full mirror", func() bool {
		w.publish(2000)
		if _, err := w.shipper.Do(); err != nil {
			b.Fatal(err)
		}
		if _, err := w.taker.Do(); err != nil {
			b.Fatal(err)
		}
		return w.taker.Stats().Full > 10
	})
	w.finish(2000)
	if t := w.taker.Stats(); t.Frames != 2000 || t.Repeated > 2000 {
		b.Errorf("%+v", t)
	}
}
