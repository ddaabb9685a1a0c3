package rapisim

import (
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// ErrNotFound is returned for names that the cluster does not have.
var ErrNotFound = errors.New("not in the cluster")

// ErrRefused is returned for changes that Ganeti would refuse, such as
// starting an instance on an offline node.
var ErrRefused = errors.New("refused")

//go:embed answers/info.json
var infoAnswer string

// Cluster is a simulated Ganeti cluster: the truth that a [Server] tells. All
// methods may be called from any goroutine.
type Cluster struct {
	opts Options

	mu sync.Mutex
	*world
	rest *rest // the answers, instead of a world; see Options.Compact
}

// world is all that a cluster has. What it does not keep follows from the
// options, so that an unchanged one can be made again.
type world struct {
	rng          *rand.Rand
	clock        time.Time // of its own, when Options.Now is nil
	uuid         string
	ctime, mtime float64
	tags         []string
	master       *node

	nodes    []*node
	groups   []*group
	networks []*network
	guests   []*guest

	nodesMade, networksMade int // ever, so that no two share an address

	list   listing     // the instances, in order
	all    []*instance // the instances, in no order: to pick one at random
	byName map[string]*instance
	byUUID map[string]*instance
	gone   []*instance // removed ones, for Restore
	serial int         // of the next generated name

	jobs    []job
	lastJob int

	ready map[string][]byte // prepared answers other than the instances'
}

// UUID returns the cluster's uuid.
func (c *Cluster) UUID() string {
	defer c.reading()()
	return c.uuid
}

// Name returns the cluster's name.
func (c *Cluster) Name() string { return c.opts.Name }

// Master returns the name of the master node.
func (c *Cluster) Master() string {
	defer c.reading()()
	return c.master.name
}

// Len returns the number of instances.
func (c *Cluster) Len() int {
	defer c.reading()()
	return len(c.all)
}

// Instances returns all instances, in the order RAPI lists them.
func (c *Cluster) Instances() []Instance {
	defer c.reading()()
	out := make([]Instance, 0, len(c.all))
	c.list.each(func(v *instance) { out = append(out, v.export()) })
	return out
}

// Instance returns the instance of that name.
func (c *Cluster) Instance(name string) (Instance, bool) {
	defer c.reading()()
	v, ok := c.byName[name]
	if !ok {
		return Instance{}, false
	}
	return v.export(), true
}

// Nodes returns all nodes, in the order RAPI lists them.
func (c *Cluster) Nodes() []Node {
	defer c.reading()()
	c.census()
	out := make([]Node, len(c.nodes))
	for i, n := range c.nodes {
		out[i] = c.exportNode(n)
	}
	return out
}

// Groups returns all node groups, in the order RAPI lists them.
func (c *Cluster) Groups() []Group {
	defer c.reading()()
	out := make([]Group, len(c.groups))
	for i, g := range c.groups {
		out[i] = c.exportGroup(g)
	}
	return out
}

// Networks returns all networks, in the order RAPI lists them.
func (c *Cluster) Networks() []Network {
	defer c.reading()()
	out := make([]Network, len(c.networks))
	for i, n := range c.networks {
		out[i] = n.export()
	}
	return out
}

// SetUUID makes it another cluster behind the same address, as after a
// reinstallation, or a mistake in a DNS zone.
func (c *Cluster) SetUUID(uuid string) {
	defer c.changing()()
	c.uuid = uuid
	c.stale()
}

// RetagCluster replaces the cluster's own tags.
func (c *Cluster) RetagCluster(tags ...string) {
	defer c.changing()()
	c.tags, c.mtime = sortedSet(tags), c.stamp()
	c.stale()
}

// stale drops the prepared answers; called with every change.
func (c *Cluster) stale() { clear(c.ready) }

// stamp is the time of a change.
func (c *Cluster) stamp() float64 { return seconds(c.now()) }

func (c *Cluster) now() time.Time {
	if c.opts.Now != nil {
		return c.opts.Now()
	}
	c.clock = c.clock.Add(time.Millisecond + time.Duration(c.rng.IntN(2_000_000))*time.Microsecond)
	return c.clock
}

// seconds is how Ganeti keeps times: a float, to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func (c *Cluster) find(name string) (*instance, error) {
	v, ok := c.byName[name]
	if !ok {
		return nil, fmt.Errorf("instance %s: %w", name, ErrNotFound)
	}
	return v, nil
}

func (c *Cluster) findNode(name string) (*node, error) {
	for _, n := range c.nodes {
		if n.name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("node %s: %w", name, ErrNotFound)
}

// info renders /2/info.
func (c *Cluster) info() []byte {
	quoted := func(s string) string { return string(appendString(nil, s)) }
	hypervisor, hypervisors := "fake", `["fake"]`
	switch {
	case c.opts.KVMShare >= 1:
		hypervisor, hypervisors = "kvm", `["kvm"]`
	case c.opts.KVMShare > 0:
		hypervisors = `["fake", "kvm"]`
	}
	var ctime, mtime, tags writer
	ctime.float(c.ctime)
	mtime.float(c.mtime)
	tags.strings(c.tags)
	r := strings.NewReplacer(
		`%NAME%`, quoted(c.opts.Name), `%MASTER%`, quoted(c.master.name), `%UUID%`, quoted(c.uuid),
		`%HYPERVISOR%`, quoted(hypervisor), `%HYPERVISORS%`, hypervisors,
		`%CTIME%`, string(ctime), `%MTIME%`, string(mtime), `%TAGS%`, string(tags),
	)
	return []byte(r.Replace(infoAnswer))
}
