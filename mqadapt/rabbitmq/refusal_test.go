package rabbitmq

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

func TestEachRefusalSaysWhatToDo(t *testing.T) {
	o := fresh(t, Options{})
	with := func(change func(*Options)) *Queue {
		c := o
		change(&c)
		return open(t, c)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := filepath.Join(t.TempDir(), "shown")
	if err := os.WriteFile(shown, []byte("guest\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func() error
		want error
		text string
	}{
		{"wrong password", func() error {
			_, err := with(func(o *Options) { o.User, o.PasswordFile = "guest", secret }).Producer()
			return err
		}, ErrAccess, "connection"},
		{"a password that others can read", func() error {
			_, err := with(func(o *Options) { o.User, o.PasswordFile = "guest", shown }).Producer()
			return err
		}, mqadapt.ErrOptions, "chmod 600"},
		{"missing exchange", func() error {
			_, err := with(func(o *Options) { o.Exchange = "nowhere" }).Producer()
			return err
		}, ErrMissing, "nowhere"},
		{"missing queue", func() error { _, err := with(func(*Options) {}).Consumer("other"); return err }, ErrMissing, "other"},
		{"queue with other arguments", func() error {
			_, err := with(func(o *Options) { o.MaxLength = 7 }).Consumer("g")
			return err
		}, ErrDiffers, "x-max-length"},
		{"provisioning over another queue", func() error {
			c := o
			c.Kind = Classic
			_, err := Provision(context.Background(), c, false)
			return err
		}, ErrDiffers, "x-queue-type"},
		{"nobody there", func() error {
			_, err := with(func(o *Options) { o.URL = "amqp://127.0.0.1:1/" }).Producer()
			return err
		}, ErrLink, "127.0.0.1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.do()
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, not %v with %q", err, c.want, c.text)
			}
			if strings.Contains(err.Error(), "guest@") || strings.Contains(err.Error(), "wrong") {
				t.Errorf("it tells a secret: %v", err)
			}
		})
	}
}

func TestBrokerOfAnotherKindOrVersionIsNamed(t *testing.T) {
	for _, c := range []struct {
		product, version string
		kind             Kind
		ok               bool
	}{
		{"RabbitMQ", "3.8.0", Quorum, true}, {"RabbitMQ", "4.1.2", Stream, true}, {"RabbitMQ", "3.10.8", Stream, true},
		{"RabbitMQ", "3.8.9", Stream, false}, {"RabbitMQ", "3.7.28", Quorum, false}, {"RabbitMQ", "new", Quorum, false}, {"Other", "9.0.0", Quorum, false},
	} {
		err := (&Options{URL: "amqp://host/", Kind: c.kind}).speaks(amqp.Table{"product": c.product, "version": c.version})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrVersion) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestWhatSpeaksAnotherProtocolEndsWithinPatience(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for says := "AMQP\x00\x01\x00\x00"; ; says = "" { // AMQP 1.0, then nothing at all
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = c.Write([]byte(says))
		}
	}()
	q := open(t, Options{URL: "amqp://" + l.Addr().String(), Name: "n", Patience: 100 * time.Millisecond})
	for range 2 {
		if _, err := q.Producer(); !errors.Is(err, ErrLink) && !errors.Is(err, ErrAccess) {
			t.Error(err)
		}
	}
}

func TestBadOptionsAreAllTold(t *testing.T) {
	_, err := Open(Options{URL: "http://x", Name: "a b", Groups: []string{"dead"}, Window: -1, Kind: 9, Heartbeat: 1, Cert: "c"})
	for _, part := range []string{"amqp://", "a b", `"dead"`, "window", "kind 9", "heartbeat", "Cert and Key"} {
		if !errors.Is(err, mqadapt.ErrOptions) || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestUnroutableEnvelopesAreRejectedUntilAQueueIsBound(t *testing.T) {
	o := fresh(t, Options{Groups: []string{}})
	p, err := open(t, o).Producer()
	if err != nil {
		t.Fatal(err)
	}
	put := func(seq uint64) mqadapt.Outcome {
		if n, err := p.Put([]mqadapt.Envelope{envelope(seq, 100)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		out, err := settle(t, p, 1)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	if got := put(1); got.Verdict != mqadapt.Rejected || !errors.Is(got.Why, ErrUnroutable) || errors.Is(got.Why, mqadapt.ErrRefused) {
		t.Fatalf("%s: %v", got.Verdict, got.Why)
	}
	later := o
	later.Groups = []string{"g"}
	if _, err := Provision(context.Background(), later, false); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		only := later
		only.Name, only.Exchange = o.Name, o.Name
		remove(t, only)
		if _, err := Provision(context.Background(), o, false); err != nil { // the other cleaning wants it there
			t.Error(err)
		}
	})
	if got := put(1); got.Verdict != mqadapt.Accepted {
		t.Fatalf("%s: %v", got.Verdict, got.Why)
	}
}

func TestDryProvisioningChangesNothing(t *testing.T) {
	o := Options{URL: broker(t).URL, Name: "pulse-dry", Groups: []string{"g"}}
	for range 2 {
		steps, err := Provision(context.Background(), o, true)
		if err != nil || len(steps) != 4 || !strings.Contains(steps[2], "queue pulse-dry.g (durable") {
			t.Fatalf("%q, %v", steps, err)
		}
	}
	made := fresh(t, Options{})
	if steps, err := Provision(context.Background(), made, true); err != nil || len(steps) != 1 || !strings.HasPrefix(steps[0], "bind") {
		t.Fatalf("%q, %v", steps, err)
	}
}

func TestTraceContextIsSaidAgainInTheHeader(t *testing.T) {
	body := make([]byte, 8+seal.TraceSize)
	for i := range seal.TraceSize {
		body[8+i] = byte(i + 1)
	}
	e := mqadapt.Envelope{Header: seal.Header{Kind: seal.Data, Traced: true}, Body: body}
	want := "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-19"
	if h := traceHeaders(&e); h[parentKey] != want {
		t.Errorf("%v", h)
	}
	if e.Traced = false; traceHeaders(&e) != nil {
		t.Error("a header without a trace")
	}
}
