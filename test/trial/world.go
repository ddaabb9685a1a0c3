package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"ganeticache/ganeti/rapisim"
)

// Password is that of the RAPI user [User] in every simulated cluster.
const (
	User     = "trial"
	Password = "trial-password"
)

// rapiLag is that of the proxies before the clusters.
const rapiLag = 40 * time.Millisecond

// Cluster is a simulated cluster behind a proxy, with a life of its own and a history of it. Safe for concurrent use.
type Cluster struct {
	Name   string
	Server *rapisim.Server
	Front  *Front

	mu      sync.Mutex // from before each change until it is in the history
	history *History
	sim     *rapisim.Cluster
	rng     *rand.Rand
	removed []string // names of removed instances
	events  int
	still   int // how many want it to stand still
}

// WorldOptions say how the simulated clusters are made. The seed decides what they are and what happens to them.
type WorldOptions struct {
	Clusters, VMs int
	Seed          uint64
	// Bare leaves the proxies out.
	Bare bool
}

// World is all simulated clusters.
type World struct{ Clusters []*Cluster }

// NewWorld starts the clusters; they stand still until [World.Live].
func NewWorld(o WorldOptions) (*World, error) {
	w := &World{}
	for i := range o.Clusters {
		c, err := newCluster(i, o)
		if err != nil {
			w.Close()
			return nil, err
		}
		w.Clusters = append(w.Clusters, c)
	}
	return w, nil
}

func newCluster(i int, o WorldOptions) (*Cluster, error) {
	name := fmt.Sprintf("c%03d", i+1)
	seed := o.Seed*1000 + uint64(i) + 1 //nolint:gosec // i counts from 0
	sim := rapisim.NewCluster(rapisim.Options{
		Name: name + ".example", Seed: seed, VMs: o.VMs, Nodes: 5, Networks: 3, KVMShare: 0.3, DRBDShare: 0.3,
		Username: User, Password: Password,
	})
	server, err := rapisim.NewServer(sim)
	if err != nil {
		return nil, fmt.Errorf("starting the simulated cluster %s: %w", name, err)
	}
	c := &Cluster{Name: name, Server: server, sim: sim, history: NewHistory(), rng: rand.New(rand.NewPCG(seed, 7))}
	if !o.Bare {
		if c.Front, err = NewFront("rapi-"+name, server.Addr(), rapiLag); err != nil {
			server.Close()
			return nil, err
		}
	}
	c.record(time.Now(), time.Now())
	return c, nil
}

// Close ends the servers and their proxies.
func (w *World) Close() {
	var all sync.WaitGroup
	for _, c := range w.Clusters {
		all.Go(func() {
			if c.Front != nil {
				c.Front.Close()
			}
			c.Server.Close()
		})
	}
	all.Wait()
}

// URL is where the updater finds the cluster: its proxy, if it has one.
func (c *Cluster) URL() string {
	if c.Front == nil {
		return c.Server.URL()
	}
	return fmt.Sprintf("https://127.0.0.1:%d", c.Front.Port())
}

// Live has every cluster make about rate changes a second until ctx ends, unless it is frozen.
func (w *World) Live(ctx context.Context, rate float64) {
	var all sync.WaitGroup
	for _, c := range w.Clusters {
		all.Go(func() {
			for pause(ctx, time.Duration(float64(time.Second)/rate*(0.5+rand.Float64()))) == nil {
				c.step()
			}
		})
	}
	all.Wait()
}

// Freeze has the clusters stand still until [World.Thaw]; when it returns, no change is under way.
func (w *World) Freeze() {
	for _, c := range w.Clusters {
		c.Freeze()
	}
}

// Thaw lets the clusters live on.
func (w *World) Thaw() {
	for _, c := range w.Clusters {
		c.Thaw()
	}
}

// Freeze has one cluster stand still, once more for each call.
func (c *Cluster) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.still++
}

// Thaw takes one call of Freeze back.
func (c *Cluster) Thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.still--
}

// Events counts the changes that happened so far, in all clusters.
func (w *World) Events() int {
	sum := 0
	for _, c := range w.Clusters {
		c.mu.Lock()
		sum += c.events
		c.mu.Unlock()
	}
	return sum
}

// step makes one change and records it.
func (c *Cluster) step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.still > 0 {
		return
	}
	before := time.Now()
	c.change()
	c.record(before, time.Now())
}

// record is called with mu held.
func (c *Cluster) record(before, after time.Time) {
	c.events += c.history.Record(truth(c.sim), before, after)
}

// change lets something happen: mostly what happens to VMs, now and then something rarer. What the cluster refuses, such
// as restoring a VM whose name is taken, did not happen.
func (c *Cluster) change() {
	var err error
	switch n := c.rng.IntN(100); {
	case n < 80:
		for _, e := range c.sim.Churn(1) {
			if e.Op == rapisim.OpRemove {
				c.removed = append(c.removed, e.Instance.Name)
			}
		}
	case n < 86:
		err = c.restore()
	case n < 90:
		nodes := c.sim.Nodes()
		at := slices.IndexFunc(nodes, func(n rapisim.Node) bool { return n.Down })
		if down := at >= 0; down {
			err = c.sim.SetNodeDown(nodes[at].Name, false)
		} else {
			err = c.sim.SetNodeDown(nodes[c.rng.IntN(len(nodes))].Name, true)
		}
	case n < 94:
		if all := c.sim.Instances(); len(all) > 0 {
			err = c.sim.SetRuntime(all[c.rng.IntN(len(all))].Name, []string{"ERROR_down", "USER_down", "ERROR_up", ""}[c.rng.IntN(4)])
		}
	case n < 97:
		nodes := c.sim.Nodes()
		err = c.sim.RetagNode(nodes[c.rng.IntN(len(nodes))].Name, fmt.Sprintf("rack:%d", c.rng.IntN(40)))
	default:
		if err = c.sim.AddNetwork("extra"); errors.Is(err, rapisim.ErrRefused) {
			err = c.sim.RemoveNetwork("extra")
		}
	}
	if err != nil && !errors.Is(err, rapisim.ErrRefused) && !errors.Is(err, rapisim.ErrNotFound) {
		panic(fmt.Sprintf("trial: cluster %s: %v", c.Name, err)) // the trial itself is wrong
	}
}

// restore brings back the VM that was removed last.
func (c *Cluster) restore() error {
	if len(c.removed) == 0 {
		return nil
	}
	name := c.removed[len(c.removed)-1]
	c.removed = c.removed[:len(c.removed)-1]
	return c.sim.Restore(name)
}
