package watch

import (
	"slices"
	"strings"

	"github.com/alphapulse/transport/internal/tally"
)

// Kind is what a metric's value is.
type Kind = tally.Kind

// Kinds of metric.
const (
	Counter   = tally.Counter   // only grows while its process lives
	Gauge     = tally.Gauge     // goes up and down
	Histogram = tally.Histogram // of durations, counted by how long they were
)

// Metric is one thing that is counted or measured: its name as Prometheus has it, with its unit, and what it means.
type Metric struct {
	Name   string   `json:"name"`
	Kind   Kind     `json:"kind"`
	Help   string   `json:"help"`   // one sentence
	Labels []string `json:"labels"` // in their order
}

// Names of labels. None of them is ever a message's.
const (
	ofChannel   = "channel"
	ofNode      = "node" // the other node
	ofMedium    = "medium"
	ofStripe    = "stripe"
	ofRing      = "ring" // its file's name within the channel's directory
	ofReader    = "reader"
	ofHop       = "hop"
	ofReason    = "reason"
	ofDirection = "direction" // "out" or "in"
	ofQueue     = "queue"     // its kind
	ofPlace     = "place"
)

var catalogue = []Metric{
	{NodeInfo, Gauge, "Always 1; its labels say which version of the topology is in force.", []string{"topology"}},
	{WatchUnkept, Counter, "Numbers that found no room in the stats file and are not told.", nil},
	{DiskFree, Gauge, "Bytes that the file system of a place has left: rings, or journal.", []string{ofPlace}},
	{DiskSize, Gauge, "Bytes that the file system of a place has.", []string{ofPlace}},

	{RingBytes, Counter, "Bytes of records that a ring's writers have committed since it was made.", []string{ofChannel, ofRing}},
	{RingMessages, Counter, "Messages that a ring's writers have committed since it was made.", []string{ofChannel, ofRing}},
	{RingCapacity, Gauge, "Bytes that a ring holds.", []string{ofChannel, ofRing}},
	{RingEpoch, Gauge, "Epoch of a ring's last writer: it rises with each life of the source.", []string{ofChannel, ofRing}},
	{RingWriterAlive, Gauge, "1 while a living process writes the ring; a stopped one counts as alive.", []string{ofChannel, ofRing}},
	{RingEvictions, Counter, "Readers of this node's rings that were cut off because they held a channel up for longer than its slow_wait.", []string{ofChannel}},

	{ReaderLag, Gauge, "Bytes that are committed in a ring and that the reader has not released.", []string{ofChannel, ofRing, ofReader}},
	{ReaderGating, Gauge, "1 while the ring's writer waits for the reader; 0: the reader may be lapped.", []string{ofChannel, ofRing, ofReader}},
	{ReaderAlive, Gauge, "1 while the reader's process lives; 0: its place is kept for a successor.", []string{ofChannel, ofRing, ofReader}},

	{SubscriberMessages, Counter, "Messages that subscribers of this process were handed.", []string{ofChannel}},
	{SubscriberLost, Counter, "Messages that subscribers of this process never get: overwritten before they were read, or lost on the way.", []string{ofChannel}},

	{HopLatency, Histogram, "Time from a message's stamp to a hop of its way: carried (sent), received (in the other node's ring), delivered (handed to a subscriber); sampled once a batch at most, and only where publishers stamp.",
		[]string{ofChannel, ofHop, ofNode, ofMedium, ofStripe}},

	{CarriageLag, Gauge, "Bytes of a channel that the other node has not confirmed.", []string{ofChannel, ofNode}},
	{CarriageRings, Gauge, "Rings of publishers that go to the other node.", []string{ofChannel, ofNode}},
	{CarriageActive, Gauge, "1 for the way that carries the channel now, 0 for those that stand by.", []string{ofChannel, ofNode, ofMedium}},
	{CarriageStranded, Gauge, "1 while no way is alive and what is published waits in its rings.", []string{ofChannel, ofNode}},
	{CarriageFailovers, Counter, "Changes of a channel to a way that stands behind the one before.", []string{ofChannel, ofNode}},
	{CarriageFailbacks, Counter, "Changes of a channel back to a better way.", []string{ofChannel, ofNode}},

	{WayAlive, Gauge, "1 while the other node is heard on the way and the channel flows.", []string{ofChannel, ofNode, ofMedium}},
	{WayBreaker, Gauge, "State of the way's breaker: 0 closed, 1 half-open, 2 open.", []string{ofChannel, ofNode, ofMedium}},
	{WayOpened, Counter, "Times that the way's breaker has opened.", []string{ofChannel, ofNode, ofMedium}},
	{WayRings, Gauge, "Rings on each of a way's stripes.", []string{ofChannel, ofNode, ofMedium, ofStripe}},

	{LinkFrames, Counter, "Frames that were carried, or delivered.", []string{ofChannel, ofNode, ofMedium, ofStripe, ofDirection}},
	{LinkBytes, Counter, "Bytes of payload that the medium was given, or brought.", []string{ofChannel, ofNode, ofMedium, ofStripe, ofDirection}},
	{LinkDatagrams, Counter, "Datagrams that were sent, or arrived.", []string{ofChannel, ofNode, ofMedium, ofStripe, ofDirection}},
	{LinkAgain, Counter, "Frames that were carried once more since the other side missed them, or might have.", []string{ofChannel, ofNode, ofMedium, ofStripe, ofDirection}},
	{LinkConnections, Counter, "Connections that came about.", []string{ofChannel, ofNode, ofMedium, ofStripe}},
	{LinkLost, Counter, "Frames that were given up: said to the other side, or heard of it.", []string{ofChannel, ofNode, ofMedium, ofStripe, ofDirection}},
	{LinkDropped, Counter, "Datagrams or frames that were dropped, by reason; those of lossless channels come again.", []string{ofChannel, ofNode, ofMedium, ofStripe, ofDirection, ofReason}},

	{QueueEnvelopes, Counter, "Envelopes that a queue took, or gave.", []string{ofChannel, ofQueue, ofDirection}},
	{QueueFrames, Counter, "Frames that a queue accepted, or that came out of it into a ring.", []string{ofChannel, ofQueue, ofDirection}},
	{QueueUnknown, Counter, "Envelopes put of which the queue's answer never came; they are put again.", []string{ofChannel, ofQueue}},
	{QueueLost, Counter, "Frames that never came, or were given up because the queue will not take them.", []string{ofChannel, ofQueue, ofDirection}},
	{QueueRefused, Counter, "Deliveries or envelopes that were refused, by reason; dead letters are kept where the topology says so.", []string{ofChannel, ofQueue, ofReason}},

	{ShadowCopied, Counter, "Frames that a channel's shadow was given.", []string{ofChannel, ofNode, ofMedium}},
	{ShadowSkipped, Counter, "Frames that were overwritten before the shadow had room; the first way is not concerned.", []string{ofChannel, ofNode, ofMedium}},
	{ShadowDiffers, Counter, "Frames by which a shadow and the first way did not bring the same, by reason: different, missing, extra, late.", []string{ofChannel, ofReason}},
	{ShadowMatched, Counter, "Frames that both the first way and its shadow brought.", []string{ofChannel}},

	{AccordAgreed, Gauge, "1 while two nodes mean the same by a channel and have each other's secrets.", []string{ofChannel, ofNode}},
	{AccordOffset, Gauge, "Seconds that the other node's clock is ahead of this one's.", []string{ofChannel, ofNode}},
	{AccordError, Gauge, "Seconds by which the offset may be wrong.", []string{ofChannel, ofNode}},
}

// Names of metrics.
const (
	NodeInfo    = "pulse_node_info"
	WatchUnkept = "pulse_watch_unkept_total"
	DiskFree    = "pulse_disk_free_bytes"
	DiskSize    = "pulse_disk_size_bytes"

	RingBytes       = "pulse_ring_committed_bytes_total"
	RingMessages    = "pulse_ring_committed_messages_total"
	RingCapacity    = "pulse_ring_capacity_bytes"
	RingEpoch       = "pulse_ring_epoch"
	RingWriterAlive = "pulse_ring_writer_alive"
	RingEvictions   = "pulse_ring_evictions_total"

	ReaderLag    = "pulse_reader_lag_bytes"
	ReaderGating = "pulse_reader_gating"
	ReaderAlive  = "pulse_reader_alive"

	SubscriberMessages = "pulse_subscriber_messages_total"
	SubscriberLost     = "pulse_subscriber_lost_messages_total"

	HopLatency = "pulse_hop_latency_seconds"

	CarriageLag       = "pulse_carriage_lag_bytes"
	CarriageRings     = "pulse_carriage_rings"
	CarriageActive    = "pulse_carriage_active"
	CarriageStranded  = "pulse_carriage_stranded"
	CarriageFailovers = "pulse_carriage_failovers_total"
	CarriageFailbacks = "pulse_carriage_failbacks_total"

	WayAlive   = "pulse_way_alive"
	WayBreaker = "pulse_way_breaker_state"
	WayOpened  = "pulse_way_breaker_opened_total"
	WayRings   = "pulse_way_stripe_rings"

	LinkFrames      = "pulse_link_frames_total"
	LinkBytes       = "pulse_link_bytes_total"
	LinkDatagrams   = "pulse_link_datagrams_total"
	LinkAgain       = "pulse_link_resent_frames_total"
	LinkConnections = "pulse_link_connections_total"
	LinkLost        = "pulse_link_lost_frames_total"
	LinkDropped     = "pulse_link_dropped_total"

	QueueEnvelopes = "pulse_queue_envelopes_total"
	QueueFrames    = "pulse_queue_frames_total"
	QueueUnknown   = "pulse_queue_unknown_total"
	QueueLost      = "pulse_queue_lost_frames_total"
	QueueRefused   = "pulse_queue_refused_total"

	ShadowCopied  = "pulse_shadow_copied_frames_total"
	ShadowSkipped = "pulse_shadow_skipped_frames_total"
	ShadowDiffers = "pulse_shadow_differing_frames_total"
	ShadowMatched = "pulse_shadow_matched_frames_total"

	AccordAgreed = "pulse_accord_agreed"
	AccordOffset = "pulse_accord_clock_offset_seconds"
	AccordError  = "pulse_accord_clock_error_seconds"
)

// Hops of a message's way.
const (
	Carried   = "carried"
	Received  = "received"
	Delivered = "delivered"
)

// Catalogue is every metric that there is, by area.
func Catalogue() []Metric { return slices.Clone(catalogue) }

// Find is the metric of a name.
func Find(name string) (Metric, bool) {
	i := slices.IndexFunc(catalogue, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return catalogue[i], true
}

// Unit is what the name says: "seconds", "bytes", "messages", "frames", or nothing.
func (m Metric) Unit() string {
	for part := range strings.SplitSeq(m.Name, "_") {
		switch part {
		case "seconds", "bytes", "messages", "frames", "datagrams", "envelopes":
			return part
		}
	}
	return ""
}
