package main

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"ganeticache/ganeti/rapisim"
)

// storm is a sort of change that comes over a cluster between two runs of the updater.
type storm string

const (
	firstLoad storm = "first load" // an empty database instead of a change
	halfOfAll storm = "half changed"
	renames   storm = "renames"
	removals  storm = "removals"
	returns   storm = "returns"
	few       storm = "few changes"
)

func storms() []storm { return []storm{firstLoad, halfOfAll, renames, removals, returns, few} }

// The parts of a cluster's VMs, in percent. What is removed stays below what the guard withholds.
const (
	changedPercent = 50
	renamedPercent = 20
	removedPercent = 15
)

// sky brings storms over one cluster.
type sky struct {
	c   *rapisim.Cluster
	rng *rand.Rand
	// gone are the names of removed VMs that may return.
	gone []string
	// named counts the names given, so that none comes twice.
	named int
}

func (y *sky) name(what string) string {
	y.named++
	return fmt.Sprintf("%s%d.example", what, y.named)
}

func (y *sky) strike(w storm) error {
	c, rng := y.c, y.rng
	all := c.Instances()
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	part := func(percent int) []rapisim.Instance { return all[:len(all)*percent/100] }
	switch w {
	case firstLoad:
		return nil
	case halfOfAll:
		for i, v := range part(changedPercent) {
			if err := c.Retag(v.Name, fmt.Sprintf("storm:%d", rng.IntN(1000))); err != nil {
				return err
			}
			if i%3 == 0 {
				if err := flip(c, v); err != nil {
					return err
				}
			}
		}
	case renames:
		for _, v := range part(renamedPercent) {
			if err := c.Rename(v.Name, y.name("renamed")); err != nil {
				return err
			}
		}
	case removals:
		gone, err := remove(c, part(removedPercent))
		y.gone = append(y.gone, gone...)
		if err != nil {
			return err
		}
	case returns:
		gone := y.gone
		y.gone = nil
		if err := comeBack(c, gone); err != nil {
			return err
		}
	case few:
		c.Churn(20)
	}
	return y.infrastructure()
}

// flip starts a VM that is down and stops one that runs.
func flip(c *rapisim.Cluster, v rapisim.Instance) error {
	switch v.AdminState {
	case "up":
		return c.Stop(v.Name)
	case "down":
		return c.Start(v.Name)
	default:
		return nil
	}
}

// remove removes VMs, and makes others under the names of half of them. It gives the names of those that may return.
func remove(c *rapisim.Cluster, vms []rapisim.Instance) ([]string, error) {
	var gone []string
	for i, v := range vms {
		if err := c.Remove(v.Name); err != nil {
			return nil, err
		}
		if i%2 == 0 {
			gone = append(gone, v.Name)
		} else if _, err := c.Create(v.Name); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// comeBack restores what was removed, unless its name or its node is not free any more.
func comeBack(c *rapisim.Cluster, gone []string) error {
	for _, name := range gone {
		if err := c.Restore(name); err != nil && !errors.Is(err, rapisim.ErrRefused) && !errors.Is(err, rapisim.ErrNotFound) {
			return err
		}
	}
	return nil
}

// infrastructure changes a little of the other kinds.
func (y *sky) infrastructure() error {
	c, rng := y.c, y.rng
	nodes, groups, networks := c.Nodes(), c.Groups(), c.Networks()
	if err := c.RetagNode(nodes[rng.IntN(len(nodes))].Name, fmt.Sprintf("rack:%d", rng.IntN(1000))); err != nil {
		return err
	}
	group := groups[rng.IntN(len(groups))].Name
	if err := c.RenameGroup(group, y.name("group")); err != nil {
		return err
	}
	c.RetagCluster(fmt.Sprintf("storm:%d", rng.IntN(1000)))
	if len(networks) < 12 {
		return c.AddNetwork(y.name("net"))
	}
	return nil
}
