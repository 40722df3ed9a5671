// Package otel exports the spans of a node's traced frames by OpenTelemetry: OTLP over HTTP, to a collector or whatever takes it.
//
// A process of a node leaves a span in its ring for each hop of a traced frame (docs/trace.md). An Exporter reads the rings of all processes of
// the node's directory a few times a second, gives each span to the SDK with the ids and times that it has, and the SDK sends them in batches.
//
// # Limits
//
// Nobody waits for an Exporter. While it waits for a collector, rings go round, and what it did not read is counted as dropped; so is a batch that
// the collector did not take within a few seconds. After its end, spans wait in the rings for the next one, as long as there is room.
package otel
