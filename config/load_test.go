package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ganeticache/config"
	"ganeticache/ganeti"
)

const pin = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// options returns sources that nothing on the test machine can disturb; content "" means no file.
func options(tb testing.TB, content string) config.Options {
	tb.Helper()
	o := config.Options{SystemFile: filepath.Join(tb.TempDir(), "absent.yaml")}
	if content != "" {
		o.File = write(tb, "config.yaml", content)
	}
	return o
}

func write(tb testing.TB, name, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// problems returns what Load finds wrong, with the file's folder cut off.
func problems(tb testing.TB, o config.Options) []string {
	tb.Helper()
	_, err := config.Load(o)
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		tb.Fatalf("Load returned a %T, want *config.Error: %v", err, err)
	}
	var list []string
	for _, p := range e.Problems {
		if filepath.Base(o.File) == "config.yaml" {
			p = strings.ReplaceAll(p, filepath.Dir(o.File)+"/", "")
		}
		list = append(list, p)
	}
	return list
}

func load(tb testing.TB, o config.Options) *config.Config {
	tb.Helper()
	c, err := config.Load(o)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func diff(tb testing.TB, want, got any) {
	tb.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}, config.Cluster{})); d != "" {
		tb.Errorf("(-want +got)\n%s", d)
	}
}

func TestLoad_ListensBeyondLoopbackWhereItMay(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"listen: ':9150'\napi: {tokens_file: /tokens}\n", "listen: 0.0.0.0:9150\napi: {enabled: false}\n", "listen: '[::1]:9150'\n",
		"listen: localhost:9150\n", "listen: ''\n",
	} {
		load(t, options(t, file))
	}
}

// standard is what Load gives when nothing is configured.
func standard() *config.Config {
	return &config.Config{
		DatabaseURL:   "sqlite:ganeti-cache.db",
		Schedule:      "@every 1m",
		Schedules:     config.Schedules{VM: "@every 1m", Node: "@every 1m", Group: "@every 15m", Network: "@every 15m"},
		RefreshBudget: 0.1,
		Concurrency:   8,
		Listen:        "127.0.0.1:9150",
		API:           config.API{Enabled: true, Rate: 20, RefreshRate: 10},
		MaxAge:        10 * time.Minute,
		Retention:     720 * time.Hour,
		Lease:         30 * time.Second,
		Guard:         config.Guard{MaxObjects: 10, MaxPercent: 25, Snapshots: 3},
		Timeouts:      config.Timeouts{Connect: 5 * time.Second, TLSHandshake: 15 * time.Second, FirstByte: time.Minute, Total: 2 * time.Minute, MinThroughput: 1024},
		MaxBody:       256 << 20,
		OwnerTags:     config.OwnerTags{Permission: "owner"},
		Log:           config.Log{Level: "info", Format: "auto"},
	}
}

// standardCluster is a cluster that says nothing but where it is.
func standardCluster(name, rapi string) config.Cluster {
	s := standard()
	return config.Cluster{
		Name: name, RAPI: rapi, Enabled: true,
		Schedule: s.Schedule, Schedules: s.Schedules, RefreshBudget: s.RefreshBudget, Timeouts: s.Timeouts, MaxBody: s.MaxBody,
	}
}

func TestLoad_Defaults(t *testing.T) {
	t.Parallel()
	diff(t, standard(), load(t, options(t, "")))
}

func TestLoad_Design(t *testing.T) {
	t.Parallel()
	o := options(t, `
database_url: sqlite:ganeti-cache.db        # or postgres://user@host/db?sslmode=verify-full
schedule: "@every 1m"
listen: 127.0.0.1:9150
clusters:
  - name: prod
    rapi: https://rapi.prod.example.org:5080
    username: gwm
    password_file: /etc/ganeti-cache-updater/prod.password
    tls: {pin_sha256: "`+pin+`"}
`)
	want := standard()
	want.File = o.File
	cluster := standardCluster("prod", "https://rapi.prod.example.org:5080")
	cluster.Username, cluster.PasswordFile = "gwm", "/etc/ganeti-cache-updater/prod.password"
	cluster.TLS.PinSHA256 = pin
	want.Clusters = []config.Cluster{cluster}
	diff(t, want, load(t, o))
}

func TestLoad_Precedence(t *testing.T) {
	t.Parallel()
	o := options(t, `
concurrency: 2
retention: 48h
log: {level: warn, format: json}
timeouts: {total: 40s}
`)
	o.Env = []string{"UPDATER_CONCURRENCY=3", "UPDATER_LOG_LEVEL=error", "UPDATER_LISTEN=", "HOME=/root"}
	o.Flags = map[string]string{"log-level": "debug", "database": "sqlite:other.db"}
	want := standard()
	want.File = o.File
	want.DatabaseURL = "sqlite:other.db"
	want.Concurrency = 3
	want.Listen = ""
	want.Retention = 48 * time.Hour
	want.Log = config.Log{Level: "debug", Format: "json"}
	want.Timeouts.Total, want.Timeouts.FirstByte = 40*time.Second, 40*time.Second
	diff(t, want, load(t, o))
}

func TestLoad_FileIsFound(t *testing.T) {
	t.Parallel()
	first, second, third := write(t, "a", "concurrency: 1"), write(t, "b", "concurrency: 2"), write(t, "c", "concurrency: 3")
	tests := []struct {
		name        string
		o           config.Options
		file        string
		concurrency int
	}{
		{"flag first", config.Options{File: first, Env: []string{"UPDATER_CONFIG=" + second}, SystemFile: third}, first, 1},
		{"variable second", config.Options{Env: []string{"UPDATER_CONFIG=" + second}, SystemFile: third}, second, 2},
		{"system's file last", config.Options{SystemFile: third}, third, 3},
		{"none wanted", config.Options{File: os.DevNull, SystemFile: third}, "", 8},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, tc.o)
			if c.File != tc.file || c.Concurrency != tc.concurrency {
				t.Errorf("File %q with concurrency %d, want %q with %d", c.File, c.Concurrency, tc.file, tc.concurrency)
			}
		})
	}
}

func TestLoad_ClusterInherits(t *testing.T) {
	t.Parallel()
	o := options(t, `
schedule: "@every 2m"
schedules: {node: "@every 5m", network: off, job: "@hourly"}
timeouts: {connect: 3s, first_byte: 50s}
max_body: 1MiB
refresh_budget: 0.25
clusters:
  - {name: plain, rapi: "https://plain:5080"}
  - name: own
    rapi: https://own:5080
    schedule: "@every 30s"
    schedules: {group: off, network: "@daily"}
    timeouts: {total: 55s}
    max_body: 2MiB
    refresh_budget: off
    enabled: false
`)
	top := config.Schedules{VM: "@every 2m", Node: "@every 5m", Group: "@every 15m", Job: "@hourly"}
	plain := config.Cluster{
		Name: "plain", RAPI: "https://plain:5080", Enabled: true, Schedule: "@every 2m", Schedules: top, RefreshBudget: 0.25, MaxBody: 1 << 20,
		Timeouts: config.Timeouts{Connect: 3 * time.Second, TLSHandshake: 15 * time.Second, FirstByte: 50 * time.Second, Total: 2 * time.Minute, MinThroughput: 1024},
	}
	own := config.Cluster{
		Name: "own", RAPI: "https://own:5080", Schedule: "@every 30s", RefreshBudget: 1, MaxBody: 2 << 20,
		Schedules: config.Schedules{VM: "@every 30s", Node: "@every 30s", Network: "@daily", Job: "@hourly"},
		Timeouts:  config.Timeouts{Connect: 3 * time.Second, TLSHandshake: 15 * time.Second, FirstByte: 50 * time.Second, Total: 55 * time.Second, MinThroughput: 1024},
	}
	c := load(t, o)
	diff(t, top, c.Schedules)
	diff(t, []config.Cluster{plain, own}, c.Clusters)
}

func TestLoad_OneCluster(t *testing.T) {
	t.Parallel()
	ca := write(t, "ca.pem", "")
	want := standardCluster("rapi.example.org", "https://rapi.example.org")
	want.Username, want.PasswordFile, want.TLS.CAFile = "gwm", "/pw", ca
	flags := map[string]string{
		"rapi": "https://rapi.example.org", "rapi-username": "gwm", "rapi-password-file": "/pw", "rapi-ca-file": ca,
	}
	env := []string{
		"UPDATER_RAPI=https://rapi.example.org", "UPDATER_RAPI_USERNAME=gwm", "UPDATER_RAPI_PASSWORD_FILE=/pw", "UPDATER_RAPI_CA_FILE=" + ca,
	}
	named := want
	named.Name = "prod"
	fromEnv := want
	fromEnv.PasswordFile, fromEnv.PasswordEnv = "", "UPDATER_RAPI_PASSWORD"
	pinned := want
	pinned.TLS = config.TLS{PinSHA256: pin}
	tests := []struct {
		name string
		file string
		o    config.Options
		want config.Cluster
	}{
		{"flags", "", config.Options{Flags: flags}, want},
		{"flags beside a file without clusters", "concurrency: 8", config.Options{Flags: flags}, want},
		{"environment", "", config.Options{Env: env}, want},
		{"name", "", config.Options{Env: append([]string{"UPDATER_RAPI_NAME=prod"}, env...)}, named},
		{"password in the environment", "", config.Options{
			Env: []string{env[0], env[1], env[3], "UPDATER_RAPI_PASSWORD=secret"},
		}, fromEnv},
		{"flags over the environment", "", config.Options{
			Env:   []string{"UPDATER_RAPI=https://elsewhere", env[1], env[2]},
			Flags: map[string]string{"rapi": "https://rapi.example.org", "rapi-pin-sha256": pin},
		}, pinned},
		{"variables with a number", "", config.Options{Env: []string{
			"UPDATER_CLUSTERS_0_NAME=rapi.example.org", "UPDATER_CLUSTERS_0_RAPI=https://rapi.example.org",
			"UPDATER_CLUSTERS_0_USERNAME=gwm", "UPDATER_CLUSTERS_0_PASSWORD_FILE=/pw", "UPDATER_CLUSTERS_0_TLS_CA_FILE=" + ca,
		}}, want},
		{
			"a variable over the file's cluster", "clusters: [{name: prod, rapi: 'https://old', username: gwm, password_file: /pw, tls: {ca_file: " + ca + "}}]",
			config.Options{Env: []string{"UPDATER_CLUSTERS_0_RAPI=https://rapi.example.org"}},
			named,
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, tc.file)
			o.Env, o.Flags = tc.o.Env, tc.o.Flags
			diff(t, []config.Cluster{tc.want}, load(t, o).Clusters)
		})
	}
}

func TestLoad_AnchorsAndMergeKeys(t *testing.T) {
	t.Parallel()
	c := load(t, options(t, `
clusters:
  - &first
    name: a
    rapi: https://a
    tls: &trust {pin_sha256: "`+pin+`"}
  - <<: *first
    name: b
    rapi: https://b
  - {name: c, rapi: "https://c", tls: *trust}
`))
	var got []string
	for _, cl := range c.Clusters {
		got = append(got, cl.Name+" "+cl.RAPI+" "+cl.TLS.PinSHA256)
	}
	diff(t, []string{"a https://a " + pin, "b https://b " + pin, "c https://c " + pin}, got)
}

// TestLoad_SeveralAddresses has every layer give the addresses of one cluster.
func TestLoad_SeveralAddresses(t *testing.T) {
	t.Parallel()
	none := options(t, "")
	none.File = os.DevNull
	flag, variable, numbered := none, none, none
	flag.Flags = map[string]string{"rapi": "https://a:1, https://b:2"}
	variable.Env = []string{"UPDATER_RAPI=https://a:1,https://b:2"}
	numbered.Env = []string{"UPDATER_CLUSTERS_0_NAME=a", "UPDATER_CLUSTERS_0_RAPI=https://a:1,https://b:2"}
	over := options(t, "clusters: [{name: a, rapi: [https://old, https://older]}]")
	over.Env = []string{"UPDATER_CLUSTERS_0_RAPI=https://a:1,https://b:2"}
	for name, o := range map[string]config.Options{
		"a list":               options(t, "clusters:\n  - name: a\n    rapi:\n      - https://a:1\n      - https://b:2\n"),
		"a list in brackets":   options(t, "clusters: [{name: a, rapi: ['https://a:1', 'https://b:2']}]"),
		"aliases":              options(t, "clusters: [{name: a, rapi: [&x 'https://a:1', 'https://b:2']}, {name: b, rapi: [*x]}]"),
		"a list of one":        options(t, "clusters: [{name: a, rapi: ['https://a:1,https://b:2']}]"),
		"commas":               options(t, "clusters: [{name: a, rapi: 'https://a:1,https://b:2'}]"),
		"a flag":               flag,
		"a variable":           variable,
		"a numbered variable":  numbered,
		"a variable over file": over,
	} {
		c := load(t, o).Clusters[0]
		s, err := c.Settings()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := s.Addresses()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		diff(t, []ganeti.Address{{Host: "a", Port: 1}, {Host: "b", Port: 2}}, got)
		if c.Name != "a" {
			t.Errorf("%s: the cluster is named %s", name, c.Name)
		}
	}
}

func TestLoad_KubernetesVariablesAreIgnored(t *testing.T) {
	t.Parallel()
	o := options(t, "")
	o.Env = []string{
		"UPDATER_SERVICE_HOST=10.0.0.7", "UPDATER_SERVICE_PORT=9150", "UPDATER_SERVICE_PORT_METRICS=9150", "UPDATER_PORT=tcp://10.0.0.7:9150",
		"UPDATER_PORT_9150_TCP=tcp://10.0.0.7:9150", "UPDATER_PORT_9150_TCP_PROTO=tcp", "UPDATER_PORT_9150_TCP_PORT=9150",
		"UPDATER_PORT_9150_TCP_ADDR=10.0.0.7", "UPDATER_RAPI_SERVICE_HOST=10.0.0.8", "UPDATER_RAPI_PORT=tcp://10.0.0.8:5080",
	}
	diff(t, standard(), load(t, o))
}

func TestConfig_Flagged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		o    config.Options
		want bool
	}{
		{"nothing", "", config.Options{}, false},
		{"a list", "clusters: [{name: a, rapi: 'https://a'}]", config.Options{Flags: map[string]string{"log-level": "info"}}, false},
		{"numbered variables", "", config.Options{Env: []string{"UPDATER_CLUSTERS_0_NAME=a", "UPDATER_CLUSTERS_0_RAPI=https://a"}}, false},
		{"flags", "", config.Options{Flags: map[string]string{"rapi": "https://a"}}, true},
		{"variables", "", config.Options{Env: []string{"UPDATER_RAPI=https://a"}}, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, tc.file)
			o.Env, o.Flags = tc.o.Env, tc.o.Flags
			if got := load(t, o).Flagged(); got != tc.want {
				t.Errorf("Flagged() = %t, want %t", got, tc.want)
			}
		})
	}
}
