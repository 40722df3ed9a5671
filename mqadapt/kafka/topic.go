package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/alphapulse/transport/mqadapt"
	"github.com/alphapulse/transport/seal"
)

const (
	largestKey  = "max.message.bytes"
	largestHere = 1_000_012 // the default of brokers, and the most that a request's part for one partition has
	frameRoom   = 256       // around an envelope: the batch's header, the record's, a traceparent
	leastBatch  = 512       // what the client asks for at least

	safeTransactions = 2 // transaction.version from which an epoch ends with each transaction
)

// topic is what a producer has to know of its topic.
type topic struct {
	partitions uint64
	largest    int // bytes of an envelope
	batch      int32
}

// learn asks for the topic.
func (o *Options) learn(ctx context.Context, cl *kgo.Client) (t topic, err error) {
	what := "topic " + o.Topic
	ask := kadm.NewClient(cl)
	all, err := ask.ListTopics(ctx, o.Topic)
	if err == nil {
		err = all[o.Topic].Err
	}
	if err != nil {
		return t, o.explain(what, err)
	}
	configs, err := ask.DescribeTopicConfigs(ctx, o.Topic)
	if err == nil {
		_, err = configs.On(o.Topic, func(r *kadm.ResourceConfig) error {
			for _, c := range r.Configs {
				if c.Key == largestKey {
					n, _ := strconv.Atoi(c.MaybeValue())
					t.batch = int32(max(leastBatch, min(n, largestHere)))
				}
			}
			return r.Err
		})
	}
	switch {
	case err != nil:
		return t, o.explain("limits of "+what, err)
	case len(all[o.Topic].Partitions) == 0:
		return t, o.explain(what, kerr.UnknownTopicOrPartition)
	case t.batch == 0:
		t.batch = largestHere
	}
	t.partitions = uint64(len(all[o.Topic].Partitions))
	t.largest = min(int(t.batch)-frameRoom, seal.HeaderSize+seal.MaxBody)
	return t, nil
}

// of returns the partition of a source: the same one as long as the topic has as many.
func (t *topic) of(source uint64) int32 {
	source ^= source >> 33 // sources may be numbered from 1, or differ in their upper half only
	source *= 0xff51afd7ed558ccd
	source ^= source >> 33
	return int32(source % t.partitions)
}

// speaks says whether a broker knows what is asked of it here.
func (o *Options) speaks(ctx context.Context, cl *kgo.Client) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "pulse", "1"
	resp, err := req.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return o.explain("greeting", err)
	}
	v := kversion.FromApiVersionsResponse(resp)
	needed := kversion.V2_1_0()
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.InitProducerID, kmsg.ListOffsets, kmsg.OffsetCommit, kmsg.JoinGroup} {
		least, _ := needed.LookupMaxKeyVersion(key.Int16())
		if most, ok := v.LookupMaxKeyVersion(key.Int16()); !ok || most < least {
			return fmt.Errorf("kafka: brokers %v: they speak Kafka %s: 2.1 or later is needed, for %s", o.Brokers, v.VersionGuess(), key.Name())
		}
	}
	if o.Transaction == "" {
		return nil
	}
	level := int16(0)
	v.EachFinalizedFeature(func(name string, at int16) {
		if name == "transaction.version" {
			level = at
		}
	})
	if level < safeTransactions {
		return fmt.Errorf("kafka: brokers %v: %w: they speak Kafka %s with transaction.version %d, under which a transaction can be torn: 4.0 or later with version %d is needed, or no Transaction",
			o.Brokers, mqadapt.ErrOptions, v.VersionGuess(), level, safeTransactions)
	}
	return nil
}
