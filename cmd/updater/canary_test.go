package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	_ "github.com/lib/pq" // reads every table at the end

	updater "ganeticache/cmd/updater"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
)

// The canaries: what no output, no table and no answer may hold, in any spelling.
const (
	canaryRAPI   = "kanari-rapi/7+%ü"
	canarySealed = "kanari-sealed&8=?"
	canaryDB     = "kanari-db-9"
	canaryItem   = "kanari-item-10"
)

// spellings are the forms in which a secret may slip out.
func spellings(secret string) []string {
	raw := []byte(secret)
	both := []byte("gwm:" + secret)
	return []string{
		secret, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), fmt.Sprintf("% x", raw),
		url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(fmt.Sprintf("%d", raw), "[]"),
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(both),
		strings.Trim(fmt.Sprintf("%+q", secret), `"`),
	}
}

// cage is a folder with a configuration, two simulated clusters and a database.
type cage struct {
	t        *testing.T
	dir      string
	farm     *rapisim.Farm
	database string
	seen     bytes.Buffer
}

// run runs a command and keeps what it prints.
func (c *cage) run(args ...string) {
	c.t.Helper()
	var out bytes.Buffer
	updater.Execute(c.t.Context(), args, c.env(), &out, &out)
	fmt.Fprintf(&c.seen, "$ updater %q\n%s\n", args, out.String())
}

func (c *cage) env() []string {
	return []string{"UPDATER_CONFIG=" + filepath.Join(c.dir, "config.yaml"), "UPDATER_DATABASE_URL=" + c.database, "UPDATER_LOG_LEVEL=debug"}
}

// search fails the test for each canary in a text.
func search(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{canaryRAPI, canarySealed, canaryDB, canaryItem} {
		for _, form := range spellings(secret) {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s holds %q: …%q…", where, form, text[max(0, i-150):min(len(text), i+len(form)+50)])
			}
		}
	}
}

func newCage(t *testing.T, database string) *cage {
	t.Helper()
	farm, err := rapisim.NewFarm(1, rapisim.Options{Name: "sim.example", VMs: 6, Username: "gwm", Password: canaryRAPI})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(farm.Close)
	second, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{Name: "kept.example", Seed: 2, VMs: 3, Username: "gwm", Password: canarySealed}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	c := &cage{t: t, dir: t.TempDir(), farm: farm, database: database}
	if c.database == "" {
		c.database = "sqlite:" + filepath.Join(c.dir, "cache.db")
	}
	sim := farm.Servers()[0]
	for name, text := range map[string]string{
		"password": canaryRAPI + "\n", "sealed": canarySealed + "\n", "key": strings.Repeat("k", 40),
		"config.yaml": fmt.Sprintf(`listen: 127.0.0.1:0
redact: license_key
secret_key_file: %[1]s/key
schedules: {job: "@every 1h"}
clusters:
  - {name: prod, rapi: %[2]s, username: gwm, password_file: %[1]s/password, tls: {pin_sha256: "%[3]s"}, timeouts: {total: 1s}}
`, c.dir, sim.URL(), sim.Pin()),
	} {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.poison(sim)
	c.run("clusters", "add", "kept", "--rapi", second.URL(), "--username", "gwm", "--password-file", filepath.Join(c.dir, "sealed"), "--seal", "--pin", second.Pin())
	return c
}

// poison puts secrets where Ganeti has them: into an instance, one that cannot be read, the cluster's info and a job.
func (c *cage) poison(sim *rapisim.Server) {
	c.t.Helper()
	value := `{"deep": ["` + canaryItem + `"]}`
	edit := func(keys ...string) rapisim.Edit {
		return func(item []byte) []byte {
			for _, key := range keys {
				if key == "status" { // no text: the item cannot be read
					item = rapisim.SetField(key, "{}")(item)
					continue
				}
				item = rapisim.SetField(key, value)(item)
			}
			return item
		}
	}
	names := sim.Cluster().Instances()
	for i, keys := range [][]string{
		{"osparams_secret", "osparams_private", "vnc_password", "spice_password", "License-Key", "ldap_password"}, {"osparams_secret", "status"},
	} {
		if err := sim.Cluster().Corrupt(names[i].Name, edit(keys...)); err != nil {
			c.t.Fatal(err)
		}
	}
	client, err := ganeti.New(ganeti.Settings{
		URL: sim.URL(), Username: "gwm", Password: canaryRAPI, TLS: ganeti.TLS{PinSHA256: sim.Pin()},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	info, err := client.Info(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	sim.Hurt(rapisim.Body(edit("cluster_domain_secret", "license_key")(bytes.TrimSpace(info.Body))).On("/2/info"))
	job := `[{"id": 1, "ops": [{"OP_ID": "OP_INSTANCE_CREATE", "osparams_secret": ` + value + `, "source_handshake": [0, "` + canaryItem + `"]}],
		"status": "success", "summary": ["INSTANCE_CREATE(x)"], "opstatus": ["success"], "received_ts": [1, 0], "start_ts": [1, 0], "end_ts": [1, 0],
		"opresult": [{"disks": [{"logical_id": ["a", "b", 1, 0, 0, "` + canaryItem + `"]}]}]}]`
	sim.Hurt(rapisim.Body([]byte(job)).On("/2/jobs"))
}

// TestCanary: whatever fails in whatever way, at the most talkative level, no password and no secret of an object shows.
func TestCanary(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		c := newCage(t, "")
		c.everything()
		for _, suffix := range []string{"", "-wal"} {
			content, err := os.ReadFile(filepath.Join(c.dir, "cache.db"+suffix))
			if err != nil && suffix == "" {
				t.Fatal(err)
			}
			search(t, "cache.db"+suffix, string(content))
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		address := dbtest.PostgresURL(t)
		with, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q := with.Query()
		q.Set("password", canaryDB)
		with.RawQuery = q.Encode()
		c := newCage(t, with.String())
		c.everything()
		search(t, "the database", dump(t, address))
	})
}

// everything runs the commands with each fault and none, then the daemon with its API.
func (c *cage) everything() {
	c.t.Helper()
	sim := c.farm.Servers()[0]
	faults := map[string]rapisim.Fault{
		"401": rapisim.Status(401), "403": rapisim.Status(403), "404": rapisim.Status(404), "500": rapisim.Status(500), "502": rapisim.Status(502),
		"html": rapisim.HTML(200), "garbage": rapisim.Garbage(), "cut": rapisim.CutBody(100), "refuse": rapisim.Refuse(), "reset": rapisim.Reset(),
		"plain": rapisim.NoTLS(), "hang": rapisim.Hang(), "length": rapisim.WrongLength(7), "endless": rapisim.Endless(),
	}
	for name, fault := range faults {
		sim.Hurt(fault)
		c.run("--once")
		if name == "401" || name == "refuse" {
			c.run("check")
			c.run("check", "--json")
			c.run("status", "--json")
		}
		sim.Heal()
		c.poison(sim)
	}
	for _, args := range [][]string{
		{"--once"},
		{"--once", "--dry-run"},
		{"status"},
		{"status", "--json"},
		{"clusters", "list", "--json"},
		{"vms", "--json"},
		{"nodes", "--json"},
		{"jobs", "--json"},
		{"changes", "--json"},
		{"permissions", "list", "--json"},
		{"schema", "apply"},
		{"check"},
		{"show", "vm", "prod/" + sim.Cluster().Instances()[0].Name, "--json"},
		{"show", "cluster", "prod", "--info"},
		{"status", "--database", "postgres://u:" + canaryDB + "@127.0.0.1:1/d"},
		{"status", "--database", "postgres://u:" + canaryDB + "%zz@127.0.0.1:1/d"},
		{"status", "--database", "mysql://u:" + canaryDB + "@h/d"},
		{"--once", "--rapi", "https://gwm:" + canaryRAPI + "@h"},
	} {
		out := c.seen.Len()
		c.run(args...)
		if text := c.seen.String()[out:]; len(args) == 1 && args[0] == "--once" && !strings.Contains(text, "prod") {
			c.t.Errorf("the last refresh says nothing:\n%s", text)
		}
	}
	c.daemon()
	// The command line is the caller's own; what the program says must not repeat it.
	var printed strings.Builder
	for line := range strings.Lines(c.seen.String()) {
		if !strings.HasPrefix(line, "$ updater") {
			printed.WriteString(line)
		}
	}
	if !strings.Contains(printed.String(), "[redacted]") {
		c.t.Error("nothing was redacted: the secrets never came by")
	}
	search(c.t, "the output", printed.String())
}

// daemon runs the whole program and reads all that it serves.
func (c *cage) daemon() {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	logs, stderr := io.Pipe()
	var running sync.WaitGroup
	running.Go(func() {
		updater.Execute(ctx, []string{"run", "--log-format", "json"}, c.env(), io.Discard, stderr)
		stderr.Close()
	})
	var mu sync.Mutex
	tee := io.TeeReader(logs, locked{&mu, &c.seen})
	lines := bufio.NewScanner(tee)
	base := "http://" + logged(c.t, lines, "listening", "address")
	logged(c.t, lines, "refreshed", "cluster")
	running.Go(func() {
		for lines.Scan() {
			continue
		}
	})
	d := &daemon{t: c.t, base: base}
	var served []string
	for _, path := range []string{"/metrics", "/v1/vms?fields=info", "/v1/vms", "/v1/clusters", "/v1/jobs", "/v1/nodes", "/v1/changes", "/readyz", "/debug/vars", "/debug/pprof/cmdline"} {
		served = append(served, path+"\n"+d.get(path))
	}
	cancel()
	running.Wait()
	mu.Lock()
	defer mu.Unlock()
	c.seen.WriteString(strings.Join(served, "\n"))
}

// get reads an answer whatever its status.
func (d *daemon) get(path string) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.base+path, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(body)
}

// locked is a writer for several goroutines.
type locked struct {
	mu *sync.Mutex
	to io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

// dump is every table as text.
func dump(t *testing.T, address string) string {
	t.Helper()
	pool, err := sqlx.ConnectContext(t.Context(), "postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var tables, all []string
	if err := pool.SelectContext(t.Context(), &tables, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"); err != nil || len(tables) < 10 {
		t.Fatalf("%v: %v", tables, err)
	}
	for _, table := range tables {
		var rows []string
		if err := pool.SelectContext(t.Context(), &rows, "SELECT t::text FROM "+table+" AS t"); err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{"[redacted]", "INSTANCE_CREATE(x)", "kept"} {
		if !strings.Contains(text, want) {
			t.Errorf("the database has no %s: the test tries nothing", want)
		}
	}
	return text
}
