package main

import (
	"encoding/json"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	_ "go.uber.org/goleak" // a module to find
)

// own is the bill of this test's own program.
func own(t *testing.T, epoch string) (*BOM, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Read(self, "1.2.3+x", epoch)
}

// TestEveryLinkedModuleIsInTheBill: what the running program says of itself is what the bill of its file says, and the bill has
// the fields that CycloneDX 1.6 requires, in their form.
func TestEveryLinkedModuleIsInTheBill(t *testing.T) {
	b, err := own(t, "1795876832")
	if err != nil {
		t.Fatal(err)
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Fatal("no build information")
	}
	for _, m := range info.Deps {
		if !slices.ContainsFunc(b.Components, func(c Component) bool { return c.Name == m.Path && c.Version == m.Version }) {
			t.Errorf("%s %s is not in the bill", m.Path, m.Version)
		}
	}
	if len(b.Components) != len(info.Deps)+1 || b.Components[0].Name != "std" {
		t.Errorf("%d components of %d modules", len(b.Components), len(info.Deps))
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	if fields["bomFormat"] != "CycloneDX" || fields["specVersion"] != "1.6" || fields["version"] != float64(1) {
		t.Errorf("%.120s", text)
	}
	if !regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(b.Serial) {
		t.Errorf("serial number %q", b.Serial)
	}
	if b.Metadata.Timestamp != "2026-11-28T14:40:32Z" {
		t.Errorf("time %q", b.Metadata.Timestamp)
	}
	if c := b.Metadata.Component; len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64 || !strings.HasSuffix(c.PURL, "@1.2.3%2Bx") {
		t.Errorf("the program is %+v", c)
	}
}

// TestReferencesOfTheBillAreUniqueAndKnown: a component is referred to by one name, and each name is a component's.
func TestReferencesOfTheBillAreUniqueAndKnown(t *testing.T) {
	b, err := own(t, "")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{b.Metadata.Component.Ref: true}
	for _, c := range b.Components {
		if known[c.Ref] || c.Name == "" || c.Type != "library" || !strings.HasPrefix(c.PURL, "pkg:golang/") {
			t.Errorf("component %+v", c)
		}
		known[c.Ref] = true
	}
	for _, d := range b.Dependencies {
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !known[ref] {
				t.Errorf("%s is nowhere", ref)
			}
		}
	}
	if len(b.Dependencies) != len(known) || len(b.Dependencies[0].DependsOn) != len(b.Components) {
		t.Errorf("%d dependencies of %d components", len(b.Dependencies), len(b.Components))
	}
}

func TestWhatIsNoProgramHasNoBill(t *testing.T) {
	if _, err := Read("bom.go", "1", ""); err == nil {
		t.Error("a bill of a text file")
	}
	if _, err := own(t, "now"); err == nil {
		t.Error("a bill at no time")
	}
}
