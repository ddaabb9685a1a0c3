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

// Load is what keeping a cluster fresh asks of its RAPI.
type Load struct {
	SecondsPerHour float64
	BytesPerHour   float64
}

// Load estimates it from the newest answer of each kind and the time from that to when the kind is due again. A kind that
// fails is left out: its answers cost what nobody has measured.
func (c *ClusterStatus) Load() Load {
	var l Load
	for _, f := range c.Freshness {
		if f.ConsecutiveFailures > 0 || f.RefreshedAt == nil || f.NextDueAt == nil {
			continue
		}
		took := time.Duration(f.DurationMS) * time.Millisecond
		// An answer that somebody asked for shortly before the next is due would otherwise count as if that went on.
		interval := max(f.NextDueAt.Sub(*f.RefreshedAt), took, time.Second)
		perHour := float64(time.Hour) / float64(interval)
		l.SecondsPerHour += perHour * took.Seconds()
		l.BytesPerHour += perHour * float64(f.Bytes)
	}
	return l
}
