package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Purge deletes the tombstones set before a time, with what is attached to them (permissions), and returns their number.
// Disabled clusters are frozen: nothing of theirs is deleted. Each cluster and kind is a transaction of its own.
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
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		// The lock keeps a snapshot from restoring a row while it is being deleted.
		if _, err := lockKind(ctx, x, kindLock{clusterID: clusterID, kind: t.kind}); err != nil {
			return err
		}
		var err error
		purged, err = x.exec(ctx, "DELETE FROM "+t.name+" WHERE cluster_id = ? AND deleted_at < ?", clusterID, before)
		return err
	})
	return purged, err
}
