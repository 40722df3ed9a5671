package topo

import (
	"time"

	"github.com/alphapulse/transport/tlv"
	"go.yaml.in/yaml/v4"
)

func domainOf(c *Channel) *tlv.Domain { return &c.Domain }

// document is what the files of one Load say, before it is put together.
type document struct {
	Topology
	include     []string
	schema      int
	defaults    []layer
	network     []layer // inter_node.default_transport
	profiles    []layer
	channels    []layer // channels and transport_config
	locals      []layer // local_channels of nodes
	nodes       []nodeDraft
	actors      []actorDraft
	usesRoutes  bool // inter_node stands there
	usesRemotes bool // nodes place actors or declare channels
}

// layer is a set of values for channels, as one place of a file has them.
type layer struct {
	name string // of the channel or profile
	node string // of local_channels
	from string // for Origin
	path string
	spot spot
	sets []assign[Channel]
}

// fileTable is the whole file. It is a function because tables that contain each other cannot be variables.
func fileTable() *table[document] {
	return &table[document]{name: "topology", what: "a topology file", fields: []field[document]{
		{key: "config_version", doc: "of this schema; 1", value: whole(func(d *document) *int { return &d.schema }, 1, 1)},
		{key: "version", doc: "of the older schema; 1.0.0", value: oneVersion()},
		{key: "name", doc: "of the topology", value: text(func(d *document) *string { return &d.Name })},
		{key: "description", doc: "for people", value: text(func(d *document) *string { return &d.Description })},
		{key: "environment", doc: "such as production", value: text(func(d *document) *string { return &d.Environment })},
		{key: "tags", doc: "for people", value: words(func(d *document) *[]string { return &d.Tags })},
		{key: "metadata", doc: "name, description and the like in files of the older schema", value: group(metadataTable, func(d *document) *document { return d })},
		{key: "include", doc: "other files, relative to this one", value: words(func(d *document) *[]string { return &d.include })},
		{key: "defaults", doc: "values for every channel", value: layerOf(channelTable, "defaults", func(d *document, l layer) { d.defaults = append(d.defaults, l) })},
		{key: "profiles", doc: "named sets of values that channels choose", value: layersOf(channelTable, "profile", func(d *document, l layer) { d.profiles = append(d.profiles, l) })},
		{key: "nodes", doc: "machines", value: named(nodeTable(), newNode, func(d *document, n nodeDraft) { d.nodes = append(d.nodes, n) })},
		{key: "actors", doc: "what publishes and subscribes", value: named(actorTable, newActor, func(d *document, a actorDraft) { d.actors = append(d.actors, a) })},
		{key: "placements", doc: "which actor runs where", value: placements(func(d *document, p Placement) { d.Placements = append(d.Placements, p) })},
		{key: "channels", doc: "streams of messages", value: layersOf(channelTable, "channel", func(d *document, l layer) { d.channels = append(d.channels, l) })},
		{key: "transport_config", doc: "how channels are carried", value: layersOf(channelTable, "transport_config", func(d *document, l layer) { d.channels = append(d.channels, l) })},
		{key: "routes", doc: "ways between nodes", value: each(routeTable, newRoute, func(d *document, r Route) { d.Routes = append(d.Routes, r) })},
		{key: "inter_node", doc: "routes in files of the older schema", value: group(interNodeTable(), func(d *document) *document { d.usesRoutes = true; return d })},
		{key: "queues", doc: "how backends are reached", value: queues()},
	}}
}

var metadataTable = &table[document]{name: "metadata", what: "metadata", fields: []field[document]{
	{key: "name", doc: "of the topology", value: text(func(d *document) *string { return &d.Name })},
	{key: "description", doc: "for people", value: text(func(d *document) *string { return &d.Description })},
	{key: "environment", doc: "such as production", value: text(func(d *document) *string { return &d.Environment })},
	{key: "tags", doc: "for people", value: words(func(d *document) *[]string { return &d.Tags })},
	{key: "created_at", doc: "for people", value: anything[document]()},
	{key: "created_by", doc: "for people", value: anything[document]()},
}}

// oneVersion is the version of the older schema: there was only one.
func oneVersion() value[document] {
	return scalar(func(d *document) *string { return &d.Version }, object{"const": "1.0.0"}, func(s string) (string, error) {
		if s != "1.0.0" {
			return "", errVersion
		}
		return s, nil
	}, func(s string) string { return s })
}

// layerOf is one object with values for channels, layersOf a mapping of them by name.
func layerOf(tb *table[Channel], from string, add func(*document, layer)) value[document] {
	return value[document]{
		read: func(d *decoder, n *yaml.Node, path string) []assign[document] {
			l := layer{from: from, path: path, spot: d.spotOf(n), sets: tb.read(d, n, path)}
			return []assign[document]{{apply: func(doc *document) { add(doc, l) }}}
		},
		schema: func(s *schemas) object { return define(s, tb) },
	}
}

func layersOf(tb *table[Channel], from string, add func(*document, layer)) value[document] {
	return value[document]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[document]) {
			d.pairs(n, path, path, func(name string, k, v *yaml.Node) {
				d.name(k, "the name of a "+map[bool]string{true: "profile", false: "channel"}[from == "profile"])
				l := layer{name: name, from: from, path: join(path, name), spot: d.spotOf(k), sets: tb.read(d, v, join(path, name))}
				if from == "profile" {
					l.from = "profile " + name
				}
				all = append(all, assign[document]{apply: func(doc *document) { add(doc, l) }})
			})
			return all
		},
		schema: func(s *schemas) object { return mapOf(define(s, tb)) },
	}
}

var placementTable = &table[Placement]{name: "placement", what: "a placement", fields: []field[Placement]{
	{key: "node", doc: "where the actor runs", value: filled(func(p *Placement) *string { return &p.Node })},
	{key: "process", doc: "actors of one process share its memory", value: filled(func(p *Placement) *string { return &p.Process })},
	{key: "numa", doc: "memory node", value: whole(func(p *Placement) *int { return &p.NUMA }, 0, maxNUMA)},
	{key: "cpus", also: []string{"cpu"}, doc: "cores", value: cpus(func(p *Placement) *[]int { return &p.CPUs })},
	{key: "priority", doc: "how urgently it wants them", value: tagged(oneOf(func(p *Placement) *Priority { return &p.Priority }, priorities))},
	{key: "memory_limit", doc: "bound of its memory", value: size(func(p *Placement) *int { return &p.MemoryBytes }, 0, 1<<50)},
	{key: "memory_limit_mb", doc: "the same in MiB", value: megabytes(func(p *Placement) *int { return &p.MemoryBytes }, 1)},
	{key: "isolation", doc: "accepted from older files; pulse isolates nothing", value: anything[Placement]()},
}}

// placements maps each actor to one placement or a list of them.
func placements(add func(*document, Placement)) value[document] {
	return value[document]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[document]) {
			d.pairs(n, path, path, func(actor string, k, v *yaml.Node) {
				d.items(v, "a placement", true, func(i int, one *yaml.Node) {
					p := Placement{Actor: actor, NUMA: -1, At: d.spotOf(k).Position}
					at := join(path, actor)
					if v.Kind == yaml.SequenceNode {
						p.At = d.spotOf(one).Position
						at = index(at, i)
					}
					apply(&p, placementTable.read(d, one, at))
					if p.Node == "" {
						d.fault(k, "missing-key", "add node", "the placement of %s names no node", quoted(actor))
					}
					p.path = at
					all = append(all, assign[document]{apply: func(doc *document) { add(doc, p) }})
				})
			})
			return all
		},
		schema: func(s *schemas) object {
			m := mapOf(listOf(define(s, placementTable), true))
			return m
		},
	}
}

// tagged takes {RealTime: {policy: FIFO}} for RealTime: a word with details that are not used here.
func tagged[T any](v value[T]) value[T] {
	inner, flat := v.read, v.schema
	v.read = func(d *decoder, n *yaml.Node, path string) []assign[T] {
		if m := d.resolve(n); m != nil && m.Kind == yaml.MappingNode && len(m.Content) == 2 {
			return inner(d, m.Content[0], path)
		}
		return inner(d, n, path)
	}
	v.schema = func(s *schemas) object {
		return object{"anyOf": []any{flat(s), object{"type": "object", "minProperties": 1, "maxProperties": 1}}}
	}
	return v
}

var routeTable = &table[Route]{name: "route", what: "a route", fields: append([]field[Route]{
	{key: "from", also: []string{"source_node"}, doc: "one node", value: filled(func(r *Route) *string { return &r.From })},
	{key: "to", also: []string{"target_node"}, doc: "the other node; a route counts both ways", value: filled(func(r *Route) *string { return &r.To })},
	{key: "channels", doc: "that it is for; all where none is named", value: words(func(r *Route) *[]string { return &r.Channels })},
	{key: "bandwidth", doc: "bound in bits a second", value: band(func(r *Route) *uint64 { return &r.Bandwidth })},
	{key: "bandwidth_limit_mbps", doc: "the same in Mbit/s", value: megabits(func(r *Route) *uint64 { return &r.Bandwidth })},
	{key: "latency", doc: "target", value: span(func(r *Route) *time.Duration { return &r.Latency }, 0, minute)},
	{key: "latency_target_ms", doc: "the same in milliseconds", value: millis(func(r *Route) *time.Duration { return &r.Latency })},
	{key: "transport_override", doc: "protocol and bounds in files of the older schema", value: group(networkTable, func(r *Route) *TransportConfig { return &r.Transport })},
}, within(transportFields, func(r *Route) *TransportConfig { return &r.Transport })...)}

func newRoute(at spot, path string) Route { return Route{At: at.Position, path: path} }

var queueTable = &table[Queue]{name: "queue", what: "a queue", fields: []field[Queue]{
	{key: "addresses", also: []string{"address"}, doc: "host:port of each server", value: words(func(q *Queue) *[]string { return &q.Addresses })},
	{key: "user", doc: "to log in as", value: text(func(q *Queue) *string { return &q.User })},
	{key: "password", doc: "${file:/path} or ${VARIABLE}", value: secret(func(q *Queue) *Secret { return &q.Password })},
	{key: "tls", doc: "encrypted connections", value: flag(func(q *Queue) *bool { return &q.TLS })},
	{key: "directory", doc: "where the journal lies", value: text(func(q *Queue) *string { return &q.Directory })},
	{key: "dead_letters", doc: "where each node keeps what it cannot take; beside the journal, or in the node's own directory, where it is missing",
		value: text(func(q *Queue) *string { return &q.DeadLetters })},
}}

// queues maps each backend to how it is reached.
func queues() value[document] {
	return value[document]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[document]) {
			d.pairs(n, path, path, func(name string, k, v *yaml.Node) {
				b, ok := d.choose(k, "a queue", name, backends[1:])
				q := Queue{Backend: Backend(b), At: d.spotOf(k).Position}
				apply(&q, queueTable.read(d, v, join(path, name)))
				if ok {
					all = append(all, assign[document]{apply: func(doc *document) { doc.Queues = append(doc.Queues, q) }})
				}
			})
			return all
		},
		schema: func(s *schemas) object {
			properties := object{}
			for _, b := range backends[1:] {
				properties[b.name] = define(s, queueTable)
			}
			return object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
		},
	}
}
