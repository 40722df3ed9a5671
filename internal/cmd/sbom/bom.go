package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// BOM is a bill of materials, the fields of https://cyclonedx.org/docs/1.6/json that say something here.
type BOM struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     Metadata     `json:"metadata"`
	Components   []Component  `json:"components"`
	Dependencies []Dependency `json:"dependencies"`
}

// Metadata is about the bill and the program that it is of.
type Metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component Component `json:"component"`
}

// Component is the program, or a module in it.
type Component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl"`
	Hashes     []Hash     `json:"hashes,omitempty"`
	Properties []Property `json:"properties,omitempty"`
}

// Hash is of the component's file.
type Hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

// Property is what has no field: the checksum that go.sum has of a module is one of a tree, not of a file.
type Property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Dependency says what a component is made of. The linker does not write which module asked for which.
type Dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// Read makes the bill of the program in a file, as version, at an instant in seconds since 1970, empty for none.
func Read(program, version, epoch string) (*BOM, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	body, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	main := module("application", info.Main.Path, version)
	main.Name = path.Base(info.Path)
	main.Hashes = []Hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	for _, s := range info.Settings {
		main.Properties = append(main.Properties, Property{"go:build:" + s.Key, s.Value})
	}
	b := &BOM{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6",
		Serial: serial(sum), Version: 1, Metadata: Metadata{Component: main},
	}
	if epoch != "" {
		s, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("SOURCE_DATE_EPOCH is %q, not seconds since 1970", epoch)
		}
		b.Metadata.Timestamp = time.Unix(s, 0).UTC().Format(time.RFC3339)
	}
	b.Components = []Component{module("library", "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		b.Components = append(b.Components, linked(m))
	}
	all := Dependency{Ref: main.Ref}
	for _, c := range b.Components {
		all.DependsOn = append(all.DependsOn, c.Ref)
		b.Dependencies = append(b.Dependencies, Dependency{Ref: c.Ref})
	}
	b.Dependencies = append([]Dependency{all}, b.Dependencies...)
	return b, nil
}

// linked is the module whose code is in there, whatever it stands in for.
func linked(m *debug.Module) Component {
	for m.Replace != nil {
		m = m.Replace
	}
	c := module("library", m.Path, m.Version)
	if m.Sum != "" {
		c.Properties = []Property{{"go:sum", m.Sum}}
	}
	return c
}

// module names a Go module as package-url does: the version's plus sign is escaped, the path's slashes are not.
func module(kind, name, version string) Component {
	purl := "pkg:golang/" + name
	if version != "" {
		purl += "@" + url.QueryEscape(version)
	}
	return Component{Type: kind, Ref: purl, Name: name, Version: version, PURL: purl}
}

// serial is a UUID that follows from the program: version 8 of RFC 9562, made of its hash.
func serial(sum [sha256.Size]byte) string {
	u := sum[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
