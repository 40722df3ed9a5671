package topo

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Count is how many findings are errors and how many warnings.
func (fs Findings) Count() (errors, warnings int) {
	for _, f := range fs {
		if f.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// WriteText writes the findings for people, each with the line it is about and a caret below the place.
func (fs Findings) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", f.At, f.Severity, f.Message, f.Rule)
		if f.Excerpt != "" {
			line, caret := frame(f.Excerpt, f.At.Column, f.Width)
			fmt.Fprintf(&b, "%6d | %s\n       | %s\n", f.At.Line, line, caret)
		}
		if f.Remedy != "" {
			fmt.Fprintf(&b, "         %s\n", f.Remedy)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// jsonFinding is a finding as WriteJSON shows it.
type jsonFinding struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Rule     string `json:"rule"`
	Message  string `json:"message"`
	Remedy   string `json:"remedy,omitempty"`
	Excerpt  string `json:"excerpt,omitempty"`
}

// WriteJSON writes the findings as one object with the list and the counts.
func (fs Findings) WriteJSON(w io.Writer) error {
	all := []jsonFinding{}
	for _, f := range fs {
		excerpt := f.Excerpt
		if excerpt != "" {
			excerpt, _ = frame(excerpt, f.At.Column, f.Width)
		}
		all = append(all, jsonFinding{f.At.File, f.At.Line, f.At.Column, f.Severity.String(), f.Rule, f.Message, f.Remedy, excerpt})
	}
	errors, warnings := fs.Count()
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"findings": all, "errors": errors, "warnings": warnings})
}

// WriteSARIF writes the findings as SARIF 2.1.0, which code hosts show beside the lines.
func (fs Findings) WriteSARIF(w io.Writer) error {
	rules, results := []object{}, []object{}
	var ids []string
	for _, f := range fs {
		if !slices.Contains(ids, f.Rule) {
			ids = append(ids, f.Rule)
			rules = append(rules, object{"id": f.Rule, "shortDescription": object{"text": strings.ReplaceAll(f.Rule, "-", " ")}})
		}
		message := f.Message
		if f.Remedy != "" {
			message += "; " + f.Remedy
		}
		place := object{"artifactLocation": object{"uri": filepath.ToSlash(f.At.File)}}
		if f.At.IsValid() {
			place["region"] = object{"startLine": f.At.Line, "startColumn": f.At.Column, "endColumn": f.At.Column + max(f.Width, 1)}
		}
		results = append(results, object{"ruleId": f.Rule, "ruleIndex": slices.Index(ids, f.Rule), "level": f.Severity.String(),
			"message": object{"text": message}, "locations": []object{{"physicalLocation": place}}})
	}
	log := object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []object{{
			"tool":       object{"driver": object{"name": "pulse", "informationUri": "https://github.com/alphapulse/transport", "rules": rules}},
			"columnKind": "unicodeCodePoints",
			"results":    results,
		}},
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(log)
}
