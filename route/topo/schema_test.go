package topo

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

const published = "../../docs/topology.schema.json"

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("topology.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("topology.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is what an editor's schema checker sees of a YAML file.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Load(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsEveryGoodFile(t *testing.T) {
	s := compiled(t)
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "testdata/carriage.yaml", "testdata/older.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSchemaRefusesWhatTheDecoderRefuses(t *testing.T) {
	s := compiled(t)
	agree := 0
	for _, b := range badFiles {
		if !b.schemaAgrees {
			continue
		}
		agree++
		if s.Validate(asJSON(t, []byte(b.text))) == nil {
			t.Errorf("the schema takes %s", b.text)
		}
	}
	if agree < 25 {
		t.Errorf("only %d files are refused by both", agree)
	}
}

// A value the schema offers must be one the decoder takes: an editor must not lead anybody into an error.
func TestDecoderTakesEveryValueTheSchemaOffers(t *testing.T) {
	for _, f := range channelTable.fields {
		for _, word := range offered(f.value.schema(&schemas{object{}})) {
			_, found := parse("channels: {a: {" + f.key + ": " + word + "}}")
			for _, x := range found {
				if x.Rule == "bad-value" || x.Rule == "spelling" {
					t.Errorf("%s: %s: %s", f.key, word, x)
				}
			}
		}
	}
}

func offered(of object) (words []string) {
	if any, ok := of["anyOf"].([]any); ok {
		for _, one := range any {
			words = append(words, offered(one.(object))...)
		}
	}
	if enum, ok := of["enum"].([]any); ok {
		for _, w := range enum {
			if s, ok := w.(string); ok {
				words = append(words, s)
			}
		}
	}
	return words
}

// A key of the table is a key of the schema, with its description.
func TestSchemaHasEveryKey(t *testing.T) {
	var v struct {
		Defs map[string]struct {
			Properties map[string]struct{ Description string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &v); err != nil {
		t.Fatal(err)
	}
	for _, f := range channelTable.fields {
		for _, key := range append([]string{f.key}, f.also...) {
			if v.Defs["channel"].Properties[key].Description == "" {
				t.Errorf("channel: %s is not described", key)
			}
		}
	}
	if n := len(v.Defs["topology"].Properties); n != len(fileTable().fields) {
		t.Errorf("%d keys of a file", n)
	}
}

func TestPublishedSchemaIsThisOne(t *testing.T) {
	b, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, Schema()) {
		t.Errorf("%s is not what Schema gives: pulse schema > docs/topology.schema.json", published)
	}
	if !strings.Contains(string(b), "draft/2020-12") {
		t.Error("the draft is not named")
	}
}
