// Package netaddr spells the addresses of IP and Ethernet in their one canonical form, so that equal addresses are equal
// texts: in the columns of the database, and in what is searched for.
package netaddr

import (
	"net"
	"net/netip"
)

// IP returns an IPv4 or IPv6 address as RFC 5952 spells it: lower case, without leading zeros, its longest run of zeros
// cut. Any other text is returned as it is, and ok is false.
func IP(s string) (canonical string, ok bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return s, false
	}
	if addr.Is4() {
		return s, true // netip takes no other spelling, such as one with leading zeros
	}
	return addr.String(), true
}

// Prefix returns a network in CIDR notation with its address in canonical form. The bits of the host stay, as Ganeti has
// them. Any other text is returned as it is, and ok is false.
func Prefix(s string) (canonical string, ok bool) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return s, false
	}
	return prefix.String(), true
}

// MAC returns an Ethernet address as six pairs of lower-case digits between colons. It reads the spellings of IEEE 802
// (hyphens), of switches (aabb.ccdd.eeff), and bare digits. Any other text is returned as it is, and ok is false.
func MAC(s string) (canonical string, ok bool) {
	const octets = 6
	if isCanonicalMAC(s) {
		return s, true
	}
	spelt := s
	if len(s) == 2*octets {
		spelt = s[:4] + "." + s[4:8] + "." + s[8:]
	}
	mac, err := net.ParseMAC(spelt)
	if err != nil || len(mac) != octets {
		return s, false
	}
	return mac.String(), true
}

// isCanonicalMAC spares the addresses that Ganeti sends, nearly all of which are canonical, the rest of the work.
func isCanonicalMAC(s string) bool {
	if len(s) != len("aa:00:00:00:00:01") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i%3 == 2 && c == ':':
		case i%3 != 2 && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f'):
		default:
			return false
		}
	}
	return true
}

// MACPrefix returns the first three octets of Ethernet addresses, as Ganeti's networks have them, in the form of
// [MAC]. Any other text is returned as it is, and ok is false.
func MACPrefix(s string) (canonical string, ok bool) {
	for _, rest := range []string{":00:00:00", "-00-00-00", "000000"} {
		if mac, ok := MAC(s + rest); ok {
			return mac[:len("aa:00:00")], true
		}
	}
	return s, false
}
