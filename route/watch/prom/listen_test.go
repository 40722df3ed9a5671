package prom

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASocketThatADeadProcessLeftIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "another process answers") {
		t.Errorf("taken from one that lives: %v", err)
	}
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := os.Stat(path); err != nil || s.Mode().Perm() != 0o600 {
		t.Error(s.Mode(), err)
	}
	if Open(l) {
		t.Error("a socket of files is open to all")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAFileThatIsNoSocketStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("dear"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:" + path); err == nil {
		t.Error("it listens on a file")
	}
	if b, err := os.ReadFile(path); string(b) != "dear" {
		t.Error(b, err)
	}
}

func TestListenersKnowWhetherOthersReachThem(t *testing.T) {
	for at, want := range map[string]bool{"127.0.0.1:0": false, "[::1]:0": false, "0.0.0.0:0": true, ":0": true} {
		l, err := Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		if Open(l) != want {
			t.Errorf("%s: %v", at, Open(l))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestServeAnswersUntilItsContextEnds(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, mounted(Of(t.TempDir()))) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	w, err := client.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(w.Body)
	if e := w.Body.Close(); err != nil || e != nil || !strings.Contains(string(text), "pulse_health_state") {
		t.Errorf("%v %s", err, text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := client.Get("http://" + l.Addr().String() + "/metrics"); err == nil {
		t.Error("it still answers")
	}
}
