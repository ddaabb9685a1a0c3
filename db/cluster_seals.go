package db

import (
	"context"
	"fmt"
)

// Sealer gets a cluster kept in the database, its ID known, and returns it as it is to be stored. It may be called several
// times for the same cluster.
type Sealer func(StoredCluster) (StoredCluster, error)

const addCluster = `
INSERT INTO clusters (name, source, rapi_url, rapi_username, password_file, enabled, digest_seed)
VALUES (?, '` + SourceDatabase + `', ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET source = excluded.source, enabled = excluded.enabled, credentials_hash = ''`

const writeStored = `
UPDATE clusters
SET rapi_url = ?, rapi_username = ?, password_sealed = ?, password_file = ?, settings_sealed = ?, tls_pin_sha256 = ?,
    tls_ca_file = ?, tls_server_name = ?, tls_insecure = ?, tls_min_version = ?, schedule = ?, allow_duplicate = ?,
    credentials_hash = ?
WHERE id = ?`

func (x *txn) writeStored(ctx context.Context, c StoredCluster) error {
	_, err := x.exec(ctx, writeStored, c.RAPIURL, c.Username, c.PasswordSealed, c.PasswordFile, c.SettingsSealed, c.PinSHA256,
		c.CAFile, c.ServerName, c.InsecureSkipVerify, c.MinVersion, c.Schedule, c.AllowDuplicate, c.CredentialsHash, c.ID)
	return err
}

// AddCluster keeps a cluster in the database, as seal returns it; nil leaves it as it is. One that has left the
// configuration file, or was removed without purging, goes on with its rows. ErrClusterExists, ErrClusterConfigured.
func (s *Store) AddCluster(ctx context.Context, c StoredCluster, seal Sealer) error {
	err := s.editClusters(ctx, c.Name, func(ctx context.Context, x *txn, row *Cluster) error {
		switch {
		case row == nil:
		case row.Source == SourceDatabase:
			return ErrClusterExists
		case row.Enabled:
			return ErrClusterConfigured
		}
		_, err := x.exec(ctx, addCluster, c.Name, c.RAPIURL, c.Username, c.PasswordFile, c.Enabled, newDigestSeed())
		if err != nil {
			return err
		}
		added := c
		if err := x.get(ctx, &added.ID, "SELECT id FROM clusters WHERE name = ?", c.Name); err != nil {
			return fmt.Errorf("reading its id: %w", err)
		}
		if seal != nil {
			if added, err = seal(added); err != nil {
				return err
			}
		}
		added.CredentialsHash = ""
		return x.writeStored(ctx, added)
	})
	if err != nil {
		return fmt.Errorf("adding cluster %q: %w", c.Name, err)
	}
	return nil
}

// EditCluster replaces the settings of a cluster kept in the database by what edit makes of them; name, id and whether it
// is enabled stay. ErrNotFound, ErrClusterConfigured.
func (s *Store) EditCluster(ctx context.Context, name string, edit Sealer) error {
	err := s.editClusters(ctx, name, func(ctx context.Context, x *txn, row *Cluster) error {
		if err := stored(row); err != nil {
			return err
		}
		var c StoredCluster
		if err := x.get(ctx, &c, selectStored+" AND id = ?", row.ID); err != nil {
			return fmt.Errorf("reading its settings: %w", err)
		}
		edited, err := edit(c)
		if err != nil {
			return err
		}
		edited.ID = c.ID
		return x.writeStored(ctx, edited)
	})
	if err != nil {
		return fmt.Errorf("changing cluster %q: %w", name, err)
	}
	return nil
}

// RekeyClusters gives every cluster with something sealed to reseal and stores what comes back: all of them, in one
// transaction, or none. It returns their number.
func (s *Store) RekeyClusters(ctx context.Context, reseal Sealer) (int, error) {
	n := 0
	err := s.editClusters(ctx, "", func(ctx context.Context, x *txn, _ *Cluster) error {
		var clusters []StoredCluster
		if err := x.all(ctx, &clusters, selectStored+" AND (password_sealed <> '' OR settings_sealed <> '') ORDER BY id"+x.d.forUpdate); err != nil {
			return fmt.Errorf("reading the clusters: %w", err)
		}
		for _, c := range clusters {
			sealed, err := reseal(c)
			if err == nil {
				sealed.ID = c.ID
				err = x.writeStored(ctx, sealed)
			}
			if err != nil {
				return fmt.Errorf("cluster %q: %w", c.Name, err)
			}
		}
		n = len(clusters)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sealing the passwords anew: %w", err)
	}
	return n, nil
}

// OldSealsEnded says whether no seal of the old format is left, and none is to be accepted.
func (s *Store) OldSealsEnded(ctx context.Context) (bool, error) {
	var ended bool
	err := s.read1(ctx, &ended, "SELECT coalesce((SELECT old_seals_ended FROM cluster_revision), false)")
	if err != nil {
		return false, fmt.Errorf("reading whether old seals are accepted: %w", err)
	}
	return ended, nil
}

// EndOldSeals records that, and moves the revision on, so that running updaters learn of it.
func (s *Store) EndOldSeals(ctx context.Context) error {
	return s.editClusters(ctx, "", func(ctx context.Context, x *txn, _ *Cluster) error {
		if _, err := x.exec(ctx, "UPDATE cluster_revision SET old_seals_ended = true"); err != nil {
			return fmt.Errorf("recording that old seals have ended: %w", err)
		}
		return nil
	})
}
