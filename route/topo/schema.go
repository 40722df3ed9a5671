package topo

import "encoding/json"

// object is a part of a JSON schema.
type object = map[string]any

// schemas collects the definitions of one JSON schema.
type schemas struct{ defs object }

// Schema is the JSON schema (draft 2020-12) of a topology file, for editors. It comes from the same table as the decoder;
// what only the whole file shows, such as a channel nobody subscribes to, it cannot express.
func Schema() []byte {
	s := &schemas{object{}}
	root := define(s, fileTable())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Pulse topology"
	root["$defs"] = s.defs
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	return append(b, '\n')
}

// define describes a table once and refers to it from everywhere.
func define[T any](s *schemas, tb *table[T]) object {
	ref := object{"$ref": "#/$defs/" + tb.name}
	if _, done := s.defs[tb.name]; done {
		return ref
	}
	properties, required := object{}, []string{}
	def := object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	s.defs[tb.name] = def
	for _, f := range tb.fields {
		for i, key := range append(append([]string{f.key}, f.also...), f.dated...) {
			p := object{"description": f.doc}
			if i > len(f.also) {
				p["deprecated"] = true
			}
			for k, v := range f.value.schema(s) {
				p[k] = v
			}
			properties[key] = p
		}
		if f.required && len(f.also)+len(f.dated) == 0 {
			required = append(required, f.key)
		}
	}
	if len(required) > 0 {
		def["required"] = required
		def["type"] = "object"
	}
	return ref
}

func mapOf(what object) object {
	return object{"type": []string{"object", "null"}, "additionalProperties": what, "propertyNames": object{"pattern": namePattern}}
}

// listOf is a list; where alone is true a single item may stand for a list of one.
func listOf(what object, alone bool) object {
	l := object{"type": []string{"array", "null"}, "items": what}
	if alone {
		return object{"anyOf": []any{what, l}}
	}
	return l
}

// orReference lets ${VAR} stand for a value that is no text by itself.
func orReference(what object) object {
	return object{"anyOf": []any{what, object{"type": "string", "pattern": reference}}}
}
