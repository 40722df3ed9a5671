package examples_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alphapulse/transport/examples"
	"github.com/alphapulse/transport/route/topo"
)

func nothingSet(string) (string, bool) { return "", false }

func TestEveryExampleLoadsWithoutErrorsOrWarnings(t *testing.T) {
	if len(examples.Names()) < 5 {
		t.Fatal(examples.Names())
	}
	for _, name := range examples.Names() {
		text, err := examples.Text(name)
		if err != nil {
			t.Fatal(err)
		}
		tp, found := topo.Loader{Env: nothingSet}.Parse(name+".yaml", text)
		var b bytes.Buffer
		if err := found.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 0 {
			t.Errorf("%s", &b)
		}
		if len(tp.Nodes) == 0 || len(tp.Actors) == 0 || len(tp.Channels) == 0 {
			t.Errorf("%s: %d nodes, %d actors, %d channels", name, len(tp.Nodes), len(tp.Actors), len(tp.Channels))
		}
		if !bytes.HasPrefix(text, []byte("# ")) || bytes.Count(text, []byte("#")) < 3 {
			t.Errorf("%s: an example explains itself", name)
		}
	}
}

func TestEveryFileIsEmbedded(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, yaml := strings.CutSuffix(e.Name(), ".yaml")
		if _, err := examples.Text(name); yaml && err != nil {
			t.Error(err)
		}
	}
}

func TestUnknownExampleNamesTheKnown(t *testing.T) {
	if _, err := examples.Text("../doc"); err == nil || !strings.Contains(err.Error(), "single_host") {
		t.Error(err)
	}
}

func ExampleText() {
	text, err := examples.Text("single_host")
	if err != nil {
		fmt.Println(err)
		return
	}
	t, found := topo.Loader{}.Parse("single_host.yaml", text)
	fmt.Println(found.Err(), len(t.Actors), "actors on", t.Nodes[0].Name)
	// Output: <nil> 3 actors on here
}
