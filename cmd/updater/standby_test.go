package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	updater "ganeticache/cmd/updater"
	"ganeticache/db/dbtest"
	"ganeticache/ganeti/rapisim"
)

// TestRun_OnlyAStandby: a daemon that finds only a standby serves what is cached without asking Ganeti, says so, and
// refreshes as soon as the standby is promoted. Several servers may be named, of which the first is away.
func TestRun_OnlyAStandby(t *testing.T) {
	t.Parallel()
	for name, hosts := range map[string]string{"one": "%s", "several": "/nowhere,%s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dbtest.OwnServer(t)
			sim, err := rapisim.NewServer(rapisim.NewCluster(rapisim.Options{Name: "sim.example", VMs: 3, Username: "gwm", Password: password}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sim.Close)
			config := onStandby(t, server, sim, hosts)
			if code := updater.Execute(t.Context(), []string{"--once", "--config", config}, nil, io.Discard, io.Discard); code != 0 {
				t.Fatalf("filling the database: exit code %d", code)
			}
			server.Standby()
			var said strings.Builder
			if code := updater.Execute(t.Context(), []string{"check", "--config", config}, nil, &said, io.Discard); code != 1 ||
				!strings.Contains(said.String(), "takes no writes") {
				t.Errorf("check ends with %d and says:\n%s", code, said.String())
			}
			sim.Forget()
			d, lines := startOnStandby(t, sim, config)

			var vms struct{ Items []struct{ Name string } }
			d.ask(http.MethodGet, "/v1/vms", http.StatusOK, &vms)
			if len(vms.Items) != 3 {
				t.Errorf("%d VMs are served from the standby", len(vms.Items))
			}
			d.ask(http.MethodGet, "/v1/vms?cache=refresh", http.StatusServiceUnavailable, nil)
			d.ask(http.MethodGet, "/v1/vms/prod/"+vms.Items[0].Name+"?max_age=0", http.StatusOK, nil)
			d.ask(http.MethodPost, "/v1/clusters/prod/refresh", http.StatusServiceUnavailable, nil)
			if ready := d.ask(http.MethodGet, "/readyz", http.StatusOK, nil); !strings.Contains(ready, "accepts writes") {
				t.Errorf("/readyz says %q", ready)
			}
			if n := len(sim.Requests()); n != 0 {
				t.Errorf("Ganeti was asked %d times", n)
			}

			server.Promote()
			d.base = "http://" + logged(t, lines, "listening", "address")
			d.ask(http.MethodGet, "/v1/vms?cache=refresh", http.StatusOK, nil)
			if ready := d.ask(http.MethodGet, "/readyz", http.StatusOK, nil); strings.Contains(ready, "accepts writes") {
				t.Errorf("/readyz says %q after the promotion", ready)
			}
		})
	}
}

// onStandby writes a configuration whose database is that of server, behind the hosts of a pattern.
func onStandby(t *testing.T, server *dbtest.Server, sim *rapisim.Server, hosts string) string {
	t.Helper()
	dir := t.TempDir()
	before, host, found := strings.Cut(server.URL, "host=")
	if !found {
		t.Fatalf("no host in %s", server.URL)
	}
	config := filepath.Join(dir, "config.yaml")
	for file, text := range map[string]string{
		filepath.Join(dir, "password"): password,
		config: fmt.Sprintf(`database_url: %[1]q
listen: 127.0.0.1:0
schedule: "@every 1h"
api: {rate: 1000}
log: {format: json}
clusters:
  - {name: prod, rapi: %[2]s, username: gwm, password_file: %[3]s/password, tls: {pin_sha256: "%[4]s"}}
`, before+"host="+fmt.Sprintf(hosts, host), sim.URL(), dir, sim.Pin()),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// startOnStandby runs the daemon until the test ends, and gives the lines of its log after the one that it listens.
func startOnStandby(t *testing.T, sim *rapisim.Server, config string) (*daemon, *bufio.Scanner) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	logs, stderr := io.Pipe()
	// The program must never wait for its log to be read.
	kept, keep, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var code int
	var running sync.WaitGroup
	running.Go(func() {
		code = updater.Execute(ctx, []string{"--config", config}, nil, io.Discard, stderr)
		stderr.Close()
	})
	running.Go(func() {
		io.Copy(keep, logs) //nolint:errcheck // a pipe holds 64 KiB, more than this log has
		keep.Close()
	})
	lines := bufio.NewScanner(kept)
	t.Cleanup(func() {
		cancel()
		running.Wait()
		kept.Close()
		if code != 0 {
			t.Errorf("the daemon ended with exit code %d", code)
		}
	})
	d := &daemon{t: t, sim: sim, base: "http://" + logged(t, lines, "listening", "address")}
	logged(t, lines, "no reachable database server accepts writes: serving the cache, refreshing nothing until one does", "error")
	return d, lines
}
