package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	updater "ganeticache/cmd/updater"
	"ganeticache/ganeti/rapisim"
	"ganeticache/printable"
)

// hostileText is what a tenant may put into a name or a tag: control characters of both sets, a change of direction, what has
// no width, what nobody sees, and a line that pretends to be another.
const hostileText = "t\u001b[2J\u0085\u009b1m\u007f\u202egnp\u2066\u200b\ufeff\u2028\u3164\ufe0f\U000e0041\nFORGED line"

// TestOutput_IsPrintable: nothing that a tenant can choose steers the terminal of whoever looks at it, or hides there. JSON
// has the very same value, escaped.
func TestOutput_IsPrintable(t *testing.T) {
	t.Parallel()
	cluster := rapisim.NewCluster(rapisim.Options{Name: "sim.example", VMs: 3, Nodes: 2, Networks: 1, Jobs: 2, Username: "gwm", Password: password})
	sim, err := rapisim.NewServer(cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	plantHostile(t, cluster, hostileText)
	dir := t.TempDir()
	config := fmt.Sprintf("database_url: sqlite:%[1]s/cache.db\nlisten: \"\"\nlog: {format: FORMAT, level: debug}\nclusters:\n"+
		"  - {name: prod, rapi: %[2]s, username: gwm, password_file: %[1]s/password, schedules: {job: '@every 1m'}, tls: {pin_sha256: \"%[3]s\"}}\n",
		dir, sim.URL(), sim.Pin())
	for name, text := range map[string]string{
		"json.yaml": strings.Replace(config, "FORMAT", "json", 1), "console.yaml": strings.Replace(config, "FORMAT", "console", 1), "password": password,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(file string, args ...string) string {
		var out bytes.Buffer
		updater.Execute(t.Context(), append(args, "--config", filepath.Join(dir, file)), nil, &out, &out)
		checkPrintable(t, strings.Join(args, " "), out.String())
		return out.String()
	}
	run("json.yaml", "--once", "--dry-run")
	run("console.yaml", "--once", "--dry-run")
	run("console.yaml", "--once")
	plantHostile(t, cluster, "another "+hostileText)
	run("json.yaml", "--once")
	instances := cluster.Instances()
	for _, args := range [][]string{
		{"vms"},
		{"vms", "--csv"},
		{"vms", "--sum", "os"},
		{"vms", "--sum", "tag"},
		{"nodes"},
		{"groups"},
		{"networks"},
		{"jobs"},
		{"changes"},
		{"status"},
		{"check"},
		{"show", "vm", instances[0].Name},
		{"show", "vm", instances[1].UUID},
		{"show", "cluster", "prod"},
		{"show", "node", cluster.Nodes()[0].Name},
		{"permissions", "list"},
		{"clusters", "list"},
		{"clusters", "approve-removals", "prod", "--show"},
		{"vms", "--os", hostileText},
		{"vms", "--cluster", hostileText},
		{"vms", "--sort", hostileText},
		{"show", "vm", hostileText},
		{hostileText},
		{"vms", "--" + hostileText},
		{"vms", "--memory", hostileText},
		{"trust", hostileText},
		{"clusters", "remove", hostileText},
		{"permissions", "grant", "user:a", "console", hostileText + "/" + hostileText},
		{"vms", "--log-level", hostileText},
	} {
		run("console.yaml", args...)
		if len(args) < 3 || args[0] == "show" {
			run("json.yaml", append(args, "--json")...)
		}
	}
	var page struct{ Items []struct{ Tags []string } }
	if err := json.Unmarshal([]byte(run("json.yaml", "vms", "--json")), &page); err != nil {
		t.Fatal(err)
	}
	if tags := page.Items[0].Tags; len(tags) != 1 || tags[0] != "another "+hostileText {
		t.Errorf("--json has the tags %q", tags)
	}
}

// plantHostile puts a text into whatever a tenant may choose.
func plantHostile(t *testing.T, cluster *rapisim.Cluster, text string) {
	t.Helper()
	value, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	list := "[" + string(value) + "]"
	set := func(name string, fields map[string]string) {
		err := cluster.Corrupt(name, func(item []byte) []byte {
			for key, value := range fields {
				item = rapisim.SetField(key, value)(item)
			}
			return item
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	instances := cluster.Instances()
	set(instances[0].Name, map[string]string{
		"tags": list, "os": string(value), "nic.names": list, "nic.links": list, "nic.networks.names": list, "disk.names": list,
		"disk_template": string(value), "hypervisor": string(value), "custom_osparams": `{` + string(value) + `: ` + string(value) + `}`,
	})
	set(instances[1].Name, map[string]string{"name": string(value), "tags": list, "status": string(value)})
	set(instances[2].Name, map[string]string{"uuid": string(value), "name": "42"})
	set(cluster.Nodes()[0].Name, map[string]string{"tags": list, "role": string(value), "group": string(value)})
	set(cluster.Groups()[0].Name, map[string]string{"tags": list, "alloc_policy": string(value)})
	set(cluster.Networks()[0].Name, map[string]string{"tags": list, "network": string(value)})
	cluster.RetagCluster(text)
}

// checkPrintable looks for what a terminal would act on or hide, and for lines that pretend to be others.
func checkPrintable(t *testing.T, what, out string) {
	t.Helper()
	for line := range strings.SplitSeq(out, "\n") {
		for _, r := range strings.ReplaceAll(line, "\t", "") {
			if !printable.Rune(r) {
				t.Errorf("updater %.60q prints %U: %q", what, r, line)
				break
			}
		}
		// A value of CSV may have lines, and whoever types one sees it again.
		if strings.HasPrefix(strings.TrimLeft(line, " |"), "FORGED") && !strings.Contains(what, "--csv") && !strings.Contains(what, "--t") {
			t.Errorf("updater %.60q prints a forged line: %q", what, line)
		}
	}
	if strings.Contains(out, "\ufffd") && !strings.Contains(what, "\ufffd") {
		t.Errorf("updater %.60q loses a character: %q", what, out)
	}
}
