package db

import (
	"context"
	"fmt"
	"time"
)

// ClusterFreshness is the age of one kind in one cluster.
type ClusterFreshness struct {
	ClusterID int64  `db:"id"`
	Cluster   string `db:"name"`
	Enabled   bool   `db:"enabled"`
	// RefreshedAt is nil when the kind was never refreshed.
	RefreshedAt *time.Time `db:"refreshed_at"`
	// Error is why the last attempt failed, "" if it did not.
	Error string `db:"error"`
}

const selectClusterFreshness = `
SELECT c.id, c.name, c.enabled, f.refreshed_at, coalesce(f.error, '') AS error
FROM clusters c
LEFT JOIN freshness f ON f.cluster_id = c.id AND f.kind = ?`

// KindFreshness returns the age of a kind in the named clusters, in all of them without names. A name that is not known
// is ErrNotFound.
func (s *Store) KindFreshness(ctx context.Context, k Kind, clusters []string) ([]ClusterFreshness, error) {
	query, args := selectClusterFreshness, []any{k}
	if len(clusters) > 0 {
		query += " WHERE " + s.d.in("c.name")
		args = append(args, s.d.list(clusters))
	}
	var fresh []ClusterFreshness
	if err := s.read(ctx, &fresh, query+" ORDER BY c.name", args...); err != nil {
		return nil, fmt.Errorf("reading the freshness of all %ss: %w", k, err)
	}
	known := make(map[string]bool, len(fresh))
	for i := range fresh {
		known[fresh[i].Cluster] = true
		cleanField(&fresh[i].RefreshedAt)
	}
	for _, name := range clusters {
		if !known[name] {
			return nil, fmt.Errorf("cluster %q: %w", name, ErrNotFound)
		}
	}
	return fresh, nil
}
