package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime/debug"

	"ganeticache/bench/bare"
	"ganeticache/ganeti/rapisim"
)

// The simulated clusters' only user, and how many clusters are asked at once: the updater's default.
const (
	username    = "bench"
	password    = "of-the-bench"
	concurrency = 8
)

// What the simulator is told to do, a line each. Each is answered with a line of JSON.
const (
	orderSite  = "site"  // make the clusters, and say where they are
	orderTruth = "truth" // say what is true
)

// sampled is one in how many VMs whose row is compared with the truth.
const sampled = 97

// truth is what the database must hold of one cluster.
type truth struct {
	Cluster string `json:"cluster"`
	VMs     int    `json:"vms"`
	Sample  []row  `json:"sample"`
}

// row is what is compared of one VM.
type row struct {
	UUID      string `json:"uuid" db:"uuid"`
	Name      string `json:"name" db:"name"`
	Status    string `json:"status" db:"status"`
	Node      string `json:"node" db:"node"`
	MemoryMiB int    `json:"memory_mib" db:"memory_mib"`
	SerialNo  int    `json:"serial_no" db:"serial_no"`
	// MTime is in microseconds, which is what both sides are exact to.
	MTime int64 `json:"mtime" db:"mtime"`
	// IP is the first that any interface has.
	IP string `json:"ip" db:"ip"`
}

// simulate is the process with the clusters. It ends with its standard input.
func simulate(args []string, stdin io.Reader, stdout io.Writer) error {
	f := flag.NewFlagSet(roleSimulate, flag.ContinueOnError)
	clusters := f.Int("clusters", 1, "`number` of clusters")
	vms := f.Int("vms", 1000, "`number` of VMs in each")
	if err := f.Parse(args); err != nil {
		return err
	}
	debug.SetGCPercent(5) // a large heap without pointers, which hardly changes, is cheap to look through
	var farm *rapisim.Farm
	defer func() {
		if farm != nil {
			farm.Close()
		}
	}()
	orders := bufio.NewScanner(stdin)
	for orders.Scan() {
		var answer any
		switch order := orders.Text(); order {
		case orderSite:
			var err error
			if farm, err = newFarm(*clusters, *vms); err != nil {
				return err
			}
			answer = siteOf(farm)
		case orderTruth:
			answer = truthOf(farm)
		default:
			return fmt.Errorf("the simulator knows no order %q", order)
		}
		if err := json.NewEncoder(stdout).Encode(answer); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
	return orders.Err()
}

// newFarm makes clusters of KVM guests, 50 on each node, as make bench has them.
func newFarm(clusters, vms int) (*rapisim.Farm, error) {
	farm, err := rapisim.NewFarm(clusters, rapisim.Options{
		Name: "cluster.example", Seed: 1, VMs: vms, Nodes: max(vms/50, 2), Groups: 2, Networks: 4, Jobs: min(max(vms/50, 10), 200),
		KVMShare: 1, Username: username, Password: password, Compact: true,
	}, rapisim.WithMaxClients(0))
	if err != nil {
		return nil, fmt.Errorf("starting %d clusters: %w", clusters, err)
	}
	return farm, nil
}

func siteOf(farm *rapisim.Farm) bare.Site {
	s := bare.Site{Username: username, Password: password, Concurrency: concurrency, Paths: bare.Paths()}
	for _, server := range farm.Servers() {
		s.Pin = server.Pin()
		s.Clusters = append(s.Clusters, bare.Cluster{Name: server.Cluster().Name(), Address: server.Addr()})
	}
	return s
}

func truthOf(farm *rapisim.Farm) []truth {
	var all []truth
	for _, server := range farm.Servers() {
		instances := server.Cluster().Instances()
		t := truth{Cluster: server.Cluster().Name(), VMs: len(instances)}
		for i := len(all) % sampled; i < len(instances); i += sampled {
			t.Sample = append(t.Sample, rowOf(instances[i]))
		}
		all = append(all, t)
	}
	return all
}

func rowOf(v rapisim.Instance) row {
	r := row{
		UUID: v.UUID, Name: v.Name, Status: v.Status, Node: v.PNode, MemoryMiB: v.MemoryMiB, SerialNo: v.SerialNo, MTime: int64(math.Round(v.MTime * 1e6)),
	}
	for _, nic := range v.NICs {
		if r.IP == "" {
			r.IP = nic.IP
		}
	}
	return r
}
