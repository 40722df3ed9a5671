package web_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// browser is a real one without a window, spoken to by the DevTools protocol over a pair of pipes. It knows no name and no network but this
// machine's, so that what it shows is what the page brought along.
type browser struct {
	*testing.T
	to      io.WriteCloser
	session string

	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	bad     []string
	urls    []string
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

func openBrowser(t *testing.T) *browser {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("PULSE_REQUIRE") != "" {
			t.Fatal("chromium is not there")
		}
		t.Skip("chromium is not there: apt-get install chromium")
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, back, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking", "--disable-component-update", "--no-first-run", "--window-size=1280,1320", "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, back} // its 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = theirs.Close(), back.Close() // ours of its ends
	b := &browser{T: t, to: ours, waiting: map[int]chan reply{}}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		b.hear(from)
	}()
	t.Cleanup(func() {
		_ = b.ask("Browser.close", nil, nil)
		gone := make(chan error, 1)
		go func() { gone <- cmd.Wait() }()
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-gone
		}
		_ = ours.Close()
		<-heard
		_ = from.Close()
	})
	return b
}

// hear takes what the browser says: answers, and what becomes of the page.
func (b *browser) hear(from io.Reader) {
	for r := bufio.NewReaderSize(from, 1<<20); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			b.mu.Lock()
			for id, w := range b.waiting {
				w <- reply{Error: &struct{ Message string }{"the browser is gone"}}
				delete(b.waiting, id)
			}
			b.mu.Unlock()
			return
		}
		var said struct {
			reply
			ID     int
			Method string
			Params struct {
				Type             string
				Args             []struct{ Value, Description any }
				ExceptionDetails any
				Entry            struct{ Level, Text, URL string }
				Request          struct{ URL string }
				ErrorText        string
				Canceled         bool
			}
		}
		if json.Unmarshal(text[:len(text)-1], &said) != nil {
			continue
		}
		b.mu.Lock()
		switch p := said.Params; said.Method {
		case "":
			if w := b.waiting[said.ID]; w != nil {
				w <- said.reply
				delete(b.waiting, said.ID)
			}
		case "Runtime.consoleAPICalled":
			b.bad = append(b.bad, fmt.Sprint(p.Type, " ", p.Args))
		case "Runtime.exceptionThrown":
			b.bad = append(b.bad, fmt.Sprint(p.ExceptionDetails))
		case "Log.entryAdded":
			b.bad = append(b.bad, p.Entry.Level+" "+p.Entry.Text+" "+p.Entry.URL)
		case "Network.requestWillBeSent":
			b.urls = append(b.urls, p.Request.URL)
		case "Network.loadingFailed":
			if !p.Canceled {
				b.bad = append(b.bad, p.ErrorText)
			}
		}
		b.mu.Unlock()
	}
}

// ask has the browser do something and waits for the answer.
func (b *browser) ask(method string, params map[string]any, result any) error {
	b.mu.Lock()
	b.next++
	id, answer := b.next, make(chan reply, 1)
	b.waiting[id] = answer
	b.mu.Unlock()
	call := map[string]any{"id": id, "method": method, "params": params}
	if b.session != "" {
		call["sessionId"] = b.session
	}
	text, err := json.Marshal(call)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	if err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return errors.New(method + ": " + r.Error.Message)
		}
		if result != nil {
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-time.After(30 * time.Second):
		return errors.New(method + ": no answer")
	}
}

// must is ask where nothing else makes sense.
func (b *browser) must(method string, params map[string]any, result any) {
	b.Helper()
	if err := b.ask(method, params, result); err != nil {
		b.Fatal(err)
	}
}

// visit opens a page.
func (b *browser) visit(url string) {
	b.Helper()
	var target struct{ TargetID string }
	b.must("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.must("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	b.session = session.SessionID
	for _, domain := range []string{"Runtime", "Log", "Network", "Page"} {
		b.must(domain+".enable", nil, nil)
	}
	b.must("Page.navigate", map[string]any{"url": url}, nil)
}

// until waits for an expression to hold on the page.
func (b *browser) until(expression string) {
	b.Helper()
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails any
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r.Result.Value, r.ExceptionDetails = nil, nil
		b.must("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &r)
		if r.Result.Value == true {
			return
		}
		if time.Now().After(end) {
			var page struct{ Result struct{ Value any } }
			b.must("Runtime.evaluate", map[string]any{"expression": "document.body.innerText", "returnByValue": true}, &page)
			b.Fatalf("never true: %s (%v %v)\n%v\n%v", expression, r.Result.Value, r.ExceptionDetails, page.Result.Value, b.complaints())
		}
	}
}

// picture is the page as a PNG.
func (b *browser) picture(scheme string) []byte {
	b.Helper()
	b.must("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	var shot struct{ Data string }
	b.must("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.Fatal(err)
	}
	return png
}

func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.bad)
}

// asked is every address that the page asked for.
func (b *browser) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.urls)
}
