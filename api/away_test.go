package api_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// Every route says 503 and when to come back while the database is away; none calls it a fault of the updater.
func TestAPI_TheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := dbtest.OwnServer(t)
	store := server.Open(db.Options{})
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, store, tokenFile(), nil)
	server.Stop()
	for _, path := range []string{
		"/v1/clusters", "/v1/clusters/prod", "/v1/vms?cache=only", "/v1/vms", "/v1/vms/prod/x?cache=only", "/v1/vms/prod/x", "/v1/sums",
		"/v1/nodes", "/v1/nodes/prod/x", "/v1/groups", "/v1/groups/prod/x", "/v1/networks", "/v1/networks/prod/x", "/v1/jobs",
		"/v1/changes", "/v1/changes?after=latest", "/v1/changes?after=5", "/v1/changes?wait=5s",
	} {
		a := r.as("admin-token", path).problem(http.StatusServiceUnavailable, "database")
		if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "postgres:") {
			t.Errorf("%s: %v %s", path, a.header, a.body)
		}
	}
	if a := r.do(http.MethodPost, "/v1/clusters/prod/refresh", "Authorization", "Bearer admin-token"); a.status != http.StatusServiceUnavailable {
		t.Errorf("refreshing: %d %s", a.status, a.body)
	}
	server.Start()
	r.as("admin-token", "/v1/vms?cache=only").want(http.StatusOK)
}

func TestAPI_ListsTellWhichClusterIsInTrouble(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), tokenFile(), nil)
	r.grant("group:ops", "lab", "")
	then := time.Now().Add(-time.Hour)
	r.cache.errors = []api.ClusterError{
		{Cluster: "lab", RefreshedAt: &then, Age: time.Hour, Err: &api.RefreshError{Reason: "timeout", Err: errors.New("https://10.0.0.1 hangs")}},
		{Cluster: "prod", Err: &api.RefreshError{Reason: "unauthorized", Err: errors.New("401")}},
	}
	for token, message := range map[string]string{"admin-token": "https://10.0.0.1 hangs", "ops-token": "it could not be refreshed (timeout)"} {
		got := decode[api.List[api.VM]](r.as(token, "/v1/vms"))
		if len(got.Errors) != 2 || got.AgeSeconds == nil {
			t.Fatalf("%+v", got.Freshness)
		}
		lab, prod := got.Errors[0], got.Errors[1]
		if lab.Cluster != "lab" || lab.Reason != "timeout" || lab.Message != message || lab.AgeSeconds == nil || *lab.AgeSeconds < 3599 {
			t.Errorf("%s is told %+v", token, lab)
		}
		if prod.Reason != "unauthorized" || prod.AgeSeconds != nil {
			t.Errorf("%s is told %+v", token, prod)
		}
	}
}
