package prom

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const (
	monitoring = "../../../monitoring"
	docs       = "../../../docs"
)

// ruleFile is what matters here of a file of rules.
type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Record, Alert, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func rules(t *testing.T) (f ruleFile) {
	t.Helper()
	text := textOf(t, filepath.Join(monitoring, "pulse.rules.yml"))
	if err := yaml.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func textOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// promtool checks what it is given.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("no promtool: scripts/setup.sh monitor")
	}
	if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

func TestEachAlertFiresAndClears(t *testing.T) {
	promtool(t, "check", "rules", filepath.Join(monitoring, "pulse.rules.yml"))
	promtool(t, "test", "rules", filepath.Join(monitoring, "pulse.rules.test.yml"))
	promtool(t, "check", "config", filepath.Join(monitoring, "prometheus.yml"))
	tests := textOf(t, filepath.Join(monitoring, "pulse.rules.test.yml"))
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			fires := strings.Contains(tests, "- alertname: "+r.Alert+"\n")
			clears := strings.Contains(tests, "{ alertname: "+r.Alert+", eval_time: 5m, exp_alerts: [] }") ||
				strings.Contains(tests, "{ alertname: "+r.Alert+", eval_time: 15m, exp_alerts: [] }")
			if r.Alert != "" && (!fires || !clears) {
				t.Errorf("no test has %s fire and clear", r.Alert)
			}
		}
	}
}

var heading = regexp.MustCompile(`(?m)^## (Pulse\w+)$`)

func TestEachAlertHasItsPlaceInTheRunbook(t *testing.T) {
	var sections, alerts []string
	for _, m := range heading.FindAllStringSubmatch(textOf(t, filepath.Join(docs, "runbook.md")), -1) {
		sections = append(sections, m[1])
	}
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				continue
			}
			alerts = append(alerts, r.Alert)
			a := r.Annotations
			if a["runbook_url"] != "docs/runbook.md#"+strings.ToLower(r.Alert) || a["summary"] == "" || a["description"] == "" {
				t.Errorf("%s: %v", r.Alert, a)
			}
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
		}
	}
	if !slices.Equal(sections, alerts) {
		t.Errorf("the runbook has %q\nthe rules have %q", sections, alerts)
	}
}

var metricName = regexp.MustCompile(`\bpulse_[a-z0-9_]+`)

// TestEveryMetricNamedExists: in rules, tests of rules, dashboard and docs.
func TestEveryMetricNamedExists(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pulse.rules.yml", "pulse.rules.test.yml", "grafana/pulse.json"} {
		files = append(files, filepath.Join(monitoring, name))
	}
	seen := 0
	for _, file := range files {
		for _, name := range metricName.FindAllString(textOf(t, file), -1) {
			seen++
			_, ok := Find(name)
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if whole, cut := strings.CutSuffix(name, part); cut && !ok {
					_, ok = Find(whole)
				}
			}
			if !ok {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d names: the pattern is blind", seen)
	}
}

var recorded = regexp.MustCompile(`\bpulse:[a-z0-9_:]+`)

// TestTheDashboardAsksWhatPrometheusUnderstands: promtool has no check for expressions, so each is made a rule. Variables get values first.
func TestTheDashboardAsksWhatPrometheusUnderstands(t *testing.T) {
	var d struct {
		SchemaVersion int
		Templating    struct{ List []struct{ Name, Type string } }
		Panels        []struct {
			ID         int
			Type       string
			Title      string
			Datasource struct{ UID string }
			Targets    []struct{ Expr string }
			GridPos    struct{ H, W, X, Y int }
		}
	}
	if err := json.Unmarshal([]byte(textOf(t, filepath.Join(monitoring, "grafana/pulse.json"))), &d); err != nil {
		t.Fatal(err)
	}
	if d.SchemaVersion != 39 || len(d.Templating.List) == 0 || d.Templating.List[0].Type != "datasource" {
		t.Errorf("schema %d, variables %+v", d.SchemaVersion, d.Templating.List)
	}
	records := map[string]bool{}
	for _, g := range rules(t).Groups {
		for _, r := range g.Rules {
			records[r.Record] = true
		}
	}
	values := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$channel", ".*", "$hop", ".*")
	ids, rows, heat := map[int]bool{}, 0, 0
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: its number is another's, or it is too wide", p.ID, p.Title)
		}
		ids[p.ID] = true
		switch p.Type {
		case "row":
			rows++
			continue
		case "heatmap":
			heat++
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%q asks %q %d things", p.Title, p.Datasource.UID, len(p.Targets))
		}
		for i, target := range p.Targets {
			expr := values.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%q: a variable that is none in %s", p.Title, expr)
			}
			for _, name := range recorded.FindAllString(expr, -1) {
				if !records[name] {
					t.Errorf("%q: no rule records %s", p.Title, name)
				}
			}
			fmt.Fprintf(&b, "  - { record: 'dashboard:%d:%d', expr: '%s' }\n", p.ID, i, strings.ReplaceAll(expr, "'", "''"))
		}
	}
	if rows != 7 || heat != 2 {
		t.Errorf("%d rows, %d heatmaps", rows, heat)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}
