package topo

import (
	"net/netip"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// nodeDraft is a node with what stands below it in files of the older schema.
type nodeDraft struct {
	Node
	memory     int // bytes, 0: unknown
	cores      int // 0: unknown
	placements []Placement
	locals     []layer
}

func newNode(name string, at spot) nodeDraft {
	return nodeDraft{Node: Node{Name: name, At: at.Position}}
}

func nodeTable() *table[nodeDraft] {
	return &table[nodeDraft]{name: "node", what: "a node", fields: []field[nodeDraft]{
		{key: "hostname", doc: "name of the machine", required: true, value: filled(func(n *nodeDraft) *string { return &n.Hostname })},
		{key: "addresses", also: []string{"address"}, doc: "hosts or IP addresses, the preferred one first", value: words(func(n *nodeDraft) *[]string { return &n.Addresses })},
		{key: "site", doc: "the building", value: text(func(n *nodeDraft) *string { return &n.Site })},
		{key: "region", doc: "links that leave it are always encrypted", value: text(func(n *nodeDraft) *string { return &n.Region })},
		{key: "numa", also: []string{"numa_topology"}, doc: "memory nodes: [0, 1] or [{id: 0, cpus: 0-7}]", value: numaNodes()},
		{key: "cpus", doc: "that actors may be placed on", value: cpus(func(n *nodeDraft) *[]int { return &n.CPUs })},
		{key: "memory", doc: "of the machine", value: size(func(n *nodeDraft) *int { return &n.memory }, 1<<20, 1<<50)},
		{key: "interfaces", doc: "network interfaces", value: named(interfaceTable, newInterface, func(n *nodeDraft, i Interface) { n.Interfaces = append(n.Interfaces, i) })},
		{key: "ports", doc: "where the node listens", value: group(portsTable, func(n *nodeDraft) *Ports { return &n.Ports })},
		{key: "trust", doc: "files the node proves itself with", value: group(trustTable, func(n *nodeDraft) *Trust { return &n.Trust })},
		{key: "local_channels", doc: "channels within the node, in files of the older schema", value: locals()},
		{key: "actor_placements", doc: "actors of the node, in files of the older schema", value: named(placementTable, newRemote, func(n *nodeDraft, p Placement) {
			p.Node = n.Name
			p.path = "nodes." + n.Name + ".actor_placements." + p.Actor
			n.placements = append(n.placements, p)
		})},
		{key: "node_resources", doc: "hardware, in files of the older schema", value: group(hardwareTable, func(n *nodeDraft) *nodeDraft { return n })},
		{key: "monitoring", doc: "accepted from older files; pulse has its own", value: anything[nodeDraft]()},
	}}
}

func newRemote(actor string, at spot) Placement {
	return Placement{Actor: actor, NUMA: -1, At: at.Position}
}

func newInterface(name string, at spot) Interface {
	return Interface{Name: name, NUMA: -1, At: at.Position}
}

var interfaceTable = &table[Interface]{name: "interface", what: "an interface", fields: []field[Interface]{
	{key: "address", doc: "IP address", value: scalar(func(i *Interface) *string { return &i.Address }, object{"type": "string"}, func(s string) (string, error) {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return "", errAddress
		}
		return a.String(), nil
	}, func(s string) string { return s })},
	{key: "mtu", doc: "largest packet", value: whole(func(i *Interface) *int { return &i.MTU }, 576, 65536)},
	{key: "numa", doc: "memory node it is attached to", value: whole(func(i *Interface) *int { return &i.NUMA }, 0, maxNUMA)},
	{key: "xdp", doc: "what it offers an AF_XDP socket", value: oneOf(func(i *Interface) *XDPMode { return &i.XDP }, xdpModes)},
}}

var portsTable = &table[Ports]{name: "ports", what: "ports", fields: []field[Ports]{
	{key: "control", doc: "where peers agree on channels", value: whole(func(p *Ports) *uint16 { return &p.Control }, 1, 65535)},
	{key: "tcp", doc: "data", value: whole(func(p *Ports) *uint16 { return &p.TCP }, 1, 65535)},
	{key: "udp", doc: "data", value: whole(func(p *Ports) *uint16 { return &p.UDP }, 1, 65535)},
	{key: "quic", doc: "data", value: whole(func(p *Ports) *uint16 { return &p.QUIC }, 1, 65535)},
}}

var trustTable = &table[Trust]{name: "trust", what: "trust", fields: []field[Trust]{
	{key: "certificate", doc: "PEM file", value: filled(func(t *Trust) *string { return &t.Certificate })},
	{key: "key", doc: "PEM file", value: filled(func(t *Trust) *string { return &t.Key })},
	{key: "authorities", also: []string{"ca"}, doc: "PEM file of those who may vouch", value: filled(func(t *Trust) *string { return &t.Authorities })},
	{key: "allow", doc: "names of peers that may connect", value: words(func(t *Trust) *[]string { return &t.Allow })},
}}

// numaNodes is a list of numbers, or of numbers with their CPUs.
func numaNodes() value[nodeDraft] {
	add := func(n *nodeDraft, one NUMANode) { n.NUMA = append(n.NUMA, one) }
	return value[nodeDraft]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[nodeDraft]) {
			d.items(n, "numa", true, func(i int, v *yaml.Node) {
				var one NUMANode
				if m := d.resolve(v); m != nil && m.Kind == yaml.MappingNode {
					apply(&one, numaTable.read(d, v, index(path, i)))
				} else if s, ok := d.text(v); ok {
					id, err := strconv.Atoi(s)
					if err != nil || id < 0 || id > maxNUMA {
						d.fault(v, "bad-value", "it is a whole number from 0 to 7", "numa cannot be %s", quoted(s))
						return
					}
					one.ID = id
				}
				all = append(all, assign[nodeDraft]{apply: func(t *nodeDraft) { add(t, one) }})
			})
			return all
		},
		schema: func(s *schemas) object {
			return listOf(object{"anyOf": []any{object{"type": "integer", "minimum": 0, "maximum": maxNUMA}, define(s, numaTable)}}, true)
		},
	}
}

var numaTable = &table[NUMANode]{name: "numa_node", what: "a memory node", fields: []field[NUMANode]{
	{key: "id", doc: "its number", required: true, value: whole(func(n *NUMANode) *int { return &n.ID }, 0, maxNUMA)},
	{key: "cpus", also: []string{"cpu_cores"}, doc: "its CPUs", value: cpus(func(n *NUMANode) *[]int { return &n.CPUs })},
	{key: "memory_mb", doc: "its memory", value: unusedWhole[NUMANode](0)},
	{key: "local_storage", doc: "paths", value: anything[NUMANode]()},
}}

var hardwareTable = &table[nodeDraft]{name: "node_resources", what: "node_resources", fields: []field[nodeDraft]{
	{key: "total_memory_mb", doc: "of the machine", value: megabytes(func(n *nodeDraft) *int { return &n.memory }, 1)},
	{key: "total_cpu_cores", doc: "of the machine", value: whole(func(n *nodeDraft) *int { return &n.cores }, 1, maxCPU+1)},
	{key: "numa_nodes", doc: "memory nodes with their cores", value: each(numaTable, func(spot, string) NUMANode { return NUMANode{} }, addNUMA)},
	{key: "network_interfaces", doc: "network interfaces", value: each(cardTable, func(at spot, _ string) Interface { return newInterface("", at) }, func(n *nodeDraft, i Interface) { n.Interfaces = append(n.Interfaces, i) })},
	{key: "storage", doc: "accepted from older files", value: anything[nodeDraft]()},
	{key: "gpu", doc: "accepted from older files", value: anything[nodeDraft]()},
}}

// addNUMA completes what numa_topology said, or adds to it.
func addNUMA(n *nodeDraft, one NUMANode) {
	for i := range n.NUMA {
		if n.NUMA[i].ID == one.ID {
			n.NUMA[i].CPUs = one.CPUs
			return
		}
	}
	n.NUMA = append(n.NUMA, one)
}

var cardTable = &table[Interface]{name: "network_interface", what: "a network interface", fields: []field[Interface]{
	{key: "name", doc: "such as eth0", required: true, value: filled(func(i *Interface) *string { return &i.Name })},
	{key: "bandwidth_mbps", doc: "of the wire", value: unusedWhole[Interface](0)},
	{key: "mtu", doc: "largest packet", value: whole(func(i *Interface) *int { return &i.MTU }, 576, 65536)},
	{key: "numa_node", doc: "memory node it is attached to", value: whole(func(i *Interface) *int { return &i.NUMA }, 0, maxNUMA)},
}}

var localTable = &table[Channel]{name: "local_channel", what: "a local channel", fields: []field[Channel]{
	{key: "channel_type", doc: "SPSC, SPMC, MPSC or MPMC", value: oneOf(func(c *Channel) *shape { return &c.shape }, shapes)},
	{key: "buffer_size", also: []string{"ring_size"}, doc: "size of each publisher's ring, a power of two", value: ringSize(func(c *Channel) *int { return &c.RingBytes })},
	{key: "numa_node", doc: "memory node the rings lie on", value: orNull(whole(func(c *Channel) *int { return &c.NUMA }, 0, maxNUMA))},
	{key: "huge_pages", doc: "rings on 2 MiB pages", value: flag(func(c *Channel) *bool { return &c.HugePages })},
	{key: "priority", doc: "accepted from older files", value: tagged(checked[Channel](oneOf(func(p *Priority) *Priority { return p }, priorities)))},
}}

// shape says how many publishers and subscribers an older file expects of a channel.
type shape uint8

var shapes = []choice{{name: "spsc", value: 1}, {name: "spmc", value: 2}, {name: "mpsc", value: 3}, {name: "mpmc", value: 4}}

// orNull takes null for a value that is not given.
func orNull[T any](v value[T]) value[T] {
	inner, flat := v.read, v.schema
	v.read = func(d *decoder, n *yaml.Node, path string) []assign[T] {
		if m := d.resolve(n); m != nil && isNull(m) {
			return nil
		}
		return inner(d, n, path)
	}
	v.schema = func(s *schemas) object { return object{"anyOf": []any{flat(s), object{"type": "null"}}} }
	return v
}

func locals() value[nodeDraft] {
	return value[nodeDraft]{
		read: func(d *decoder, n *yaml.Node, path string) (all []assign[nodeDraft]) {
			d.pairs(n, path, path, func(name string, k, v *yaml.Node) {
				d.name(k, "the name of a channel")
				l := layer{name: name, from: "local_channels", path: join(path, name), spot: d.spotOf(k), sets: localTable.read(d, v, join(path, name))}
				all = append(all, assign[nodeDraft]{apply: func(t *nodeDraft) {
					l.node = t.Name
					t.locals = append(t.locals, l)
				}})
			})
			return all
		},
		schema: func(s *schemas) object { return mapOf(define(s, localTable)) },
	}
}

// networkTable is how the older schema describes a protocol between nodes.
var networkTable = &table[TransportConfig]{name: "network_protocol", what: "a network protocol", fields: []field[TransportConfig]{
	{key: "protocol_type", also: []string{"protocol"}, doc: "tcp or udp", value: oneOf(func(c *TransportConfig) *Protocol { return &c.Protocol }, protocols)},
	{key: "addressing", doc: "accepted from older files; nodes have addresses of their own", value: anything[TransportConfig]()},
	{key: "connection", doc: "bounds of connections", value: group(connectionTable, func(c *TransportConfig) *TransportConfig { return c })},
	{key: "reliability", doc: "when a link is given up", value: group(givingUpTable, func(c *TransportConfig) *TransportConfig { return c })},
	{key: "compression", doc: "how envelopes are packed", value: tagged(oneOf(func(c *TransportConfig) *Compression { return &c.Compression }, compressions))},
}}

var connectionTable = &table[TransportConfig]{name: "connection", what: "connection", fields: []field[TransportConfig]{
	{key: "pool_size", doc: "connections to one peer", value: whole(func(c *TransportConfig) *int { return &c.Connections }, 1, 256)},
	{key: "connect_timeout", doc: "bound for making one", value: span(func(c *TransportConfig) *time.Duration { return &c.Timeout }, 0, 30*time.Second)},
	{key: "idle_timeout", doc: "accepted from older files", value: unusedSpan[TransportConfig]()},
	{key: "keepalive_interval", doc: "accepted from older files", value: unusedSpan[TransportConfig]()},
	{key: "max_reconnect_attempts", doc: "before giving up", value: whole(func(c *TransportConfig) *int { return &c.Retry.Attempts }, 0, 1e6)},
	{key: "backoff_strategy", doc: "accepted from older files; waits grow with jitter", value: anything[TransportConfig]()},
}}

var givingUpTable = &table[TransportConfig]{name: "reliability_config", what: "reliability", fields: []field[TransportConfig]{
	{key: "failure_detection", doc: "accepted from older files; channels have heartbeats", value: anything[TransportConfig]()},
	{key: "recovery_strategy", doc: "accepted from older files", value: anything[TransportConfig]()},
	{key: "circuit_breaker", doc: "when a link is given up", value: group(breakerTable, func(c *TransportConfig) *Breaker { return &c.Breaker })},
}}

func interNodeTable() *table[document] {
	return &table[document]{name: "inter_node", what: "inter_node", fields: []field[document]{
		{key: "routes", doc: "ways between nodes", value: each(routeTable, newRoute, func(d *document, r Route) { d.Routes = append(d.Routes, r) })},
		{key: "default_transport", doc: "for every route", value: layerOf(&table[Channel]{name: "default_transport", what: "a network protocol",
			fields: within(networkTable.fields, func(c *Channel) *TransportConfig { return &c.Transport })}, "inter_node.default_transport",
			func(d *document, l layer) { d.network = append(d.network, l) })},
		{key: "service_discovery", doc: "accepted from older files; pulse finds peers by the file", value: group(discoveryTable, func(d *document) *document { return d })},
	}}
}

var discoveryTable = &table[document]{name: "service_discovery", what: "service_discovery", fields: []field[document]{
	{key: "provider", doc: "consul, etcd, zookeeper or kubernetes", value: anything[document]()},
	{key: "endpoint", doc: "where", value: unusedFilled[document]()},
	{key: "namespace", doc: "within it", value: anything[document]()},
	{key: "ttl", doc: "of an answer", value: unusedSpan[document]()},
}}
