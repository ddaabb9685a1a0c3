package ganeti_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

func TestSecret_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	s := ganeti.Settings{URL: "https://h", Username: "u", Password: "hunter2"}
	texts := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%-5v", "%.2s", "% x", "%c", "%U"} {
		texts[verb] = fmt.Sprintf(verb, s.Password)
		texts["settings "+verb] = fmt.Sprintf(verb, s)
		texts["pointer "+verb] = fmt.Sprintf(verb, &s)
		texts["slice "+verb] = fmt.Sprintf(verb, []ganeti.Secret{s.Password})
		texts["map "+verb] = fmt.Sprintf(verb, map[string]any{"a": s.Password})
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	texts["JSON"] = string(text)
	texts["error"] = fmt.Errorf("wrapping %v", s.Password).Error()
	for how, text := range texts {
		if leaks(text, "hunter2") {
			t.Errorf("%s: %s", how, text)
		}
	}
	if s.Password.Reveal() != "hunter2" || s.Password.String() != "[redacted]" {
		t.Error("Reveal or String is wrong")
	}
}

// leaks looks for a password in clear and in the encodings fmt and HTTP use.
func leaks(text, password string) bool {
	for _, form := range []string{
		password, fmt.Sprintf("%x", password), fmt.Sprintf("%X", password), fmt.Sprintf("% x", password),
		strings.Trim(fmt.Sprintf("%d", []byte(password)), "[]"), basic("gwm", password),
	} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestSettings_Validate(t *testing.T) {
	t.Parallel()
	pin := strings.Repeat("9f:", 31) + "86"
	tests := []struct {
		name string
		s    ganeti.Settings
		want string // "" for valid
	}{
		{"least", ganeti.Settings{URL: "https://h"}, ""},
		{"all", ganeti.Settings{
			URL: "https://h:5080/", Username: "u", Password: "p", TLS: ganeti.TLS{PinSHA256: pin},
			Timeouts: ganeti.DefaultTimeouts(), MaxBody: 1,
		}, ""},
		{"IPv6", ganeti.Settings{URL: "https://[2001:db8::1]:5080"}, ""},
		{"no URL", ganeti.Settings{}, "rapi: is empty"},
		{"http", ganeti.Settings{URL: "http://h:5080"}, "rapi: RAPI speaks TLS only"},
		{"no scheme", ganeti.Settings{URL: "h:5080"}, "does not start with https://"},
		{"no scheme, only a host", ganeti.Settings{URL: "h"}, "does not start with https://"},
		{"no host", ganeti.Settings{URL: "https://:5080"}, "names no host"},
		{"path", ganeti.Settings{URL: "https://h/2/info"}, "must end after the port"},
		{"query", ganeti.Settings{URL: "https://h?a"}, "must end after the port"},
		{"port 0", ganeti.Settings{URL: "https://h:0"}, `"0" is not a port`},
		{"port 65536", ganeti.Settings{URL: "https://h:65536"}, `"65536" is not a port`},
		{"port x", ganeti.Settings{URL: "https://h:x"}, "is not a URL"},
		{"a bad IPv6", ganeti.Settings{URL: "https://[2001::db8::1]"}, "rapi:"},
		{"white space", ganeti.Settings{URL: "https://h h"}, "rapi:"},
		{"userinfo", ganeti.Settings{URL: "https://u:hunter2@h"}, "must not hold a user or a password"},
		{"broken userinfo", ganeti.Settings{URL: "https://u:hunter2/%@h:x"}, "must not hold a user or a password"},
		{"several", ganeti.Settings{URL: "https://a, https://b:5081,https://[::1]"}, ""},
		{"one of several", ganeti.Settings{URL: "https://a,http://b"}, "rapi: address 2 of 2: RAPI speaks TLS only"},
		{"a comma too many", ganeti.Settings{URL: "https://a,"}, "rapi: address 2 of 2: is empty"},
		{"twice", ganeti.Settings{URL: "https://a,https://b,https://A:5080/"}, "rapi: names a:5080 twice"},
		{"userinfo in one of several", ganeti.Settings{URL: "https://a,https://u:hunter2@b"}, "must not hold a user or a password"},
		{"a comma in the userinfo", ganeti.Settings{URL: "https://u:hunter2,x@b"}, "must not hold a user or a password"},
		{"password alone", ganeti.Settings{URL: "https://h", Password: "p"}, "username: is empty although"},
		{"colon", ganeti.Settings{URL: "https://h", Username: "a:b", Password: "p"}, "username: a colon"},
		{"line break in the user", ganeti.Settings{URL: "https://h", Username: "a\n"}, "username: contains a control"},
		{"line break in the password", ganeti.Settings{URL: "https://h", Username: "a", Password: "hunter2\n"}, "password: contains a line break"},
		{"body limit", ganeti.Settings{URL: "https://h", MaxBody: -1}, "max_body: must be positive"},
		{"short pin", ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{PinSHA256: pin[:59]}}, "tls.pin_sha256: holds 20 bytes, a SHA-256 has 32"},
		{"not a pin", ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{PinSHA256: "xyz"}}, "tls.pin_sha256: is not hexadecimal"},
		{"SHA-1", ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{PinSHA256: "SHA1 Fingerprint=" + pin}}, "is not a SHA-256 fingerprint"},
		{
			"pin and no check",
			ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{PinSHA256: pin, InsecureSkipVerify: true}},
			"tls.pin_sha256 and tls.insecure_skip_verify: choose one",
		},
		{"pin and ca", ganeti.Settings{URL: "https://h", TLS: ganeti.TLS{PinSHA256: pin, CAFile: "x"}}, "tls.pin_sha256 and tls.ca_file: choose one"},
		{"timeouts", ganeti.Settings{URL: "https://h", Timeouts: ganeti.Timeouts{Connect: -1}}, "timeouts.connect: must be positive"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.s.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %v", err)
			}
			if _, newErr := ganeti.New(tt.s); tt.want != "" && newErr == nil {
				t.Error("New accepts what Validate refuses")
			}
		})
	}
}

func TestSettings_Validate_NamesAll(t *testing.T) {
	t.Parallel()
	err := ganeti.Settings{URL: "http://h", Username: "a:b", TLS: ganeti.TLS{PinSHA256: "x"}, MaxBody: -1}.Validate()
	for _, key := range []string{"rapi:", "username:", "tls.pin_sha256:", "max_body:"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in: %v", key, err)
		}
	}
}

func TestSettings_HostPort(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url, host string
		port      int
	}{
		{"https://RAPI.Example.org", "rapi.example.org", 5080},
		{"https://h:443/", "h", 443},
		{"https://[2001:DB8::1]", "2001:db8::1", 5080},
		{"https://[::1]:8080", "::1", 8080},
		{"HTTPS://10.0.0.1", "10.0.0.1", 5080},
	}
	for _, tt := range tests {
		host, port, err := ganeti.Settings{URL: tt.url}.HostPort()
		if err != nil || host != tt.host || port != tt.port {
			t.Errorf("%s: got %q, %d, %v", tt.url, host, port, err)
		}
	}
}

func TestSettings_Addresses(t *testing.T) {
	t.Parallel()
	s := ganeti.Settings{URL: "https://B.example.org,https://a:443 , https://[::1]"}
	got, err := s.Addresses()
	if err != nil {
		t.Fatal(err)
	}
	want := []ganeti.Address{{Host: "b.example.org", Port: 5080}, {Host: "a", Port: 443}, {Host: "::1", Port: 5080}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if text := got[2].String(); text != "[::1]:5080" {
		t.Errorf("an IPv6 address reads %s", text)
	}
	if host, port, err := s.HostPort(); host != "b.example.org" || port != 5080 || err != nil {
		t.Errorf("the first is %s, %d, %v", host, port, err)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	if err := ganeti.DefaultTimeouts().Validate(); err != nil {
		t.Error(err)
	}
	if w := ganeti.DefaultTimeouts().Warnings(); w != nil {
		t.Errorf("the defaults are unwise: %q", w)
	}
	ok := ganeti.DefaultTimeouts()
	tests := []struct {
		name   string
		change func(*ganeti.Timeouts)
		want   string
	}{
		{"zero", func(t *ganeti.Timeouts) { t.FirstByte = 0 }, "timeouts.first_byte: must be positive, got 0s"},
		{"negative", func(t *ganeti.Timeouts) { t.Total = -time.Second }, "timeouts.total: must be positive, got -1s"},
		{"connect", func(t *ganeti.Timeouts) { t.Connect = 3 * time.Minute }, "timeouts.connect: 3m0s is longer than timeouts.total (2m0s)"},
		{"handshake", func(t *ganeti.Timeouts) { t.TLSHandshake = 3 * time.Minute }, "timeouts.tls_handshake: 3m0s is longer"},
		{"first byte", func(t *ganeti.Timeouts) { t.FirstByte = 3 * time.Minute }, "timeouts.first_byte: 3m0s is longer"},
	}
	for _, tt := range tests {
		v := ok
		tt.change(&v)
		if err := v.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	alone := ganeti.Settings{URL: "https://h", Timeouts: ganeti.Timeouts{Total: 3 * time.Second}}
	if err := alone.Validate(); err != nil {
		t.Errorf("setting the total alone: %v", err)
	}
	unwise := ganeti.Timeouts{TLSHandshake: 10 * time.Second, FirstByte: 30 * time.Second, Total: 40 * time.Second}
	var keys []string
	for _, w := range unwise.Warnings() {
		key, _, _ := strings.Cut(w, ":")
		keys = append(keys, key)
	}
	if diff := cmp.Diff([]string{"timeouts.tls_handshake", "timeouts.first_byte", "timeouts.total"}, keys); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
