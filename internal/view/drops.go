package view

import (
	"slices"

	"github.com/alphapulse/transport/route/watch"
)

// dropped are the metrics that count what was dropped, refused or lost.
var dropped = []string{watch.SubscriberLost, watch.LinkDropped, watch.LinkLost, watch.QueueLost, watch.QueueRefused, watch.ShadowSkipped, watch.RingEvictions}

// Drops are the metrics that a Drop may be of.
func Drops() []string { return slices.Clone(dropped) }
