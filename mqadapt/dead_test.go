package mqadapt_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/netio"
	"github.com/alphapulse/transport/seal"
)

func TestDeadLettersAreKeptOrStayInTheQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.dead")
	q := &list{}
	for i := range 3 {
		q.kept = append(q.kept, bytes.Repeat([]byte{byte(i)}, 100))
	}
	dead, err := mqadapt.OpenDeadLetters(path, "orders", 600) // room for two
	if err != nil {
		t.Fatal(err)
	}
	c, _ := q.Consumer("")
	taker, err := mqadapt.NewTaker(c, mqadapt.TakerOptions{Channel: "orders", Inbox: netio.InboxOptions{Capacity: 64 << 10}, Refused: dead.Add})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := taker.Do(); !errors.Is(err, mqadapt.ErrFull) || !errors.Is(err, mqadapt.ErrMalformed) {
		t.Errorf("a full file: %v", err)
	}
	if q.acked == 3 {
		t.Error("what was not kept is acknowledged")
	}
	if err := errors.Join(taker.Close(), dead.Close()); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); n++ {
		var l mqadapt.DeadLetter
		if err := json.Unmarshal(s.Bytes(), &l); err != nil || l.Channel != "orders" || l.Position != uint64(n)+1 || !bytes.Equal(l.Envelope, q.kept[n]) ||
			l.Why == "" || l.Time.IsZero() {
			t.Errorf("%s: %v", s.Bytes(), err)
		}
	}
	if n != 2 {
		t.Errorf("%d letters", n)
	}
	if err := os.WriteFile(path, b[:len(b)-5], 0o600); err != nil { // as a full disk cuts it
		t.Fatal(err)
	}
	again, err := mqadapt.OpenDeadLetters(path, "orders", int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if b, _ := os.ReadFile(path); b[len(b)-1] != '\n' {
		t.Error("a line that was cut is not ended")
	}
	if err := again.Add(mqadapt.Delivery{}, seal.ErrMalformed); !errors.Is(err, mqadapt.ErrFull) {
		t.Errorf("what was there before does not count: %v", err)
	}
	if facts, err := os.Stat(path); err != nil || facts.Mode().Perm() != 0o600 {
		t.Error(facts, err)
	}
	if _, err := mqadapt.OpenDeadLetters(path, "orders", -1); !errors.Is(err, mqadapt.ErrOptions) {
		t.Error(err)
	}
}

// What nobody can read does not block a queue: it is written down, and the rest goes on.
func ExampleDeadLetters() {
	dir, _ := os.MkdirTemp("", "dead")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "orders.dead")
	dead, _ := mqadapt.OpenDeadLetters(path, "orders", 0)
	defer dead.Close()
	_ = dead.Add(mqadapt.Delivery{Envelope: []byte("?"), Position: 7}, mqadapt.ErrMalformed)

	b, _ := os.ReadFile(path)
	var l mqadapt.DeadLetter
	_ = json.Unmarshal(b, &l)
	fmt.Println(l.Position, l.Why, string(l.Envelope))
	// Output: 7 mqadapt: no envelope ?
}
