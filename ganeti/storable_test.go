package ganeti_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func TestStorable_Replaced(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("9", 301)
	tests := []struct{ name, raw, want string }{
		{"NaN and Infinity", `{"a": NaN, "b": [Infinity, -Infinity]}`, `{"a": null, "b": [null, null]}`},
		{"exponents", `[1e300, 1e301, -1E+301, 1e-301, 0.5e0, 1e99999999999999999999]`, `[1e300, null, null, null, 0.5e0, null]`},
		{"leading zeros in an exponent", `[1e0000000000000000000000000000005]`, `[1e0000000000000000000000000000005]`},
		{"rows of digits", `[` + digits + `, -0.` + digits + `, ` + digits[:300] + `]`, `[null, null, ` + digits[:300] + `]`},
		{"NUL", `"a\u0000b"`, `"a\ufffdb"`},
		{"NUL in a name", `{"a\u0000": 1}`, `{"a\ufffd": 1}`},
		{"not a NUL", `"a\\u0000b\u0001"`, `"a\\u0000b\u0001"`},
		{
			"lone surrogates", `["\ud800", "\uDFFFx", "\ud800\ud800", "\ud83d\ude00", "\ud83d\n"]`,
			`["\ufffd", "\ufffdx", "\ufffd\ufffd", "\ud83d\ude00", "\ufffd\n"]`,
		},
		{"not UTF-8", "[\"a\xff\xc3\", \"\xe2\x82\xac\"]", "[\"a\ufffd\ufffd\", \"€\"]"},
		{"white space stays", " {\"a\" :\tNaN }\n", " {\"a\" :\tnull }\n"},
		{"a secret", `{"vnc_password": "hunter2", "b": 1}`, `{"vnc_password": "[redacted]", "b": 1}`},
		{
			"a secret of any kind", `{"secret": {"a": ["hunter2"]}, "token": 5, "passwd": [NaN, "\u0000"]}`,
			`{"secret": "[redacted]", "token": "[redacted]", "passwd": "[redacted]"}`,
		},
		{"a secret in any case", `{"PassWord": "hunter2"}`, `{"PassWord": "[redacted]"}`},
		{"a secret at any depth", `[{"a": [{"osparams_secret": {"root": "hunter2"}}]}]`, `[{"a": [{"osparams_secret": "[redacted]"}]}]`},
		{"a secret with an escaped name", `{"pass\u0077ord": "hunter2"}`, `{"pass\u0077ord": "[redacted]"}`},
		{"a secret twice", `{"password": "hunter2", "password": "hunter3"}`, `{"password": "[redacted]", "password": "[redacted]"}`},
		{"a secret after an edit", `{"a": NaN, "password": NaN, "b": "\u0000"}`, `{"a": null, "password": "[redacted]", "b": "\ufffd"}`},
		{"nothing to hide", `{"password": null, "secret": "", "osparams_secret": {}}`, `{"password": null, "secret": "", "osparams_secret": {}}`},
		{
			"paths are no secrets", `{"vnc_password_file": "/etc/x", "spice_password_file": "/y"}`,
			`{"vnc_password_file": "/etc/x", "spice_password_file": "/y"}`,
		},
		{"values are no names", `["password", {"a": "password"}]`, `["password", {"a": "password"}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := []byte(tt.raw)
			got, err := builtIn.Storable(raw)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
			if string(raw) != tt.raw {
				t.Errorf("the input was changed to %s", raw)
			}
		})
	}
}

func TestStorable_EverySecretName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"osparams_secret", "osparams_private", "vnc_password", "spice_password", "rapi_password", "cluster_domain_secret",
		"password", "passwd", "passphrase", "secret", "secret_key", "private_key", "api_key", "apikey", "token",
		"access_token", "auth_token", "client_secret", "root_password", "root_passwd", "rootpw", "admin_password",
		"user_password", "rdp_password", "db_password", "ldap_password", "luks_passphrase",
	} {
		got, err := builtIn.Storable(fmt.Appendf(nil, `{"hvparams": {%q: "hunter2"}}`, strings.ToUpper(name)))
		if err != nil || bytes.Contains(got, []byte("hunter2")) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestStorable_Refused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		``, ` `, `{`, `[`, `[1`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{1:2}`, `{"a" 1}`, `[1 2]`, `1 2`, `]`,
		`"`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u00g0"`, "\"\n\"", "\"\x00\"", `00`, `01`, `-00`, `-01`, `-012`, `-`, `+1`, `.5`, `1.`, `1.e5`, `1e`, `1e+`, `--1`,
		`tru`, `True`, `nul`, `nan`, `Inf`, `-NaN`, `undefined`, "\x00", "\ufeff{}", `'a'`, `{"password": }`, `{"password": "x}`,
		strings.Repeat("[", 101) + strings.Repeat("]", 101), strings.Repeat("[", 1_000_000),
	} {
		if got, err := builtIn.Storable([]byte(raw)); err == nil {
			t.Errorf("%.40q gives %.40q", raw, got)
		}
	}
	if _, err := builtIn.Storable([]byte(strings.Repeat("[", 100) + strings.Repeat("]", 100))); err != nil {
		t.Errorf("100 deep: %v", err)
	}
}

func TestStorable_CleanInputIsReturnedAsItIs(t *testing.T) {
	for _, name := range []string{"instance-kvm.body", "node.body", "group.body", "network.body", "job-error.body", "info.body"} {
		raw := file(t, name)
		var got []byte
		allocs := testing.AllocsPerRun(5, func() {
			var err error
			if got, err = builtIn.Storable(raw); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 || &got[0] != &raw[0] || len(got) != len(raw) {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// FuzzStorable: the result is strict JSON that PostgreSQL takes, and stays as
// it is the second time; JSON is only refused for its depth.
func FuzzStorable(f *testing.F) {
	for _, s := range []string{
		`{"a": [NaN, -Infinity, 1e999], "password": {"b": "\ud800"}, "c": "\u0000` + "\xff" + `"}`, `[0, -0.5E-3, true, null, ""]`,
		`{"pass\u0077ord": "hunter2"}`, ` "\ud83d\ude00" `,
	} {
		f.Add([]byte(s))
	}
	f.Add(file(f, "group.body"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		got, err := builtIn.Storable(raw)
		if !bytes.Equal(before, raw) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if json.Valid(raw) && !strings.Contains(err.Error(), "deep") {
				t.Fatalf("JSON is refused: %v", err)
			}
			return
		}
		if !json.Valid(got) || !utf8.Valid(got) || !jsontext.Value(got).IsValid(jsontext.AllowDuplicateNames(true)) {
			t.Fatalf("%q gives %q, which is not strict JSON", raw, got)
		}
		dec := jsontext.NewDecoder(bytes.NewReader(got), jsontext.AllowDuplicateNames(true))
		for tok, err := dec.ReadToken(); err == nil; tok, err = dec.ReadToken() {
			if tok.Kind() == '"' && strings.ContainsRune(tok.String(), 0) {
				t.Fatalf("%q gives %q, which holds a NUL", raw, got)
			}
		}
		again, err := builtIn.Storable(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q gives %q, then %q, %v", raw, got, again, err)
		}
	})
}
