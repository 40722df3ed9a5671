package redis

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

func TestOptionsNothingCanHaveAreAllNamed(t *testing.T) {
	_, err := Open(Options{Window: -1, Replicas: -1, DropOldest: true, User: "u", Cert: "c", Patience: 1})
	if !errors.Is(err, mqadapt.ErrOptions) {
		t.Fatal(err)
	}
	for _, want := range []string{"URL", "stream", "window", "patience", "replicas", "MaxLen", "password", "certificate"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := Open(Options{URL: "http://x", Stream: "s"}); !errors.Is(err, mqadapt.ErrOptions) {
		t.Error(err)
	}
}

func TestPasswordComesFromAFileOfItsOwnersAlone(t *testing.T) {
	b := private(t)
	set(t, client(t, b.URL), "requirepass", "sesame")
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chmod(file, mode)); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{URL: b.URL, Stream: "s", PasswordFile: file}
	refused := func(what string) {
		t.Helper()
		q, err := Open(o)
		if err == nil {
			t.Fatal(what, q.Close())
		}
		if !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("not %q: %v", what, err)
		}
	}
	write("sesame\n", 0o644)
	refused("chmod 600")
	write("barley\n", 0o600)
	refused("WRONGPASS")
	write("sesame\n", 0o600)
	put(t, bedProducer(t, bed(t, o)), 1, 10, 10)
	o.PasswordFile = ""
	refused("NOAUTH")
}

func bedProducer(t testing.TB, q *Queue) mqadapt.Producer {
	t.Helper()
	p, err := q.Producer()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bedConsumer(t testing.TB, q *Queue, group string) *consumer {
	t.Helper()
	c, err := q.Consumer(group)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*consumer)
}

func TestNobodyThereAnswersAtOnce(t *testing.T) {
	if _, err := Open(Options{URL: "redis://127.0.0.1:1", Stream: "s"}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
}

func TestKeyOfAnotherTypeIsLeftAlone(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh()}
	c := client(t, url)
	remove(t, url, o.Stream)
	ctx := context.Background()
	c.Set(ctx, o.Stream, "mine", 0)
	if _, err := Open(o); err == nil || !strings.Contains(err.Error(), "holds a string") {
		t.Fatal(err)
	}
	c.Del(ctx, o.Stream)
	q := bed(t, o)
	p, g := bedProducer(t, q), bedConsumer(t, q, "g")
	c.Set(ctx, o.Stream, "mine", 0) // behind our back
	if n, err := p.Put([]mqadapt.Envelope{envelope(1, 1, 10)}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if o := settle(t, p, 1)[0]; o.Verdict != mqadapt.Rejected || !strings.Contains(o.Why.Error(), "WRONGTYPE") {
		t.Error(o)
	}
	if _, err := p.Put([]mqadapt.Envelope{envelope(1, 1, 10)}); err == nil {
		t.Error("goes on putting")
	}
	if _, err := g.Get(make([]mqadapt.Delivery, 1), 0); err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Error(err)
	}
	if v := c.Get(ctx, o.Stream).Val(); v != "mine" {
		t.Errorf("%q", v)
	}
}

func TestStreamDeletedUnderUsIsSaidAndMadeAnew(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh()}
	remove(t, url, o.Stream)
	q := bed(t, o)
	p, c := bedProducer(t, q), bedConsumer(t, q, "g")
	put(t, p, 1, 10, 10)
	if n, err := c.Get(make([]mqadapt.Delivery, 4), time.Second); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	client(t, url).Del(context.Background(), o.Stream)
	if _, err := c.Get(make([]mqadapt.Delivery, 4), 0); err == nil || !strings.Contains(err.Error(), "deleted") {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, p, 11, 20, 10)
	c = bedConsumer(t, q, "g")
	batch := make([]mqadapt.Delivery, 16)
	n, err := c.Get(batch, time.Second)
	if err != nil || n != 10 {
		t.Fatal(n, err)
	}
	if got, err := numberOf(batch[0].Envelope); got != 11 || err != nil {
		t.Error(got, err)
	}
}

func TestServerWithoutMemorySaysFull(t *testing.T) {
	b := private(t)
	c := client(t, b.URL)
	o := Options{URL: b.URL, Stream: "s"}
	q := bed(t, o)
	p, g := bedProducer(t, q), bedConsumer(t, q, "g")
	put(t, p, 1, 3000, 1000)
	set(t, c, "maxmemory", "1mb")
	if n, err := p.Put([]mqadapt.Envelope{envelope(1, 3001, 1000)}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if o := settle(t, p, 1)[0]; o.Verdict != mqadapt.Rejected || !errors.Is(o.Why, mqadapt.ErrFull) {
		t.Fatal(o)
	}
	batch := make([]mqadapt.Delivery, 256) // and can be emptied
	for seq := uint64(1); seq <= 3000; {
		n, err := g.Get(batch, time.Second)
		if n == 0 || err != nil {
			t.Fatal(seq, err)
		}
		seq += uint64(n)
		if err := g.Ack(batch[n-1].Position); err != nil {
			t.Fatal(err)
		}
	}
	set(t, c, "maxmemory", "16mb")
	put(t, p, 3001, 3010, 1000)
}

func TestWeakerServerIsRefusedOrTold(t *testing.T) {
	b := private(t)
	c := client(t, b.URL)
	for _, s := range []struct {
		log, sync, policy string
		gives             mqadapt.Durability
	}{
		{"yes", "always", "noeviction", mqadapt.OS}, {"yes", "everysec", "noeviction", mqadapt.Process}, {"yes", "no", "volatile-lru", mqadapt.Process},
		{"no", "always", "noeviction", mqadapt.Memory}, {"yes", "always", "allkeys-lru", mqadapt.Memory},
	} {
		set(t, c, "maxmemory", "1gb")
		set(t, c, "appendonly", s.log)
		set(t, c, "appendfsync", s.sync)
		set(t, c, "maxmemory-policy", s.policy)
		for _, asked := range []mqadapt.Durability{mqadapt.Memory, mqadapt.Process, mqadapt.OS} {
			o := Options{URL: b.URL, Stream: "s", Durability: asked}
			rank := map[mqadapt.Durability]int{mqadapt.Memory: 0, mqadapt.Process: 1, mqadapt.OS: 2}
			enough := rank[s.gives] >= rank[asked] && s.policy != "allkeys-lru"
			q, err := Open(o)
			if enough != (err == nil) || !enough && !(errors.Is(err, ErrWeaker) && strings.Contains(err.Error(), "CONFIG SET")) {
				t.Errorf("%+v, asked for %s: %v", s, asked, err)
			}
			if err == nil {
				if err := q.Close(); err != nil {
					t.Fatal(err)
				}
			}
			o.Weaker = true
			if q, err = Open(o); err != nil || q.Durability() != s.gives {
				t.Fatal(s, asked, err)
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestServerThatTellsNothingIsNotTrusted(t *testing.T) {
	b := private(t)
	if err := client(t, b.URL).Do(context.Background(), "acl", "setuser", "default", "-config").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{URL: b.URL, Stream: "s"}); !errors.Is(err, ErrWeaker) || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
	bed(t, Options{URL: b.URL, Stream: "s", Durability: mqadapt.Memory})
	bed(t, Options{URL: b.URL, Stream: "s", Weaker: true})
}

func TestReplicasThatLackItMakeItUnknown(t *testing.T) {
	b, replica := private(t), private(t)
	set(t, client(t, b.URL), "repl-diskless-sync-delay", "0")
	o := Options{URL: b.URL, Stream: "s", Replicas: 1, Patience: 500 * time.Millisecond}
	p := bedProducer(t, bed(t, o))
	if n, err := p.Put([]mqadapt.Envelope{envelope(1, 1, 10)}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if o := settle(t, p, 1)[0]; o.Verdict != mqadapt.Unknown || !strings.Contains(o.Why.Error(), "0 of 1") {
		t.Fatal(o)
	}
	if err := client(t, replica.URL).Do(context.Background(), "replicaof", "127.0.0.1", strconv.Itoa(b.Ports[0])).Err(); err != nil {
		t.Fatal(err)
	}
	o.Patience = 20 * time.Second // a copy of everything comes first
	p = bedProducer(t, bed(t, o))
	for end := time.Now().Add(30 * time.Second); ; {
		if n, err := p.Put([]mqadapt.Envelope{envelope(1, 1, 10)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if settle(t, p, 1)[0].Verdict == mqadapt.Accepted {
			break
		}
		if time.Now().After(end) {
			t.Fatal("never accepted")
		}
	}
	put(t, p, 2, 50, 10)
	if n := client(t, replica.URL).XLen(context.Background(), "s").Val(); n < 50 {
		t.Errorf("the replica has %d", n)
	}
}

func TestVersionIsReadAndAnOldOneRefused(t *testing.T) {
	for text, want := range map[string][2]int{
		"# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:0\r\n": {7, 0}, "redis_version:255.255.255\n": {255, 255},
		"redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n": {7, 2},
	} {
		if v, err := versionOf(text); v != want || err != nil {
			t.Errorf("%q: %v, %v", text, v, err)
		}
	}
	for _, text := range []string{"", "redis_version:", "redis_version:x.1", "redis_version:-1.2", "version:7.0"} {
		if v, err := versionOf(text); err == nil {
			t.Errorf("%q: %v", text, v)
		}
	}
	if !older([2]int{5, 9}, oldest) || !older([2]int{6, 0}, oldest) || older([2]int{6, 2}, oldest) || older([2]int{10, 0}, oldest) {
		t.Error("versions are compared wrong")
	}
}

func TestTraceIsWhereOthersLookForIt(t *testing.T) {
	url := shared(t)
	o := Options{URL: url, Stream: fresh()}
	remove(t, url, o.Stream)
	e := envelope(1, 1, 100)
	e.Traced = true
	for i := range seal.TraceSize {
		e.Body[100-seal.TraceSize+i] = byte(i + 1)
	}
	p := bedProducer(t, bed(t, o))
	if n, err := p.Put([]mqadapt.Envelope{e, envelope(1, 2, 100)}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	settle(t, p, 2)
	all, err := client(t, url).XRange(context.Background(), o.Stream, "-", "+").Result()
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if got := all[0].Values[parentField]; got != "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-19" || len(all[1].Values) != 1 {
		t.Errorf("%v, %v", got, all[1].Values)
	}
}
