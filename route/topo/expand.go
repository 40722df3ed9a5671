package topo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxSecret bounds a secret's file.
const maxSecret = 64 << 10

// text is the word at n with ${VAR} and ${VAR:default} replaced; false, with a note, if n is no word or a variable is missing.
func (d *decoder) text(n *yaml.Node) (string, bool) {
	m := d.resolve(n)
	if m == nil {
		return "", false
	}
	if m.Kind != yaml.ScalarNode {
		d.fault(m, "wrong-kind", "write one value", "%s stands where one value is expected", kindOf(m))
		return "", false
	}
	if isNull(m) && m.Value == "" {
		d.fault(n, "wrong-kind", "write a value or leave the key out", "there is no value")
		return "", false
	}
	return d.expand(m)
}

// peekText is the word at n if it needs no expansion, without a note.
func (d *decoder) peekText(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n.Value, n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "${")
}

// expand replaces references in a word. $${ stands for ${ itself.
func (d *decoder) expand(n *yaml.Node) (string, bool) {
	rest := n.Value
	if !strings.Contains(rest, "${") {
		return rest, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			b.WriteString(rest)
			return b.String(), true
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(escaped + "${")
			rest = after
			continue
		}
		b.WriteString(before)
		ref, tail, closed := strings.Cut(after, "}")
		name, fallback, has := strings.Cut(ref, ":")
		switch {
		case !closed:
			d.fault(n, "reference", "close it with }, or write $${ for the two characters", "a reference begins and does not end")
			return "", false
		case name == "file":
			d.fault(n, "reference", "${file:…} stands alone, as the value of password or secret", "a file cannot be read here")
			return "", false
		case !variable(name):
			d.fault(n, "reference", "write ${NAME} or ${NAME:default}", "%s is no name of a variable", quoted(name))
			return "", false
		}
		v, set := d.env(name)
		if !set && !has {
			d.fault(n, "reference", "set it, or write ${"+name+":default}", "the variable %s is not set", name)
			return "", false
		}
		if !set {
			v = fallback
		}
		b.WriteString(v)
		rest = tail
	}
}

func variable(s string) bool {
	ok := s != "" && len(s) <= 128 && (s[0] < '0' || s[0] > '9')
	for _, r := range s {
		ok = ok && (r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	}
	return ok
}

// secret is a value that stands in a file of its own or in the environment, never in the topology. No note shows it.
func secret[T any](at func(*T) *Secret) value[T] {
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[T] {
			m := d.resolve(n)
			if m == nil {
				return nil
			}
			if m.Kind != yaml.ScalarNode || !strings.HasPrefix(m.Value, "${") || !strings.HasSuffix(m.Value, "}") || strings.Count(m.Value, "${") != 1 {
				d.src.conceal(m.Line, m.Line+strings.Count(m.Value, "\n")+1)
				d.at(spot{d.spotOf(m).Position, 1}, Error, "secret", "write ${file:/path} or ${VARIABLE}", "%s stands in the topology itself", last(path))
				return nil
			}
			s, ok := d.secret(m, strings.TrimSuffix(strings.TrimPrefix(m.Value, "${"), "}"))
			if !ok {
				return nil
			}
			d.spots[path] = d.spotOf(m)
			return []assign[T]{{apply: func(t *T) { *at(t) = s }}}
		},
		show: func(t *T) []leaf {
			if at(t).IsZero() {
				return []leaf{{"", ""}}
			}
			return []leaf{{"", "${" + at(t).from + "}"}}
		},
		schema: func(*schemas) object { return object{"type": "string", "pattern": `^\$\{[^{}]*\}$`} },
	}
}

// secret reads what a reference names.
func (d *decoder) secret(n *yaml.Node, ref string) (Secret, bool) {
	path, isFile := strings.CutPrefix(ref, "file:")
	if !isFile {
		if !variable(ref) {
			d.fault(n, "secret", "write ${file:/path} or ${VARIABLE}", "a secret comes from a file or a variable, without a default")
			return Secret{}, false
		}
		v, set := d.env(ref)
		if !set || v == "" {
			d.fault(n, "secret", "set it", "the variable %s is not set", ref)
			return Secret{}, false
		}
		return Secret{v, ref}, true
	}
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(filepath.Dir(d.src.name), full)
	}
	info, err := os.Stat(full)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		d.fault(n, "secret", "chmod 600 "+full, "the file of a secret may be read by others (mode %s)", mode(info.Mode()))
		return Secret{}, false
	}
	b, err := readFile(full, maxSecret)
	if err != nil {
		d.fault(n, "secret", "name a readable file", "a secret cannot be read from %s: %v", quoted(full), err)
		return Secret{}, false
	}
	v := strings.TrimRight(string(b), "\r\n")
	if v == "" {
		d.fault(n, "secret", "put the secret there", "the file %s is empty", quoted(full))
		return Secret{}, false
	}
	return Secret{v, ref}, true
}

func mode(m fs.FileMode) string { return fmt.Sprintf("%04o", m.Perm()) }
