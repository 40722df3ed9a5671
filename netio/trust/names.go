package trust

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Names lists the names of a certificate as patterns are held against them.
func Names(c *x509.Certificate) (all []string) {
	for _, n := range c.DNSNames {
		if !strings.Contains(n, "*") {
			all = append(all, strings.ToLower(strings.TrimSuffix(n, ".")))
		}
	}
	for _, ip := range c.IPAddresses {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, a.Unmap().String())
		}
	}
	for _, u := range c.URIs {
		if s := u.String(); !strings.Contains(s, "*") {
			all = append(all, s)
		}
	}
	return all
}

// Vouches reports whether a certificate is that of the node of this name: one of its DNS names is, or the last segment of one of its URIs.
func Vouches(c *x509.Certificate, node string) bool {
	return node != "" && slices.ContainsFunc(Names(c), func(name string) bool {
		if _, path, ok := strings.Cut(name, "://"); ok {
			return strings.Contains(path, "/") && path[strings.LastIndexByte(path, '/')+1:] == node
		}
		_, err := netip.ParseAddr(name)
		return err != nil && strings.EqualFold(name, node)
	})
}

// pattern is one entry of an allow-list. One of its fields says what it is.
type pattern struct {
	anybody bool
	network netip.Prefix
	exact   string // a DNS name in lower case, or a URI
	suffix  string // of a DNS name: one label before it
	prefix  string // of a URI: one segment after it
}

func patterns(texts []string) (all []pattern, err error) {
	var faults []error
	for _, text := range texts {
		p, err := parsePattern(text)
		if err != nil {
			faults = append(faults, err)
		}
		all = append(all, p)
	}
	return all, errors.Join(faults...)
}

func parsePattern(text string) (pattern, error) {
	bad := func(why string) (pattern, error) { return pattern{}, fmt.Errorf("name %q: %s", text, why) }
	if text == "*" {
		return pattern{anybody: true}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap()
		return pattern{network: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	if n, err := netip.ParsePrefix(text); err == nil {
		if n != n.Masked() {
			return bad("bits beyond its mask are set: did you mean " + n.Masked().String() + "?")
		}
		return pattern{network: n}, nil
	}
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return bad("no URI with a host")
		}
		switch before, last := text[:strings.LastIndexByte(text, '/')+1], text[strings.LastIndexByte(text, '/')+1:]; {
		case strings.Contains(before, "*") || last != "*" && strings.Contains(last, "*"):
			return bad("a star stands for the whole last segment of a URI")
		case last == "*" && strings.HasSuffix(before, "://"):
			return bad("a star does not stand for a host")
		case last == "*":
			return pattern{prefix: before}, nil
		}
		return pattern{exact: text}, nil
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	rest, star := strings.CutPrefix(name, "*.")
	for label := range strings.SplitSeq(rest, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return bad("neither a DNS name, with a star for its first label at most, nor an IP address or network, nor a URI")
		}
	}
	if star {
		return pattern{suffix: "." + rest}, nil
	}
	return pattern{exact: name}, nil
}

func (p *pattern) match(name string) bool {
	if p.anybody {
		return true
	}
	if strings.Contains(name, "://") {
		rest, ok := strings.CutPrefix(name, p.prefix)
		return p.exact == name || p.prefix != "" && ok && rest != "" && !strings.Contains(rest, "/")
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return p.network.IsValid() && p.network.Contains(a)
	}
	label, ok := strings.CutSuffix(name, p.suffix)
	return p.exact == name || p.suffix != "" && ok && label != "" && !strings.Contains(label, ".")
}

// allowed reports whether one of the names matches one of the patterns. Even anybody has a name.
func allowed(names []string, by []pattern) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(by, func(p pattern) bool { return p.match(name) })
	})
}
