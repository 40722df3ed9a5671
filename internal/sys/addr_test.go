package sys

import (
	"net/netip"
	"testing"
)

func TestAddressComesBackAsItWas(t *testing.T) {
	for _, s := range []string{"127.0.0.1:9", "0.0.0.0:0", "255.1.2.3:65535", "[::]:0", "[2001:db8::1]:443", "[fe80::1%7]:1"} {
		want := netip.MustParseAddrPort(s)
		a, err := AddressOf(want)
		if err != nil || a.AddrPort() != want || !a.IsValid() {
			t.Errorf("%s: %s, %v", s, a.AddrPort(), err)
		}
		if b, _ := AddressOf(want); a != b {
			t.Errorf("%s: two addresses of one place differ", s)
		}
	}
}

func TestMappedAddressIsTheIPv4One(t *testing.T) {
	a, err := AddressOf(netip.MustParseAddrPort("[::ffff:10.0.0.1]:7"))
	if err != nil || a.AddrPort() != netip.MustParseAddrPort("10.0.0.1:7") {
		t.Error(a.AddrPort(), err)
	}
}

func TestAddressRefusesWhatIsNone(t *testing.T) {
	if a, err := AddressOf(netip.AddrPort{}); err == nil || a.IsValid() || a.AddrPort().IsValid() {
		t.Error(a, err)
	}
	if a, err := AddressOf(netip.MustParseAddrPort("[fe80::1%no-such-if]:1")); err == nil || a.IsValid() {
		t.Error(a, err)
	}
}
