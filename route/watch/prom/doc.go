// Package prom shows what a node's processes say of themselves to Prometheus, to whoever asks how the node does, and to profilers.
//
// A number's life: it lies in a stats file (package watch) until a scraper asks; then the files are read, each number becomes one sample with the
// label "process" beside its own, and histograms of nanoseconds become histograms of seconds, native and classic at once. Nothing happens between
// scrapes, and those that come within 100 ms of each other share one reading.
//
// Limits: 20 000 series of a scrape, a histogram being 26 of them; what does not fit is counted in pulse_scrape_left_out_series. Labels are
// channels, nodes, media, stripes, rings, readers, reasons and processes, all of which the topology bounds. No label is a message's.
package prom
