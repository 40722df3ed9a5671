package prom

import (
	"slices"

	"github.com/alphapulse/transport/route/watch"
)

// Names of the metrics that a scrape adds to those of package watch.
const (
	Up            = "pulse_up"
	ProcessStart  = "pulse_process_start_time_seconds"
	StatsAge      = "pulse_stats_age_seconds"
	HealthState   = "pulse_health_state"
	HealthFaults  = "pulse_health_faults"
	LeftOut       = "pulse_scrape_left_out_series"
	UnreadFiles   = "pulse_scrape_unreadable_files"
	ofProcess     = "process"
	ofState       = "state"
	nodeIsProcess = "process " + watch.NodeProcess // as faults have it
)

var own = []watch.Metric{
	{Name: Up, Kind: watch.Gauge, Help: "1 while the process lives; 0: what is told of it are its last words.", Labels: []string{ofProcess}},
	{Name: ProcessStart, Kind: watch.Gauge, Help: "When the process began to tell, in seconds since 1970.", Labels: []string{ofProcess}},
	{Name: StatsAge, Kind: watch.Gauge, Help: "Seconds since the process last told anything; a live one does four times a second.", Labels: []string{ofProcess}},
	{Name: HealthState, Kind: watch.Gauge, Help: "1 for the state that the node is in: ok, degraded or failing; 0 for the others.", Labels: []string{ofState}},
	{Name: HealthFaults, Kind: watch.Gauge, Help: "Things that are not as they should be; /readyz names each.", Labels: []string{ofState}},
	{Name: LeftOut, Kind: watch.Gauge, Help: "Series for which a scrape has no room and which it does not tell.", Labels: nil},
	{Name: UnreadFiles, Kind: watch.Gauge, Help: "1 while a stats file of the node cannot be read: of another version, or cut short.", Labels: nil},
}

// Catalogue is every metric of a scrape: those of package watch, which have the label "process" besides, and those that a scrape adds.
func Catalogue() []watch.Metric { return slices.Concat(watch.Catalogue(), own) }

// Find is the metric of a name.
func Find(name string) (watch.Metric, bool) {
	i := slices.IndexFunc(own, func(m watch.Metric) bool { return m.Name == name })
	if i < 0 {
		return watch.Find(name)
	}
	return own[i], true
}
