package updater_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"ganeticache/db"
)

// sabotage is what befalls one of the next calls to the database.
type sabotage struct {
	// in counts down to the call.
	in int
	// prints is the kind whose record cannot be read. Records are read beside the other calls, which must not depend on who
	// comes first.
	prints db.Kind
	// how is "refuse" (nothing is done), "cut" (the context ends in the middle) or "lose" (done, and the answer lost).
	how string
	// looks is after how many looks at the context it ends; each statement takes a few.
	looks int64
}

var errLost = errors.New("the connection to the database is lost")

// dyingContext ends at its n-th look: wherever in a transaction that is.
type dyingContext struct {
	context.Context //nolint:containedctx // it is a context

	end  context.CancelFunc
	left *atomic.Int64
}

func dying(ctx context.Context, looks int64) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancel(ctx)
	d := dyingContext{Context: ctx, end: end, left: &atomic.Int64{}}
	d.left.Store(looks)
	return d, end
}

func (d dyingContext) look() {
	if d.left.Add(-1) == 0 {
		d.end()
	}
}

// Done implements context.Context.
func (d dyingContext) Done() <-chan struct{} {
	d.look()
	return d.Context.Done()
}

// Err implements context.Context.
func (d dyingContext) Err() error {
	d.look()
	return d.Context.Err()
}

// modelStore is the real store, with failures at will. It tells the machine what was committed.
type modelStore struct {
	*db.Store

	m *machine
}

// call does one call, or what is left of it.
func (s *modelStore) call(ctx context.Context, do func(ctx context.Context) error) error {
	s.m.sabotage.in--
	return s.strike(ctx, s.m.sabotage.in == 0, do)
}

// strike does a call as the plan says if it is struck. It changes nothing of the plan.
func (s *modelStore) strike(ctx context.Context, struck bool, do func(ctx context.Context) error) error {
	if !struck {
		return do(ctx)
	}
	plan := &s.m.sabotage
	switch plan.how {
	case "refuse":
		return errLost
	case "cut":
		dies, end := dying(ctx, plan.looks)
		defer end()
		return do(dies)
	default:
		return errors.Join(do(ctx), errLost)
	}
}

// Ticket implements updater.Store. The number is the database's, the time that of the model, on either database.
func (s *modelStore) Ticket(ctx context.Context) (db.Ticket, error) {
	t, err := s.Store.Ticket(ctx)
	s.m.world.tick()
	t.At = time.Time{}
	return t, err
}

// Clock implements updater.Store: the model's own clock counts on either database.
func (s *modelStore) Clock(context.Context) (time.Time, error) { return time.Time{}, nil }

// Freshness implements updater.Store.
func (s *modelStore) Freshness(ctx context.Context, id int64) (fresh map[db.Kind]db.Freshness, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		fresh, err = s.Store.Freshness(ctx, id)
		return err
	})
	return fresh, err
}

// Fingerprints implements updater.Store.
func (s *modelStore) Fingerprints(ctx context.Context, id int64, k db.Kind) (prints db.Fingerprints, err error) {
	err = s.strike(ctx, s.m.sabotage.prints == k, func(ctx context.Context) error {
		prints, err = s.Store.Fingerprints(ctx, id, k)
		return err
	})
	return prints, err
}

// Apply implements updater.Store.
func (s *modelStore) Apply(ctx context.Context, snap db.Snapshot) (out db.Outcome, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		out, err = s.Store.Apply(ctx, snap)
		s.m.committed(snap.Kind, snap.StartedAt, err)
		return err
	})
	return out, err
}

// ApplyInfo implements updater.Store.
func (s *modelStore) ApplyInfo(ctx context.Context, i db.ClusterInfo) (out db.Outcome, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		out, err = s.Store.ApplyInfo(ctx, i)
		s.m.committed(db.KindCluster, i.StartedAt, err)
		return err
	})
	return out, err
}

// TouchFresh implements updater.Store.
func (s *modelStore) TouchFresh(ctx context.Context, id int64, l *db.Lease, touches []db.Touch) error {
	return s.call(ctx, func(ctx context.Context) error {
		err := s.Store.TouchFresh(ctx, id, l, touches)
		for _, touch := range touches {
			s.m.committed(touch.Kind, touch.StartedAt, err)
		}
		return err
	})
}

// Observe implements updater.ReadStore.
func (s *modelStore) Observe(ctx context.Context, o db.Observation) (out db.Outcome, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		if out, err = s.Store.Observe(ctx, o); err == nil {
			s.m.observed(o)
		}
		return err
	})
	return out, err
}

// committed moves the model on if the database took the answer in: then its time is on record. A write that reported
// success must have; one that failed may have, as when the answer to a commit is lost.
func (m *machine) committed(k db.Kind, at time.Time, err error) {
	fresh, readErr := m.store.Store.Freshness(m.t.Context(), m.clusterID)
	if readErr != nil {
		m.t.Errorf("reading the freshness: %v", readErr)
	}
	done := fresh[k].SnapshotAt != nil && fresh[k].SnapshotAt.Equal(at)
	if err == nil && !done {
		m.t.Errorf("the store says that it took in the %ss of %s, and they are not on record", k, at)
	}
	if !done {
		return
	}
	said, complete := m.world.lists[k][at]
	if !complete {
		m.t.Errorf("the %ss of %s are on record, and no complete answer of this cluster began then", k, at)
	}
	if m.records[k].snapshotAt.After(at) {
		m.t.Errorf("the %ss of %s are on record after those of %s", k, at, m.records[k].snapshotAt)
	}
	m.records[k].accept(at, said)
}

// observed moves the model on by what the cluster said of one object.
func (m *machine) observed(o db.Observation) {
	if o.Gone == "" {
		said, ok := m.world.items[o.StartedAt]
		if !ok {
			m.t.Errorf("an observation of %s, and this cluster said nothing then", o.StartedAt)
		}
		m.records[o.Kind].observe(o.StartedAt, said, "")
		return
	}
	if m.world.absences[o.Gone].Before(o.StartedAt) {
		m.t.Errorf("%s is said to be gone at %s, and this cluster never said so", o.Gone, o.StartedAt)
	}
	m.records[o.Kind].observe(o.StartedAt, thing{}, o.Gone)
}

// row is a row as the tests compare it.
type row struct {
	ID      int64  `db:"id"`
	UUID    string `db:"uuid"`
	Name    string `db:"name"`
	Status  string `db:"status"`
	Deleted bool   `db:"deleted"`
}

// table says where the rows of a kind are and what is compared of their content.
func tableOf(k db.Kind) (table, status string) {
	switch k {
	case db.KindVM:
		return "virtual_machines", "status || ' ' || primary_node"
	case db.KindNode:
		return "nodes", "role"
	default:
		return "jobs", "status"
	}
}

func (m *machine) query(dest any, query string, args ...any) {
	d := m.store.DB()
	if err := d.SelectContext(m.t.Context(), dest, d.Rebind(query), args...); err != nil {
		m.t.Fatal(err)
	}
}

// newChanges gives the entries of the log since the last call, by kind.
func (m *machine) newChanges() map[db.Kind][]string {
	var rows []struct {
		ID     int64   `db:"id"`
		Kind   db.Kind `db:"kind"`
		Change string  `db:"change"`
	}
	m.query(&rows, "SELECT id, kind, op || ' ' || uuid AS change FROM changes WHERE cluster_id = ? AND id > ? ORDER BY id",
		m.clusterID, m.lastChange)
	byKind := map[db.Kind][]string{}
	for _, r := range rows {
		m.lastChange = r.ID
		byKind[r.Kind] = append(byKind[r.Kind], r.Change)
	}
	for k := range byKind {
		slices.Sort(byKind[k])
	}
	return byKind
}
