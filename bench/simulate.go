package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"ganeticache/ganeti/rapisim"
)

// What the simulator is told to do, a line each. Each is answered with a line of JSON.
const (
	orderSite    = "site"    // say where the clusters are
	orderTruth   = "truth"   // say what is true now
	orderSome    = "some"    // change 1 % of the VMs of each cluster, each time other ones
	orderAll     = "all"     // change every VM
	orderRemove  = "remove"  // remove 10 %
	orderRestore = "restore" // bring the removed ones back
)

// simulate is the process with the clusters. It ends with its standard input.
func simulate(args []string, stdin io.Reader, stdout io.Writer) error {
	var s shape
	f := flag.NewFlagSet("simulate", flag.ContinueOnError)
	f.IntVar(&s.clusters, "clusters", 1, "`number` of clusters")
	f.IntVar(&s.vms, "vms", 10, "`number` of VMs in each")
	if err := f.Parse(args); err != nil {
		return err
	}
	farm, err := rapisim.NewFarm(s.clusters, rapisim.Options{
		Name: "cluster.example", Seed: 1, VMs: s.vms, Nodes: s.nodes(), Groups: 2, Networks: 4, Jobs: s.jobs(),
		KVMShare: 1, Username: username, Password: password,
	}, rapisim.WithMaxClients(0))
	if err != nil {
		return fmt.Errorf("starting %s: %w", s, err)
	}
	defer farm.Close()
	m := &mover{farm: farm, jobs: s.jobs()}
	orders := bufio.NewScanner(stdin)
	out := bufio.NewWriterSize(stdout, 1<<16)
	for orders.Scan() {
		answer, err := m.obey(orders.Text())
		if err != nil {
			return err
		}
		if err := errors.Join(json.NewEncoder(out).Encode(answer), out.Flush()); err != nil {
			return fmt.Errorf("answering %q: %w", orders.Text(), err)
		}
	}
	return orders.Err()
}

// obey carries out one order.
func (m *mover) obey(order string) (answer any, err error) {
	none := struct{}{}
	switch order {
	case orderSite:
		return m.site(), nil
	case orderTruth:
		return m.truth(), nil
	case orderSome:
		return none, m.change(100)
	case orderAll:
		return none, m.change(1)
	case orderRemove:
		return none, m.remove(10)
	case orderRestore:
		return none, m.restore()
	default:
		return nil, fmt.Errorf("the simulator knows no order %q", order)
	}
}

func (m *mover) site() site {
	s := site{Username: username, Password: password, Concurrency: concurrency, Paths: paths()}
	for _, server := range m.farm.Servers() {
		s.Pin = server.Pin()
		s.Clusters = append(s.Clusters, cluster{Name: server.Cluster().Name(), Address: server.Addr()})
	}
	return s
}
