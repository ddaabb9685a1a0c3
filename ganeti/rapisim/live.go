package rapisim

import (
	"context"
	"fmt"
	"time"
)

// Op names what happened in an [Event].
type Op string

// The changes that [Cluster.Churn] and [Cluster.Live] make.
const (
	OpCreate  Op = "create"
	OpRemove  Op = "remove"
	OpRename  Op = "rename"
	OpStart   Op = "start"
	OpStop    Op = "stop"
	OpMigrate Op = "migrate"
	OpRetag   Op = "retag"
	OpResize  Op = "resize"
)

// Event is one change that a cluster made by itself.
type Event struct {
	Op Op
	// Instance is as it was right after the change; for a removal, before it.
	Instance Instance
	// OldName is the name before a rename.
	OldName string
}

// String tells the event in one line.
func (e Event) String() string {
	switch e.Op {
	case OpRename:
		return fmt.Sprintf("rename %s to %s", e.OldName, e.Instance.Name)
	case OpMigrate:
		return fmt.Sprintf("migrate %s to %s", e.Instance.Name, e.Instance.PNode)
	case OpRetag:
		return fmt.Sprintf("retag %s %q", e.Instance.Name, e.Instance.Tags)
	case OpResize:
		return fmt.Sprintf("resize %s to %d CPUs, %d MiB", e.Instance.Name, e.Instance.VCPUs, e.Instance.MemoryMiB)
	case OpCreate, OpRemove, OpStart, OpStop:
	}
	return string(e.Op) + " " + e.Instance.Name
}

// Churn makes n changes at once and returns them in order. Which ones follows
// from the seed and from what was done to the cluster before. An instance may
// change more than once; the number of instances stays within a tenth (but at
// least two) of what it was made with.
func (c *Cluster) Churn(n int) []Event {
	defer c.changing()()
	events := make([]Event, 0, n)
	for len(events) < n {
		e, ok := c.step()
		if !ok {
			break
		}
		events = append(events, e)
	}
	return events
}

// Live makes rate changes a second until ctx ends, and calls onChange, if not
// nil, after each, from the caller's own goroutine.
func (c *Cluster) Live(ctx context.Context, rate float64, onChange func(Event)) {
	if rate <= 0 {
		<-ctx.Done()
		return
	}
	period := max(time.Duration(float64(time.Second)/rate), 5*time.Millisecond)
	tick := time.NewTicker(period)
	defer tick.Stop()
	due := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due += rate * period.Seconds()
		n := int(due + 1e-9)
		due -= float64(n)
		for _, e := range c.Churn(n) {
			if onChange != nil {
				onChange(e)
			}
		}
	}
}

// step makes one change; false if none is possible.
func (c *Cluster) step() (Event, bool) {
	for range 100 {
		op := c.choose()
		if op == OpCreate {
			if v, err := c.create(""); err == nil {
				return Event{Op: op, Instance: v.export()}, true
			}
			continue
		}
		if len(c.all) == 0 {
			continue
		}
		v := c.all[c.rng.IntN(len(c.all))]
		e := Event{Op: op, Instance: v.export(), OldName: v.name}
		if !c.possible(op, v) || c.apply(v, c.action(op)) != nil {
			continue
		}
		if op != OpRemove {
			e.Instance = v.export()
		}
		if op != OpRename {
			e.OldName = ""
		}
		return e, true
	}
	return Event{}, false
}

// choose picks what to do next: mostly what a cluster's users do most.
func (c *Cluster) choose() Op {
	slack := max(c.opts.VMs/10, 2)
	switch {
	case len(c.all) <= c.opts.VMs-slack:
		return OpCreate
	case len(c.all) >= c.opts.VMs+slack:
		return OpRemove
	}
	switch n := c.rng.IntN(100); {
	case n < 20:
		return OpStart
	case n < 40:
		return OpStop
	case n < 55:
		return OpMigrate
	case n < 70:
		return OpRetag
	case n < 80:
		return OpResize
	case n < 88:
		return OpCreate
	case n < 96:
		return OpRemove
	default:
		return OpRename
	}
}

// possible rejects what would leave the instance as it is.
func (c *Cluster) possible(op Op, v *instance) bool {
	switch op {
	case OpStart:
		return v.admin == "down" || v.runtime == dead
	case OpStop:
		return v.admin == "up"
	case OpMigrate:
		return v.runs()
	case OpCreate, OpRemove, OpRename, OpRetag, OpResize:
	}
	return true
}

func (c *Cluster) action(op Op) func(*instance) error {
	switch op {
	case OpStart:
		return c.start
	case OpStop:
		return c.stop
	case OpRemove:
		return c.remove
	case OpRename:
		return func(v *instance) error { return c.rename(v, c.nextName()) }
	case OpMigrate:
		return func(v *instance) error {
			to := v.second
			if to == nil {
				to = c.nodes[c.rng.IntN(len(c.nodes))]
			}
			return c.migrate(v, to.name)
		}
	case OpRetag:
		return func(v *instance) error {
			return c.retag(v, append([]string{fmt.Sprintf("note:%d", c.rng.IntN(1000))}, v.tags[:min(2, len(v.tags))]...))
		}
	case OpResize, OpCreate:
	}
	return func(v *instance) error { return c.resize(v, v.be.vcpus%8+1, v.be.maxmem%1024+64) }
}
