package topo

import (
	"errors"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

var (
	errVersion = errors.New(`the only version is "1.0.0"`)
	errAddress = errors.New("it is an IP address")
)

// actorDraft is an actor with what only the checks look at.
type actorDraft struct {
	Actor
	id        string
	copies    int // of replicated state, 0: none asked for
	scratch   string
	memory    int
	memoryMax int
}

func newActor(name string, at spot) actorDraft {
	return actorDraft{Actor: Actor{Name: name, At: at.Position}, id: name}
}

var actorTable = &table[actorDraft]{name: "actor", what: "an actor", fields: []field[actorDraft]{
	{key: "type", also: []string{"actor_type"}, doc: "producer, transformer or consumer", required: true, value: oneOf(func(a *actorDraft) *ActorType { return &a.Type }, actorTypes)},
	{key: "inputs", doc: "channels it subscribes to", value: words(func(a *actorDraft) *[]string { return &a.Inputs })},
	{key: "outputs", doc: "channels it publishes on", value: words(func(a *actorDraft) *[]string { return &a.Outputs })},
	{key: "source_id", doc: "protocol_v2 source, unique among publishers", value: sourceID()},
	{key: "id", doc: "the name again, in files of the older schema", value: filled(func(a *actorDraft) *string { return &a.id })},
	{key: "description", doc: "for people", value: anything[actorDraft]()},
	{key: "state", doc: "accepted from older files and checked; pulse keeps no state", value: group(stateTable, func(a *actorDraft) *actorDraft { return a })},
	{key: "persistence", doc: "accepted from older files and checked; pulse keeps no state", value: group(persistenceTable, func(a *actorDraft) *actorDraft { return a })},
	{key: "resources", doc: "accepted from older files and checked; pulse reserves nothing", value: group(resourcesTable, func(a *actorDraft) *actorDraft { return a })},
	{key: "health_check", doc: "accepted from older files and checked; pulse probes links, not actors", value: group(healthTable, func(a *actorDraft) *actorDraft { return a })},
	{key: "config", doc: "the actor's own", value: anything[actorDraft]()},
}}

func sourceID() value[actorDraft] {
	v := whole(func(a *actorDraft) *uint8 { return &a.Source }, 0, 255)
	inner := v.read
	v.read = func(d *decoder, n *yaml.Node, path string) []assign[actorDraft] {
		all := inner(d, n, path)
		if len(all) > 0 {
			all = append(all, assign[actorDraft]{apply: func(a *actorDraft) { a.SourceSet = true }})
		}
		return all
	}
	return v
}

// unused values of the older schema are read for their faults.
type (
	unusedTime struct{ v time.Duration }
	unusedBool struct{ v bool }
	unusedInt  struct{ v int }
	unusedText struct{ v string }
)

func unusedSpan[T any]() value[T] {
	return checked[T](span(func(u *unusedTime) *time.Duration { return &u.v }, 0, 100*365*24*time.Hour))
}
func unusedFlag[T any]() value[T] { return checked[T](flag(func(u *unusedBool) *bool { return &u.v })) }
func unusedWhole[T any](least int) value[T] {
	return checked[T](whole(func(u *unusedInt) *int { return &u.v }, least, 1<<40))
}
func unusedSize[T any](least int) value[T] {
	return checked[T](size(func(u *unusedInt) *int { return &u.v }, least, 1<<50))
}
func unusedFilled[T any]() value[T] {
	return checked[T](filled(func(u *unusedText) *string { return &u.v }))
}

var stateTable = &table[actorDraft]{name: "state", what: "state", fields: []field[actorDraft]{
	{key: "state_type", doc: "stateless, in_memory, persistent or replicated", value: stateType()},
	{key: "checkpoint_interval", doc: "between checkpoints", value: checked[actorDraft](span(func(u *unusedTime) *time.Duration { return &u.v }, time.Second, 100*24*time.Hour))},
	{key: "max_state_size", doc: "bound of the state", value: unusedSize[actorDraft](1)},
	{key: "compression", doc: "of checkpoints", value: unusedFlag[actorDraft]()},
}}

var stateTypes = []choice{{name: "stateless", value: 1}, {name: "in_memory", value: 2}, {name: "persistent", value: 3}, {name: "replicated", value: 4}}

var stateDetail = &table[actorDraft]{name: "state_detail", what: "a type of state", fields: []field[actorDraft]{
	{key: "replication_factor", doc: "copies", value: whole(func(a *actorDraft) *int { return &a.copies }, 0, 1000)},
	{key: "storage_backend", doc: "where state lies", value: oneKey("a storage backend", storageTable)},
	{key: "consistency_level", doc: "of writes", value: anything[actorDraft]()},
}}

var storageTable = &table[actorDraft]{name: "storage", what: "a storage backend", fields: []field[actorDraft]{
	{key: "base_path", doc: "an absolute path", value: scalar(func(a *actorDraft) *string { return &a.scratch }, object{"type": "string", "pattern": "^/"},
		func(s string) (string, error) {
			if !filepath.IsAbs(s) {
				return "", errors.New("the path of a store is absolute")
			}
			return s, nil
		}, func(s string) string { return s })},
	{key: "sync_writes", doc: "before they count", value: unusedFlag[actorDraft]()},
	{key: "endpoint", doc: "of the store", value: unusedFilled[actorDraft]()},
	{key: "namespace", doc: "within the store", value: unusedFilled[actorDraft]()},
	{key: "connection_string", doc: "of the store", value: unusedFilled[actorDraft]()},
	{key: "table_name", doc: "within the store", value: unusedFilled[actorDraft]()},
}}

// stateType is a word, or one word with details below it.
func stateType() value[actorDraft] {
	word := checked[actorDraft](oneOf(func(u *Priority) *Priority { return u }, stateTypes))
	detail := oneKey("a type of state", stateDetail)
	return value[actorDraft]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[actorDraft] {
			if m := d.resolve(n); m != nil && m.Kind == yaml.MappingNode {
				if len(m.Content) == 2 {
					d.choose(m.Content[0], "state_type", m.Content[0].Value, stateTypes)
				}
				return detail.read(d, n, path)
			}
			return word.read(d, n, path)
		},
		schema: func(s *schemas) object { return object{"anyOf": []any{word.schema(s), detail.schema(s)}} },
	}
}

// oneKey is an object below a single word, as in {LocalFile: {base_path: /x}}; the word itself is not looked at.
func oneKey[T any](what string, tb *table[T]) value[T] {
	return value[T]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[T]) {
			d.pairs(n, what, path, func(key string, k, v *yaml.Node) { all = append(all, tb.read(d, v, join(path, key))...) })
			return all
		},
		schema: func(s *schemas) object {
			return object{"type": []string{"object", "null"}, "maxProperties": 1, "additionalProperties": define(s, tb)}
		},
	}
}

var persistenceTable = &table[actorDraft]{name: "persistence", what: "persistence", fields: []field[actorDraft]{
	{key: "enabled", doc: "whether state is kept", value: unusedFlag[actorDraft]()},
	{key: "recovery_strategy", doc: "how it comes back", value: anything[actorDraft]()},
	{key: "backup_retention", doc: "how long it is kept", value: group(retentionTable, func(a *actorDraft) *actorDraft { return a })},
}}

var retentionTable = &table[actorDraft]{name: "retention", what: "backup_retention", fields: []field[actorDraft]{
	{key: "max_backups", doc: "kept", value: unusedWhole[actorDraft](0)},
	{key: "retention_period", doc: "kept", value: unusedSpan[actorDraft]()},
	{key: "compression", doc: "of backups", value: unusedFlag[actorDraft]()},
}}

var resourcesTable = &table[actorDraft]{name: "resources", what: "resources", fields: []field[actorDraft]{
	{key: "min_memory_mb", doc: "at least", value: megabytes(func(a *actorDraft) *int { return &a.memory }, 1)},
	{key: "max_memory_mb", doc: "at most", value: megabytes(func(a *actorDraft) *int { return &a.memoryMax }, 1)},
	{key: "min_cpu_cores", doc: "at least", value: unusedWhole[actorDraft](1)},
	{key: "max_cpu_cores", doc: "at most", value: unusedWhole[actorDraft](1)},
	{key: "disk_space_mb", doc: "at least", value: unusedWhole[actorDraft](0)},
	{key: "network_bandwidth_mbps", doc: "at least", value: unusedWhole[actorDraft](0)},
	{key: "gpu_required", doc: "whether", value: unusedFlag[actorDraft]()},
}}

var healthTable = &table[actorDraft]{name: "health_check", what: "health_check", fields: []field[actorDraft]{
	{key: "enabled", doc: "whether", value: unusedFlag[actorDraft]()},
	{key: "check_interval", doc: "between checks", value: unusedSpan[actorDraft]()},
	{key: "timeout", doc: "of one check", value: unusedSpan[actorDraft]()},
	{key: "failure_threshold", doc: "failures that count", value: unusedWhole[actorDraft](0)},
	{key: "recovery_threshold", doc: "successes that count", value: unusedWhole[actorDraft](0)},
	{key: "check_type", doc: "how", value: anything[actorDraft]()},
}}

// namePattern is what a node, actor, channel, process or profile may be called: names become parts of file names.
const namePattern = `^[A-Za-z0-9_-][A-Za-z0-9._-]{0,39}$`

// goodName says the same in code.
func goodName(s string) bool {
	return s != "" && len(s) <= 40 && s[0] != '.' && !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// name notes a name that cannot be one.
func (d *decoder) name(k *yaml.Node, what string) {
	if !goodName(k.Value) {
		d.fault(k, "bad-name", "1 to 40 letters, digits, '.', '_' or '-', not starting with '.'", "%s cannot be %s", what, quoted(k.Value))
	}
}
