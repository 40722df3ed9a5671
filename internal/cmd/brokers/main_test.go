package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alphapulse/transport/internal/brokers"
)

func TestUpStatusDown(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // notes of its own
	var out, notes strings.Builder
	if err := run([]string{"up", "redis"}, &out, &notes); err != nil {
		t.Fatal(err)
	}
	if notes.Len() > 0 {
		t.Skip(notes.String())
	}
	again := out.String()
	if !strings.HasPrefix(again, "export PULSE_REDIS=redis://127.0.0.1:") {
		t.Error(again)
	}
	out.Reset()
	if err := run([]string{"up", "redis"}, &out, &notes); err != nil || out.String() != again {
		t.Error(out.String(), err)
	}
	out.Reset()
	if err := run([]string{"status"}, &out, &notes); err != nil || !strings.Contains(out.String(), "until it is taken down") {
		t.Error(out.String(), err)
	}
	if err := run([]string{"down"}, &out, &notes); err != nil || len(brokers.Running()) != 0 {
		t.Error(brokers.Running(), err)
	}
	for _, args := range [][]string{nil, {"sideways"}, {"up", "carrier-pigeon"}} {
		if run(args, io.Discard, io.Discard) == nil {
			t.Error(args)
		}
	}
}
