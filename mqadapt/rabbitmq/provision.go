package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// entity is a queue or an exchange as it should be.
type entity struct {
	name string
	kind string // of an exchange; empty: a queue
	args amqp.Table
}

func (e *entity) String() string {
	if e.kind != "" {
		return fmt.Sprintf("exchange %s (%s, durable)", e.name, e.kind)
	}
	var args []string
	for _, key := range slices.Sorted(maps.Keys(e.args)) {
		args = append(args, fmt.Sprintf(", %s=%v", key, e.args[key]))
	}
	return fmt.Sprintf("queue %s (durable%s)", e.name, strings.Join(args, ""))
}

func (e *entity) declare(ch *amqp.Channel, passive bool) error {
	if e.kind != "" {
		declare := ch.ExchangeDeclare
		if passive {
			declare = ch.ExchangeDeclarePassive
		}
		return declare(e.name, e.kind, true, false, false, false, e.args)
	}
	declare := ch.QueueDeclare
	if passive {
		declare = ch.QueueDeclarePassive
	}
	_, err := declare(e.name, true, false, false, false, e.args)
	return err
}

// queueOf is the queue that a group consumes.
func (o *Options) queueOf(group string) *entity {
	e := &entity{name: o.queue(group), args: amqp.Table{amqp.QueueTypeArg: o.Kind.String()}}
	if o.MaxBytes > 0 {
		e.args[amqp.QueueMaxLenBytesArg] = o.MaxBytes
	}
	if o.Kind == Stream {
		if o.MaxAge > 0 {
			e.args["x-max-age"] = fmt.Sprintf("%ds", int64(o.MaxAge.Seconds()))
		}
		return e
	}
	e.args["x-single-active-consumer"] = true
	e.args[amqp.QueueOverflowArg] = "reject-publish"
	if o.MaxLength > 0 {
		e.args[amqp.QueueMaxLenArg] = o.MaxLength
	}
	e.args["x-dead-letter-exchange"] = "" // files by the name of a queue
	e.args["x-dead-letter-routing-key"] = o.dead()
	if o.Kind == Quorum {
		e.args["x-delivery-limit"] = int64(o.DeliveryLimit)
		e.args["x-dead-letter-strategy"] = "at-least-once"
	}
	return e
}

// placeOf is the queue that keeps a group's offset in a stream. It is a classic one, since quorum queues let anybody consume beside an exclusive
// consumer. It has no bound: at one, the broker could drop the newest word when it takes back what a killed member had.
func (o *Options) placeOf(group string) *entity {
	return &entity{name: o.place(group), args: amqp.Table{amqp.QueueTypeArg: "classic"}}
}

// wanted is everything that Provision makes, in order.
func (o *Options) wanted() (all []*entity) {
	all = append(all, &entity{name: o.Exchange, kind: o.ExchangeKind})
	if o.Kind == Stream {
		all = append(all, o.queueOf(""))
		for _, g := range o.Groups {
			all = append(all, o.placeOf(g))
		}
		return all
	}
	all = append(all, &entity{name: o.dead(), args: amqp.Table{amqp.QueueTypeArg: o.Kind.String()}})
	for _, g := range o.Groups {
		all = append(all, o.queueOf(g))
	}
	return all
}

// bound are the queues that the exchange files with.
func (o *Options) bound() (names []string) {
	if o.Kind == Stream {
		return []string{o.Name}
	}
	for _, g := range o.Groups {
		names = append(names, o.queue(g))
	}
	return names
}

// Provision makes what a channel needs and is not there: the exchange, the queue of dead letters, a queue for each group and its binding, and
// returns what it did, a line for each step. With dry it changes nothing and says what it would do. What is there and is another it leaves
// alone: ErrDiffers. A binding is said again each time, for nobody can ask for it; that changes nothing.
func Provision(ctx context.Context, o Options, dry bool) (steps []string, err error) {
	o, err = o.checked()
	if err != nil {
		return nil, err
	}
	s, err := o.dial("provision")
	if err != nil {
		return nil, err
	}
	defer func() {
		s.close(closeWait)
		<-s.ended
	}()
	stop := context.AfterFunc(ctx, func() { s.close(0) })
	defer stop()
	for _, e := range o.wanted() {
		there, err := o.look(s, e)
		if err == nil && !there {
			steps = append(steps, "declare "+e.String())
			if !dry {
				err = o.ask(s, e, false)
			}
		}
		if err != nil {
			return steps, errors.Join(err, ctx.Err())
		}
	}
	for _, name := range o.bound() {
		steps = append(steps, fmt.Sprintf("bind queue %s to exchange %s with key %s", name, o.Exchange, o.RoutingKey))
		if dry {
			continue
		}
		if err := s.ch.QueueBind(name, o.RoutingKey, o.Exchange, false, nil); err != nil {
			return steps, errors.Join(o.explain("binding of "+name, err), ctx.Err())
		}
	}
	return steps, nil
}

// ask declares an entity on a channel of its own: the broker closes a channel with each refusal.
func (o *Options) ask(s *session, e *entity, passive bool) error {
	ch, err := s.conn.Channel()
	if err != nil {
		return o.explain("channel", err)
	}
	if err := e.declare(ch, passive); err != nil {
		return o.explain(e.String(), err)
	}
	if err := ch.Close(); err != nil {
		return o.explain("channel", err)
	}
	return nil
}

// look reports whether an entity is there, and refuses one that is another.
func (o *Options) look(s *session, e *entity) (there bool, err error) {
	switch err := o.ask(s, e, true); {
	case errors.Is(err, ErrMissing):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, o.ask(s, e, false) // of what is there, that only compares
}

// same says that a queue is missing or another. Who may not declare is not told the latter.
func (o *Options) same(s *session, e *entity) error {
	there, err := o.look(s, e)
	switch {
	case errors.Is(err, ErrAccess):
		return nil
	case err == nil && !there:
		return fmt.Errorf("rabbitmq: %s at %s: %w: Provision makes it", e, o.host(), ErrMissing)
	}
	return err
}
