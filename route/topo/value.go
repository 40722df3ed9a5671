package topo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// reference is how a scalar defers to the environment or a file. Any value may be one, so the schema lets it stand anywhere.
const reference = `\$\{`

// scalar is a value of one word: parse reads the word, show writes it back.
func scalar[T, V any](at func(*T) *V, describe object, parse func(string) (V, error), show func(V) string) value[T] {
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[T] {
			text, ok := d.text(n)
			if !ok {
				return nil
			}
			v, err := parse(text)
			if err != nil {
				d.fault(n, "bad-value", err.Error(), "%s cannot be %s", last(path), quoted(text))
				return nil
			}
			d.spots[path] = d.spotOf(n)
			return []assign[T]{{apply: func(t *T) { *at(t) = v }}}
		},
		show:   func(t *T) []leaf { return []leaf{{"", show(*at(t))}} },
		schema: func(*schemas) object { return orReference(describe) },
	}
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

func index(path string, i int) string { return join(path, strconv.Itoa(i)) }

func list(words []string) string { return strings.Join(words, ", ") }

// text is any word.
func text[T any](at func(*T) *string) value[T] {
	return scalar(at, object{"type": []string{"string", "number", "boolean"}}, func(s string) (string, error) {
		if len(s) > 4096 {
			return "", errors.New("at most 4096 bytes")
		}
		return s, nil
	}, func(s string) string { return s })
}

// filled is a word that is not empty.
func filled[T any](at func(*T) *string) value[T] {
	return scalar(at, object{"type": []string{"string", "number"}, "minLength": 1}, func(s string) (string, error) {
		if strings.TrimSpace(s) == "" || len(s) > 4096 {
			return "", errors.New("it has 1 to 4096 bytes")
		}
		return s, nil
	}, func(s string) string { return s })
}

// whole is a number from least to most.
func whole[T any, V ~int | ~uint8 | ~uint16](at func(*T) *V, least, most int) value[T] {
	return scalar(at, object{"type": "integer", "minimum": least, "maximum": most}, func(s string) (V, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("it is a whole number from %d to %d", least, most)
		}
		return V(n), nil
	}, func(v V) string { return strconv.Itoa(int(v)) })
}

// flag is true or false.
func flag[T any](at func(*T) *bool) value[T] {
	return scalar(at, object{"type": "boolean"}, func(s string) (bool, error) {
		switch s {
		case "true", "True", "TRUE":
			return true, nil
		case "false", "False", "FALSE":
			return false, nil
		}
		return false, errors.New("it is true or false")
	}, strconv.FormatBool)
}

// span is a duration from least to most. Files of the older schema may write it as {secs, nanos}.
func span[T any](at func(*T) *time.Duration, least, most time.Duration) value[T] {
	inner := scalar(at, object{"anyOf": []any{object{"const": 0}, object{"type": "string", "pattern": `^(0|[0-9.]+(ns|us|µs|ms|s|m|h|d).*)$`}}},
		func(s string) (time.Duration, error) {
			v, err := parseSpan(s)
			if err == nil && (v < least || v > most) {
				err = fmt.Errorf("it lies from %s to %s", showSpan(least), showSpan(most))
			}
			return v, err
		}, showSpan)
	scalarRead := inner.read
	inner.read = func(d *decoder, n *yaml.Node, path string) []assign[T] {
		if r := d.resolve(n); r != nil && r.Kind == yaml.MappingNode {
			var parts struct{ secs, nanos int }
			tb := &table[struct{ secs, nanos int }]{what: last(path), fields: []field[struct{ secs, nanos int }]{
				{key: "secs", value: whole(func(p *struct{ secs, nanos int }) *int { return &p.secs }, 0, 1e9)},
				{key: "nanos", value: whole(func(p *struct{ secs, nanos int }) *int { return &p.nanos }, 0, 1e9)}}}
			apply(&parts, tb.read(d, r, path))
			v := time.Duration(parts.secs)*time.Second + time.Duration(parts.nanos)
			if v < least || v > most {
				d.fault(n, "bad-value", fmt.Sprintf("it lies from %s to %s", showSpan(least), showSpan(most)), "%s cannot be %s", last(path), showSpan(v))
				return nil
			}
			return []assign[T]{{apply: func(t *T) { *at(t) = v }}}
		}
		return scalarRead(d, n, path)
	}
	flat := inner.schema
	inner.schema = func(s *schemas) object {
		return object{"anyOf": []any{flat(s), object{"type": "object", "additionalProperties": false,
			"properties": object{"secs": object{"type": "integer", "minimum": 0}, "nanos": object{"type": "integer", "minimum": 0}}}}}
	}
	return inner
}

// millis is a duration as a number of milliseconds.
func millis[T any](at func(*T) *time.Duration) value[T] {
	return scalar(at, object{"type": "number", "minimum": 0}, func(s string) (time.Duration, error) {
		ms, err := strconv.ParseFloat(s, 64)
		if err != nil || !(ms >= 0 && ms <= 1e9) {
			return 0, errors.New("it is a number of milliseconds")
		}
		return time.Duration(math.Round(ms * 1e6)), nil
	}, func(v time.Duration) string { return strconv.FormatFloat(float64(v)/1e6, 'f', -1, 64) })
}

// megabits is a bandwidth as a number of Mbit/s.
func megabits[T any](at func(*T) *uint64) value[T] {
	return scalar(at, object{"type": "integer", "minimum": 0}, func(s string) (uint64, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return 0, errors.New("it is a whole number of Mbit/s")
		}
		return n * 1e6, nil
	}, func(v uint64) string { return strconv.FormatUint(v/1e6, 10) })
}

// megabytes is a size as a number of MiB.
func megabytes[T any](at func(*T) *int, least int) value[T] {
	return scalar(at, object{"type": "integer", "minimum": least}, func(s string) (int, error) {
		n, err := strconv.ParseUint(s, 10, 30)
		if err != nil || int(n) < least {
			return 0, fmt.Errorf("it is a whole number of MiB, at least %d", least)
		}
		return int(n) << 20, nil
	}, func(v int) string { return strconv.Itoa(v >> 20) })
}

// size is a number of bytes from least to most.
func size[T any](at func(*T) *int, least, most int) value[T] {
	return scalar(at, object{"anyOf": []any{object{"type": "integer", "minimum": least, "maximum": most},
		object{"type": "string", "pattern": `^[0-9.]+ ?(B|KiB|MiB|GiB|kB|KB|MB|GB)?$`}}}, func(s string) (int, error) {
		v, err := parseSize(s)
		if err == nil && (v < least || v > most) {
			err = fmt.Errorf("it lies from %s to %s", showSize(least), showSize(most))
		}
		return v, err
	}, showSize)
}

// ringSize is a size that a ring can have.
func ringSize[T any](at func(*T) *int) value[T] {
	v := size(at, minRing, maxRing)
	inner := v.read
	v.read = func(d *decoder, n *yaml.Node, path string) []assign[T] {
		if text, ok := d.peekText(n); ok {
			if b, err := parseSize(text); err == nil && b >= minRing && b <= maxRing && b&(b-1) != 0 {
				up := minRing
				for up < b {
					up <<= 1
				}
				d.fault(n, "bad-value", "write "+showSize(up), "%s is %s, which is no power of two", last(path), quoted(text))
				return nil
			}
		}
		return inner(d, n, path)
	}
	return v
}

func band[T any](at func(*T) *uint64) value[T] {
	return scalar(at, object{"type": "string", "pattern": `^[0-9.]+ ?[kKMG]?(bit/s|bps)$`}, parseBand, showBand)
}

func rate[T any](at func(*T) *float64) value[T] {
	return scalar(at, object{"anyOf": []any{object{"type": "number", "minimum": 0}, object{"type": "string", "pattern": `^[0-9.]+ ?[kM]?(/s)?$`}}}, parseRate, showRate)
}

func share[T any](at func(*T) *float64) value[T] {
	return scalar(at, object{"anyOf": []any{object{"type": "number", "minimum": 0, "maximum": 1}, object{"type": "string", "pattern": `^[0-9.]+ ?%?$`}}}, parseShare, showShare)
}

// oneOf is a word of a list. Case, underscores and hyphens between its parts do not matter.
func oneOf[T any, V ~uint8](at func(*T) *V, choices []choice) value[T] {
	var words []any
	for _, c := range choices {
		if c.refused != "" {
			continue
		}
		for _, w := range slices.Concat([]string{c.name}, c.also, c.dated) {
			for _, s := range []string{w, camel(w), strings.ToUpper(w), strings.ReplaceAll(w, "_", "-")} {
				if !slices.Contains(words, any(s)) {
					words = append(words, s)
				}
			}
		}
	}
	if slices.Contains(words, any("true")) {
		words = append(words, true, false)
	}
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[T] {
			text, ok := d.text(n)
			if !ok {
				return nil
			}
			v, ok := d.choose(n, last(path), text, choices)
			if !ok {
				return nil
			}
			d.spots[path] = d.spotOf(n)
			return []assign[T]{{apply: func(t *T) { *at(t) = V(v) }}}
		},
		show:   func(t *T) []leaf { return []leaf{{"", spelling(choices, *at(t))}} },
		schema: func(*schemas) object { return orReference(object{"enum": words}) },
	}
}

func camel(s string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(s, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// choose finds the choice that text spells.
func (d *decoder) choose(n *yaml.Node, what, text string, choices []choice) (uint8, bool) {
	var names []string
	for _, c := range choices {
		match := func(s string) bool { return fold(s) == fold(text) }
		switch {
		case !match(c.name) && !slices.ContainsFunc(c.also, match) && !slices.ContainsFunc(c.dated, match):
		case c.refused != "":
			d.fault(n, "unsupported", c.refused, "%s cannot be %s", what, quoted(text))
			return 0, false
		default:
			if slices.ContainsFunc(c.dated, match) {
				d.warn(n, "deprecated-value", "write "+c.name, "%s is an old spelling", quoted(text))
			}
			return c.value, true
		}
		if c.refused == "" {
			names = append(names, c.name)
		}
	}
	remedy := "it is one of " + list(names)
	if near := suggest(text, names); near != "" {
		remedy = "did you mean " + near + "?"
	}
	d.fault(n, "bad-value", remedy, "%s cannot be %s", what, quoted(text))
	return 0, false
}

// words is a list of names. A single one may stand alone.
func words[T any](at func(*T) *[]string) value[T] {
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[T] {
			all := []string{}
			d.items(n, last(path), true, func(i int, v *yaml.Node) {
				if s, ok := d.text(v); ok {
					if s == "" || slices.Contains(all, s) {
						d.fault(v, "bad-value", "leave it out", "%s names %s twice or not at all", last(path), quoted(s))
						return
					}
					d.spots[index(path, len(all))] = d.spotOf(v)
					all = append(all, s)
				}
			})
			d.spots[path] = d.spotOf(n)
			return []assign[T]{{apply: func(t *T) { *at(t) = slices.Clone(all) }}}
		},
		schema: func(*schemas) object { return listOf(object{"type": []string{"string", "number"}}, true) },
	}
}

// cpus is a list of CPUs: a text like 0-3,8 or a list of numbers.
func cpus[T any](at func(*T) *[]int) value[T] {
	one := object{"anyOf": []any{object{"type": "integer", "minimum": 0, "maximum": maxCPU}, object{"type": "string", "pattern": `^[0-9][0-9, -]*$|` + reference}}}
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[T] {
			var parts []string
			good := true
			d.items(n, last(path), true, func(_ int, v *yaml.Node) {
				s, ok := d.text(v)
				good = good && ok
				parts = append(parts, s)
			})
			if !good {
				return nil
			}
			if len(parts) == 0 {
				d.fault(n, "bad-value", "name CPUs like 0-3,8, or leave the key out", "%s names no CPU", last(path))
				return nil
			}
			all, err := parseCPUs(strings.Join(parts, ","))
			if err != nil {
				d.fault(n, "bad-value", err.Error(), "%s cannot be %s", last(path), quoted(strings.Join(parts, ",")))
				return nil
			}
			d.spots[path] = d.spotOf(n)
			return []assign[T]{{apply: func(t *T) { *at(t) = slices.Clone(all) }}}
		},
		schema: func(*schemas) object { return listOf(one, true) },
	}
}

// anything is read over, within the bounds of every file, and used nowhere.
func anything[T any]() value[T] {
	return value[T]{
		read:   func(*decoder, *yaml.Node, string) []assign[T] { return nil },
		schema: func(*schemas) object { return object{} },
	}
}

// checked is v for its faults alone: older files have it, nothing here uses it.
func checked[T, U any](v value[U]) value[T] {
	return value[T]{schema: v.schema, read: func(d *decoder, n *yaml.Node, path string) []assign[T] {
		v.read(d, n, path)
		return nil
	}}
}
