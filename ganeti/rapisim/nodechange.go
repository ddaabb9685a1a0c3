package rapisim

import (
	"fmt"
	"slices"
)

// SetNodeDown stops a node's daemon, or starts it again: its figures become
// null and its instances ERROR_nodedown. Nobody's serial number moves.
func (c *Cluster) SetNodeDown(name string, down bool) error {
	return c.changeNode(name, func(n *node) { n.down = down })
}

// SetNodeOffline marks a node offline, or takes the mark away: its figures
// become null and its instances ERROR_nodeoffline. Only the node's own serial
// number moves, by 2.
func (c *Cluster) SetNodeOffline(name string, offline bool) error {
	return c.changeNode(name, func(n *node) {
		if n.offline != offline {
			n.offline = offline
			n.serial += 2
			n.mtime = c.stamp()
		}
	})
}

// SetMaster has another node become the master, as after a failover: nothing
// but /2/info and the two nodes' roles tells.
func (c *Cluster) SetMaster(name string) error {
	return c.changeNode(name, func(n *node) { c.master = n })
}

// SetNodeUsage sets a node's volatile figures, in MiB: the memory its host
// uses itself, and its free disk space. On a real cluster they move between
// any two polls.
func (c *Cluster) SetNodeUsage(name string, hostMemory, freeDisk int) error {
	return c.changeNode(name, func(n *node) { n.system, n.freeMiB = hostMemory, freeDisk })
}

// RetagNode replaces a node's tags.
func (c *Cluster) RetagNode(name string, tags ...string) error {
	return c.changeNode(name, func(n *node) {
		n.tags = sortedSet(tags)
		n.serial++
		n.mtime = c.stamp()
	})
}

// AddNode adds a node to the group named by into.
func (c *Cluster) AddNode(name, into string) error {
	defer c.changing()()
	g, err := c.findGroup(into)
	if err != nil {
		return err
	}
	if _, err := c.findNode(name); err == nil {
		return fmt.Errorf("adding node %s, whose name is taken: %w", name, ErrRefused)
	}
	c.nodes = append(c.nodes, c.newNode(name, g))
	slices.SortFunc(c.nodes, func(a, b *node) int { return compareNames(a.name, b.name) })
	c.stale()
	return nil
}

// RemoveNode removes a node that is neither the master nor has instances.
func (c *Cluster) RemoveNode(name string) error {
	defer c.changing()()
	n, err := c.findNode(name)
	if err != nil {
		return err
	}
	c.census()
	if n == c.master || len(n.primaries)+len(n.secondaries) > 0 {
		return fmt.Errorf("removing node %s, which is in use: %w", name, ErrRefused)
	}
	c.nodes = slices.DeleteFunc(c.nodes, func(m *node) bool { return m == n })
	c.stale()
	return nil
}

// changeNode applies f to a node and has it, and the instances on it, rendered
// anew.
func (c *Cluster) changeNode(name string, f func(*node)) error {
	defer c.changing()()
	n, err := c.findNode(name)
	if err != nil {
		return err
	}
	silent := n.down || n.offline
	f(n)
	if silent || n.down || n.offline {
		c.list.each(func(v *instance) {
			if v.node == n {
				c.list.touch(v)
			}
		})
	}
	c.stale()
	return nil
}

// usable are the nodes that could take an instance.
func (c *Cluster) usable() []*node {
	var out []*node
	for _, n := range c.nodes {
		if !n.down && !n.offline {
			out = append(out, n)
		}
	}
	return out
}
