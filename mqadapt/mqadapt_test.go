package mqadapt_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOptionsOfWorkersReportAllFaults(t *testing.T) {
	_, err := mqadapt.NewShipper(nil, mqadapt.ShipperOptions{Window: -1, Body: 7})
	for _, want := range []string{"without a channel", "window of -1", "envelopes of 7"} {
		if !errors.Is(err, mqadapt.ErrOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := mqadapt.NewTaker(nil, mqadapt.TakerOptions{Early: -1}); !errors.Is(err, mqadapt.ErrOptions) || !strings.Contains(err.Error(), "-1 early") {
		t.Error(err)
	}
}

// ended is a producer that ends after some envelopes.
type ended struct {
	putter
	left int
}

var errEnded = errors.New("link down for good")

func (e *ended) Put(batch []mqadapt.Envelope) (int, error) {
	if e.left--; e.left < 0 {
		return 0, errEnded
	}
	return e.putter.Put(batch[:1])
}

func TestShipperEndsWithItsProducerAndTheNextGoesOn(t *testing.T) {
	source, err := ring.Create(ring.Options{Heap: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := source.Writer()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := w.Claim(8); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(8); err != nil {
			t.Fatal(err)
		}
	}
	one := &ended{left: 4}
	s, err := mqadapt.NewShipper(one, mqadapt.ShipperOptions{Channel: "c", Separate: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add(source); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, errEnded) {
		t.Fatal(err)
	}
	if _, err := s.Do(); !errors.Is(err, errEnded) {
		t.Error(err)
	}
	if len(one.kept) != 4 || s.Idle() {
		t.Errorf("%d kept, %+v", len(one.kept), s.Stats())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Add(source); !errors.Is(err, ring.ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Do(); !errors.Is(err, mqadapt.ErrClosed) {
		t.Error(err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s, err := mqadapt.NewShipper(&putter{}, mqadapt.ShipperOptions{Channel: "c"})
	if err != nil {
		t.Fatal(err)
	}
	k, err := mqadapt.NewTaker(&getter{}, mqadapt.TakerOptions{Channel: "c"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer end()
	if err := errors.Join(s.Run(ctx), k.Run(ctx), s.Close(), k.Close()); err != nil {
		t.Error(err)
	}
}
