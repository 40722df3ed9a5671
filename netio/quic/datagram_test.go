package quic

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/alphapulse/transport/seal"
)

// An envelope that is larger than a datagram is cut between frames, and its trace stays with the first.
func TestTraceStaysWithTheFirstDatagram(t *testing.T) {
	var run []byte
	for seq := uint64(5); seq < 45; seq++ {
		r := make([]byte, 64)
		binary.LittleEndian.PutUint64(r, 64|seq<<32)
		run = append(run, r...)
	}
	trace := bytes.Repeat([]byte{9}, seal.TraceSize)
	env := make([]byte, seal.HeaderSize)
	h := seal.Header{Kind: seal.Data, Traced: true, Channel: 1, Source: 2, Epoch: 3, Length: len(run) + seal.TraceSize, Seq: 5}
	h.Put(env)
	env = append(append(env, run...), trace...)
	var p split
	if rest := p.apart(env); len(rest) != 0 || len(p.datagrams) < 3 {
		t.Fatalf("%d datagrams, and %d bytes by the stream", len(p.datagrams), len(rest))
	}
	next := uint64(5)
	for i, d := range p.datagrams {
		var h seal.Header
		if err := h.Parse(d); err != nil || len(d) > room || h.Seq != next || h.Traced != (i == 0) {
			t.Fatalf("datagram %d: %+v of %d bytes: %v", i, h, len(d), err)
		}
		body := d[seal.HeaderSize:]
		if i == 0 {
			if !bytes.HasSuffix(body, trace) {
				t.Error("another trace")
			}
			body = body[:len(body)-seal.TraceSize]
		}
		n, err := seal.Records(body, h.Seq, 64)
		if err != nil {
			t.Fatalf("datagram %d: %v", i, err)
		}
		next += uint64(n)
	}
	if next != 45 {
		t.Errorf("%d frames", next-5)
	}
}
