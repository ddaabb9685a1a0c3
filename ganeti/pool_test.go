package ganeti_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ganeticache/ganeti"
)

func TestPool_SameSettingsSameClient(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	base := ganeti.Settings{
		URL: "https://rapi.example.org", Username: "gwm", Password: testPassword, TLS: ganeti.TLS{CAFile: pemFile(t, ca.cert)},
	}
	tests := []struct {
		name             string
		change           func(*ganeti.Settings)
		sameHash, sameOf bool
	}{
		{"nothing", func(*ganeti.Settings) {}, true, true},
		{"the same in other words", func(s *ganeti.Settings) {
			s.URL, s.Timeouts, s.MaxBody = "https://RAPI.example.org:5080/", ganeti.DefaultTimeouts(), ganeti.DefaultMaxBody
		}, true, true},
		{"the same CA in another file", func(s *ganeti.Settings) { s.TLS.CAFile = pemFile(t, ca.cert) }, true, true},
		{"a timeout", func(s *ganeti.Settings) { s.Timeouts.Connect = time.Second }, true, false},
		{"the body limit", func(s *ganeti.Settings) { s.MaxBody = 1 }, true, false},
		{"host", func(s *ganeti.Settings) { s.URL = "https://rapi2.example.org" }, false, false},
		{"port", func(s *ganeti.Settings) { s.URL += ":5081" }, false, false},
		{"a second address", func(s *ganeti.Settings) { s.URL += ",https://b" }, false, false},
		{"where to start", func(s *ganeti.Settings) { s.Start = ganeti.Address{Host: "rapi.example.org", Port: 5080} }, true, true},
		{"user", func(s *ganeti.Settings) { s.Username = "gwm2" }, false, false},
		{"password", func(s *ganeti.Settings) { s.Password += "x" }, false, false},
		{"a border moved", func(s *ganeti.Settings) { s.Username, s.Password = "gw", "m"+testPassword }, false, false},
		{"server_name", func(s *ganeti.Settings) { s.TLS.ServerName = "x" }, false, false},
		{"another CA", func(s *ganeti.Settings) { s.TLS.CAFile = pemFile(t, other.cert) }, false, false},
		{"pin", func(s *ganeti.Settings) { s.TLS = ganeti.TLS{PinSHA256: strings.Repeat("00", 32)} }, false, false},
		{"no check", func(s *ganeti.Settings) { s.TLS = ganeti.TLS{InsecureSkipVerify: true} }, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := ganeti.NewPool([]byte("key"))
			changed := base
			tt.change(&changed)
			hash, c := mustPool(t, p, base)
			otherHash, otherClient := mustPool(t, p, changed)
			if (hash == otherHash) != tt.sameHash {
				t.Errorf("same hash: %t, want %t", hash == otherHash, tt.sameHash)
			}
			if (c == otherClient) != tt.sameOf {
				t.Errorf("same client: %t, want %t", c == otherClient, tt.sameOf)
			}
			if _, again := mustPool(t, p, base); again != c {
				t.Error("back to the first settings: another client")
			}
		})
	}
}

func mustPool(tb testing.TB, p *ganeti.Pool, s ganeti.Settings) (string, *ganeti.Client) {
	tb.Helper()
	hash, err := p.Hash(s)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := p.Get(s)
	if err != nil {
		tb.Fatal(err)
	}
	return hash, c
}

// TestPool_HashOfOneAddress keeps the hashes that databases hold since there was one address only.
func TestPool_HashOfOneAddress(t *testing.T) {
	t.Parallel()
	p := ganeti.NewPool([]byte("key"))
	hash, _ := mustPool(t, p, ganeti.Settings{URL: "https://rapi.example.org", Username: "gwm", Password: testPassword})
	const want = "88c60771e28107b4fb621d48a482a0d30ef4e158a17cf1a41318a766dae4c259"
	if hash != want {
		t.Errorf("got %s, want %s", hash, want)
	}
	order, _ := mustPool(t, p, ganeti.Settings{URL: "https://a,https://b"})
	swapped, _ := mustPool(t, p, ganeti.Settings{URL: "https://b,https://a"})
	if order == swapped {
		t.Error("the order of the addresses makes no difference")
	}
}

func TestPool_HashIsKeyed(t *testing.T) {
	t.Parallel()
	s := ganeti.Settings{URL: "https://h", Username: "gwm", Password: testPassword}
	one, _ := mustPool(t, ganeti.NewPool([]byte("one")), s)
	again, _ := mustPool(t, ganeti.NewPool([]byte("one")), s)
	two, _ := mustPool(t, ganeti.NewPool([]byte("two")), s)
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(one) || one != again || one == two {
		t.Errorf("hashes %s, %s, %s", one, again, two)
	}
	spelled := s
	spelled.TLS.PinSHA256 = "SHA256 Fingerprint=" + strings.TrimSuffix(strings.Repeat("AB:", 32), ":")
	s.TLS.PinSHA256 = strings.Repeat("ab", 32)
	p := ganeti.NewPool([]byte("one"))
	a, _ := mustPool(t, p, s)
	b, _ := mustPool(t, p, spelled)
	if a != b {
		t.Error("another spelling of the pin is another hash")
	}
}

func TestPool_SeesARenewedCAFile(t *testing.T) {
	t.Parallel()
	p := ganeti.NewPool([]byte("key"))
	s := ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{CAFile: pemFile(t, newAuthority(t).cert)}}
	hash, c := mustPool(t, p, s)
	renewed, err := os.ReadFile(pemFile(t, newAuthority(t).cert))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.TLS.CAFile, renewed, 0o600); err != nil {
		t.Fatal(err)
	}
	if other, d := mustPool(t, p, s); other == hash || d == c {
		t.Error("a renewed CA file is not seen")
	}
	if err := os.Remove(s.TLS.CAFile); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Get(s); err == nil || !strings.Contains(err.Error(), "tls.ca_file") {
		t.Errorf("a CA file that is gone: got %v", err)
	}
}

func TestPool_Retain(t *testing.T) {
	t.Parallel()
	p := ganeti.NewPool([]byte("key"))
	a := ganeti.Settings{URL: "https://a"}
	b := ganeti.Settings{URL: "https://b"}
	slower := a
	slower.Timeouts.Total = time.Hour
	hash, old := mustPool(t, p, a)
	_, kept := mustPool(t, p, slower)
	_, gone := mustPool(t, p, b)
	p.Retain([]string{hash})
	if _, c := mustPool(t, p, slower); c != kept {
		t.Error("a retained client is another one")
	}
	if _, c := mustPool(t, p, b); c == gone {
		t.Error("a client that was not retained is still there")
	}
	if _, c := mustPool(t, p, a); c == old {
		t.Error("an older client of the same hash is still there")
	}
}

func TestPool_InvalidAndPrinted(t *testing.T) {
	t.Parallel()
	p := ganeti.NewPool([]byte("the-hmac-key"))
	if _, err := p.Get(ganeti.Settings{URL: "http://h"}); err == nil {
		t.Error("Get accepts invalid settings")
	}
	if _, err := p.Hash(ganeti.Settings{}); err == nil {
		t.Error("Hash accepts invalid settings")
	}
	_, c := mustPool(t, p, ganeti.Settings{URL: "https://h", Username: "gwm", Password: testPassword})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		text := fmt.Sprintf(verb+" "+verb, p, c)
		if leaks(text, testPassword) || leaks(text, "the-hmac-key") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
