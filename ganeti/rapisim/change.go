package rapisim

import (
	"fmt"
	"slices"
)

// Serial numbers and modification times move as measured on a real cluster
// (Ganeti 3.0.2): stop, failover, rename and (un)setting offline add 2 to
// serial_no; start, tags, sizes and disks add 1; what merely happens to an
// instance (a live migration, a crash, a node's trouble) moves neither.

// Start starts an instance. One that runs already stays as it is.
func (c *Cluster) Start(name string) error { return c.change(name, c.start) }

// Stop shuts an instance down. One that is down already stays as it is.
func (c *Cluster) Stop(name string) error { return c.change(name, c.stop) }

// Remove removes an instance; [Cluster.Restore] can bring it back.
func (c *Cluster) Remove(name string) error { return c.change(name, c.remove) }

// Rename gives an instance another name. Its uuid stays. A running one is
// stopped, renamed and started again, since Ganeti renames no running one.
func (c *Cluster) Rename(name, newName string) error {
	return c.change(name, func(v *instance) error { return c.rename(v, newName) })
}

// Migrate moves an instance to another node: live, which moves nothing but
// pnode, or by failover if it is down.
func (c *Cluster) Migrate(name, node string) error {
	return c.change(name, func(v *instance) error { return c.migrate(v, node) })
}

// Retag replaces an instance's tags.
func (c *Cluster) Retag(name string, tags ...string) error {
	return c.change(name, func(v *instance) error { return c.retag(v, tags) })
}

// Resize changes an instance's virtual CPUs and maximum memory (MiB); a
// running one goes on with the old ones until it is started again.
func (c *Cluster) Resize(name string, vcpus, memoryMiB int) error {
	return c.change(name, func(v *instance) error { return c.resize(v, vcpus, memoryMiB) })
}

// SetOffline marks an instance that is down as offline, or as down again.
func (c *Cluster) SetOffline(name string, offline bool) error {
	return c.change(name, func(v *instance) error {
		if v.admin == "up" {
			return fmt.Errorf("marking %s offline while it is up: %w", v.name, ErrRefused)
		}
		v.admin = "down"
		if offline {
			v.admin = "offline"
		}
		c.bump(v, 2)
		return nil
	})
}

// SetRuntime makes an instance be in a state that its admin did not ask for:
// status ERROR_down, ERROR_up, ERROR_wrongnode or USER_down; "" mends it.
func (c *Cluster) SetRuntime(name, status string) error {
	return c.change(name, func(v *instance) error {
		state, wants := asAsked, v.admin
		switch status {
		case "":
		case "ERROR_down":
			state, wants = dead, "up"
		case "ERROR_wrongnode":
			state, wants = misplaced, "up"
		case "USER_down":
			state, wants = userDown, "up"
		case "ERROR_up":
			state, wants = stray, "down"
		default:
			return fmt.Errorf("giving %s the status %q: %w", v.name, status, ErrRefused)
		}
		if v.admin != wants {
			return fmt.Errorf("giving %s the status %s while its admin state is %s: %w", v.name, status, v.admin, ErrRefused)
		}
		v.runtime = state
		return nil
	})
}

// Create makes an instance with properties of its own and starts it. An empty
// name means the next one of the series.
func (c *Cluster) Create(name string) (Instance, error) {
	defer c.changing()()
	v, err := c.create(name)
	if err != nil {
		return Instance{}, err
	}
	return v.export(), nil
}

// Restore brings a removed instance back: same uuid, same everything, as when
// an admin undoes a mistake with the cluster's configuration. The last 1,000
// removed ones are kept for it.
func (c *Cluster) Restore(name string) error {
	defer c.changing()()
	at := slices.IndexFunc(c.gone, func(v *instance) bool { return v.name == name })
	if at < 0 {
		return fmt.Errorf("removed instance %s: %w", name, ErrNotFound)
	}
	if _, taken := c.byName[name]; taken {
		return fmt.Errorf("restoring %s, whose name is taken: %w", name, ErrRefused)
	}
	v := c.gone[at]
	if !slices.Contains(c.nodes, v.node) || v.second != nil && !slices.Contains(c.nodes, v.second) {
		return fmt.Errorf("restoring %s, whose node is gone: %w", name, ErrRefused)
	}
	c.gone = slices.Delete(c.gone, at, at+1)
	c.enter(v)
	return nil
}

// change applies f to one instance and has it rendered anew.
func (c *Cluster) change(name string, f func(*instance) error) error {
	defer c.changing()()
	v, err := c.find(name)
	if err != nil {
		return err
	}
	return c.apply(v, f)
}

func (c *Cluster) apply(v *instance, f func(*instance) error) error {
	if err := f(v); err != nil {
		return err
	}
	if c.byUUID[v.uuid] == v {
		c.list.touch(v)
	}
	c.stale()
	return nil
}

// bump records a change of v's configuration.
func (c *Cluster) bump(v *instance, by int) {
	v.serial += by
	v.mtime = c.stamp()
}

func (c *Cluster) start(v *instance) error {
	if v.admin == "offline" || v.silent() {
		return fmt.Errorf("starting %s, which is %s: %w", v.name, v.status(), ErrRefused)
	}
	if v.admin == "up" && v.runtime == asAsked {
		return nil
	}
	v.admin, v.runtime = "up", asAsked
	v.ram, v.vcpus = v.be.maxmem, v.be.vcpus
	c.bump(v, 1)
	c.addJob("OP_INSTANCE_STARTUP", v)
	return nil
}

func (c *Cluster) stop(v *instance) error {
	if v.admin == "offline" || v.silent() {
		return fmt.Errorf("stopping %s, which is %s: %w", v.name, v.status(), ErrRefused)
	}
	if v.admin == "down" && v.runtime == asAsked {
		return nil
	}
	v.admin, v.runtime = "down", asAsked
	c.bump(v, 2)
	c.addJob("OP_INSTANCE_SHUTDOWN", v)
	return nil
}

func (c *Cluster) create(name string) (*instance, error) {
	if _, taken := c.byName[name]; taken || len(c.usable()) == 0 {
		return nil, fmt.Errorf("creating %s, whose name is taken or which has no node to go to: %w", name, ErrRefused)
	}
	if name == "" {
		name = c.nextName()
	} else {
		c.serial++
	}
	v := c.newInstance(name)
	v.admin, v.runtime, v.serial = "up", asAsked, 3 // created and started
	v.ctime = c.stamp()
	v.mtime = c.stamp()
	c.enter(v)
	c.addJob("OP_INSTANCE_CREATE", v)
	return v, nil
}

// enter puts v into the cluster.
func (c *Cluster) enter(v *instance) {
	c.admit(v)
	c.list.insert(v)
	for _, n := range v.nics {
		if n.network != nil {
			n.network.reserve(n.ip, true)
		}
	}
	c.stale()
}

func (c *Cluster) remove(v *instance) error {
	c.list.remove(v)
	delete(c.byName, v.name)
	delete(c.byUUID, v.uuid)
	last := c.all[len(c.all)-1]
	c.all[v.slot], last.slot = last, v.slot
	c.all = c.all[:len(c.all)-1]
	for _, n := range v.nics {
		if n.network != nil {
			n.network.reserve(n.ip, false)
		}
	}
	if len(c.gone) == 1000 {
		c.gone = slices.Delete(c.gone, 0, 1)
	}
	c.gone = append(c.gone, v)
	c.addJob("OP_INSTANCE_REMOVE", v)
	return nil
}

func (c *Cluster) rename(v *instance, name string) error {
	if _, taken := c.byName[name]; taken || name == "" {
		return fmt.Errorf("renaming %s to %q, which is taken or empty: %w", v.name, name, ErrRefused)
	}
	up := v.admin == "up"
	if up {
		if err := c.stop(v); err != nil {
			return err
		}
	}
	c.list.remove(v)
	delete(c.byName, v.name)
	c.addJob("OP_INSTANCE_RENAME", v)
	v.name = name
	c.byName[name] = v
	c.list.insert(v)
	c.bump(v, 2)
	if up {
		return c.start(v)
	}
	return nil
}

func (c *Cluster) migrate(v *instance, name string) error {
	to, err := c.findNode(name)
	if err != nil {
		return err
	}
	switch {
	case to == v.node, to.down, to.offline, v.second != nil && v.second != to:
		return fmt.Errorf("moving %s to %s: %w", v.name, name, ErrRefused)
	case v.second != nil:
		v.second = v.node
	}
	live := v.runs()
	v.node, v.runtime, v.vcpus = to, asAsked, v.be.vcpus
	if live {
		c.addJob("OP_INSTANCE_MIGRATE", v)
		return nil
	}
	c.bump(v, 2)
	c.addJob("OP_INSTANCE_FAILOVER", v)
	return nil
}

func (c *Cluster) retag(v *instance, tags []string) error {
	tags = sortedSet(tags)
	added := slices.ContainsFunc(tags, func(t string) bool { return !slices.Contains(v.tags, t) })
	dropped := slices.ContainsFunc(v.tags, func(t string) bool { return !slices.Contains(tags, t) })
	if added {
		c.bump(v, 1)
		c.addJob("OP_TAGS_SET", v)
	}
	if dropped {
		c.bump(v, 1)
		c.addJob("OP_TAGS_DEL", v)
	}
	v.tags = tags
	return nil
}

func (c *Cluster) resize(v *instance, vcpus, memoryMiB int) error {
	if vcpus < 1 || memoryMiB < 1 {
		return fmt.Errorf("giving %s %d CPUs and %d MiB: %w", v.name, vcpus, memoryMiB, ErrRefused)
	}
	v.be.vcpus, v.be.maxmem, v.be.minmem = vcpus, memoryMiB, min(v.be.minmem, memoryMiB)
	c.bump(v, 1)
	c.addJob("OP_INSTANCE_SET_PARAMS", v)
	return nil
}

func sortedSet(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}
