package topo

import (
	"slices"

	"go.yaml.in/yaml/v4"
)

// table says what keys an object of a file has. It drives the decoder, the JSON schema and the dump of effective values,
// so the three cannot disagree.
type table[T any] struct {
	name   string // of the definition in the schema
	what   string // in messages: "a channel"
	fields []field[T]
}

// field is one key of an object.
type field[T any] struct {
	key      string
	also     []string // spelled otherwise by older files, as good
	dated    []string // spelled otherwise, accepted with a warning
	doc      string
	required bool
	value    value[T]
}

// value is what may stand behind a key: how it is read into a T, shown from one, and described to editors.
type value[T any] struct {
	read   func(d *decoder, n *yaml.Node, path string) []assign[T]
	show   func(*T) []leaf // nil: not a part of effective values
	schema func(*schemas) object
}

// assign puts one value of a file into a T. Values are read once and may be laid over many Ts.
type assign[T any] struct {
	key   string // relative to the T, "" for the T itself
	spot  spot
	apply func(*T)
}

// leaf is an effective value as a file would write it.
type leaf struct{ key, text string }

// read turns the keys of a mapping into assignments, and notes every key that is unknown, missing or wrong.
func (tb *table[T]) read(d *decoder, n *yaml.Node, path string) (all []assign[T]) {
	seen := map[string]string{}
	d.pairs(n, tb.what, path, func(key string, k, v *yaml.Node) {
		f := tb.find(d, key, k)
		if f == nil {
			return
		}
		if other, twice := seen[f.key]; twice {
			d.fault(k, "duplicate-key", "keep one of them", "%s and %s are the same key", other, key)
			return
		}
		seen[f.key] = key
		at := d.spotOf(v)
		for _, a := range f.value.read(d, v, join(path, f.key)) {
			a.key = join(f.key, a.key)
			if a.spot.Line == 0 {
				a.spot = at
			}
			all = append(all, a)
		}
	})
	for i := range tb.fields {
		if f := &tb.fields[i]; f.required && seen[f.key] == "" && !d.stopped {
			d.fault(n, "missing-key", "add "+f.key+": "+f.doc, "%s lacks the key %q", tb.what, f.key)
		}
	}
	return all
}

// find is the field a key names; nil, with a note, if there is none.
func (tb *table[T]) find(d *decoder, key string, k *yaml.Node) *field[T] {
	var known []string
	for i := range tb.fields {
		f := &tb.fields[i]
		if key == f.key || slices.Contains(f.also, key) {
			return f
		}
		if slices.Contains(f.dated, key) {
			d.warn(k, "deprecated-key", "write "+f.key, "the key %q is an old spelling", key)
			return f
		}
		known = append(append(known, f.key), f.also...)
	}
	remedy := ""
	if near := suggest(key, known); near != "" {
		if secretKey.MatchString(near) {
			d.src.conceal(k.Line, k.Line+1)
		}
		remedy = "did you mean " + near + "?"
	} else if len(tb.fields) <= 12 {
		remedy = "known are " + list(tb.names())
	} else {
		remedy = "pulse schema prints the known ones"
	}
	d.fault(k, "unknown-key", remedy, "%s has no key %s", tb.what, quoted(key))
	return nil
}

func (tb *table[T]) names() (all []string) {
	for _, f := range tb.fields {
		all = append(all, f.key)
	}
	return all
}

// apply lays assignments over t.
func apply[T any](t *T, all []assign[T]) {
	for _, a := range all {
		a.apply(t)
	}
}

// leaves lists what t holds, by key.
func (tb *table[T]) leaves(t *T) (all []leaf) {
	for _, f := range tb.fields {
		if f.value.show == nil {
			continue
		}
		for _, l := range f.value.show(t) {
			all = append(all, leaf{join(f.key, l.key), l.text})
		}
	}
	return all
}

// within makes the fields of a part of T into fields of T, beside its own.
func within[T, U any](fields []field[U], part func(*T) *U) (all []field[T]) {
	for _, f := range fields {
		all = append(all, field[T]{key: f.key, also: f.also, dated: f.dated, doc: f.doc, required: f.required, value: into(f.value, part)})
	}
	return all
}

// into makes a value of a part of T into a value of T.
func into[T, U any](v value[U], part func(*T) *U) value[T] {
	w := value[T]{schema: v.schema, read: func(d *decoder, n *yaml.Node, path string) (all []assign[T]) {
		for _, a := range v.read(d, n, path) {
			all = append(all, assign[T]{a.key, a.spot, func(t *T) { a.apply(part(t)) }})
		}
		return all
	}}
	if v.show != nil {
		w.show = func(t *T) []leaf { return v.show(part(t)) }
	}
	return w
}

// group is an object within T that has a table of its own.
func group[T, U any](tb *table[U], part func(*T) *U) value[T] {
	return into(value[U]{
		read: tb.read,
		show: tb.leaves,
		schema: func(s *schemas) object {
			return define(s, tb)
		},
	}, part)
}

// named is a mapping whose keys are names. fresh makes the U of a name, add puts it where it belongs.
func named[T, U any](tb *table[U], fresh func(name string, at spot) U, add func(*T, U)) value[T] {
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[T]) {
			d.pairs(n, path, path, func(name string, k, v *yaml.Node) {
				d.name(k, tb.what)
				at := d.spotOf(k)
				u := fresh(name, at)
				apply(&u, tb.read(d, v, join(path, name)))
				all = append(all, assign[T]{name, at, func(t *T) { add(t, u) }})
			})
			return all
		},
		schema: func(s *schemas) object { return mapOf(define(s, tb)) },
	}
}

// each is a list of objects without names.
func each[T, U any](tb *table[U], fresh func(at spot, path string) U, add func(*T, U)) value[T] {
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[T]) {
			d.items(n, path, false, func(i int, v *yaml.Node) {
				at := d.spotOf(v)
				p := index(path, i)
				u := fresh(at, p)
				d.spots[p] = at
				apply(&u, tb.read(d, v, p))
				all = append(all, assign[T]{index("", i), at, func(t *T) { add(t, u) }})
			})
			return all
		},
		schema: func(s *schemas) object { return listOf(define(s, tb), false) },
	}
}
