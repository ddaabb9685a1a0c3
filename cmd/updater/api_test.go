package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ganeticache/api"
	updater "ganeticache/cmd/updater"
	"ganeticache/ganeti/rapisim"
)

// daemon is a running updater with one simulated cluster, prod, and its HTTP API.
type daemon struct {
	t    *testing.T
	sim  *rapisim.Server
	base string
}

// startDaemon runs the whole program until the test ends. Each cluster is refreshed once, at the start.
func startDaemon(t *testing.T, more string) *daemon {
	t.Helper()
	sim, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{Name: "sim.example", VMs: 8, Username: "gwm", Password: password}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	dir := t.TempDir()
	config := fmt.Sprintf(`database_url: sqlite:%[1]s/cache.db
listen: 127.0.0.1:0
schedule: "@every 1h"
max_age: 2h
api: {rate: 1000%[4]s}
log: {format: json}
clusters:
  - {name: prod, rapi: %[2]s, username: gwm, password_file: %[1]s/password, tls: {pin_sha256: "%[3]s"}}
`, dir, sim.URL(), sim.Pin(), more)
	for name, text := range map[string]string{"config.yaml": config, "password": password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	logs, stderr := io.Pipe()
	var code int
	var running sync.WaitGroup
	running.Go(func() {
		code = updater.Execute(ctx, []string{"--config", filepath.Join(dir, "config.yaml")}, nil, io.Discard, stderr)
		stderr.Close()
	})
	lines := bufio.NewScanner(logs)
	d := &daemon{t: t, sim: sim, base: "http://" + logged(t, lines, "listening", "address")}
	logged(t, lines, "refreshed", "cluster")
	running.Go(func() {
		// Nobody reads the rest, but the program must not wait for that.
		for lines.Scan() {
			continue
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if code != 0 {
			t.Errorf("the daemon ended with exit code %d", code)
		}
	})
	sim.Forget()
	return d
}

// logged waits for a line of the log and gives one of its fields.
func logged(t *testing.T, lines *bufio.Scanner, msg, field string) string {
	t.Helper()
	for lines.Scan() {
		var line map[string]any
		if json.Unmarshal(lines.Bytes(), &line) == nil && line["msg"] == msg {
			return fmt.Sprint(line[field])
		}
	}
	t.Fatalf("the log ended without %q", msg)
	return ""
}

// ask sends a request and reads the answer's body into v, unless v is nil.
func (d *daemon) ask(method, path string, status int, v any) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.base+path, http.NoBody)
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
	if resp.StatusCode != status {
		d.t.Fatalf("%s %s = %d, want %d: %s", method, path, resp.StatusCode, status, body)
	}
	if v != nil {
		if err := json.Unmarshal(body, v); err != nil {
			d.t.Fatal(err)
		}
	}
	return string(body)
}

func TestAPI_ReadsThroughToGaneti(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "")
	var list api.List[api.VM]
	d.ask(http.MethodGet, "/v1/vms?sort=name", 200, &list)
	if len(list.Items) != 8 || list.Error != "" {
		t.Fatalf("the list is %+v", list)
	}
	name := list.Items[0].Name
	var one api.One[api.VM]
	d.ask(http.MethodGet, "/v1/vms/prod/"+name, 200, &one)
	d.ask(http.MethodGet, "/v1/vms/prod/"+name+"?cache=only", 200, nil)
	if n := d.sim.Total(); n != 0 {
		t.Errorf("fresh rows cost %d calls", n)
	}
	if err := d.sim.Cluster().Retag(name, "seen:now"); err != nil {
		t.Fatal(err)
	}
	d.ask(http.MethodGet, "/v1/vms/prod/"+name+"?max_age=0s", 200, &one)
	if len(one.Item.Tags) != 1 || d.sim.Count("/2/instances/"+name) != 1 || d.sim.Total() != 1 {
		t.Errorf("tags %v after %d calls; want the new tag after one", one.Item.Tags, d.sim.Total())
	}
	d.sim.Forget()
	d.ask(http.MethodGet, "/v1/vms?cache=refresh", 200, nil)
	if n := d.sim.Count("/2/instances"); n != 1 {
		t.Errorf("a stale list cost %d bulk calls", n)
	}
	d.ask(http.MethodGet, "/v1/vms/prod/absent.example", 404, nil)
	d.ask(http.MethodGet, "/v1/nodes/prod/node1.example?cache=refresh", 200, nil)
	d.ask(http.MethodGet, "/v1/clusters/prod?cache=refresh", 200, nil)
}

func TestAPI_ShowsOldRowsWhenGanetiFails(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "")
	name := d.sim.Cluster().Instances()[0].Name
	d.sim.Hurt(rapisim.Status(502))
	for _, path := range []string{"/v1/vms?max_age=0s", "/v1/vms/prod/" + name + "?max_age=0s"} {
		var old api.Freshness
		body := d.ask(http.MethodGet, path, 200, &old)
		if !strings.Contains(old.Error, "502") || old.AgeSeconds == nil || !strings.Contains(body, name) {
			t.Errorf("%s = %s", path, body)
		}
	}
	before := d.sim.Total()
	d.ask(http.MethodGet, "/v1/vms?max_age=0s", 200, nil)
	if n := d.sim.Total(); n != before {
		t.Errorf("within the back-off a read costs %d calls", n-before)
	}
	d.ask(http.MethodGet, "/v1/vms?cache=refresh", 502, nil)
	var res api.Refresh
	d.ask(http.MethodPost, "/v1/clusters/prod/refresh", 200, &res)
	if res.OK || res.Reason == "" || !strings.Contains(res.Error, "502") {
		t.Errorf("the outcome is %+v", res)
	}
	d.sim.Heal()
	d.ask(http.MethodPost, "/v1/clusters/prod/refresh", 200, &res)
	d.ask(http.MethodGet, "/v1/vms?cache=refresh", 200, nil)
}

func TestAPI_CoalescesRefreshes(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "")
	d.sim.Hurt(rapisim.Latency(200 * time.Millisecond))
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			var res api.Refresh
			if d.ask(http.MethodPost, "/v1/clusters/prod/refresh", 200, &res); !res.OK {
				t.Errorf("the outcome is %+v", res)
			}
		})
	}
	callers.Wait()
	if n := d.sim.Count("/2/instances"); n > 2 {
		t.Errorf("20 refreshes at once cost %d bulk calls", n)
	}
}

func TestAPI_ReadyAndHealthy(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "")
	d.ask(http.MethodGet, "/healthz", 200, nil)
	d.ask(http.MethodGet, "/readyz", 200, nil)
	if body := d.ask(http.MethodGet, "/metrics", 200, nil); !strings.Contains(body, "ganeti_updater_") {
		t.Errorf("metrics: %.200s", body)
	}
}

func TestAPI_OldRowsAreNotReady(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, ", ready_max_age: 1ns")
	if body := d.ask(http.MethodGet, "/readyz", 503, nil); !strings.Contains(body, "the VMs of cluster prod are") {
		t.Errorf("readyz: %s", body)
	}
	d.ask(http.MethodGet, "/healthz", 200, nil)
}

func TestAPI_RowsOfAStretchedIntervalAreReady(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, ", ready_max_age: 1ns}\nrefresh_budget: 0.00001%\nschedules: {group: off")
	d.ask(http.MethodGet, "/readyz", 200, nil)
	var list api.Clusters
	d.ask(http.MethodGet, "/v1/clusters", 200, &list)
	c := list.Items[0]
	if c.RAPISeconds == nil || *c.RAPISeconds <= 0 || c.RAPIBytes == nil || *c.RAPIBytes <= 0 {
		t.Errorf("the cluster says nothing of what it asks of its RAPI: %+v", c)
	}
	if wait := c.Kinds[0].NextDueAt.Sub(*c.Kinds[0].RefreshedAt); wait <= time.Hour {
		t.Errorf("the next refresh comes after %s, want more than the hour of the schedule", wait)
	}
}

func TestAPI_CanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, ", enabled: false")
	d.ask(http.MethodGet, "/readyz", 200, nil)
	d.ask(http.MethodGet, "/v1/vms", 404, nil)
	d.ask(http.MethodGet, "/v1/openapi.json", 404, nil)
}
