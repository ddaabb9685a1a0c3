package main_test

import (
	"net/http"
	"testing"
	"time"

	"ganeticache/ganeti/rapisim"
)

// TestAPI_ClusterHangs: while a cluster takes requests and says nothing, as RAPI does when luxid is stopped, whoever insists
// is answered within the cluster's time-outs, and whoever does not gets what is cached at once.
func TestAPI_ClusterHangs(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "}\ntimeouts: {connect: 1s, first_byte: 1s, total: 3s")
	name := d.sim.Cluster().Instances()[0].Name
	d.sim.Hurt(rapisim.Hang())
	for _, path := range []string{"/v1/vms?cache=refresh", "/v1/vms/prod/" + name + "?cache=refresh", "/v1/nodes?cache=refresh"} {
		began := time.Now()
		d.ask(http.MethodGet, path, http.StatusBadGateway, nil)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s was answered after %s", path, took)
		}
	}
	d.ask(http.MethodGet, "/v1/vms/prod/"+name+"?cache=only", http.StatusOK, nil)
	d.ask(http.MethodGet, "/v1/vms", http.StatusOK, nil)
	d.sim.Heal()
	d.ask(http.MethodGet, "/v1/vms?cache=refresh", http.StatusOK, nil)
}
