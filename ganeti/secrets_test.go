package ganeti_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ganeticache/ganeti"
)

// builtIn has the built-in list alone.
var builtIn *ganeti.Redactor

func redactor(tb testing.TB, names ...string) *ganeti.Redactor {
	tb.Helper()
	r, err := ganeti.NewRedactor(names...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// TestRedactor_BuiltIn: what Ganeti itself calls a secret, and what sites usually call theirs.
func TestRedactor_BuiltIn(t *testing.T) {
	t.Parallel()
	hidden := []string{
		"osparams_secret", "osparams_private", "osparams_private_cluster", "OSPARAMS_SECRET", "source_handshake", "handshake",
		"x509_key_name", "logical_id", "physical_id", "vnc_password", "spice_password", "cluster_domain_secret",
		"mysql_password", "root-password", "Admin-Passwd", "disk_passphrase", "s3_secret", "join-token", "ssh_private_key", "my_api_key",
		strings.Repeat("very_", 100) + "long_password",
	}
	shown := []string{
		"vnc_password_file", "spice_password_file", "passwordless", "ssh_key_type", "ssh_key_bits", "osparams", "tokens", "secrets",
		"", "_", "password_", "keymap", "instance_name", strings.Repeat("x", 500),
	}
	for _, r := range []*ganeti.Redactor{nil, redactor(t), redactor(t, "another")} {
		for _, name := range append(hidden, shown...) {
			got, err := r.Storable(fmt.Appendf(nil, `[{"a": {%q: ["hunter2"]}}]`, name))
			if err != nil || bytes.Contains(got, []byte("hunter2")) == slices.Contains(hidden, name) {
				t.Errorf("%.80s: %s, %v", name, got, err)
			}
		}
	}
}

func TestRedactor_FurtherNames(t *testing.T) {
	t.Parallel()
	r := redactor(t, "License-Key", "*_PIN", strings.Repeat("n", 64))
	tests := []struct{ raw, want string }{
		{`{"license_key": "x", "LICENSE-KEY": 5}`, `{"license_key": "[redacted]", "LICENSE-KEY": "[redacted]"}`},
		{`{"sim_pin": "x", "-pin": "x", "pin": "x"}`, `{"sim_pin": "[redacted]", "-pin": "[redacted]", "pin": "x"}`},
		{`{"my_license_key": "x", "license_keys": "x"}`, `{"my_license_key": "x", "license_keys": "x"}`},
		{`{"l\u0069cense_key": {"a": 1}}`, `{"l\u0069cense_key": "[redacted]"}`},
		{`{"` + strings.Repeat("n", 64) + `": "x"}`, `{"` + strings.Repeat("n", 64) + `": "[redacted]"}`},
		{`{"` + strings.Repeat("n", 65) + `": "x"}`, `{"` + strings.Repeat("n", 65) + `": "x"}`},
		{`{"osparams_secret": {"a": "x"}}`, `{"osparams_secret": "[redacted]"}`},
	}
	for _, tt := range tests {
		if got, err := r.Storable([]byte(tt.raw)); err != nil || string(got) != tt.want {
			t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
		}
	}
	if got, err := builtIn.Storable([]byte(tests[0].raw)); err != nil || string(got) != tests[0].raw {
		t.Errorf("the list of one leaks into others: %s, %v", got, err)
	}
}

func TestNewRedactor_Refuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "*", "a*", "*a*", "**", "*ab", "two words", "t\tab", `q"uote`, `back\slash`, "schlüssel", strings.Repeat("n", 65), "\x00"} {
		if r, err := ganeti.NewRedactor("fine", name); err == nil || r != nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

// A job as older versions of Ganeti report it: opcode and result hold what only the cluster may know.
func TestRedactor_Job(t *testing.T) {
	t.Parallel()
	const raw = `{"id": 7, "ops": [{"OP_ID": "OP_INSTANCE_CREATE", "instance_name": "web", "osparams": {"release": "12"},
		"osparams_private": {"a": "hunter2"}, "osparams_secret": {"root": "hunter2"}, "source_handshake": [0, "hunter2", "salt"],
		"hvparams": {"vnc_password_file": "/etc/ganeti/vnc", "vnc_password": "hunter2"}}],
		"opresult": [{"web": {"disks": [{"dev_type": "drbd", "logical_id": ["n1", "n2", 11000, 0, 0, "hunter2"],
		"children": [{"physical_id": ["192.0.2.1", 11000, "192.0.2.2", 11000, 0, "hunter2"], "size": 10}]}]}}]}`
	got, err := redactor(t).Storable([]byte(raw))
	if err != nil || bytes.Contains(got, []byte("hunter2")) {
		t.Errorf("%s, %v", got, err)
	}
	for _, kept := range []string{`"instance_name": "web"`, `"release": "12"`, `/etc/ganeti/vnc`, `"size": 10`} {
		if !bytes.Contains(got, []byte(kept)) {
			t.Errorf("%s is lost in %s", kept, got)
		}
	}
}

// Most objects hold no secret: looking for one must cost no memory, with any list.
func TestRedactor_AllocatesNothing(t *testing.T) {
	r := redactor(t, "license_key", "*_pin")
	raw := append(file(t, "instance-kvm.body"), ' ')
	long := fmt.Appendf(nil, `{%q: 1}`, strings.Repeat("a", 60))
	if n := testing.AllocsPerRun(10, func() {
		for _, in := range [][]byte{raw, long} {
			if _, err := r.Storable(in); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
