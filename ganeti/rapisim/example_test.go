package rapisim_test

import (
	"fmt"
	"net/http"

	"ganeticache/ganeti/rapisim"
)

// A cluster of a hundred instances that changes, and a server that fails the
// next two bulk questions.
func Example() {
	cluster := rapisim.NewCluster(rapisim.Options{Name: "prod.example", Seed: 1, VMs: 100, KVMShare: 0.5})
	server, err := rapisim.NewServer(cluster)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	for _, event := range cluster.Churn(3) {
		fmt.Println(event)
	}
	server.Hurt(rapisim.Status(http.StatusBadGateway).On("/2/instances").For(2))
	// Point a client at server.URL(), with server.Pin(), user gwm, password secret.

	// Output:
	// stop inst0076.example
	// resize inst0041.example to 3 CPUs, 192 MiB
	// remove inst0068.example
}
