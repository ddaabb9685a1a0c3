package trial

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"ganeticache/ganeti"
	"ganeticache/ganeti/rapisim"
)

// A lie about what a cluster has is told to so many requests at most: the guard believes the fourth in a row, by design.
const lies = 3

// Misbehave has the cluster do one of [Acts] of [AtCluster], until the returned function is called. Detail decides what
// the act leaves open.
func (c *Cluster) Misbehave(ctx context.Context, act string, detail uint64) (mend func() error, err error) {
	const instances = "/2/instances"
	faults := map[string]rapisim.Fault{
		"hang":         rapisim.Hang(),
		"status 401":   rapisim.Status(401),
		"status 500":   rapisim.Status(500).On(instances),
		"status 502":   rapisim.Status(502),
		"html":         rapisim.HTML(200),
		"garbage":      rapisim.Garbage().On(instances),
		"cut body":     rapisim.CutBody(int64(detail % 20_000)),
		"wrong length": rapisim.WrongLength(int64(detail%400) - 200),
		"trickle":      rapisim.Trickle(2000),
		"endless body": rapisim.Endless().On(instances),
	}
	if f, ok := faults[act]; ok {
		c.Server.Hurt(f)
		return c.heal, nil
	}
	switch act {
	case "empty list":
		for _, path := range []string{instances, "/2/nodes", "/2/groups", "/2/networks"} {
			c.Server.Hurt(rapisim.EmptyList().On(path).For(lies))
		}
		return c.heal, nil
	case "other uuid":
		uuid := c.sim.UUID()
		c.sim.SetUUID("00000000-0000-4000-8000-000000000000")
		return func() error { c.sim.SetUUID(uuid); return nil }, nil
	case "half the listing":
		return c.halve(ctx)
	case "bad item":
		return c.spoil(detail, rapisim.SetField("name", "17"))
	case "item without uuid":
		return c.spoil(detail, rapisim.DropField("uuid"))
	}
	return nil, fmt.Errorf("misbehaving: there is no act %q", act)
}

func (c *Cluster) heal() error {
	c.Server.Heal()
	return nil
}

// halve answers with half of the instances, and stands still meanwhile, so that the half that is told is true.
func (c *Cluster) halve(ctx context.Context) (func() error, error) {
	c.Freeze()
	body, err := c.half(ctx)
	if err != nil {
		c.Thaw()
		return nil, err
	}
	c.Server.Hurt(rapisim.Body(body).On("/2/instances").For(lies))
	return func() error {
		c.Server.Heal()
		c.Thaw()
		return nil
	}, nil
}

// half asks the simulator itself, past the proxy, for its list, and drops every other instance.
func (c *Cluster) half(ctx context.Context) ([]byte, error) {
	client, err := ganeti.New(ganeti.Settings{
		URL: c.Server.URL(), Username: User, Password: ganeti.Secret(Password), TLS: ganeti.TLS{PinSHA256: c.Server.Pin()},
	})
	if err != nil {
		return nil, fmt.Errorf("making a client for %s: %w", c.Name, err)
	}
	all, err := client.Bulk(ctx, ganeti.Instances, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the instances of %s: %w", c.Name, err)
	}
	body := []byte("[")
	for i, item := range all.Each() {
		if i%2 == 0 {
			continue
		}
		if len(body) > 1 {
			body = append(body, ", "...)
		}
		body = append(body, item...)
	}
	return append(body, "]\n"...), nil
}

// spoil has one VM's item altered in every answer. Whether it still is, the item's edit is told by a flag: the VM may be
// gone, and come back, by the time of the mending.
func (c *Cluster) spoil(detail uint64, edit rapisim.Edit) (func() error, error) {
	all := c.sim.Instances()
	if len(all) == 0 {
		return func() error { return nil }, nil
	}
	vm := all[detail%uint64(len(all))]
	var over atomic.Bool
	err := c.sim.Corrupt(vm.Name, func(item []byte) []byte {
		if over.Load() {
			return item
		}
		return edit(item)
	})
	if err != nil && !errors.Is(err, rapisim.ErrNotFound) {
		return nil, fmt.Errorf("spoiling an item: %w", err)
	}
	return func() error {
		over.Store(true)
		for _, i := range c.sim.Instances() {
			if i.UUID != vm.UUID {
				continue
			}
			if err := c.sim.Corrupt(i.Name, nil); err != nil && !errors.Is(err, rapisim.ErrNotFound) {
				return fmt.Errorf("mending an item: %w", err)
			}
		}
		return nil
	}, nil
}
