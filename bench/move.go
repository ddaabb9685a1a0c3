package main

import (
	"errors"
	"fmt"

	"ganeticache/ganeti/rapisim"
)

// mover changes the simulated clusters. It belongs to the simulator's process.
type mover struct {
	farm *rapisim.Farm
	jobs int // in each cluster
	// round counts the changes, so that each makes other values, of other VMs.
	round   int
	removed map[*rapisim.Cluster][]string
}

// picked are one in every so many of a cluster's VMs, spread over its list, at least one; each round begins with the next.
func (m *mover) picked(c *rapisim.Cluster, every int) []rapisim.Instance {
	all := c.Instances()
	n := max(len(all)/every, 1)
	picked := make([]rapisim.Instance, 0, n)
	for i := range n {
		picked = append(picked, all[(m.round+i*len(all)/n)%len(all)])
	}
	return picked
}

// change changes the tags, the memory or the status of one in every so many VMs.
func (m *mover) change(every int) error {
	m.round++
	for _, s := range m.farm.Servers() {
		for i, v := range m.picked(s.Cluster(), every) {
			if err := m.changeOne(s.Cluster(), v, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *mover) changeOne(c *rapisim.Cluster, v rapisim.Instance, i int) error {
	resize := func() error { return c.Resize(v.Name, v.VCPUs, v.MemoryMiB%4096+64) }
	var err error
	switch (i + m.round) % 3 {
	case 0:
		err = c.Retag(v.Name, "backup", fmt.Sprintf("round:%d", m.round))
	case 1:
		err = resize()
	default:
		if v.AdminState == "up" {
			err = c.Stop(v.Name)
		} else {
			err = c.Start(v.Name)
		}
		// One that is marked offline cannot be started.
		if errors.Is(err, rapisim.ErrRefused) {
			err = resize()
		}
	}
	return err
}

// remove takes one in every so many VMs away.
func (m *mover) remove(every int) error {
	m.round++
	m.removed = map[*rapisim.Cluster][]string{}
	for _, s := range m.farm.Servers() {
		c := s.Cluster()
		for _, v := range m.picked(c, every) {
			if err := c.Remove(v.Name); err != nil {
				return err
			}
			m.removed[c] = append(m.removed[c], v.Name)
		}
	}
	return nil
}

// restore brings back what remove took.
func (m *mover) restore() error {
	for c, names := range m.removed {
		for _, name := range names {
			if err := c.Restore(name); err != nil {
				return err
			}
		}
	}
	m.removed = nil
	return nil
}

// truth lists what a cache must hold now.
func (m *mover) truth() facts {
	f := facts{Objects: map[string]int{}}
	for _, s := range m.farm.Servers() {
		c := s.Cluster()
		for _, v := range c.Instances() {
			f.VMs = append(f.VMs, fact{
				Cluster: c.Name(), UUID: v.UUID, Name: v.Name, Status: v.Status, Tags: v.Tags, MemoryMiB: int64(v.MemoryMiB),
			})
		}
		f.Objects[tableNodes] += len(c.Nodes())
		f.Objects[tableGroups] += len(c.Groups())
		f.Objects[tableNetworks] += len(c.Networks())
		f.Objects[tableJobs] += m.jobs
	}
	return f
}
