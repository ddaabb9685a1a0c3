package config_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"ganeticache/config"
)

var update = flag.Bool("update", false, "write docs/configuration.md")

const (
	document = "../docs/configuration.md"
	begin    = "<!-- reference: written by make docs -->\n"
	end      = "<!-- end of the reference -->\n"
)

// other returns a value that differs from the key's default, so that setting it shows.
func other(tb testing.TB, k config.Key) string {
	tb.Helper()
	byPath := map[string]string{
		"database_url": "sqlite:other.db", "listen": "[::1]:1", "secret_key_file": "/key", "password_dir": "/secrets", "log.level": "debug", "log.format": "json",
		"timeouts.total": "100s", "clusters[].timeouts.total": "100s",
		"api.enabled": "false", "api.tokens_file": "/tokens",
		"owner_tags.pattern": "(.*):owner", "owner_tags.permission": "admin",
		"clusters[].name": "other", "clusters[].rapi": "https://other", "clusters[].username": "other", "clusters[].password_file": "/other",
		"clusters[].password_env": "OTHER", "clusters[].tls.pin_sha256": pin, "clusters[].tls.ca_file": "/dev/null",
		"clusters[].tls.server_name": "other", "clusters[].tls.insecure_skip_verify": "true", "clusters[].tls.min_version": "1.1", "redact": "license_key, *_pin", "api.hosts": "cache.example.org, db1",
		"clusters[].enabled":         "false",
		"clusters[].allow_duplicate": "true",
	}
	byType := map[string]string{"schedule": "@daily", "schedule or off": "@weekly", "number": "7", "duration": "7s", "duration or off": "7d", "size": "7MiB", "share or off": "35%"}
	if text, found := byPath[k.Path]; found {
		return text
	}
	text, found := byType[k.Type]
	if !found {
		tb.Fatalf("the test has no value for %s", k.Path)
	}
	return text
}

// asYAML writes one key at its place, in a cluster that has all it needs.
func asYAML(k config.Key, text string) string {
	path, ofCluster := strings.CutPrefix(k.Path, "clusters[].")
	if !ofCluster {
		section, key, nested := strings.Cut(path, ".")
		if nested {
			return fmt.Sprintf("%s:\n  %s: %q\n", section, key, text)
		}
		return fmt.Sprintf("%s: %q\n", path, text)
	}
	lines := map[string]string{"name": "prod", "rapi": "https://rapi"}
	switch path {
	case "username":
		lines["password_file"] = "/pw"
	case "password_file", "password_env":
		lines["username"] = "gwm"
	}
	if section, key, nested := strings.Cut(path, "."); nested {
		lines[section] = fmt.Sprintf("{%s: %q}", key, text)
	} else {
		lines[path] = fmt.Sprintf("%q", text)
	}
	var b strings.Builder
	b.WriteString("clusters:\n  -\n")
	for key, value := range lines {
		fmt.Fprintf(&b, "    %s: %s\n", key, value)
	}
	return b.String()
}

// TestReference_EveryKeyCanBeSet holds that each key of the reference means the same in the file and in the
// environment, and that it reaches the Config.
func TestReference_EveryKeyCanBeSet(t *testing.T) {
	t.Parallel()
	for _, k := range config.Reference() {
		t.Run(k.Path, func(t *testing.T) {
			t.Parallel()
			text := other(t, k)
			fromFile := load(t, options(t, asYAML(k, text)))

			// The same file with another value, which the environment overrides.
			o := options(t, asYAML(k, placeholder(k)))
			o.Env = []string{strings.Replace(k.Env(), "<N>", "0", 1) + "=" + text}
			fromEnv := load(t, o)
			fromFile.File, fromEnv.File = "", ""
			diff(t, fromFile, fromEnv)

			plain := load(t, options(t, asYAML(k, placeholder(k))))
			plain.File = ""
			if reflect.DeepEqual(strip(plain), strip(fromFile)) {
				t.Errorf("%s = %s changes nothing", k.Path, text)
			}
		})
	}
}

// placeholder is a value that another layer can override and that differs from other.
func placeholder(k config.Key) string {
	byPath := map[string]string{
		"database_url": "sqlite:x.db", "listen": "", "secret_key_file": "/x", "log.level": "info", "log.format": "auto",
		"timeouts.total": "110s", "clusters[].timeouts.total": "110s",
		"api.enabled": "true", "api.tokens_file": "/x",
		"owner_tags.pattern": "(x)", "owner_tags.permission": "x",
		"clusters[].name": "x", "clusters[].rapi": "https://x", "clusters[].username": "x", "clusters[].password_file": "/x",
		"clusters[].password_env": "X", "clusters[].tls.pin_sha256": strings.Repeat("0", 64), "clusters[].tls.ca_file": "/dev/zero",
		"clusters[].tls.server_name": "x", "password_dir": "/x", "clusters[].tls.insecure_skip_verify": "false", "clusters[].tls.min_version": "1.3", "redact": "x", "api.hosts": "x",
		"clusters[].enabled":         "true",
		"clusters[].allow_duplicate": "false",
	}
	byType := map[string]string{"schedule": "@hourly", "schedule or off": "@hourly", "number": "6", "duration": "6s", "duration or off": "off", "size": "6MiB", "share or off": "off"}
	if text, found := byPath[k.Path]; found {
		return text
	}
	return byType[k.Type]
}

// strip removes what cannot be compared: functions.
func strip(c *config.Config) any {
	type plain struct {
		A any
		B []string
	}
	p := plain{A: []any{
		c.DatabaseURL, c.Schedule, c.Schedules, c.RefreshBudget, c.Concurrency, c.Listen, c.API, c.MaxAge, c.Retention, c.RetentionChanges, c.Lease, c.Guard, c.Timeouts, c.MaxBody, c.SecretKeyFile, c.PasswordDir, c.Redact, c.OwnerTags, c.Log,
	}}
	for _, cl := range c.Clusters {
		p.B = append(p.B, fmt.Sprint(cl.Name, cl.RAPI, cl.Username, cl.PasswordFile, cl.PasswordEnv, cl.TLS, cl.Schedule, cl.Schedules,
			cl.RefreshBudget, cl.Timeouts, cl.MaxBody, cl.Enabled, cl.AllowDuplicate))
	}
	return p
}

// TestReference_EveryFieldHasAKey holds that no field of Config was forgotten in the table.
func TestReference_EveryFieldHasAKey(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, k := range config.Reference() {
		documented[k.Path] = true
		if k.Doc == "" || k.Type == "" {
			t.Errorf("%s has no description or no type", k.Path)
		}
	}
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for f := range typ.Fields() {
			tag := f.Tag.Get("key")
			switch {
			case !f.IsExported() || tag == "-":
			case f.Type.Kind() == reflect.Struct:
				walk(prefix+tag+".", f.Type)
			case !documented[prefix+tag]:
				t.Errorf("field %s%s has no entry in the table of keys", prefix, tag)
			}
		}
	}
	walk("", reflect.TypeFor[config.Config]())
	walk("clusters[].", reflect.TypeFor[config.Cluster]())
}

// TestReference_Document holds that docs/configuration.md says what the code does; -update writes it.
func TestReference_Document(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(content), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has lost the marks of the reference", document)
	}
	want := before + begin + "\n" + config.ReferenceMarkdown() + "\n" + end + after
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(content) {
		t.Errorf("%s is older than the code; run make docs", document)
	}
}

// TestReference_DocumentedConfigurations holds that the examples people copy can be loaded.
func TestReference_DocumentedConfigurations(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(content), "```yaml\n")[1:]
	if len(blocks) == 0 {
		t.Fatalf("%s has no example", document)
	}
	for i, b := range blocks {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			text, _, _ := strings.Cut(b, "```")
			load(t, options(t, text))
		})
	}
	example, err := os.ReadFile("../deploy/systemd/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	load(t, options(t, string(example)))
}
