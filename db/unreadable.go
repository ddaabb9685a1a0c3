package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Compared tells of a complete answer how many of its items were the same as on record.
type Compared struct {
	ClusterID int64
	Kind      Kind
	// Unchanged is more than 0.
	Unchanged int
}

// Unreadable gives for each answer why not one of its unchanged items could be stored when it was new: the reason of the
// first in quarantine. It is "" where a single one is a live row. The answer must be the newest on record, and none of its removals
// withheld.
func (s *Store) Unreadable(ctx context.Context, answers []Compared) ([]string, error) {
	reasons := make([]string, len(answers))
	var kept []struct {
		ClusterID int64 `db:"cluster_id"`
		Kind      Kind  `db:"kind"`
		N         int   `db:"n"`
	}
	query := "SELECT cluster_id, kind, count(*) AS n FROM quarantine WHERE uuid <> '' GROUP BY cluster_id, kind"
	if err := s.read(ctx, &kept, query); err != nil {
		return nil, fmt.Errorf("counting the items in quarantine: %w", err)
	}
	counts := make(map[Compared]int, len(kept))
	for _, k := range kept {
		counts[Compared{ClusterID: k.ClusterID, Kind: k.Kind}] = k.N
	}
	for i, a := range answers {
		// An item of which another one with the same key is in quarantine is a live row, and does not look like one below.
		if counts[Compared{ClusterID: a.ClusterID, Kind: a.Kind}] < a.Unchanged {
			continue
		}
		var err error
		if reasons[i], err = s.unreadable(ctx, a.ClusterID, a.Kind); err != nil {
			return nil, fmt.Errorf("looking for readable items of kind %s of cluster %d: %w", a.Kind, a.ClusterID, err)
		}
	}
	return reasons, nil
}

// unreadable gives the first reason in quarantine, unless a live row is none of the objects there.
func (s *Store) unreadable(ctx context.Context, clusterID int64, k Kind) (reason string, err error) {
	t, err := s.tableOf(k)
	if err != nil {
		return "", err
	}
	query := `
SELECT reason FROM quarantine
WHERE cluster_id = ? AND kind = ? AND NOT EXISTS (
    SELECT 1 FROM ` + t.name + `
    WHERE cluster_id = ? AND deleted_at IS NULL AND uuid NOT IN (SELECT uuid FROM quarantine WHERE cluster_id = ? AND kind = ?))
ORDER BY id LIMIT 1`
	err = s.reader.GetContext(ctx, &reason, s.reader.Rebind(query), clusterID, k, clusterID, clusterID, k)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return reason, err
}
