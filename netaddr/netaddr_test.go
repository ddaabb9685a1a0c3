package netaddr_test

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"

	"ganeticache/netaddr"
)

type spelling struct {
	in, want string
	ok       bool
}

func check(t *testing.T, f func(string) (string, bool), tests []spelling) {
	t.Helper()
	for _, tt := range tests {
		got, ok := f(tt.in)
		if got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %q, %t; want %q, %t", tt.in, got, ok, tt.want, tt.ok)
		}
		if again, _ := f(got); again != got {
			t.Errorf("%q: the form of %q is %q", tt.in, got, again)
		}
	}
}

func TestIP(t *testing.T) {
	t.Parallel()
	check(t, netaddr.IP, []spelling{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.01", "192.0.2.01", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:DB8::1", "2001:db8::1", true},
		{"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", true},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", true},
		{"2001:db8::0:1", "2001:db8::1", true},
		{"::FFFF:192.0.2.1", "::ffff:192.0.2.1", true},
		{"::ffff:c000:201", "::ffff:192.0.2.1", true},
		{"FE80::1%eth0", "fe80::1%eth0", true},
		{"2001:db8::1/64", "2001:db8::1/64", false},
		{"[2001:db8::1]", "[2001:db8::1]", false},
		{"pool", "pool", false},
		{"", "", false},
	})
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	check(t, netaddr.Prefix, []spelling{
		{"192.0.2.0/24", "192.0.2.0/24", true},
		{"2001:DB8:0:0::/64", "2001:db8::/64", true},
		{"2001:DB8::5/64", "2001:db8::5/64", true},
		{"192.0.2.0", "192.0.2.0", false},
		{"192.0.2.0/33", "192.0.2.0/33", false},
		{"", "", false},
	})
}

func TestMAC(t *testing.T) {
	t.Parallel()
	check(t, netaddr.MAC, []spelling{
		{"aa:00:00:12:34:56", "aa:00:00:12:34:56", true},
		{"AA:00:00:12:34:56", "aa:00:00:12:34:56", true},
		{"aa-00-00-12-34-56", "aa:00:00:12:34:56", true},
		{"AA00.0012.3456", "aa:00:00:12:34:56", true},
		{"AA0000123456", "aa:00:00:12:34:56", true},
		{"aa:00:00:12:34", "aa:00:00:12:34", false},
		{"aa:00:00:12:34:56:78:90", "aa:00:00:12:34:56:78:90", false},
		{"aa:00:00:12:34:5g", "aa:00:00:12:34:5g", false},
		{"aa-00:00:12:34:56", "aa-00:00:12:34:56", false},
		{"no-mac-at-al", "no-mac-at-al", false},
		{"generate", "generate", false},
		{"", "", false},
	})
}

func TestMACPrefix(t *testing.T) {
	t.Parallel()
	check(t, netaddr.MACPrefix, []spelling{
		{"aa:00:01", "aa:00:01", true},
		{"AA:00:01", "aa:00:01", true},
		{"AA-00-01", "aa:00:01", true},
		{"aa0001", "aa:00:01", true},
		{"aa:00", "aa:00", false},
		{"", "", false},
	})
}

// FuzzCanonical: whatever is read is the same address afterwards, and is spelt in one way only.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "2001:DB8::1", "fe80::1%eth0", "AA-00-00-12-34-56", "aa00.0012.3456", "2001:DB8::/32", "aa:00:01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, spell := range map[string]func(string) (string, bool){
			"IP": netaddr.IP, "Prefix": netaddr.Prefix, "MAC": netaddr.MAC, "MACPrefix": netaddr.MACPrefix,
		} {
			got, ok := spell(s)
			again, still := spell(got)
			if again != got || still != ok || !ok && got != s {
				t.Errorf("%s(%q) = %q, %t; again %q, %t", name, s, got, ok, again, still)
			}
		}
		if got, ok := netaddr.IP(s); ok && netip.MustParseAddr(got) != netip.MustParseAddr(s) {
			t.Errorf("%q became %q", s, got)
		}
		if got, ok := netaddr.MAC(s); ok && strings.ContainsAny(s, ":-.") {
			a, errA := net.ParseMAC(s)
			b, errB := net.ParseMAC(got)
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%q became %q", s, got)
			}
		}
	})
}
