package db

import (
	"context"
	"fmt"
	"time"
)

// Observation is what a cluster said of one object that it was asked about, outside of any snapshot.
type Observation struct {
	ClusterID int64
	Kind      Kind
	// StartedAt is when the request started; it becomes observed_at of the row, changed or not.
	StartedAt time.Time
	// Ticket is the number that was drawn before it.
	Ticket int64
	// Item is the object as it is; its Row must not be nil. It is ignored when Gone is set.
	Item Item
	// Gone is the key of an object that the cluster no longer has.
	Gone string
	// Guard decides about a removal, as that of a Snapshot; nil allows it. One that it does not allow, or that comes while
	// removals are withheld, is in Outcome.Withheld.
	Guard func(Removals) Decision
	// MaxLive bounds the live rows as that of a Snapshot, with the number of objects in the last complete answer; a new object
	// that exceeds it is in Outcome.Refused.
	MaxLive func(before, objects int) int
	// Explain fills Outcome.Changes.
	Explain bool
}

// key is whom the observation is about.
func (o Observation) key() string {
	if o.Gone != "" {
		return o.Gone
	}
	return o.Item.Key
}

// Observe stores one observation: the row is created, updated, restored or removed, unless a newer observation is on
// record, of this object or of all (then it is in Outcome.Skipped). An unchanged row is stamped with the time, so that no
// older snapshot overwrites or removes it. Whatever else changes the row moves the kind's generation on, so that a
// snapshot that was compared before is compared again. The kind's freshness stays what it was: one object says nothing
// about the others.
//
// ErrDisabled, ErrNotFound, ErrDuplicateCluster: nothing is written.
func (s *Store) Observe(ctx context.Context, o Observation) (Outcome, error) {
	t, err := s.tableOf(o.Kind)
	if err != nil {
		return Outcome{}, err
	}
	snap := Snapshot{ClusterID: o.ClusterID, Kind: o.Kind, StartedAt: cleanTime(o.StartedAt), Ticket: o.Ticket, Explain: o.Explain}
	if o.Gone != "" {
		snap.Missing = []string{o.Gone}
	}
	var out Outcome
	err = s.inTx(ctx, func(ctx context.Context, x *txn) error {
		a := &applier{x: x, t: t, snap: &snap, owners: s.owners, epoch: s.epoch, keys: make(map[string]bool)}
		var err error
		if a.remake, err = s.remaker(ctx, x, t.name); err != nil {
			return err
		}
		err = a.observe(ctx, o)
		out = a.out
		return err
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("storing one %s of cluster %d: %w", o.Kind, o.ClusterID, err)
	}
	return out, nil
}

func (a *applier) observe(ctx context.Context, o Observation) error {
	var err error
	if a.locked, err = lockKind(ctx, a.x, kindLock{clusterID: o.ClusterID, kind: o.Kind}); err != nil {
		return err
	}
	if err := a.locked.single(ctx, a.x); err != nil {
		return err
	}
	newer, err := a.newer(ctx, a.locked.SnapshotTicket)
	switch {
	case err != nil:
		return err
	case newer:
		// A newer complete answer has told of every object, of this one too. Rows that it found unchanged do not carry its
		// time, so that their own would let this observation through.
		a.out.Skipped = []string{o.key()}
		a.out.Generation = a.locked.Generation
		return nil
	case o.Gone != "":
		err = a.removeOne(ctx, o)
	default:
		var fits bool
		if fits, err = a.fits(ctx, o); err == nil && fits {
			err = a.observeItem(ctx, o.Item)
		}
	}
	if err != nil {
		return err
	}
	a.out.Generation = a.locked.Generation
	if a.out.RowsWritten == 0 {
		return nil
	}
	if err := a.moveOn(ctx); err != nil {
		return err
	}
	return a.publish(ctx)
}

func (a *applier) observeItem(ctx context.Context, item Item) error {
	a.prepare(item)
	if err := a.take(ctx, item); err != nil {
		return err
	}
	if err := a.flushChunk(ctx); err != nil {
		return err
	}
	if len(a.bad) > 0 {
		return fmt.Errorf("the object cannot be stored: %s", a.quarantined[0].reason)
	}
	// Not counted as written: the record that snapshots are compared with is what it was.
	stamp := "UPDATE " + a.t.name + " SET observed_at = ?, ticket = ? WHERE cluster_id = ? AND uuid = ? AND " + notNewer("ticket", a.x.d.cast("?", "bigint"))
	_, err := a.x.exec(ctx, stamp, a.snap.StartedAt, a.snap.Ticket, a.snap.ClusterID, item.Row.Base().UUID, a.snap.Ticket)
	if err != nil {
		return fmt.Errorf("stamping the row: %w", err)
	}
	return nil
}
