package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Reading is the right to ask a cluster on behalf of readers, until it expires: of several processes whose readers want
// the same stale object, one asks. It protects Ganeti and not the rows, which newer observations alone may change.
type Reading struct {
	ClusterID int64
	// Holder names the process that has it.
	Holder string
	// Token grows each time that the right goes to another holder.
	Token int64
}

// BeginReading takes the right to ask a cluster for the given time, or renews it; the database's clock counts. It reports
// false when another holder has it.
func (s *Store) BeginReading(ctx context.Context, clusterID int64, holder string, ttl time.Duration) (Reading, bool, error) {
	l := Reading{ClusterID: clusterID, Holder: holder}
	query := s.writer.Rebind(`
INSERT INTO reader_leases (cluster_id, holder, token, expires_at) VALUES (?, ?, 1, ` + s.d.clockPlus + `)
ON CONFLICT (cluster_id) DO UPDATE
SET holder = excluded.holder, expires_at = excluded.expires_at,
    token = reader_leases.token + CASE WHEN reader_leases.holder = excluded.holder THEN 0 ELSE 1 END
-- nobody has it, or we do, or it ends later than anybody could take it for now: a clock was wrong
WHERE reader_leases.expires_at <= ` + s.d.clock + ` OR reader_leases.holder = excluded.holder
   OR reader_leases.expires_at > ` + s.d.clockPlus + `
RETURNING token`)
	if err := s.mayWrite(); err != nil {
		return Reading{}, false, fmt.Errorf("taking the right to ask cluster %d: %w", clusterID, err)
	}
	err := s.retry(ctx, func() error {
		return s.writer.GetContext(ctx, &l.Token, query, clusterID, holder, ttl.Seconds(), (ttl + 2*time.Second).Seconds())
	})
	if errors.Is(err, sql.ErrNoRows) {
		return Reading{}, false, nil
	}
	if err != nil {
		return Reading{}, false, fmt.Errorf("taking the right to ask cluster %d: %w", clusterID, err)
	}
	return l, true, nil
}

// EndReading gives the right back before it expires. One that has gone to another holder is left alone.
func (s *Store) EndReading(ctx context.Context, l Reading) error {
	query := s.writer.Rebind("UPDATE reader_leases SET expires_at = " + s.d.clock + " WHERE cluster_id = ? AND holder = ? AND token = ?")
	err := s.retry(ctx, func() error {
		_, err := s.writer.ExecContext(ctx, query, l.ClusterID, l.Holder, l.Token)
		return err
	})
	if err != nil {
		return fmt.Errorf("giving back the right to ask cluster %d: %w", l.ClusterID, err)
	}
	return nil
}
