package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// purgeRows is how many tombstones one transaction deletes. Each leaves its whole row in changes.
const purgeRows = 250

// Purge deletes the tombstones set before a time, with what is attached to them (permissions), and returns their number.
// An entry in changes keeps each row as it was. Disabled clusters are frozen: nothing of theirs is deleted.
func (s *Store) Purge(ctx context.Context, tombstonedBefore time.Time) (int64, error) {
	return s.PurgeClusters(ctx, tombstonedBefore, nil)
}

// PurgeClusters is Purge of the clusters of these names; nil means all.
func (s *Store) PurgeClusters(ctx context.Context, tombstonedBefore time.Time, names []string) (int64, error) {
	before := cleanTime(tombstonedBefore)
	clusters, err := s.Clusters(ctx)
	if err != nil {
		return 0, err
	}
	var purged int64
	for _, c := range clusters {
		if names != nil && !slices.Contains(names, c.Name) {
			continue
		}
		for _, k := range Kinds() {
			n, err := s.purge(ctx, c.ID, s.tables[k], before)
			purged += n
			if errors.Is(err, ErrDisabled) {
				break
			}
			if err != nil {
				return purged, fmt.Errorf("purging kind %s of cluster %s: %w", k, c.Name, err)
			}
		}
	}
	return purged, nil
}

// purge looks before it locks: most of the time there is nothing to do.
func (s *Store) purge(ctx context.Context, clusterID int64, t *table, before time.Time) (int64, error) {
	var old []int64
	query := "SELECT id FROM " + t.name + " WHERE cluster_id = ? AND deleted_at < ? LIMIT 1"
	if err := s.read(ctx, &old, query, clusterID, before); err != nil {
		return 0, err
	}
	if len(old) == 0 {
		return 0, nil
	}
	var purged int64
	for {
		var n int64
		err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
			var err error
			n, err = s.purgeSome(ctx, x, clusterID, t, before)
			return err
		})
		if purged += n; err != nil || n < purgeRows {
			return purged, err
		}
	}
}

func (s *Store) purgeSome(ctx context.Context, x *txn, clusterID int64, t *table, before time.Time) (int64, error) {
	// The lock keeps a snapshot from restoring a row while it is being deleted.
	if _, err := lockKind(ctx, x, kindLock{clusterID: clusterID, kind: t.kind}); err != nil {
		return 0, err
	}
	e := entries{clusterID: clusterID, kind: t.kind, table: t}
	var uuids []string
	condition := "cluster_id = ? AND deleted_at < ? ORDER BY id LIMIT " + strconv.Itoa(purgeRows)
	err := t.wholeRows(ctx, x, condition, []any{clusterID, before}, func(row Row) error {
		base := row.Base()
		object, err := t.whole(row)
		if err != nil {
			return err
		}
		uuids = append(uuids, base.UUID)
		e.rows = append(e.rows, changeRow{
			ClusterID: clusterID, Kind: string(t.kind), ObjectID: base.ID, UUID: base.UUID, Name: base.Name, Op: string(OpPurged),
			ObservedAt: base.ObservedAt, Object: object,
		})
		return nil
	})
	if err != nil || len(uuids) == 0 {
		return 0, err
	}
	if err := x.beginEpoch(ctx, s.epoch); err != nil {
		return 0, err
	}
	condition = "cluster_id = ? AND deleted_at < ? AND " + x.d.in("uuid")
	n, err := x.exec(ctx, "DELETE FROM "+t.name+" WHERE "+condition, clusterID, before, x.d.list(uuids))
	if err != nil {
		return 0, err
	}
	_, err = x.d.publish(ctx, x, &e)
	return n, err
}
