package sys

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// appendControl is the twin of nextControl.
func appendControl(to []byte, level, kind int32, body []byte) []byte {
	start := len(to)
	to = append(to, make([]byte, cmsgSpace(len(body)))...)
	if cmsgAlign == 8 {
		binary.NativeEndian.PutUint64(to[start:], uint64(cmsgHead+len(body)))
	} else {
		binary.NativeEndian.PutUint32(to[start:], uint32(cmsgHead+len(body)))
	}
	binary.NativeEndian.PutUint32(to[start+cmsgAlign:], uint32(level))
	binary.NativeEndian.PutUint32(to[start+cmsgAlign+4:], uint32(kind))
	copy(to[start+cmsgHead:], body)
	return to
}

func FuzzControl(f *testing.F) {
	one := appendControl(nil, unix.IPPROTO_UDP, unix.UDP_GRO, []byte{1, 2, 0, 0})
	f.Add(one)
	f.Add(appendControl(one, unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, make([]byte, 48)))
	f.Add(appendControl(nil, unix.IPPROTO_IP, unix.IP_RECVERR, make([]byte, extendedErr+sockaddr4Size)))
	f.Add(appendControl(nil, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, make([]byte, extendedErr+sockaddr6Size+20)))
	f.Add(one[:7])
	f.Fuzz(func(t *testing.T, control []byte) {
		rest := control
		for len(rest) > 0 {
			level, kind, body, next, ok := nextControl(rest)
			if !ok {
				break
			}
			if len(next) >= len(rest) {
				t.Fatal("no step forward")
			}
			again := appendControl(nil, level, kind, body)
			if l, k, b, r, ok := nextControl(again); !ok || l != level || k != kind || !bytes.Equal(b, body) || len(r) != 0 {
				t.Fatalf("%d %d %x became %d %d %x", level, kind, body, l, k, b)
			}
			rest = next
		}
		var q QueuedError
		q.read(control)
		stampOf(control)
	})
}
