package route

import (
	"github.com/alphapulse/transport/route/topo"
)

// small is the size up to which a message is not worth packing.
const small = 128

// furnish fills in what a way does with the bytes, what outlives it and how long it takes.
func (q *question) furnish(w *Way) {
	w.Expected = expected(w.Medium, q.distance)
	w.Class = classOf(w.Expected)
	w.NUMA = -1
	w.Encryption, w.Guard = q.encryption(w.Medium)
	w.Compression, w.Packing = q.compression(w.Medium)
	switch w.Medium {
	case AnonymousRing, MappedRing:
		w.NUMA = q.ringNUMA()
	case Queue:
		w.Backend = q.backend()
		if w.Backend == topo.Journal && q.a != nil && q.b != nil && !topo.OneMachine(q.a, q.b) {
			q.find(topo.Error, "far-journal", "backend", "a broker: backend rabbitmq, kafka or redis; or one hostname, if they are one machine; or mode direct",
				"a journal is files of one machine, and %s goes through one from %s to %s, which are two by their hostnames or addresses", q.ch.Name, q.a.Name, q.b.Name)
		}
		w.Queue, w.RoutingKey = orDefault(q.k.Queue, q.ch.Name), q.k.RoutingKey
	default:
		w.Stripes = max(q.ch.Stripes, 1)
		w.Interface = q.k.Interface
		if w.Medium == UDP || w.Medium == XDP {
			w.Group = q.k.Group
		}
		if w.Medium == XDP && w.Interface == "" && q.a != nil {
			if f := q.xdpInterface(q.a); f != nil {
				w.Interface = f.Name
			}
		}
	}
	w.Durability = q.durability(w)
}

func (q *question) ringNUMA() int {
	if q.ch.NUMA >= 0 {
		return q.ch.NUMA
	}
	return q.from.NUMA
}

// backend is the queue that the file names for the channel, or the only one it describes.
func (q *question) backend() topo.Backend {
	switch {
	case q.k.Backend != topo.BackendAuto:
		return q.k.Backend
	case len(q.r.t.Queues) > 0:
		return q.r.t.Queues[0].Backend
	case q.distance.oneNode():
		return topo.Journal
	}
	q.find(topo.Warning, "no-backend", "mode", "add backend, and say under queues how it is reached", "%s needs a queue and names none: rabbitmq is assumed", q.ch.Name)
	return topo.RabbitMQ
}

func (q *question) durability(w *Way) Level {
	reliable := q.ch.Reliability >= topo.AtLeastOnce
	switch {
	case w.Medium == Queue && q.k.Durability == topo.InMemory:
		return QueueMemory
	case w.Medium == Queue && q.k.Durability == topo.Replicated:
		return QueueCopies
	case w.Medium == Queue:
		return QueueDisk
	case w.Medium == MappedRing || w.Medium == AnonymousRing && reliable: // a reliable channel's rings are always named
		return OneMachine
	case w.Medium == AnonymousRing:
		return OneProcess
	case reliable:
		return UntilReceived
	}
	return CarriedOnly
}

// encryption is what protects the bytes on a medium. What must be protected is, whatever the file says; that it said otherwise is an
// error, so that nobody believes in a plan that is not his.
func (q *question) encryption(m Medium) (topo.Encryption, string) {
	asked := q.k.Encryption
	if m.local() {
		return topo.EncryptNone, "nothing leaves the machine"
	}
	bare := asked == topo.EncryptNone || asked == topo.EncryptAuto && q.ch.Security == topo.Plain
	if m == QUIC {
		if asked == topo.EncryptNone {
			q.find(topo.Error, "quic-plain", "encryption", "leave encryption out, or protocol tcp", "%s forbids encryption and goes by QUIC, which has no other way", q.ch.Name)
		}
		return topo.EncryptTLS, "TLS 1.3 is part of QUIC"
	}
	if m == Queue {
		return q.queueEncryption(bare)
	}
	if bare && q.protects() {
		q.find(topo.Error, "region-plain", "encryption", "leave encryption out", "%s must not go unencrypted from %s to %s: %s", q.ch.Name, q.from, q.to, q.need())
		bare = false
	}
	switch {
	case bare:
		return topo.EncryptNone, "the file asks for none, and the way stays in the region"
	case m == TCP && (asked == topo.EncryptAES256GCM || asked == topo.EncryptChaCha20Poly1305):
		return topo.EncryptTLS, "TLS 1.3, both sides prove themselves; it chooses between AES-GCM and ChaCha20-Poly1305 itself"
	case m == TCP:
		return topo.EncryptTLS, "TLS 1.3, both sides prove themselves"
	}
	q.keys(m)
	switch asked {
	case topo.EncryptTLS:
		q.find(topo.Error, "tls-datagram", "encryption", "encryption chacha20_poly1305, or leave it out", "%s asks for tls and goes by %s, which is no stream", q.ch.Name, m)
		return topo.EncryptAuto, "sealed envelopes, the cipher that the processor is faster at"
	case topo.EncryptAES256GCM:
		q.find(topo.Error, "aes256-datagram", "encryption", "encryption chacha20_poly1305, or leave it out", "%s asks for aes256_gcm and goes by %s, whose envelopes are sealed with AES-128-GCM or ChaCha20-Poly1305", q.ch.Name, m)
	case topo.EncryptChaCha20Poly1305:
		return asked, "sealed envelopes"
	}
	return topo.EncryptAuto, "sealed envelopes, the cipher that the processor is faster at"
}

// keys says where nobody can have a key for the envelopes of a way, unless a program brings its node an identity of its own.
func (q *question) keys(m Medium) {
	if q.a == nil || q.b == nil || !q.k.Secret.IsZero() || q.a.Trust.Certificate != "" && q.b.Trust.Certificate != "" {
		return
	}
	q.find(topo.Warning, "no-keys", "encryption", "trust for both nodes, by which they agree on secrets, or a secret for the channel, or encryption none",
		"%s is sealed from %s to %s by %s, and they have neither certificates nor a secret", q.ch.Name, q.from, q.to, m)
}

func (q *question) need() string {
	if q.crosses() {
		return "the way leaves the region"
	}
	return "security " + q.ch.Security.String()
}

func (q *question) queueEncryption(bare bool) (topo.Encryption, string) {
	asked := q.k.Encryption
	access := q.r.t.Queue(q.backend())
	switch {
	case asked == topo.EncryptAES256GCM || asked == topo.EncryptChaCha20Poly1305:
		if q.k.Secret.IsZero() {
			return asked, "sealed envelopes: the queue cannot read them; without a secret in the file both ends must meet once to agree on a key"
		}
		return asked, "sealed envelopes: the queue cannot read them"
	case access != nil && access.TLS:
		return topo.EncryptTLS, "TLS to the queue, which can read what it holds"
	case q.backend() == topo.Journal && q.distance.oneNode():
		return topo.EncryptNone, "the journal is a file of this machine"
	case q.protects():
		q.find(topo.Error, "queue-plain", "encryption", "tls: true for the queue, or encryption chacha20_poly1305", "%s must not go unencrypted from %s to %s: %s",
			q.ch.Name, q.from, q.to, q.need())
		return topo.EncryptTLS, "TLS to the queue, which the file does not offer"
	case !bare && asked == topo.EncryptTLS:
		return topo.EncryptTLS, "TLS to the queue, as the channel asks"
	}
	return topo.EncryptNone, "the queue is reached without TLS"
}

// compression is how envelopes are packed on a medium.
func (q *question) compression(m Medium) (topo.Compression, string) {
	asked := q.k.Compression
	switch {
	case m.local():
		return topo.CompressNone, "frames lie in memory as they are"
	case asked != topo.CompressAuto:
		return asked, "the file asks for it"
	case q.ch.Criticality == topo.UltraLowLatency:
		return topo.CompressNone, "packing takes longer than it saves on ultra low latency"
	case q.ch.MessageBytes > 0 && q.ch.MessageBytes <= small:
		return topo.CompressNone, "messages this small do not get smaller"
	case m == Queue || q.distance == OtherSite || q.distance == OtherRegion:
		return topo.CompressAdaptive, "bytes cost something there: packed where packing helps"
	}
	return topo.CompressNone, "within a site bytes cost less than packing"
}

// ringOf says what ring a publisher makes for a channel.
func ringOf(ch *topo.Channel, at Place, own []Decision) Ring {
	r := Ring{Actor: at.Actor, Node: at.Node, Medium: AnonymousRing, NUMA: at.NUMA, Bytes: ch.RingBytes, HugePages: ch.HugePages,
		Why: "nobody reads it from another process"}
	if ch.NUMA >= 0 {
		r.NUMA = ch.NUMA
	}
	if ch.Reliability >= topo.AtLeastOnce {
		r.Medium, r.Why = MappedRing, "what is not confirmed outlives the process"
	}
	for _, d := range own {
		if d.Primary.Medium == MappedRing || d.Secondary != nil && d.Secondary.Medium == MappedRing {
			r.Medium, r.Why = MappedRing, d.To.Actor+" reads it from another process"
			break
		}
	}
	return r
}
