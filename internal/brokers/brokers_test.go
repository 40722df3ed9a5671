package brokers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("BROKERS_TEST_LEAVES") != "" {
		b, err := Redis("")
		fmt.Println(b.Pid(), err)
		os.Exit(0) // without Stop
	}
	goleak.VerifyTestMain(m)
}

func started(t *testing.T, start func(string) (*Broker, error), dir string) *Broker {
	t.Helper()
	b, err := start(dir)
	if errors.Is(err, ErrMissing) || errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func probe(b *Broker) error {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	return b.recipe.probe(ctx, b.Addr())
}

func TestEachKindIsKilledPausedAndStartedAgain(t *testing.T) {
	for name, start := range map[string]func(string) (*Broker, error){"redis": Redis, "rabbitmq": RabbitMQ,
		"kafka": func(dir string) (*Broker, error) { return Kafka(dir) }} {
		t.Run(name, func(t *testing.T) {
			b := started(t, start, "")
			addr, dir := b.Addr(), b.Dir
			if err := b.Pause(); err != nil {
				t.Fatal(err)
			}
			if probe(b) == nil {
				t.Error("it answers while it is paused")
			}
			if err := b.Resume(); err != nil {
				t.Fatal(err)
			}
			if err := b.Kill(); err != nil {
				t.Fatal(err)
			}
			if probe(b) == nil {
				t.Error("it answers though it was killed")
			}
			if err := b.Start(); err != nil {
				t.Fatal(err)
			}
			err := probe(b)
			for end := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(end); { // it is up, and busy
				err = probe(b)
			}
			if b.Addr() != addr || b.Dir != dir || err != nil {
				t.Errorf("%s in %s, and was %s in %s: %v", b.Addr(), b.Dir, addr, dir, err)
			}
			pid := b.Pid()
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || groupLives(pid) {
				t.Errorf("stopped, and left something: %v, lives %t", err, groupLives(pid))
			}
		})
	}
}

func TestWhatAKilledProcessLeftIsSwept(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.Create(filepath.Join(t.TempDir(), "held"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	cmd := exec.Command(exe)
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), "BROKERS_TEST_LEAVES=1"), []*os.File{held}
	out, err := cmd.Output()
	var pid int
	if _, e := fmt.Sscan(string(out), &pid); err != nil || e != nil || startOf(pid) == 0 {
		t.Fatalf("%s: %v, %v", out, err, e)
	}
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(open) == 0 {
		t.Error(open, err)
	}
	for _, fd := range open { // a lock that its owner inherited would live as long as the broker
		if to, err := os.Readlink(fd); err == nil && to == held.Name() {
			t.Errorf("it inherited %s", to)
		}
	}
	sweep()
	for end := time.Now().Add(10 * time.Second); groupLives(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it still runs")
		}
	}
}

func TestForeignBrokerIsLeftAlone(t *testing.T) {
	t.Setenv("PULSE_REDIS", "redis://127.0.0.1:1")
	b, err := Use(KindRedis)
	if err != nil || b.Private() || b.URL != "redis://127.0.0.1:1" {
		t.Fatal(b, err)
	}
	for _, err := range []error{b.Kill(), b.Pause(), b.Resume(), b.Start(), b.Keep()} {
		if !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	}
	if err := b.Stop(); err != nil {
		t.Error(err)
	}
}

func TestBrokerThatDoesNotComeUpSaysWhy(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "appendonlydir"), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Redis(dir); err == nil {
		t.Error(b.Stop(), "it runs")
	} else {
		t.Log(err)
	}
}

func ExampleUse() {
	b, err := Use(KindRedis)
	if err != nil { // not installed here
		return
	}
	defer func() { _ = StopAll() }()
	fmt.Println(len(b.URL) > 0)
}

func ExampleRunning() {
	for _, n := range Running() {
		_ = fmt.Sprint(n.Kind, n.URL, n.Dir, n.Pid)
	}
}

func ExampleBroker() {
	b, err := Redis("")
	if err != nil {
		return
	}
	fmt.Println(b.Kill() == nil && b.Start() == nil && b.Stop() == nil)
}

func TestKafkaWithoutJavaOrMavenSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if b, err := Kafka(""); !errors.Is(err, ErrMissing) && !errors.Is(err, errors.ErrUnsupported) {
		t.Error(b, err)
	}
	if dir, err := KafkaJars(t.Context()); !errors.Is(err, ErrMissing) {
		t.Error(dir, err)
	}
}

func TestMavenThatFailsLeavesNothingBehind(t *testing.T) {
	bin, cache := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "mvn"), []byte("#!/bin/sh\necho no way there\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", cache)
	if dir, err := KafkaJars(t.Context()); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "no way there") {
		t.Error(dir, err)
	}
	if left, err := os.ReadDir(filepath.Join(cache, "pulse", "kafka")); len(left) != 0 || err != nil {
		t.Error(left, err)
	}
}
