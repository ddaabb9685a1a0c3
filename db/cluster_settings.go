package db

import (
	"context"
	"errors"
	"fmt"
)

// Who owns the settings of a cluster. The values are part of the SQL contract.
const (
	// SourceConfig is a cluster of the configuration file, or one that has left it and is frozen.
	SourceConfig = "config"
	// SourceDatabase is a cluster whose settings are kept in the database.
	SourceDatabase = "database"
)

// Errors of the clusters kept in the database.
var (
	// ErrClusterExists means that there is a cluster of this name already.
	ErrClusterExists = errors.New("there is a cluster of this name already")
	// ErrClusterConfigured means that a cluster belongs to the configuration file, which alone may change it.
	ErrClusterConfigured = errors.New("the cluster is one of the configuration file; change it there")
	// ErrTwoSources means that a name stands in the configuration file and in the database.
	ErrTwoSources = errors.New("the cluster is in the configuration file and in the database; take it out of the file, " +
		"or out of the database with `updater clusters remove`")
)

// StoredCluster is a cluster whose settings are kept in the database.
type StoredCluster struct {
	// ID is the row's. It is given by the database, and is what seals are bound to.
	ID   int64  `db:"id"`
	Name string `db:"name"`
	// RAPIURL holds one address, or several separated by commas.
	RAPIURL  string `db:"rapi_url"`
	Username string `db:"rapi_username"`
	// At most one of PasswordSealed, a ciphertext that this package does not understand, and PasswordFile is set.
	PasswordSealed string `db:"password_sealed"`
	PasswordFile   string `db:"password_file"`
	// SettingsSealed is beside PasswordFile what PasswordSealed is without: a ciphertext of the settings.
	SettingsSealed     string `db:"settings_sealed"`
	PinSHA256          string `db:"tls_pin_sha256"`
	CAFile             string `db:"tls_ca_file"`
	ServerName         string `db:"tls_server_name"`
	InsecureSkipVerify bool   `db:"tls_insecure"`
	MinVersion         string `db:"tls_min_version"`
	// Schedule is "" for that of the configuration.
	Schedule string `db:"schedule"`
	Enabled  bool   `db:"enabled"`
	// AllowDuplicate is as in [Cluster].
	AllowDuplicate bool `db:"allow_duplicate"`
	// CredentialsHash is what the updater has recorded of the settings that it used last; see [Cluster].
	CredentialsHash string `db:"credentials_hash"`
}

// selectOldStored is for a database that migration 0009 has not reached, which only check looks into.
const (
	selectOldStored = `
SELECT id, name, rapi_url, rapi_username, password_sealed, password_file, tls_pin_sha256, tls_ca_file, tls_server_name,
       tls_insecure, schedule, enabled, credentials_hash`
	fromStored   = " FROM clusters WHERE source = '" + SourceDatabase + "'"
	selectStored = selectOldStored + ", settings_sealed, tls_min_version, allow_duplicate" + fromStored
)

// StoredClusters returns the clusters kept in the database, disabled ones included, by name, and the revision to which
// they belong: once ClustersRevision gives another, they may have changed.
func (s *Store) StoredClusters(ctx context.Context) ([]StoredCluster, int64, error) {
	// In this order: an edit in between makes the revision look old, and the clusters are read once more.
	revision, err := s.ClustersRevision(ctx)
	if err != nil {
		return nil, 0, err
	}
	clusters := []StoredCluster{}
	if err := s.read(ctx, &clusters, selectStored+" ORDER BY name"); err != nil {
		return nil, 0, fmt.Errorf("reading the clusters kept in the database: %w", err)
	}
	return clusters, revision, nil
}

// OldStoredClusters is StoredClusters for a database with an older schema that is about to be brought up to date.
func (s *Store) OldStoredClusters(ctx context.Context) ([]StoredCluster, error) {
	clusters := []StoredCluster{}
	if err := s.read(ctx, &clusters, selectOldStored+fromStored+" ORDER BY name"); err != nil {
		return nil, fmt.Errorf("reading the clusters kept in the database: %w", err)
	}
	return clusters, nil
}

// ClustersRevision returns a number that grows with each edit of the clusters kept in the database; 0 before the first.
func (s *Store) ClustersRevision(ctx context.Context) (int64, error) {
	var revision int64
	if err := s.read1(ctx, &revision, "SELECT coalesce(max(revision), 0) FROM cluster_revision"); err != nil {
		return 0, fmt.Errorf("reading the revision of the clusters: %w", err)
	}
	return revision, nil
}

// read1 is read for a query that gives one value.
func (s *Store) read1(ctx context.Context, dest any, query string, args ...any) error {
	return s.reader.GetContext(ctx, dest, s.reader.Rebind(query), args...)
}

// editClusters runs an edit of one cluster's row, locked, and moves the revision on. The row is nil when there is none.
func (s *Store) editClusters(ctx context.Context, name string, edit func(ctx context.Context, x *txn, row *Cluster) error) error {
	return s.inTx(ctx, func(ctx context.Context, x *txn) error {
		// First, as the lock of all edits.
		_, err := x.exec(ctx, `INSERT INTO cluster_revision (revision) VALUES (1)
ON CONFLICT (only_row) DO UPDATE SET revision = cluster_revision.revision + 1`)
		if err != nil {
			return fmt.Errorf("moving the revision of the clusters on: %w", err)
		}
		var rows []Cluster
		if err := x.all(ctx, &rows, selectClusters+" WHERE name = ?"+x.d.forUpdate, name); err != nil {
			return fmt.Errorf("reading the cluster: %w", err)
		}
		if len(rows) == 0 {
			return edit(ctx, x, nil)
		}
		return edit(ctx, x, &rows[0])
	})
}

// SetClusterEnabled enables or disables a cluster kept in the database; a disabled one is frozen. ErrNotFound,
// ErrClusterConfigured.
func (s *Store) SetClusterEnabled(ctx context.Context, name string, enabled bool) error {
	err := s.editClusters(ctx, name, func(ctx context.Context, x *txn, row *Cluster) error {
		if err := stored(row); err != nil {
			return err
		}
		_, err := x.exec(ctx, "UPDATE clusters SET enabled = ? WHERE id = ?", enabled, row.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("changing cluster %q: %w", name, err)
	}
	return nil
}

func stored(row *Cluster) error {
	switch {
	case row == nil:
		return ErrNotFound
	case row.Source != SourceDatabase:
		return ErrClusterConfigured
	}
	return nil
}

const forgetCluster = `
UPDATE clusters
SET source = '` + SourceConfig + `', enabled = false, rapi_url = '', password_sealed = '', password_file = '',
    settings_sealed = '', tls_pin_sha256 = '', tls_ca_file = '', tls_server_name = '', tls_insecure = false,
    tls_min_version = '', schedule = '', allow_duplicate = false
WHERE id = ?`

// RemoveCluster forgets the settings of a cluster kept in the database, its password with them; its rows stay, frozen.
// With purge it deletes everything of the cluster, permissions included, for good; that is possible for a frozen cluster
// that has left the configuration file, too. ErrNotFound, ErrClusterConfigured.
func (s *Store) RemoveCluster(ctx context.Context, name string, purge bool) error {
	err := s.editClusters(ctx, name, func(ctx context.Context, x *txn, row *Cluster) error {
		err := stored(row)
		if purge && row != nil && !row.Enabled {
			err = nil
		}
		if err != nil {
			return err
		}
		if !purge {
			_, err = x.exec(ctx, forgetCluster, row.ID)
			return err
		}
		// Entries of the log outlive the rows they tell of, so no foreign key takes them along.
		for _, statement := range []string{"DELETE FROM changes WHERE cluster_id = ?", "DELETE FROM clusters WHERE id = ?"} {
			if _, err := x.exec(ctx, statement, row.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("removing cluster %q: %w", name, err)
	}
	return nil
}
