package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti/rapisim"
)

// truth is what the simulated clusters did.
type truth struct {
	farm *rapisim.Farm

	mu      sync.Mutex
	removed map[string]bool // by uuid
	changes int
}

func (t *truth) note(_ *rapisim.Cluster, e rapisim.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	if e.Op == rapisim.OpRemove {
		t.removed[e.Instance.UUID] = true
	}
}

// row is a VM in the database.
type row struct {
	ID      int64  `db:"id"`
	Cluster string `db:"cluster"`
	UUID    string `db:"uuid"`
	Name    string `db:"name"`
	Status  string `db:"status"`
	Node    string `db:"primary_node"`
	Live    bool   `db:"live"`
}

// rows reads every VM, tombstones included.
func rows(ctx context.Context, s *db.Store) (map[string]row, error) {
	var list []row
	err := s.DB().SelectContext(ctx, &list, `
SELECT v.id, c.name AS cluster, v.uuid, v.name, v.status, v.primary_node, v.deleted_at IS NULL AS live
FROM virtual_machines v JOIN clusters c ON c.id = v.cluster_id`)
	if err != nil {
		return nil, fmt.Errorf("reading the VMs: %w", err)
	}
	byUUID := make(map[string]row, len(list))
	for _, r := range list {
		byUUID[r.UUID] = r
	}
	return byUUID, nil
}

// fresh returns an error unless the VMs of each cluster were refreshed after a moment.
func (t *truth) fresh(ctx context.Context, s *db.Store, after time.Time) error {
	var n int
	err := s.DB().GetContext(ctx, &n, "SELECT count(*) FROM freshness WHERE kind = 'vm' AND error = '' AND refreshed_at > $1", after)
	if err != nil {
		return fmt.Errorf("reading the freshness: %w", err)
	}
	if want := len(t.farm.Servers()); n != want {
		return fmt.Errorf("%d of %d clusters are fresh", n, want)
	}
	return nil
}

// verdict is what a database says against the truth; a field that is not 0 is a loss, but for the first two.
type verdict struct {
	vms, changes                                             int
	different, missing, surplus, tombstoned, newIDs, repeats int
	grants                                                   int
}

func (v *verdict) lost() int {
	return v.different + v.missing + v.surplus + v.tombstoned + v.newIDs + v.repeats + v.grants
}

// judge compares the database with the clusters, which stand still by now. ids are those seen before; grants is how many
// were given to objects that are still there.
func (t *truth) judge(ctx context.Context, s *db.Store, ids map[string]int64, grants int) (verdict, error) {
	var v verdict
	have, err := rows(ctx, s)
	if err != nil {
		return v, err
	}
	t.compare(&v, have)
	for uuid, id := range ids {
		if have[uuid].ID != id {
			v.newIDs++
		}
	}
	for uuid, r := range have {
		if !r.Live && !t.removed[uuid] {
			v.tombstoned++
		}
	}
	given, err := s.Grants(ctx, db.GrantFilter{Subject: subject})
	if err != nil {
		return v, fmt.Errorf("reading the grants: %w", err)
	}
	v.grants = grants - len(given)
	err = t.replay(ctx, s, &v)
	return v, err
}

func (t *truth) compare(v *verdict, have map[string]row) {
	live := 0
	for _, r := range have {
		if r.Live {
			live++
		}
	}
	for _, server := range t.farm.Servers() {
		for _, i := range server.Cluster().Instances() {
			v.vms++
			r, ok := have[i.UUID]
			switch {
			case !ok || !r.Live:
				v.missing++
			case r != row{r.ID, server.Cluster().Name(), i.UUID, i.Name, i.Status, i.PNode, true}:
				v.different++
			}
		}
	}
	v.surplus = live - (v.vms - v.missing)
}

// replay follows the changes in their order: an object is created once, removed only while it is there, and each value
// that a change replaces is the one that the change before it left.
func (t *truth) replay(ctx context.Context, s *db.Store, v *verdict) error {
	objects := map[string]*history{}
	for after := int64(0); ; {
		page, err := s.Changes(ctx, after, 1000)
		if err != nil {
			return fmt.Errorf("reading the changes: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, c := range page {
			after = c.ID
			if c.Kind != db.KindVM {
				continue
			}
			v.changes++
			if objects[c.UUID] == nil {
				objects[c.UUID] = &history{id: c.ObjectID, last: map[string]any{}}
			}
			if objects[c.UUID].id != c.ObjectID {
				v.newIDs++
			}
			if !objects[c.UUID].fits(c) {
				v.repeats++
			}
		}
	}
}

// history is what the changes said of an object so far.
type history struct {
	id            int64
	created, live bool
	last          map[string]any
}

// fits takes the next change in, and reports whether it can follow those before it.
func (h *history) fits(c db.Change) bool {
	fits := true
	switch c.Op {
	case db.OpCreated:
		fits = !h.created
		h.created, h.live = true, true
	case db.OpRestored, db.OpPurged:
		return false // no VM of the simulator returns, and none is purged
	case db.OpRemoved:
		fits = h.live
		h.live = false
	case db.OpUpdated, db.OpRenamed:
		for _, field := range []string{"name", "primary_node", "status"} {
			change, changed := c.Fields[field]
			if !changed {
				continue
			}
			if last, seen := h.last[field]; seen && last != change.Old {
				fits = false
			}
			h.last[field] = change.New
		}
	}
	return fits
}
