package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Apply brings the record to a snapshot, in one transaction: changed rows, tombstones, quarantine, changes, freshness,
// one notification. When removals are withheld (by the Guard, or because an item has no readable key), everything else
// is applied, refreshed_at stays what it was and the decision's error is stored in freshness.
//
// ErrConflict: another generation than the snapshot's is on record, or a newer snapshot was applied. ErrDisabled,
// ErrNotFound, ErrLeaseLost, ErrDuplicateCluster: nothing is written either.
func (s *Store) Apply(ctx context.Context, snap Snapshot) (Outcome, error) {
	t, err := s.tableOf(snap.Kind)
	if err != nil {
		return Outcome{}, err
	}
	snap.StartedAt = cleanTime(snap.StartedAt)
	var out Outcome
	err = s.inTx(ctx, func(ctx context.Context, x *txn) error {
		a := &applier{x: x, t: t, snap: &snap, owners: s.owners, epoch: s.epoch, keys: make(map[string]bool)}
		var err error
		if a.remake, err = s.remaker(ctx, x, t.name); err != nil {
			return err
		}
		if snap.Changed != nil && len(snap.Missing) > chunkRows {
			// Before any lock is taken: who waits for a connection holds up nobody.
			reader, release, err := s.spare(ctx)
			if err != nil {
				return err
			}
			defer release()
			a.reader = reader
		}
		err = a.run(ctx)
		out = a.out
		return err
	})
	if err != nil {
		return Outcome{}, fmt.Errorf("applying the %s snapshot of cluster %d: %w", snap.Kind, snap.ClusterID, err)
	}
	return out, nil
}

// applier applies one snapshot in one transaction.
type applier struct {
	x *txn
	// reader reads the record while x writes; nil when x has to do both.
	reader querier
	t      *table
	snap   *Snapshot
	locked locked
	out    Outcome
	// drawn is the greatest ticket known to have been drawn; see newer.
	drawn int64
	// remake is for rows of earlier versions; nil when there are none.
	remake Remaker
	// owners are the patterns of tags that grant permissions.
	owners []OwnerTag
	// epoch is the Store's.
	epoch string

	// keys has every key seen in Changed; true means that a row was accepted under it.
	keys map[string]bool
	// load is open while rows go straight into a table that holds none of the cluster.
	load loader
	cold bool
	// loaded counts rows given to load.
	loaded int

	chunk      []Row
	chunkBytes int
	// writing is the chunk that is being written; nil when none is.
	writing chan written

	quarantined      []quarantineEntry
	quarantinedBytes int
	// bad has the digests of all items quarantined in this snapshot.
	bad [][]byte
	// keyless counts items whose identity is unreadable.
	keyless int

	// room is how many objects may be created, where that is bounded.
	room    int
	bounded bool

	changes []changeRow
	// tagged are the uuids of objects whose tags may be new.
	tagged []string
	// unfit is why a change could not be noted.
	unfit error
}

func (a *applier) run(ctx context.Context) error {
	if err := a.lock(ctx); err != nil {
		return err
	}
	if err := a.bound(ctx); err != nil {
		return err
	}
	if err := a.consume(ctx); err != nil {
		return err
	}
	decision, err := a.remove(ctx)
	if err != nil {
		return err
	}
	if err := a.releaseQuarantine(ctx); err != nil {
		return err
	}
	return a.finish(ctx, decision)
}

// finish stamps the freshness, appends the changes and notifies.
func (a *applier) finish(ctx context.Context, decision Decision) error {
	incomplete := len(a.out.Withheld) > 0 || len(a.out.Refused) > 0
	if incomplete && decision.Error == "" {
		decision.Reason = reasonGuard
		decision.Error = strconv.Itoa(len(a.out.Refused)) + " new objects are not taken in before the next answer: " +
			"the answers of the cluster list others each time"
	}
	if incomplete {
		a.out.Error, a.out.Reason = decision.Error, decision.Reason
	}
	if a.snap.DryRun {
		a.out.Generation = a.locked.Generation
		if err := a.publish(ctx); err != nil {
			return err
		}
		return errRollback
	}
	if incomplete {
		a.locked.withhold(a.snap.touch(), decision)
	} else {
		if err := a.forgetWithheld(ctx); err != nil {
			return err
		}
		a.locked.succeed(a.snap.touch())
	}
	if err := a.moveOn(ctx); err != nil {
		return err
	}
	return a.publish(ctx)
}

// moveOn saves the freshness, of the next generation if rows were written.
func (a *applier) moveOn(ctx context.Context) error {
	if a.out.RowsWritten > 0 {
		a.locked.Generation++
	}
	a.out.Generation = a.locked.Generation
	return a.locked.save(ctx, a.x)
}

// lock takes the lock and checks that the snapshot was compared with the record that is there.
func (a *applier) lock(ctx context.Context) error {
	var err error
	k := kindLock{clusterID: a.snap.ClusterID, kind: a.snap.Kind, lease: a.snap.Lease, table: a.t.name}
	if a.locked, err = lockKind(ctx, a.x, k); err != nil {
		return err
	}
	if err := a.locked.single(ctx, a.x); err != nil {
		return err
	}
	if a.locked.Generation != a.snap.Generation {
		return fmt.Errorf("generation %d is on record, the snapshot was compared with %d: %w",
			a.locked.Generation, a.snap.Generation, ErrConflict)
	}
	switch newer, err := a.newer(ctx, a.locked.SnapshotTicket); {
	case err != nil:
		return err
	case newer:
		return fmt.Errorf("a newer snapshot was applied: %w", ErrConflict)
	}
	a.cold = !a.locked.Filled
	return nil
}

// consume takes in the changed items, a chunk at a time.
func (a *applier) consume(ctx context.Context) (err error) {
	if a.snap.Changed == nil {
		return nil
	}
	defer func() { err = errors.Join(err, a.settle(), a.endLoad(ctx)) }()
	for item := range ahead(a.snap.Changed, a.prepare) {
		if err := a.take(ctx, item); err != nil {
			return err
		}
	}
	if err := a.flushChunk(ctx); err != nil {
		return err
	}
	return a.flushQuarantine(ctx)
}

// take routes one item: to quarantine, straight into the table, or into the chunk that is compared with the record.
func (a *applier) take(ctx context.Context, item Item) error {
	if item.Row == nil {
		return a.quarantine(ctx, item)
	}
	if !a.t.holds(item.Row) {
		return fmt.Errorf("a row of type %T in a snapshot of kind %s", item.Row, a.snap.Kind)
	}
	base := item.Row.Base()
	item.Key, item.Name = base.UUID, base.Name
	switch {
	case base.UUID == "":
		item.Reason = "the item has no uuid"
		return a.quarantine(ctx, item)
	case a.keys[base.UUID]:
		item.Reason = "uuid " + base.UUID + " appears twice in the answer"
		return a.quarantine(ctx, item)
	}
	a.keys[base.UUID] = true
	if a.cold {
		return a.loadRow(ctx, item.Row)
	}
	a.chunk = append(a.chunk, item.Row)
	a.chunkBytes += len(base.Info)
	if len(a.chunk) < chunkRows && a.chunkBytes < chunkBytes {
		return nil
	}
	return a.flushChunk(ctx)
}

// prepare makes the row what reading it back would give, and fills the columns that are the store's. It runs beside the
// transaction and changes nothing but the row.
func (a *applier) prepare(item Item) {
	if item.Row == nil || !a.t.holds(item.Row) {
		return
	}
	base := item.Row.Base()
	base.ID, base.ClusterID, base.DeletedAt = 0, a.snap.ClusterID, nil
	base.ObservedAt, base.Ticket = a.snap.StartedAt, a.snap.Ticket
	base.Digest = slices.Clone(item.Digest[:])
	base.UUID, base.Name = cleanText(base.UUID), cleanText(base.Name)
	ptrs, _ := a.t.content(item.Row)
	for _, p := range ptrs {
		cleanField(p)
	}
}

func (a *applier) loadRow(ctx context.Context, row Row) error {
	if a.load == nil {
		load, err := a.x.d.load(ctx, a.x, a.t.name, a.t.written)
		if err != nil {
			return err
		}
		a.load = load
	}
	a.loaded++
	if err := a.load.add(ctx, a.t.writePointers(row)); err != nil {
		return fmt.Errorf("loading %s %s: %w", a.snap.Kind, row.Base().UUID, err)
	}
	return nil
}

// endLoad ends the load, so that the connection can be used for something else; the next row starts another.
func (a *applier) endLoad(ctx context.Context) error {
	if a.load == nil {
		return nil
	}
	err := a.load.close(ctx)
	a.load = nil
	if err != nil {
		return fmt.Errorf("loading rows: %w", err)
	}
	a.out.Created += a.loaded
	a.out.RowsWritten += int64(a.loaded)
	a.loaded = 0
	return nil
}
