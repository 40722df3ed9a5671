package otel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/alphapulse/transport/internal/spans"
	"github.com/alphapulse/transport/seal"
)

// ErrOptions: options no Exporter can have. The text lists all faults.
var ErrOptions = errors.New("otel: options")

const (
	// DefaultEvery is how often spans are looked for.
	DefaultEvery = 250 * time.Millisecond

	patience = 5 * time.Second // for a collector, per batch
	atEnd    = 2 * time.Second // and for what is left when Run ends
)

// Options say what is exported, and where to.
type Options struct {
	// Dir is the node's directory, and Node its name.
	Dir, Node string

	// URL is that of the collector: http://HOST:4318, or with the path of something else that takes OTLP.
	URL string

	// Every is how often spans are looked for; 0 is DefaultEvery.
	Every time.Duration
}

func (o Options) checked() (Options, error) {
	o.Every = cmp.Or(o.Every, DefaultEvery)
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		err = fmt.Errorf("%q is no http:// or https:// URL", o.URL)
	case u.Path == "" || u.Path == "/":
		u.Path = "/v1/traces"
		o.URL = u.String()
	}
	faults := []error{err}
	if o.Dir == "" {
		faults = append(faults, errors.New("no directory"))
	}
	if o.Every < time.Millisecond {
		faults = append(faults, fmt.Errorf("every %s: at least 1ms", o.Every))
	}
	if err := errors.Join(faults...); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return o, nil
}

// Exporter exports the spans of a node. The zero Exporter is not valid: use New.
type Exporter struct {
	options  Options
	provider *sdk.TracerProvider
	tracer   trace.Tracer

	read, sent, failed, lost atomic.Uint64
}

// Stats is what an Exporter has done.
type Stats struct {
	Read    uint64 // spans that were found
	Sent    uint64 // those that the collector took
	Dropped uint64 // those that it did not take, or that were overwritten before they were read
}

// New makes an exporter. Nothing is sent before Run.
func New(o Options) (*Exporter, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	client, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(o.URL), otlptracehttp.WithTimeout(patience),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: 100 * time.Millisecond, MaxInterval: time.Second, MaxElapsedTime: patience}))
	if err != nil {
		return nil, fmt.Errorf("otel: %w", err)
	}
	e := &Exporter{options: o}
	who := resource.NewSchemaless(attribute.String("service.name", "pulse"), attribute.String("service.instance.id", o.Node))
	e.provider = sdk.NewTracerProvider(sdk.WithResource(who), sdk.WithIDGenerator(given{}), sdk.WithSampler(sdk.AlwaysSample()),
		// Blocking: whom it holds up is Run, and what Run does not read is overwritten in its ring and counted there.
		sdk.WithSpanProcessor(sdk.NewBatchSpanProcessor(&counted{client, e}, sdk.WithBlocking(), sdk.WithExportTimeout(2*patience))))
	e.tracer = e.provider.Tracer("github.com/alphapulse/transport")
	return e, nil
}

// Run exports until ctx ends, then what is left, within two seconds. What goes wrong with a ring or the collector it tells to trouble, which
// may be nil, and goes on: once until it is something else, and with nil when it is over.
func (e *Exporter) Run(ctx context.Context, trouble func(error)) error {
	tail := spans.NewTail(e.options.Dir)
	tick := time.NewTicker(e.options.Every)
	defer tick.Stop()
	said := ""
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		err := e.round(ctx, tail)
		if text := fmt.Sprint(err); text != said && trouble != nil && (err != nil || said != "") && !ended {
			said = text
			trouble(err)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), atEnd)
	defer cancel()
	_ = e.provider.Shutdown(last) // what could not be sent is counted
	return tail.Close()
}

// round exports what is new.
func (e *Exporter) round(ctx context.Context, tail *spans.Tail) error {
	failed := e.failed.Load()
	n, err := tail.Read(e.span)
	e.read.Add(uint64(n))
	e.lost.Store(tail.Lost())
	if n > 0 && ctx.Err() == nil {
		err = errors.Join(err, e.provider.ForceFlush(ctx))
	}
	if more := e.failed.Load() - failed; more > 0 {
		err = errors.Join(err, fmt.Errorf("otel: %s did not take %d spans", e.options.URL, more))
	}
	return err
}

// Stats may be called from any goroutine.
func (e *Exporter) Stats() Stats {
	return Stats{Read: e.read.Load(), Sent: e.sent.Load(), Dropped: e.failed.Load() + e.lost.Load()}
}

// span gives one to the SDK.
func (e *Exporter) span(process string, s spans.Span) {
	ctx := context.WithValue(context.Background(), key{}, s)
	if s.Parent != [8]byte{} {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: s.Trace.ID(), SpanID: s.Parent,
			TraceFlags: trace.TraceFlags(s.Trace.Flags()), Remote: true}))
	}
	_, span := e.tracer.Start(ctx, s.Hop.String()+" "+s.Channel, trace.WithTimestamp(time.Unix(0, s.Start)), trace.WithSpanKind(kindOf(s.Hop)),
		trace.WithAttributes(attribute.String("pulse.process", process), attribute.String("pulse.hop", s.Hop.String()), attribute.String("pulse.channel", s.Channel),
			attribute.String("pulse.medium", s.Medium), attribute.String("pulse.source", strconv.FormatUint(s.Source, 16)),
			attribute.Int64("pulse.epoch", int64(s.Epoch)), attribute.Int64("pulse.seq", int64(s.Seq))))
	span.End(trace.WithTimestamp(time.Unix(0, s.End)))
}

func kindOf(h seal.Hop) trace.SpanKind {
	switch h {
	case seal.Committed:
		return trace.SpanKindProducer
	case seal.Delivered:
		return trace.SpanKindConsumer
	}
	return trace.SpanKindInternal
}

type key struct{}

// given draws no ids: a span has the one that it got at its hop.
type given struct{}

func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	s, _ := ctx.Value(key{}).(spans.Span)
	return s.Trace.ID(), s.Trace.Span()
}

func (given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	s, _ := ctx.Value(key{}).(spans.Span)
	return s.Trace.Span()
}

// counted counts what becomes of batches.
type counted struct {
	sdk.SpanExporter
	e *Exporter
}

// ExportSpans sends a batch.
func (c *counted) ExportSpans(ctx context.Context, batch []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, batch)
	if err != nil {
		c.e.failed.Add(uint64(len(batch)))
	} else {
		c.e.sent.Add(uint64(len(batch)))
	}
	return err
}
