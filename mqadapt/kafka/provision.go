package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/alphapulse/transport/mqadapt"
)

// Provision makes the topic, or gives one that exists the retention that Options say, and returns what it did, a line for each step. With
// dry it only says what it would do; the broker is asked whether it would. The partitions of a topic that exists are never changed: sources
// would move, and overtake themselves.
func Provision(ctx context.Context, o Options, dry bool) (steps []string, err error) {
	o, err = o.checked()
	if err != nil {
		return nil, err
	}
	base, err := o.access()
	if err != nil {
		return nil, err
	}
	cl, err := asking(base)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	if err := o.speaks(ctx, cl); err != nil {
		return nil, err
	}
	ask := kadm.NewClient(cl)
	all, err := ask.ListTopics(ctx, o.Topic)
	if err == nil {
		err = all[o.Topic].Err
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return o.create(ctx, ask, dry)
	case err != nil:
		return nil, o.explain("topic "+o.Topic, err)
	}
	if have := len(all[o.Topic].Partitions); have != o.Partitions {
		return nil, fmt.Errorf("kafka: topic %s: %w: it has %d partitions, not %d, and they are not changed: sources would move to others",
			o.Topic, mqadapt.ErrOptions, have, o.Partitions)
	}
	return o.alter(ctx, ask, dry)
}

// settings are what the topic is told, besides its partitions.
func (o *Options) settings() map[string]*string {
	s := map[string]*string{"cleanup.policy": kadm.StringPtr("delete")}
	if o.Replicas > 1 { // accepted means: all of these have it
		s["min.insync.replicas"] = kadm.StringPtr(strconv.Itoa(o.Replicas/2 + 1))
	}
	if o.Retention > 0 {
		s["retention.ms"] = kadm.StringPtr(strconv.FormatInt(o.Retention.Milliseconds(), 10))
	}
	if o.RetentionBytes > 0 {
		s["retention.bytes"] = kadm.StringPtr(strconv.FormatInt(o.RetentionBytes, 10))
	}
	return s
}

func (o *Options) create(ctx context.Context, ask *kadm.Client, dry bool) ([]string, error) {
	s := o.settings()
	do := ask.CreateTopics
	if dry {
		do = ask.ValidateCreateTopics
	}
	made, err := do(ctx, int32(o.Partitions), int16(o.Replicas), s, o.Topic)
	if err == nil {
		err = made.Error()
		if errors.Is(err, kerr.TopicAlreadyExists) { // somebody else was quicker
			err = nil
		}
		if m := made[o.Topic].ErrMessage; err != nil && m != "" {
			err = fmt.Errorf("%w: %s", err, m)
		}
	}
	if err != nil {
		return nil, o.explain("create topic "+o.Topic, err)
	}
	if !dry {
		if err := o.appeared(ctx, ask); err != nil {
			return nil, o.explain("create topic "+o.Topic, err)
		}
	}
	steps := []string{fmt.Sprintf("create topic %s: partitions %d, replicas %d", o.Topic, o.Partitions, o.Replicas)}
	for _, key := range slices.Sorted(maps.Keys(s)) {
		steps = append(steps, fmt.Sprintf("topic %s: %s = %s", o.Topic, key, *s[key]))
	}
	return steps, nil
}

// appeared waits until the broker tells of a topic that it has made: its answer comes before the word of the topic has gone round.
func (o *Options) appeared(ctx context.Context, ask *kadm.Client) error {
	for {
		all, err := ask.ListTopics(ctx, o.Topic)
		if err != nil {
			return err
		}
		one := all[o.Topic]
		if one.Err == nil && len(one.Partitions) == o.Partitions && !slices.ContainsFunc(one.Partitions.Sorted(), func(p kadm.PartitionDetail) bool { return p.Err != nil }) {
			return nil
		}
		if one.Err != nil && !kerr.IsRetriable(one.Err) {
			return one.Err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(one.Err, ctx.Err())
		}
	}
}

// alter changes what is another.
func (o *Options) alter(ctx context.Context, ask *kadm.Client, dry bool) (steps []string, err error) {
	have, err := ask.DescribeTopicConfigs(ctx, o.Topic)
	var now kadm.ResourceConfig
	if err == nil {
		now, err = have.On(o.Topic, func(r *kadm.ResourceConfig) error { return r.Err })
	}
	if err != nil {
		return nil, o.explain("settings of topic "+o.Topic, err)
	}
	old := map[string]string{}
	for _, c := range now.Configs {
		old[c.Key] = c.MaybeValue()
	}
	s := o.settings()
	var changes []kadm.AlterConfig
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if old[key] != *s[key] {
			changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: s[key]})
			steps = append(steps, fmt.Sprintf("topic %s: %s = %s, was %s", o.Topic, key, *s[key], old[key]))
		}
	}
	if len(changes) == 0 {
		return nil, nil
	}
	do := ask.AlterTopicConfigs
	if dry {
		do = ask.ValidateAlterTopicConfigs
	}
	done, err := do(ctx, changes, o.Topic)
	if err == nil {
		_, err = done.On(o.Topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		return nil, o.explain("settings of topic "+o.Topic, err)
	}
	return steps, nil
}
