package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ganeticache/db/dbtest"
)

// The dumps in testdata/upgrade are databases as an older release left them. Write them anew with its program:
//
//	go test ./cmd/updater -run '^TestUpgrade_Fixture$' -older /path/to/the/older/updater
var older = flag.String("older", "", "`program` of the release to upgrade from; writes testdata/upgrade anew")

const (
	// canaryOld is a secret that older releases stored in the clear: they did not know its names.
	canaryOld = "kanari-old-11"
	// upgradeFolder has a dump for each database, and the answers that the cluster gave last.
	upgradeFolder = "testdata/upgrade"
)

// canned is a RAPI that tells what is in answers: a body for each path.
type canned struct {
	*httptest.Server

	answers map[string]json.RawMessage
}

func newCanned(t *testing.T, answers map[string]json.RawMessage) *canned {
	t.Helper()
	c := &canned{answers: answers}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := c.answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body) //nolint:errcheck // a client that has gone is what the test sees
	}))
	t.Cleanup(c.Close)
	return c
}

// config writes a configuration for the cluster and a database, and returns the file.
func (c *canned) config(t *testing.T, database string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"password": "wrong-or-right\n", "key": strings.Repeat("k", 40),
		"config.yaml": fmt.Sprintf(`database_url: %q
listen: ""
secret_key_file: %[2]s/key
schedules: {job: "@every 1h"}
clusters:
  - {name: prod, rapi: %[3]s, username: gwm, password_file: %[2]s/password, tls: {insecure_skip_verify: true}}
`, database, dir, c.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

// TestUpgrade_Fixture writes the dumps, when it is told the older program.
func TestUpgrade_Fixture(t *testing.T) {
	if *older == "" {
		t.Skip("-older does not name the program of an older release")
	}
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "cache.db")
		live(t, "sqlite:"+file)
		write(t, "sqlite.sql", output(t, "sqlite3", file, ".dump"))
	})
	t.Run("postgres", func(t *testing.T) {
		address := dbtest.PostgresURL(t)
		live(t, address)
		dump := output(t, "pg_dump", "--inserts", "--no-owner", "--no-privileges", address)
		// \restrict and its like are for psql.
		write(t, "postgres.sql", regexp.MustCompile(`(?m)^\\.*\n|^--.*\n`).ReplaceAll(dump, nil))
	})
}

// live has the older program see a cluster three times, with changes of every sort between.
func live(t *testing.T, database string) {
	t.Helper()
	c := newCanned(t, upgradeAnswers(t, 0))
	config := c.config(t, database)
	run := func(args ...string) {
		t.Helper()
		t.Logf("%s", output(t, *older, append(args, "--config", config)...))
	}
	run("--once")
	run("permissions", "grant", "alice", "console", "prod/vm1.example.org")
	run("permissions", "grant", "alice", "admin", "prod/vm4.example.org")
	run("permissions", "grant", "group:ops", "admin", "prod")
	run("clusters", "add", "kept", "--rapi", "https://192.0.2.1:5080", "--username", "gwm",
		"--password-file", filepath.Join(filepath.Dir(config), "password"), "--seal", "--pin", strings.Repeat("a", 64))
	for change := 1; change <= 2; change++ {
		c.answers = upgradeAnswers(t, change)
		run("--once", "--cluster", "prod")
	}
	text, err := json.MarshalIndent(c.answers, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	write(t, "answers.json", append(text, '\n'))
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(upgradeFolder, name), content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("running %s %q: %v\n%s%s", name, args, err, out, errs.Bytes())
	}
	return out
}

// upgradeAnswers are what the cluster tells at first, and after the first and the second change. They have what later releases store otherwise:
// addresses in other spellings, tags in no order, parameters of the operating system that are secrets.
func upgradeAnswers(t *testing.T, changes int) map[string]json.RawMessage {
	t.Helper()
	vms := make([]map[string]any, 5)
	for i := range vms {
		vms[i] = upgradeVM(i + 1)
	}
	vms[1]["nic.ips"], vms[1]["nic.macs"] = []any{"2001:DB8:0:0::2"}, []any{"AA:00:00:00:00:02"}
	vms[2]["tags"] = []any{"owner:b", "owner:a"}
	if changes >= 1 {
		vms[0]["custom_osparams"] = map[string]any{"root_pass": canaryOld + "-new", "hostname": "vm1"}
		vms[1]["name"] = "vm2-later.example.org"
		vms[2]["beparams"] = map[string]any{"vcpus": 4, "minmem": 128, "maxmem": 1024}
		vms = append(vms[:3], vms[4]) // the fourth is removed
	}
	if changes >= 2 {
		vms[3]["name"] = 5 // cannot be read, and is quarantined
	}
	answers := map[string]any{
		"/version": 2, "/2/features": []any{},
		"/2/info": map[string]any{
			"name": "prod.example.org", "uuid": "00000000-0000-4000-8000-00000000c001", "software_version": "3.0.2",
			"master": "node1.example.org", "tags": []any{"b", "a"}, "ctime": 1700000000.25, "mtime": 1700000000.25,
		},
		"/2/instances": vms,
		"/2/nodes": []any{map[string]any{
			"name": "node1.example.org", "uuid": "00000000-0000-4000-8000-0000000000a1", "role": "M", "offline": false, "drained": false,
			"master_candidate": true, "master_capable": true, "vm_capable": true, "group.uuid": "00000000-0000-4000-8000-0000000000b1",
			"pip": "192.0.2.11", "sip": "192.0.2.11", "mtotal": 65536, "mnode": 800, "mfree": 30000, "dtotal": 1000000, "dfree": 500000,
			"ctotal": 16, "csockets": 2, "cnodes": 1, "cnos": 1, "pinst_cnt": 5, "sinst_cnt": 0, "tags": []any{}, "serial_no": 1,
			"ctime": 1700000000.5, "mtime": 1700000000.5,
		}},
		"/2/groups": []any{map[string]any{
			"name": "default", "uuid": "00000000-0000-4000-8000-0000000000b1", "alloc_policy": "preferred", "node_cnt": 1,
			"node_list": []any{"node1.example.org"}, "tags": []any{}, "serial_no": 1, "ctime": 1700000000.5, "mtime": 1700000000.5,
		}},
		"/2/networks": []any{map[string]any{
			"name": "net1", "uuid": "00000000-0000-4000-8000-0000000000d1", "network": "192.0.2.0/24", "gateway": nil, "network6": "2001:DB8::/64",
			"gateway6": nil, "mac_prefix": "AA:00:00", "free_count": 250, "reserved_count": 6, "tags": []any{}, "serial_no": 1,
			"ctime": 1700000000.5, "mtime": 1700000000.5,
		}},
		"/2/jobs": []any{map[string]any{
			"id": 7, "status": "success", "summary": []any{"INSTANCE_CREATE(vm1.example.org)"}, "opstatus": []any{"success"}, "ops": []any{},
			"opresult": []any{}, "received_ts": []any{1700000000, 1}, "start_ts": []any{1700000001, 1}, "end_ts": []any{1700000002, 1},
		}},
	}
	bodies := make(map[string]json.RawMessage, len(answers))
	for path, answer := range answers {
		body, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		bodies[path] = body
	}
	return bodies
}

func upgradeVM(i int) map[string]any {
	return map[string]any{
		"name": fmt.Sprintf("vm%d.example.org", i), "uuid": fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "status": "running", "admin_state": "up",
		"oper_state": true, "oper_ram": 512, "pnode": "node1.example.org", "snodes": []any{}, "os": "debian", "disk_template": "plain",
		"disk.sizes": []any{1024}, "nic.ips": []any{fmt.Sprintf("192.0.2.%d", 100+i)}, "nic.macs": []any{fmt.Sprintf("aa:00:00:00:00:%02x", i)},
		"nic.links": []any{"br0"}, "nic.networks": []any{"00000000-0000-4000-8000-0000000000d1"}, "nic.networks.names": []any{"net1"},
		"beparams": map[string]any{"vcpus": 1, "minmem": 256, "maxmem": 512}, "hvparams": map[string]any{}, "network_port": 11000 + i,
		"custom_osparams": map[string]any{"root_pass": canaryOld, "hostname": fmt.Sprintf("vm%d", i)}, "tags": []any{"owner:a"},
		"serial_no": 1, "ctime": 1700000000.5, "mtime": 1700000001.5,
	}
}
