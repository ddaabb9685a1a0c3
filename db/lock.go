package db

import (
	"context"
	"errors"
	"fmt"
)

// kindLock says which kind of which cluster a transaction locks.
type kindLock struct {
	clusterID int64
	kind      Kind
	// lease is in whose name the transaction writes; nil asks for none.
	lease *Lease
	// table is the kind's, when it matters whether that has rows of the cluster.
	table string
}

// locked is what is on record of a kind when a transaction gets its lock.
type locked struct {
	Freshness

	Enabled bool `db:"enabled"`
	// Name and UUID are the cluster's; Twins says that other rows have the uuid.
	Name  string `db:"cluster_name"`
	UUID  string `db:"cluster_uuid"`
	Twins bool   `db:"twins"`
	// Token is the lease's; nil when its holder has it no more, or none was asked for.
	Token *int64 `db:"token"`
	// Filled says that the table has rows of the cluster, tombstones included.
	Filled bool `db:"filled"`
	// Quarantined says that items of the kind are in quarantine.
	Quarantined bool `db:"quarantined"`
}

// lockKind locks the row of freshness of a (cluster, kind), making it first when there is none. It is the lock of everything
// that writes objects of that kind; who writes in the name of a lease must still have it, and keeps it until the
// transaction ends. ErrNotFound, ErrDisabled, ErrLeaseLost.
//
// Filled and Quarantined may be of a moment before the lock was got. Who has added something in between has moved on the
// generation, which is the locked row's.
func lockKind(ctx context.Context, x *txn, k kindLock) (locked, error) {
	query, args := k.query(x.d)
	for range 2 {
		var rows []locked
		if err := x.all(ctx, &rows, query, args...); err != nil {
			return locked{}, fmt.Errorf("locking the freshness: %w", err)
		}
		if len(rows) == 1 {
			got := rows[0]
			got.clean()
			got.LeaseToken = k.lease.token()
			err := k.check(&got)
			return got, err
		}
		if err := fence(ctx, x, k.clusterID, k.lease); err != nil {
			return locked{}, err
		}
		n, err := x.exec(ctx, `
INSERT INTO freshness (cluster_id, kind) SELECT id, `+x.d.cast("?", "text")+` FROM clusters WHERE id = ?
ON CONFLICT (cluster_id, kind) DO UPDATE SET kind = excluded.kind`, k.kind, k.clusterID)
		if err != nil {
			return locked{}, fmt.Errorf("adding the freshness: %w", err)
		}
		if n == 0 {
			return locked{}, fmt.Errorf("cluster %d: %w", k.clusterID, ErrNotFound)
		}
	}
	return locked{}, errors.New("the freshness row vanishes as it is added")
}

// single refuses to store what is cached under another name already.
func (l *locked) single(ctx context.Context, x *txn) error {
	if !l.Twins {
		return nil
	}
	return refuseTwin(ctx, x, &Cluster{ID: l.ClusterID, Name: l.Name, UUID: l.UUID}, l.UUID)
}

func (k kindLock) check(got *locked) error {
	if !got.Enabled {
		return ErrDisabled
	}
	return k.lease.check(got.Token)
}

// query locks the lease first, then the freshness, as all do who lock both: a condition that is always true makes the
// second wait for the first.
func (k kindLock) query(d *dialect) (string, []any) {
	var args []any
	lease, behind, held, filled := "", "", "NULL", "false"
	if k.lease != nil {
		lease = "lease AS (SELECT token FROM leases WHERE cluster_id = ? AND holder = ?" + d.forUpdate + "),\n"
		behind, held = " AND (SELECT count(*) FROM lease) >= 0", "(SELECT token FROM lease)"
		args = append(args, k.clusterID, k.lease.Holder)
	}
	args = append(args, k.clusterID, k.kind)
	if k.table != "" {
		filled = "EXISTS (SELECT 1 FROM " + k.table + " WHERE cluster_id = ?)"
		args = append(args, k.clusterID)
	}
	args = append(args, k.clusterID, k.kind)
	return "WITH " + lease + "fresh AS (" + selectFreshness + " WHERE cluster_id = ? AND kind = ?" + behind + d.forUpdate + `)
SELECT fresh.*, c.enabled, c.name AS cluster_name, c.uuid AS cluster_uuid,
       ` + hasTwins + ` AS twins, ` + held + " AS token, " + filled + ` AS filled,
       EXISTS (SELECT 1 FROM quarantine WHERE cluster_id = ? AND kind = ?) AS quarantined
FROM fresh JOIN clusters c ON c.id = fresh.cluster_id`, args
}
