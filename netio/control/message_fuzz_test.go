package control

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/alphapulse/transport/netio/link"
)

func samplesOf() []message {
	return []message{
		{kind: beatKind, beat: beat{1, -2, 3}},
		{kind: rootKind, root: [rootIDSize]byte{1, 2}},
		{kind: keyKind, number: 3, secret: [secretSize]byte{4}, channel: "x"},
		{kind: tookKind, number: 1 << 63, channel: "a channel's name of forty bytes, no more"},
		{kind: turnedKind, number: 3, channel: "x"},
		{kind: endKind, reason: "closing"},
		{kind: endKind},
	}
}

func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	var b []byte
	for _, m := range samplesOf() {
		b = m.append(b)
	}
	r := bytes.NewReader(b)
	for _, want := range samplesOf() {
		if got, err := readMessage(r); err != nil || got != want {
			t.Errorf("%+v became %+v: %v", want, got, err)
		}
	}
	if _, err := readMessage(r); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestMessagesThatNoNodeSendsAreRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"too large":        {1, 2, 0, 0, 1, 0, 0, 0},
		"huge":             {0, 0, 0, 0x80, 1, 0, 0, 0},
		"kind 0":           {0, 0, 0, 0, 0, 0, 0, 0},
		"unknown kind":     {0, 0, 0, 0, 7, 0, 0, 0},
		"reserved":         {0, 0, 0, 0, 6, 0, 1, 0},
		"short beat":       {1, 0, 0, 0, 1, 0, 0, 0, 9},
		"negative hold":    append([]byte{24, 0, 0, 0, 1, 0, 0, 0}, append(make([]byte, 23), 0x80)...),
		"key of nothing":   append([]byte{40, 0, 0, 0, 3, 0, 0, 0}, make([]byte, 40)...),
		"channel too long": append([]byte{49, 0, 0, 0, 4, 0, 0, 0}, make([]byte, 49)...),
		"long farewell":    append([]byte{1, 1, 0, 0, 6, 0, 0, 0}, make([]byte, 257)...),
	} {
		if m, err := readMessage(bytes.NewReader(b)); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	whole := (&message{kind: keyKind, number: 1, channel: "x"}).append(nil)
	for n := range len(whole) {
		if _, err := readMessage(bytes.NewReader(whole[:n])); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes of a message: %v", n, err)
		}
	}
}

// FuzzMessages has a peer send anything after its greeting. What is taken is said again as it was understood, and nothing it says makes this
// node send more than one answer for it.
func FuzzMessages(f *testing.F) {
	var all []byte
	for _, m := range samplesOf() {
		all = m.append(all)
		f.Add(m.append(nil))
	}
	f.Add(all)
	f.Add((&message{kind: turnedKind, number: 1, channel: "x"}).append((&message{kind: keyKind, number: 1, channel: "x"}).append(nil)))
	groups, err := NewGroups(GroupOptions{Channels: []string{"y"}})
	if err != nil {
		f.Fatal(err)
	}
	said := link.Greeting{Node: "a", Channels: []link.Contract{takes("x"), sends("y")}}
	o := &Options{Node: "a", Groups: groups, Clock: func() int64 { return 1 }}
	f.Fuzz(func(t *testing.T, b []byte) {
		keys := 0
		mine := *o
		mine.Events = func(e Event) {
			if e.Kind == Key {
				keys++
			}
		}
		s := &session{o: &mine, mine: said, link: newLink(&mine, "b"), agreed: map[string]bool{"x": true, "y": true}, held: map[string]uint64{}, out: make(chan message, waiting), stop: make(chan struct{})}
		r := bytes.NewReader(b)
		for {
			before := len(b) - r.Len()
			m, err := readMessage(r)
			if err != nil {
				break
			}
			if again := m.append(nil); !bytes.Equal(again, b[before:len(b)-r.Len()]) {
				t.Fatalf("%x became %x", b[before:len(b)-r.Len()], again)
			}
			if s.heard(&m) != nil {
				break
			}
		}
		if len(s.out) != min(keys, waiting) {
			t.Fatalf("%d answers to %d keys", len(s.out), keys)
		}
	})
}
