package link

import (
	"bytes"
	"fmt"
	"testing"
)

// FuzzGreeting reads what a stranger says first. What is accepted is said again as it was understood.
func FuzzGreeting(f *testing.F) {
	b, err := AppendGreeting(nil, Greeting{Node: "ldn1", Start: 7, Channels: []Contract{contract("ticks")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add(b)
	f.Add(b[:20])
	f.Add(append(bytes.Clone(b), b...))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, n, err := ParseGreeting(b)
		if n < 0 || n > len(b) || n > GreetingHead+MaxGreeting || err != nil && n != 0 {
			t.Fatalf("%d of %d bytes, %v", n, len(b), err)
		}
		if n == 0 {
			return
		}
		again, err := AppendGreeting(nil, g)
		if err != nil {
			return // a greeting may be shorter by its spelling
		}
		g2, n2, err := ParseGreeting(again)
		if err != nil || n2 != len(again) || fmt.Sprint(g) != fmt.Sprint(g2) {
			t.Fatalf("%+v became %+v: %v", g, g2, err)
		}
	})
}
