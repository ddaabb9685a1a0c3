package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ganeticache/api"
	"ganeticache/db/dbtest"
)

// TestAPI_NoOtherSiteAsksGaneti: what a browser sends for another site's page never has Ganeti asked. If it insists it is
// refused; otherwise it gets what is cached, as whoever follows a link does.
func TestAPI_NoOtherSiteAsksGaneti(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	r := newRig(t, dbtest.SQLite(t), "", func(o *api.Options) { o.Registerer = reg })
	own := r.base
	vm := "/v1/vms/prod/" + r.vmName("prod", 0)
	refused := 0
	for _, tt := range []struct {
		name    string
		headers []string
		foreign bool
	}{
		{"an image or script", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, true},
		{"a link", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, true},
		{"another port of this machine", []string{"Sec-Fetch-Site", "same-site"}, true},
		{"a header that nobody knows yet", []string{"Sec-Fetch-Site", "elsewhere"}, true},
		{"an old browser's script", []string{"Origin", "https://evil.example"}, true},
		{"a sandbox", []string{"Origin", "null"}, true},
		{"an old browser's image", []string{"Referer", "https://evil.example/page"}, true},
		{"a referer that is none", []string{"Referer", "%%"}, true},
		{"a page of ours", []string{"Sec-Fetch-Site", "same-origin", "Origin", own}, false},
		{"typed by a person", []string{"Sec-Fetch-Site", "none"}, false},
		{"a page of ours in an old browser", []string{"Referer", own + "/"}, false},
		{"a program", nil, false},
	} {
		for _, path := range []string{vm, "/v1/vms", "/v1/nodes", "/v1/clusters/prod"} {
			for _, insist := range []string{"?cache=refresh", "?max_age=0", "?max_age=9s"} {
				a := r.get(path+insist, tt.headers...)
				if tt.foreign {
					a.problem(http.StatusForbidden, "another site")
					refused++
				} else {
					a.want(http.StatusOK)
				}
			}
			r.cache.mu.Lock()
			r.cache.reads = nil
			r.cache.mu.Unlock()
			r.get(path, tt.headers...).want(http.StatusOK)
			r.get(path+"?max_age=1m", tt.headers...).want(http.StatusOK)
			r.cache.mu.Lock()
			for _, read := range r.cache.reads {
				if read.CacheOnly != tt.foreign {
					t.Errorf("%s: %s asks with %+v", tt.name, path, read)
				}
			}
			r.cache.mu.Unlock()
		}
	}
	if got := refusedFor(t, reg, "cross_site"); got != refused {
		t.Errorf("%d refusals are counted, want %d", got, refused)
	}
}

// refusedFor reads the counter of refused requests.
func refusedFor(t *testing.T, reg *prometheus.Registry, reason string) int {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "ganeti_updater_api_refused_total" && m.GetLabel()[0].GetValue() == reason {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	t.Fatalf("no counter of %s", reason)
	return 0
}

// TestAPI_LimitsAsking: requests that have Ganeti asked have a rate of their own; what is cached is not held back by it.
func TestAPI_LimitsAsking(t *testing.T) {
	t.Parallel()
	var clock clockOf
	clock.set(time.Now())
	reg := prometheus.NewRegistry()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), func(o *api.Options) { o.RefreshRate, o.Now, o.Registerer = 10, clock.now, reg })
	count := func(n int, token, path string) (limited int) {
		for range n {
			if a := r.as(token, path); a.status == http.StatusTooManyRequests {
				limited++
				if a.problem(429, "api.refresh_rate").header.Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
			}
		}
		return limited
	}
	if limited := count(25, "admin-token", "/v1/vms?cache=refresh"); limited != 5 {
		t.Errorf("of 25 at once %d were limited, want 5", limited)
	}
	if limited := count(1, "admin-token", "/v1/vms?max_age=0"); limited != 1 {
		t.Error("max_age=0 is not counted")
	}
	r.do(http.MethodPost, "/v1/clusters/prod/refresh", "Authorization", "Bearer admin-token").problem(429, "api.refresh_rate")
	if limited := count(30, "admin-token", "/v1/vms") + count(30, "admin-token", "/v1/vms?max_age=10s"); limited != 0 {
		t.Errorf("%d of those that take what is cached were limited", limited)
	}
	clock.set(clock.now().Add(time.Second))
	if limited := count(10, "admin-token", "/v1/vms?cache=refresh"); limited != 0 {
		t.Errorf("a second later %d of 10 were limited", limited)
	}
	if got := refusedFor(t, reg, "refresh_rate"); got != 7 {
		t.Errorf("%d refusals are counted, want 7", got)
	}
}

// TestServer_HostsThatWatch: metrics and health answer by addresses and by names that no page of the internet can have.
func TestServer_HostsThatWatch(t *testing.T) {
	t.Parallel()
	base := serve(t, api.Options{
		Address: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Ready: func(context.Context) error { return nil },
		Hosts: []string{"cache.example.org"},
	})
	for host, status := range map[string]int{
		"127.0.0.1:9150": 200, "[::1]:9150": 200, "localhost": 200, "10.1.2.3:9150": 200, "[2001:db8::1]": 200, "2001:db8::1": 200,
		"updater": 200, "updater:9150": 200, "db1.local": 200, "cache.monitoring.svc": 200, "cache.monitoring.svc.cluster.local:80": 200,
		"cache.example.org": 200, "CACHE.example.org.:9150": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "cache.example.org.evil.example": 421, "local.evil.example": 421,
		"1.0.0.127.in-addr.arpa": 421, "127.0.0.1.nip.io:9150": 421,
	} {
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, http.NoBody)
			must(t, err)
			req.Host = host
			if a := send(t, req); a.status != status {
				t.Errorf("%s as %s: %d, want %d: %s", path, host, a.status, status, a.body)
			}
		}
	}
}

// TestServer_ReadyNamesNoClusterToStrangers: whose cluster is old is for those who may see it.
func TestServer_ReadyNamesNoClusterToStrangers(t *testing.T) {
	t.Parallel()
	why := &api.NotReadyError{Public: "the VMs of a cluster are old", Err: errors.New("the VMs of cluster prod are old")}
	r := newRig(t, dbtest.SQLite(t), tokenFile(), func(o *api.Options) { o.Ready = func(context.Context) error { return why } })
	for _, tt := range []struct {
		name    string
		headers []string
		names   bool
	}{
		{"on this machine", nil, true},
		{"passed on by a proxy", []string{"X-Forwarded-For", "192.0.2.1"}, false},
		{"passed on by another", []string{"Forwarded", "for=192.0.2.1"}, false},
		{"admin", []string{"Authorization", "Bearer admin-token", "X-Forwarded-For", "192.0.2.1"}, true},
		{"one that sees some", []string{"Authorization", "Bearer ops-token"}, false},
		{"a guess", []string{"Authorization", "Bearer guess"}, false},
	} {
		a := r.get("/readyz", tt.headers...).problem(503, "are old")
		if strings.Contains(a.body, "prod") != tt.names {
			t.Errorf("%s: %s", tt.name, a.body)
		}
	}
}
