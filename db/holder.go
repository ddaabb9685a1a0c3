package db

import (
	"context"
	"fmt"
	"time"
)

// Holder is the replica that refreshes a cluster on schedule.
type Holder struct {
	ClusterID int64  `db:"cluster_id" json:"-"`
	ID        string `db:"id" json:"id"`
	Host      string `db:"host" json:"host"`
	PID       int    `db:"pid" json:"pid"`
	// Since is when the cluster came to it.
	Since time.Time `db:"taken_at" json:"since"`
	// ClockOffsetMS is its clock less the database's, as its last heartbeat measured it.
	ClockOffsetMS int64 `db:"clock_offset_ms" json:"clock_offset_ms"`
	// Alive is false when the replica was not heard of for its lease time: the cluster goes to another one.
	Alive bool `db:"alive" json:"alive"`
}

// holders returns who refreshes which cluster; one that nobody refreshes is not there.
func (s *Store) holders(ctx context.Context) (map[int64]*Holder, error) {
	var rows []Holder
	err := s.read(ctx, &rows, `
SELECT l.cluster_id, r.id, r.host, r.pid, l.taken_at, r.clock_offset_ms, `+s.d.heardOf+` AS alive
FROM leases l
JOIN replicas r ON r.id = l.holder
JOIN clusters c ON c.id = l.cluster_id AND c.enabled`)
	if err != nil {
		return nil, fmt.Errorf("reading the leases: %w", err)
	}
	byCluster := make(map[int64]*Holder, len(rows))
	for i := range rows {
		rows[i].Since = cleanTime(rows[i].Since)
		byCluster[rows[i].ClusterID] = &rows[i]
	}
	return byCluster, nil
}
