package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alphapulse/transport/examples"
)

// runRoot runs the program's command line and returns what it printed and its exit code.
func runRoot(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ran = false
	var out bytes.Buffer
	c := newRoot()
	c.SetArgs(args)
	c.SetOut(&out)
	err := c.Execute()
	var coded *exitError
	switch {
	case err == nil:
		return out.String(), 0
	case errors.As(err, &coded):
		return out.String(), coded.code
	}
	return out.String(), exitUsage
}

func topologyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "topology.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const risky = "channels: {a: {compression: lz4, message_size: 64B}}\n"

func TestValidateEndsWithTheCodeOfWhatItFound(t *testing.T) {
	good := topologyFile(t, "transport_config: {a: {mode: auto}}\n")
	warned := topologyFile(t, risky)
	wrong := topologyFile(t, "transport_config: {a: {mode: driect}}\n")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"validate", good}, 0, ""},
		{[]string{"validate", warned}, 0, "small-packed"},
		{[]string{"validate", "--strict", warned}, exitCheck, "small-packed"},
		{[]string{"validate", good, wrong}, exitCheck, "did you mean direct?"},
		{[]string{"validate", filepath.Join(t.TempDir(), "none.yaml")}, exitUsage, "unreadable"},
		{[]string{"validate"}, exitUsage, ""},
		{[]string{"validate", "-o", "xml", good}, exitUsage, ""},
		{[]string{"validate", "--effective", good}, 0, "# transport_config, "},
		{[]string{"schema", "x"}, exitUsage, ""},
		{[]string{"init"}, exitUsage, ""},
		{[]string{"init", "nothing"}, exitUsage, ""},
	} {
		out, code := runRoot(t, c.args...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%q: exit code %d, not %d; printed %q", c.args, code, c.code, out)
		}
	}
}

func TestValidateSpeaksToPrograms(t *testing.T) {
	file := topologyFile(t, risky)
	for format, key := range map[string]string{"json": "findings", "sarif": "runs"} {
		out, _ := runRoot(t, "validate", "-o", format, file)
		var v map[string]any
		if err := json.Unmarshal([]byte(out), &v); err != nil || v[key] == nil {
			t.Errorf("%s: %v in %q", format, err, out)
		}
	}
}

func TestInitPrintsWhatValidates(t *testing.T) {
	for _, name := range examples.Names() {
		path := filepath.Join(t.TempDir(), "new.yaml")
		if _, code := runRoot(t, "init", name, path); code != 0 {
			t.Fatalf("%s: exit code %d", name, code)
		}
		if out, code := runRoot(t, "validate", "--strict", path); code != 0 {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
		if _, code := runRoot(t, "init", name, path); code != exitUsage {
			t.Errorf("%s: an existing file: exit code %d", name, code)
		}
		printed, _ := runRoot(t, "init", name)
		if written, err := os.ReadFile(path); err != nil || string(written) != printed {
			t.Errorf("%s: the file is not what is printed: %v", name, err)
		}
	}
}

func TestSchemaIsJSON(t *testing.T) {
	out, code := runRoot(t, "schema")
	if code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("exit code %d, %d bytes", code, len(out))
	}
}
