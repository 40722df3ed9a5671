package link

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/ring"
	"github.com/alphapulse/transport/seal"
)

// FuzzTake gives a peer that has greeted whatever a stranger may send.
func FuzzTake(f *testing.F) {
	hello := func(h seal.Header, body []byte) []byte {
		b := make([]byte, seal.HeaderSize, seal.HeaderSize+len(body))
		h.Length = len(body)
		h.Put(b)
		return append(b, body...)
	}
	id := seal.ChannelID("ticks")
	first := hello(seal.Header{Kind: seal.Heartbeat, Channel: id, Source: 7, Seq: 1}, nil)
	record := []byte{21, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o', 0, 0, 0}
	f.Add(first)
	f.Add(append(first, hello(seal.Header{Kind: seal.Data, Channel: id, Source: 7, Seq: 1}, record)...))
	f.Add(append(first, hello(seal.Header{Kind: seal.Fragment, Channel: id, Source: 7, Seq: 1}, append([]byte{0, 0, 0, 0, 21, 0, 0, 0}, record...))...))
	f.Add(append(first, hello(seal.Header{Kind: seal.Lost, Channel: id, Source: 7, Seq: 1}, []byte{9, 0, 0, 0, 0, 0, 0, 0})...))
	f.Add(hello(seal.Header{Kind: seal.Status, Channel: seal.ChannelID("orders"), Source: 7, Seq: 1}, make([]byte, 32)))
	f.Add(hello(seal.Header{Kind: seal.Beat}, make([]byte, 24)))
	f.Fuzz(func(t *testing.T, b []byte) {
		inbox := netio.InboxOptions{Capacity: 1 << 13, Sources: 2}
		p, err := NewPeer(Options{Node: "b", Start: 1, Channels: []Channel{
			{Contract: Contract{Name: "ticks", Takes: true, Largest: 800}, Inbox: inbox}, {Contract: Contract{Name: "orders", Sends: true, Largest: 800}}}})
		must(t, err)
		defer func() { must(t, p.Close()) }()
		r, err := ring.Create(ring.Options{Capacity: 1 << 13, Instance: 7})
		must(t, err)
		defer func() { must(t, r.Close()) }()
		must(t, p.Add("orders", r))
		defer func() { _, _ = p.Remove("orders", r) }()
		g, err := AppendGreeting(nil, Greeting{Node: "a", Start: 1, Channels: []Contract{{Name: "ticks", Sends: true, Largest: 800}, {Name: "orders", Takes: true, Largest: 800}}})
		must(t, err)
		p.Open(0)
		if n, _, err := p.Take(0, g); n != len(g) || err != nil {
			t.Fatal(n, err)
		}
		n, busy, err := p.Take(time.Millisecond, b)
		if n < 0 || n > len(b) || busy {
			t.Fatal(n, busy, err)
		}
		if err == nil && len(b)-n >= seal.HeaderSize+seal.MaxBody {
			t.Fatalf("%d bytes are left", len(b)-n)
		}
		for range 3 {
			pieces, _ := p.Fill(time.Millisecond)
			for _, piece := range pieces {
				p.Sent(len(piece))
			}
		}
	})
}

// What no node says ends the connection, and is counted with its reason.
func TestWhatNoNodeSaysEndsTheConnection(t *testing.T) {
	id, other := seal.ChannelID("ticks"), seal.ChannelID("orders")
	record := func(seq, size byte) []byte {
		b := make([]byte, (int(size)+7)&^7)
		b[0], b[4] = size, seq
		return b
	}
	say := func(h seal.Header, body []byte) []byte {
		h.Length = len(body)
		b := make([]byte, seal.HeaderSize)
		h.Put(b)
		return append(b, body...)
	}
	hello := say(seal.Header{Kind: seal.Heartbeat, Channel: id, Source: 7, Seq: 1}, nil)
	data := func(epoch uint32, seq uint64, body []byte) []byte {
		return say(seal.Header{Kind: seal.Data, Channel: id, Source: 7, Epoch: epoch, Seq: seq}, body)
	}
	part := func(offset, total byte, n int) []byte {
		return say(seal.Header{Kind: seal.Fragment, Channel: id, Source: 7, Seq: 1}, append([]byte{offset, 0, 0, 0, total, 0, 0, 0}, make([]byte, n)...))
	}
	for name, c := range map[string]struct {
		reason Reason
		bytes  [][]byte
	}{
		"no envelope":                   {Malformed, [][]byte{make([]byte, 64)}},
		"a length that none has":        {Malformed, [][]byte{append(bytes.Clone(hello[:20]), append([]byte{255, 255}, hello[22:]...)...)}},
		"frames before a heartbeat":     {Misplaced, [][]byte{data(1, 1, record(1, 20))}},
		"a heartbeat of no source":      {Malformed, [][]byte{say(seal.Header{Kind: seal.Heartbeat, Channel: id, Seq: 1}, nil)}},
		"records with another number":   {Malformed, [][]byte{hello, data(1, 1, record(2, 20))}},
		"a frame larger than agreed":    {Malformed, [][]byte{hello, data(1, 1, record(1, 120))}},
		"an earlier life":               {OldEpoch, [][]byte{hello, data(2, 1, record(1, 20)), data(1, 2, record(2, 20))}},
		"a hello":                       {Misplaced, [][]byte{say(seal.Header{Kind: seal.HelloKind, Channel: id, Source: 7, Seq: 1}, make([]byte, seal.HelloSize))}},
		"a status where nothing goes":   {Misplaced, [][]byte{say(seal.Header{Kind: seal.Status, Channel: id, Source: 7, Seq: 1}, make([]byte, seal.StatusSize))}},
		"frames where nothing is taken": {Misplaced, [][]byte{say(seal.Header{Kind: seal.Heartbeat, Channel: other, Source: 7, Seq: 1}, nil)}},
		"parts out of order":            {Malformed, [][]byte{hello, part(0, 60, 24), part(48, 60, 12)}},
		"parts of two sizes":            {Malformed, [][]byte{hello, part(0, 60, 24), part(24, 70, 24)}},
		"lost up to the end of all":     {Malformed, [][]byte{hello, say(seal.Header{Kind: seal.Lost, Channel: id, Source: 7, Seq: 1}, bytes.Repeat([]byte{255}, 8))}},
		"a beat that is none":           {Malformed, [][]byte{say(seal.Header{Kind: seal.Beat}, make([]byte, 8))}},
		"packed, where nothing is":      {Undecodable, [][]byte{hello, say(seal.Header{Kind: seal.Data, Codec: 1, Raw: 64, Channel: id, Source: 7, Seq: 1}, make([]byte, 8))}},
	} {
		p, err := NewPeer(Options{Node: "b", Channels: []Channel{{Contract: Contract{Name: "ticks", Takes: true, Largest: 100}},
			{Contract: Contract{Name: "orders", Sends: true, Largest: 100}}}})
		must(t, err)
		g, err := AppendGreeting(nil, Greeting{Node: "a", Start: 1, Channels: []Contract{{Name: "ticks", Sends: true, Largest: 100}, {Name: "orders", Takes: true, Largest: 100}}})
		must(t, err)
		p.Open(0)
		if _, _, err := p.Take(0, g); err != nil {
			t.Fatal(err)
		}
		_, busy, err := p.Take(0, bytes.Join(c.bytes, nil))
		if !errors.Is(err, ErrProtocol) || busy || p.Stats().Drops(c.reason) != 1 || !strings.Contains(err.Error(), c.reason.String()) {
			t.Errorf("%s: %v, %+v", name, err, p.Stats().Dropped)
		}
		must(t, p.Close())
	}
}
