// Package bare is the floor of the benchmarks: a client that asks simulated clusters what the updater asks, over as many
// connections, and throws the answers away.
package bare

import (
	"encoding/json"
	"fmt"
	"os"

	"ganeticache/ganeti"
)

// Site is what a client must know of the clusters. It travels between processes as JSON.
type Site struct {
	Username string `json:"username"`
	Password string `json:"password"`
	// Pin is the SHA-256 of the certificate that all of them have.
	Pin string `json:"pin_sha256"`
	// Concurrency is how many clusters are asked at once.
	Concurrency int `json:"concurrency"`
	// Paths are asked of each cluster, one after the other.
	Paths    []string  `json:"paths"`
	Clusters []Cluster `json:"clusters"`
}

// Cluster is one cluster of a Site.
type Cluster struct {
	Name string `json:"name"`
	// Address is host:port.
	Address string `json:"address"`
}

// Paths are what the updater asks of a cluster that it knows, in its order.
func Paths() []string {
	all := []string{"/2/info"}
	for _, r := range []ganeti.Resource{ganeti.Groups, ganeti.Nodes, ganeti.Networks, ganeti.Instances, ganeti.Jobs} {
		all = append(all, string(r)+"?bulk=1")
	}
	return all
}

// Write writes a site to a file.
func (s Site) Write(file string) error {
	text, err := json.Marshal(s) //nolint:gosec // the password of a simulator, on its way to a child process
	if err != nil {
		return fmt.Errorf("encoding the clusters' addresses: %w", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("writing the clusters' addresses: %w", err)
	}
	return nil
}

// ReadSite reads what Write wrote.
func ReadSite(file string) (Site, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a name that the benchmark gave
	if err != nil {
		return Site{}, fmt.Errorf("reading the clusters' addresses: %w", err)
	}
	var s Site
	if err := json.Unmarshal(text, &s); err != nil {
		return Site{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return s, nil
}
