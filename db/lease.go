package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Lease is the right to refresh a cluster, until it expires.
type Lease struct {
	ClusterID int64
	// Holder names the process that has it.
	Holder string
	// Token grows each time that the lease goes to another holder.
	Token int64
}

// AcquireLease takes the lease of a cluster for the given time, or renews it; the database's clock counts. It reports
// false when another holder has it.
func (s *Store) AcquireLease(ctx context.Context, clusterID int64, holder string, ttl time.Duration) (Lease, bool, error) {
	l := Lease{ClusterID: clusterID, Holder: holder}
	query := s.writer.Rebind(`
INSERT INTO leases (cluster_id, holder, token, expires_at) VALUES (?, ?, 1, ` + s.d.clockPlus + `)
ON CONFLICT (cluster_id) DO UPDATE
SET holder = excluded.holder, expires_at = excluded.expires_at,
    token = leases.token + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
-- nobody has it, or we do
WHERE leases.expires_at <= ` + s.d.clock + ` OR leases.holder = excluded.holder
RETURNING token`)
	err := s.retry(ctx, func() error {
		return s.writer.GetContext(ctx, &l.Token, query, clusterID, holder, ttl.Seconds())
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Lease{}, false, nil
	}
	if err != nil {
		return Lease{}, false, fmt.Errorf("taking the lease of cluster %d: %w", clusterID, err)
	}
	return l, true, nil
}

// ReleaseLease gives a lease back before it expires. One that has gone to another holder is left alone.
func (s *Store) ReleaseLease(ctx context.Context, l Lease) error {
	query := s.writer.Rebind("UPDATE leases SET expires_at = " + s.d.clock + " WHERE cluster_id = ? AND holder = ? AND token = ?")
	err := s.retry(ctx, func() error {
		_, err := s.writer.ExecContext(ctx, query, l.ClusterID, l.Holder, l.Token)
		return err
	})
	if err != nil {
		return fmt.Errorf("giving back the lease of cluster %d: %w", l.ClusterID, err)
	}
	return nil
}
