package main

import (
	"encoding/json"
	"fmt"
	"os"

	"ganeticache/ganeti"
)

// The simulated clusters' only user.
const (
	username = "bench"
	password = "of-the-bench"
)

// concurrency is how many clusters everybody asks at once; it is the updater's default.
const concurrency = 8

// site is what a client must know of the simulated clusters. Floor and peers read it from a file.
type site struct {
	Username    string    `json:"username"`
	Password    string    `json:"password"`
	Pin         string    `json:"pin_sha256"`
	Concurrency int       `json:"concurrency"`
	Paths       []string  `json:"paths"`
	Clusters    []cluster `json:"clusters"`
}

// cluster is one simulated cluster.
type cluster struct {
	Name string `json:"name"`
	// Address is host:port.
	Address string `json:"address"`
}

// paths are what the updater asks of a cluster, in its order.
func paths() []string {
	all := []string{"/2/info"}
	for _, r := range []ganeti.Resource{ganeti.Groups, ganeti.Nodes, ganeti.Networks, ganeti.Instances, ganeti.Jobs} {
		all = append(all, string(r)+"?bulk=1")
	}
	return all
}

func (s site) write(file string) error {
	text, err := json.Marshal(s) //nolint:gosec // the password is that of a simulator
	if err != nil {
		return fmt.Errorf("encoding the clusters' addresses: %w", err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return nil
}

func readSite(file string) (site, error) {
	text, err := os.ReadFile(file) //nolint:gosec // the name that the bench gave
	if err != nil {
		return site{}, fmt.Errorf("reading the clusters' addresses: %w", err)
	}
	var s site
	if err := json.Unmarshal(text, &s); err != nil {
		return site{}, fmt.Errorf("reading %s: %w", file, err)
	}
	return s, nil
}
