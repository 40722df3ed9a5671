package mqadapt

import (
	"context"
	"errors"
	"sync"

	"github.com/alphapulse/transport/netio"
)

// taking is a line whose queue is taken from.
type taking struct {
	hub   *Hub
	line  netio.QueueLine
	wrong *refused
	users []*user // under the hub's lock
	stop  context.CancelFunc
	done  sync.WaitGroup
	said  string // run's own
	ended error

	lives    lives[TakerStats]
	received timing
}

func newTaking(h *Hub, l netio.QueueLine, wrong *refused) *taking {
	ctx, stop := context.WithCancel(context.Background())
	t := &taking{hub: h, line: l, wrong: wrong, stop: stop}
	t.done.Go(func() { t.run(ctx) })
	return t
}

// run takes until ctx ends. A queue that fails is opened again, with a pause that doubles up to mostRetry.
func (t *taking) run(ctx context.Context) {
	for pause := leastRetry; ctx.Err() == nil; pause = min(2*pause, mostRetry) {
		worked, err := t.once(ctx)
		if worked {
			pause = leastRetry
		}
		if ctx.Err() != nil {
			t.ended = err
			return
		}
		t.hub.trouble(&t.said, &t.line, err)
		rest(ctx, pause)
	}
}

// once takes until something fails.
func (t *taking) once(ctx context.Context) (worked bool, err error) {
	q, err := t.hub.backend.Open(t.line)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, unlessClosed(q.Close())) }()
	codec, err := unpacker(&t.line)
	if err != nil {
		return false, err
	}
	c, err := q.Consumer(t.line.Group)
	if err != nil {
		return false, err
	}
	k, err := NewTaker(c, TakerOptions{Channel: t.line.Channel, Secret: t.line.Secret, Codec: codec, Inbox: netio.InboxOptions{Shared: t.line.Mirrors},
		Refused: t.wrong.add, Traced: t.hub.site.Traced, received: &t.received})
	if err != nil {
		return false, errors.Join(err, c.Close())
	}
	defer t.lives.begin(k.Stats)()
	defer func() { err = errors.Join(err, unlessClosed(k.Close())) }()
	t.hub.trouble(&t.said, &t.line, nil)
	err = k.Run(ctx)
	return k.Stats().Envelopes > 0, err
}

func (t *taking) end() error {
	t.stop()
	t.done.Wait()
	return t.ended
}
