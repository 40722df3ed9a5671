package topo

import "strconv"

// ActorType says what an actor does with messages.
type ActorType uint8

// What an actor may be.
const (
	Producer    ActorType = 1 + iota // publishes only
	Transformer                      // subscribes and publishes
	Consumer                         // subscribes only
)

// Criticality is how late a channel's messages may be.
type Criticality uint8

// How late messages may be.
const (
	UltraLowLatency Criticality = 1 + iota // below 1 ms
	LowLatency                             // below 5 ms
	Standard                               // below 50 ms
	HighLatency                            // above
)

// Reliability is what a channel promises about each message.
type Reliability uint8

// What may be promised.
const (
	BestEffort Reliability = 1 + iota // may be lost, never repeated
	AtLeastOnce
	ExactlyOnce
	GuaranteedDelivery // survives the death of either end: held by a queue
)

// Security is what a channel asks of links that leave the machine.
type Security uint8

// What links may be asked for.
const (
	Plain         Security = 1 + iota // readable and forgeable on the way
	Authenticated                     // not forgeable
	Encrypted                         // neither
)

// Mode is the kind of carriage a channel asks for.
type Mode uint8

// The modes. ModeHybrid is ModeDirectWithQueueFallback under the name it is known by.
const (
	ModeAuto Mode = iota // by criticality, reliability and distance
	ModeDirect
	ModeQueue
	ModeHybrid
	ModeDirectWithQueueFallback
	ModeQueueWithDirectFallback
	ModeFallback // between the two ways of TransportConfig.Pair
)

// Protocol is a direct way for messages. ViaQueue is none of them and stands only in a pair.
type Protocol uint8

// The ways.
const (
	Auto Protocol = iota
	TCP
	UDP
	QUIC
	SharedMemory
	XDP
	ViaQueue
)

// Compression is how envelopes are packed.
type Compression uint8

// The ways to pack.
const (
	CompressAuto Compression = iota
	CompressNone
	CompressLZ4
	CompressZstd
	CompressSnappy
	CompressAdaptive
)

// Encryption is how bytes are kept secret on the way.
type Encryption uint8

// The ways to keep bytes secret.
const (
	EncryptAuto Encryption = iota
	EncryptNone
	EncryptTLS
	EncryptChaCha20Poly1305
	EncryptAES256GCM
)

// Backend is a durable queue.
type Backend uint8

// The queues.
const (
	BackendAuto Backend = iota
	RabbitMQ
	Kafka
	Redis
	Journal
)

// Durability is what of a queue survives its own death.
type Durability uint8

// What may survive.
const (
	DurabilityAuto Durability = iota
	InMemory
	Persistent
	Replicated
)

// Priority is how urgently an actor wants its CPUs.
type Priority uint8

// The priorities.
const (
	Background Priority = 1 + iota
	Normal
	High
	RealTime
)

// Slow is what a subscriber that does not keep up costs.
type Slow uint8

// What a slow subscriber may cost.
const (
	SlowBlock Slow = 1 + iota // the publishers' time: they find the ring full
	SlowEvict                 // itself: it is cut off and told so
	SlowDrop                  // its own messages: it is lapped and told how many it missed
)

// Balance says how sources are spread over the links of a channel. A source stays on its link, so its order is kept.
type Balance uint8

// The ways to spread.
const (
	RoundRobin Balance = 1 + iota
	LeastLag
	Rendezvous // by key: the same source finds the same link again
)

// XDPMode is what an interface offers an AF_XDP socket.
type XDPMode uint8

// What an interface may offer.
const (
	XDPOff XDPMode = iota
	XDPCopy
	XDPZeroCopy
)

// String is how a file spells it; empty where it says nothing.
func (v ActorType) String() string { return spelling(actorTypes, v) }

// String is how a file spells it; empty where it says nothing.
func (v Criticality) String() string { return spelling(criticalities, v) }

// String is how a file spells it; empty where it says nothing.
func (v Reliability) String() string { return spelling(reliabilities, v) }

// String is how a file spells it; empty where it says nothing.
func (v Security) String() string { return spelling(securities, v) }

// String is how a file spells it; empty where it says nothing.
func (v Mode) String() string { return spelling(modes, v) }

// String is how a file spells it; empty where it says nothing.
func (v Protocol) String() string { return spelling(protocols, v) }

// String is how a file spells it; empty where it says nothing.
func (v Compression) String() string { return spelling(compressions, v) }

// String is how a file spells it; empty where it says nothing.
func (v Encryption) String() string { return spelling(encryptions, v) }

// String is how a file spells it; empty where it says nothing.
func (v Backend) String() string { return spelling(backends, v) }

// String is how a file spells it; empty where it says nothing.
func (v Durability) String() string { return spelling(durabilities, v) }

// String is how a file spells it; empty where it says nothing.
func (v Priority) String() string { return spelling(priorities, v) }

// String is how a file spells it; empty where it says nothing.
func (v Slow) String() string { return spelling(slows, v) }

// String is how a file spells it; empty where it says nothing.
func (v Balance) String() string { return spelling(balances, v) }

// String is how a file spells it; empty where it says nothing.
func (v XDPMode) String() string { return spelling(xdpModes, v) }

// choice is one value of an enum as a file spells it.
type choice struct {
	name    string
	value   uint8
	also    []string // other spellings, as good
	dated   []string // other spellings, accepted with a warning
	refused string   // why the value is known and not supported; "" if it is
}

var (
	actorTypes    = []choice{{name: "producer", value: 1}, {name: "transformer", value: 2}, {name: "consumer", value: 3}}
	criticalities = []choice{{name: "ultra_low_latency", value: 1, also: []string{"ull"}}, {name: "low_latency", value: 2}, {name: "standard", value: 3}, {name: "high_latency", value: 4}}
	reliabilities = []choice{{name: "best_effort", value: 1}, {name: "at_least_once", value: 2}, {name: "exactly_once", value: 3},
		{name: "guaranteed_delivery", value: 4, also: []string{"guaranteed"}}}
	securities = []choice{{name: "plain", value: 1}, {name: "authenticated", value: 2}, {name: "encrypted", value: 3}}
	modes      = []choice{{name: "auto"}, {name: "direct", value: 1}, {name: "message_queue", value: 2, dated: []string{"mq", "queue"}},
		{name: "hybrid", value: 3}, {name: "direct_with_mq_fallback", value: 4}, {name: "mq_with_direct_fallback", value: 5}, {name: "fallback", value: 6}}
	protocols = []choice{{name: "auto"}, {name: "tcp", value: 1}, {name: "udp", value: 2}, {name: "quic", value: 3},
		{name: "shared_memory", value: 4, also: []string{"shm"}}, {name: "xdp", value: 5, also: []string{"af_xdp"}},
		{name: "message_queue", value: 6, also: []string{"mq"}},
		{name: "rdma", refused: "pulse has no RDMA: use xdp or udp"}, {name: "infiniband", refused: "pulse has no InfiniBand: use xdp or udp"}}
	compressions = []choice{{name: "auto"}, {name: "none", value: 1, also: []string{"off"}}, {name: "lz4", value: 2}, {name: "zstd", value: 3},
		{name: "snappy", value: 4}, {name: "adaptive", value: 5}}
	encryptions = []choice{{name: "auto"}, {name: "none", value: 1, also: []string{"off"}}, {name: "tls", value: 2},
		{name: "chacha20_poly1305", value: 3, dated: []string{"chacha20"}},
		{name: "aes256_gcm", value: 4, also: []string{"aes_256_gcm"}, dated: []string{"aes256"}}}
	backends     = []choice{{name: "auto"}, {name: "rabbitmq", value: 1, also: []string{"rabbit_mq"}}, {name: "kafka", value: 2}, {name: "redis", value: 3}, {name: "journal", value: 4}}
	durabilities = []choice{{name: "auto"}, {name: "memory", value: 1, also: []string{"in_memory", "transient"}}, {name: "persistent", value: 2}, {name: "replicated", value: 3}}
	priorities   = []choice{{name: "background", value: 1, also: []string{"low"}}, {name: "normal", value: 2}, {name: "high", value: 3},
		{name: "real_time", value: 4, also: []string{"critical"}}}
	slows    = []choice{{name: "block", value: 1}, {name: "evict", value: 2}, {name: "drop", value: 3, also: []string{"drop_oldest"}}}
	balances = []choice{{name: "round_robin", value: 1}, {name: "least_lag", value: 2}, {name: "rendezvous", value: 3}}
	xdpModes = []choice{{name: "off", also: []string{"false", "none"}}, {name: "copy", value: 1, also: []string{"true"}}, {name: "zero_copy", value: 2}}
)

// spelling is how a file names v; "" where the zero value only means that the file says nothing.
func spelling[V ~uint8](of []choice, v V) string {
	for _, c := range of {
		if c.value == uint8(v) && c.refused == "" {
			return c.name
		}
	}
	if v == 0 {
		return ""
	}
	return strconv.Itoa(int(v))
}
