package topo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hush = "correct-horse-battery"

func TestSecretIsNeverShown(t *testing.T) {
	dir := write(t, map[string]string{
		"key":    hush + "\n",
		"a.yaml": "queues: {redis: {password: '${file:key}', user: u}}\nchannels: {a: {secret: '${KEY}', encryption: chacha20_poly1305}}\n",
	})
	env := func(name string) (string, bool) { return hush, name == "KEY" }
	tp, found := Loader{Env: env}.Load(filepath.Join(dir, "a.yaml"))
	if len(found) > 0 {
		t.Fatal(report(found))
	}
	if tp.Queue(Redis).Password.Reveal() != hush || tp.Channels[0].Transport.Secret.Reveal() != hush {
		t.Fatal("the secrets are not there")
	}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&shown, verb+"\n", *tp)
		fmt.Fprintf(&shown, verb+"\n", tp.Queues[0].Password)
		fmt.Fprintf(&shown, verb+"\n", &tp.Channels[0].Transport.Secret)
	}
	if err := json.NewEncoder(&shown).Encode(tp); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "secret", tp.Queues[0].Password, "topology", tp)
	slog.New(slog.NewJSONHandler(&shown, nil)).Info("x", "secret", tp.Queues[0].Password, "topology", tp)
	if err := tp.WriteEffective(&shown); err != nil {
		t.Fatal(err)
	}
	if s := shown.String(); strings.Contains(s, hush) || strings.Contains(s, fmt.Sprintf("%x", hush)) {
		t.Errorf("a secret is shown in %.3000s", s)
	}
	if !strings.Contains(shown.String(), "${KEY}") {
		t.Error("where the secret came from is not shown")
	}
}

func TestSecretInTheFileIsRefusedAndNotShown(t *testing.T) {
	for _, text := range []string{
		"queues: {redis: {password: " + hush + "}}",
		"queues: {redis: {pasword: " + hush + "}}",
		"channels: {a: {secert: " + hush + "}}",
		"queues: {redis: {user: u, password: " + hush + ", colour: red}}",
		"queues:\n  redis:\n    password: >\n      some\n      " + hush + "\n    colour: red\n",
		"queues: {redis: {password: [" + hush + "]}}",
		"channels: {a: {secret: '${file:/x}" + hush + "'}}",
		"channels: {a: {secret: '${NONE:" + hush + "}'}}",
		"queues: {redis: {password: " + hush + "}",
		"actors: {a: {type: consumer, inputs: [c], state: {state_type: {Persistent: {storage_backend: {Database: {connection_string: x" + hush + ", bad: 1}}}}}}}",
	} {
		_, found := parse(text)
		var shown bytes.Buffer
		for _, write := range []func() error{func() error { return found.WriteText(&shown) }, func() error { return found.WriteJSON(&shown) },
			func() error { return found.WriteSARIF(&shown) }} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&shown, "%v %v", found, found.Err())
		if len(found) == 0 || strings.Contains(shown.String(), hush) {
			t.Errorf("%q: %s", text, &shown)
		}
	}
}

func TestSecretFileMustBeItsOwners(t *testing.T) {
	dir := write(t, map[string]string{"key": hush, "empty": "\n", "a.yaml": "queues: {redis: {password: '${file:key}'}}\n", "b.yaml": "queues: {redis: {password: '${file:empty}'}}\n",
		"c.yaml": "queues: {redis: {password: '${file:large}'}}\n", "large": strings.Repeat("x", maxSecret+1), "d.yaml": "queues: {redis: {password: '${file:.}'}}\n"})
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false} {
		if err := os.Chmod(filepath.Join(dir, "key"), mode); err != nil {
			t.Fatal(err)
		}
		_, found := Load(filepath.Join(dir, "a.yaml"))
		if good != (len(found) == 0) || !good && (found[0].Rule != "secret" || !strings.Contains(found[0].Remedy, "chmod 600 ")) {
			t.Errorf("mode %04o: %s", mode, report(found))
		}
	}
	for file, says := range map[string]string{"b.yaml": "is empty", "c.yaml": "more than", "d.yaml": "not a regular file"} {
		if _, found := Load(filepath.Join(dir, file)); len(found) != 1 || !strings.Contains(found[0].Message, says) {
			t.Errorf("%s: %s", file, report(found))
		}
	}
}

func TestSecretWithoutACipherIsOdd(t *testing.T) {
	env := func(string) (string, bool) { return hush, true }
	_, found := Loader{Env: env}.Parse("t.yaml", []byte("channels: {a: {secret: '${KEY}', encryption: tls}}"))
	if len(found) != 1 || found[0].Rule != "secret-unused" || found[0].Severity != Warning {
		t.Error(report(found))
	}
}
