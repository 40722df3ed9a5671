package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretIsReadAsWritten(t *testing.T) {
	s, path := NewSecret(), filepath.Join(t.TempDir(), "secret")
	if err := s.Write(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != secretDigits+1 {
		t.Fatal(info.Mode(), info.Size(), err)
	}
	got, err := LoadSecret(path)
	if err != nil || **got.b != **s.b {
		t.Fatal(err)
	}
	if err := NewSecret().Write(path); !errors.Is(err, fs.ErrExist) || !errors.Is(err, ErrSecret) {
		t.Errorf("overwritten: %v", err)
	}
	if again, err := LoadSecret(path); err != nil || **again.b != **s.b {
		t.Errorf("changed by a refused write: %v", err)
	}
	if err := (Secret{}).Write(path + "0"); !errors.Is(err, ErrSecret) {
		t.Errorf("the zero secret: %v", err)
	}
	for _, text := range []string{strings.Repeat("Ab", secretSize), strings.Repeat("0f", secretSize) + "\n"} {
		file := filepath.Join(t.TempDir(), "by hand")
		if err := os.WriteFile(file, []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
		if got, err := LoadSecret(file); err != nil || hex.EncodeToString((*got.b)[:]) != strings.ToLower(strings.TrimSpace(text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestUntrustworthySecretsAreRefusedWithTheRemedy(t *testing.T) {
	dir := t.TempDir()
	good := strings.Repeat("5a", secretSize) + "\n"
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		says string
	}{
		"group reads":   {good, 0o640, "chmod 600"},
		"group writes":  {good, 0o620, "chmod 600"},
		"group runs":    {good, 0o610, "chmod 600"},
		"others read":   {good, 0o604, "chmod 600"},
		"others write":  {good, 0o602, "chmod 600"},
		"empty":         {"", 0o600, "64 hex digits"},
		"short":         {good[2:], 0o600, "64 hex digits"},
		"long":          {good + "5", 0o600, "64 hex digits"},
		"very long":     {strings.Repeat(good, 1000), 0o600, "64 hex digits"},
		"two newlines":  {good + "\n", 0o600, "64 hex digits"},
		"no hex":        {strings.Replace(good, "a", "g", 1), 0o600, "hex digits"},
		"space in it":   {strings.Replace(good, "a", " ", 1), 0o600, "hex digits"},
		"CR LF":         {good[:secretDigits] + "\r\n", 0o600, "64 hex digits"},
		"65 hex digits": {good[:secretDigits] + "5", 0o600, "64 hex digits"},
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(c.text), 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		refusedSecret(t, path, c.says)
	}
	link, whole := filepath.Join(dir, "link"), filepath.Join(dir, "whole")
	if err := errors.Join(os.WriteFile(whole, []byte(good), 0o600), os.Symlink(whole, link)); err != nil {
		t.Fatal(err)
	}
	refusedSecret(t, link, "symbolic link")
	refusedSecret(t, dir, "no regular file")
	if _, err := LoadSecret(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrSecret) {
		t.Error(err)
	}
}

func refusedSecret(t *testing.T, path, says string) {
	t.Helper()
	_, err := LoadSecret(path)
	if !errors.Is(err, ErrSecret) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v; want the path and %q", err, says)
	}
	if err != nil && strings.Contains(err.Error(), "5a5a") {
		t.Error("the error quotes the secret")
	}
}

func TestSecretOfAnotherUserIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	path := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(NewSecret().Write(path), os.Chown(path, 12345, -1)); err != nil {
		t.Fatal(err)
	}
	refusedSecret(t, path, "belongs to user 12345")
}

func TestSecretDoesNotPrint(t *testing.T) {
	var b [secretSize]byte
	copy(b[:], bytes.Repeat([]byte{0xd1, 0x5c}, secretSize/2))
	s := SecretOf(b)
	e, err := newSealer(s, AES128GCM, sealedSession, Salt{}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := NewOpener(s, AES128GCM, sealedSession, Salt{}, Window{})
	if err != nil {
		t.Fatal(err)
	}
	inside := struct {
		Open   Secret
		hidden Secret
		list   []Secret
	}{s, s, []Secret{s}}
	master, err := e.schedule.master.bytes()
	if err != nil {
		t.Fatal(err)
	}
	traffic, err := e.schedule.bytes(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{s, &s, inside, &inside, *e, e, *o, o} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, part := range [][]byte{b[:4], master[:4], traffic[:4]} {
				for _, leak := range []string{fmt.Sprintf("%x", part), fmt.Sprintf("%d", part), fmt.Sprintf("%v", part),
					strings.Trim(fmt.Sprintf("%d", part), "[]"), fmt.Sprintf("%X", part), fmt.Sprintf("%#v", part), string(part)} {
					if strings.Contains(text, leak) {
						t.Fatalf("%s of %T shows %q", verb, v, leak)
					}
				}
			}
		}
	}
	if text, err := json.Marshal(inside); err != nil || string(text) != `{"Open":{}}` {
		t.Errorf("%s, %v", text, err)
	}
}
