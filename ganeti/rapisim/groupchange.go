package rapisim

import (
	"fmt"
	"slices"
)

// AddGroup adds an empty node group.
func (c *Cluster) AddGroup(name string) error {
	defer c.changing()()
	if _, err := c.findGroup(name); err == nil {
		return fmt.Errorf("adding group %s, whose name is taken: %w", name, ErrRefused)
	}
	g := &group{uuid: c.newUUID(), name: name, policy: "preferred", serial: 1, ctime: c.stamp()}
	g.mtime = g.ctime
	c.groups = append(c.groups, g)
	c.sortGroups()
	return nil
}

// RenameGroup gives a node group another name; its uuid stays.
func (c *Cluster) RenameGroup(name, newName string) error {
	defer c.changing()()
	g, err := c.findGroup(name)
	if err != nil {
		return err
	}
	if _, err := c.findGroup(newName); err == nil {
		return fmt.Errorf("renaming group %s to %s, which is taken: %w", name, newName, ErrRefused)
	}
	g.name, g.mtime = newName, c.stamp()
	g.serial++
	c.sortGroups()
	return nil
}

// RemoveGroup removes an empty node group.
func (c *Cluster) RemoveGroup(name string) error {
	defer c.changing()()
	g, err := c.findGroup(name)
	if err != nil {
		return err
	}
	if len(c.members(g)) > 0 {
		return fmt.Errorf("removing group %s, which has nodes: %w", name, ErrRefused)
	}
	c.groups = slices.DeleteFunc(c.groups, func(h *group) bool { return h == g })
	c.stale()
	return nil
}

// AddNetwork adds an IP network with addresses of its own.
func (c *Cluster) AddNetwork(name string) error {
	defer c.changing()()
	if slices.ContainsFunc(c.networks, func(n *network) bool { return n.name == name }) {
		return fmt.Errorf("adding network %s, whose name is taken: %w", name, ErrRefused)
	}
	c.networks = append(c.networks, c.newNetwork(name))
	slices.SortFunc(c.networks, func(a, b *network) int { return compareNames(a.name, b.name) })
	c.stale()
	return nil
}

// RemoveNetwork removes an IP network that no instance is attached to.
func (c *Cluster) RemoveNetwork(name string) error {
	defer c.changing()()
	at := slices.IndexFunc(c.networks, func(n *network) bool { return n.name == name })
	if at < 0 {
		return fmt.Errorf("network %s: %w", name, ErrNotFound)
	}
	if len(c.attached(c.networks[at])) > 0 {
		return fmt.Errorf("removing network %s, which is in use: %w", name, ErrRefused)
	}
	c.networks = slices.Delete(c.networks, at, at+1)
	c.stale()
	return nil
}

func (c *Cluster) findGroup(name string) (*group, error) {
	for _, g := range c.groups {
		if g.name == name {
			return g, nil
		}
	}
	return nil, fmt.Errorf("group %s: %w", name, ErrNotFound)
}

func (c *Cluster) sortGroups() {
	slices.SortFunc(c.groups, func(a, b *group) int { return compareNames(a.name, b.name) })
	c.stale()
}
