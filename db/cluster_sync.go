package db

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

const insertCluster = `
INSERT INTO clusters (name, rapi_host, rapi_port, rapi_username, credentials_hash, allow_duplicate, digest_seed) VALUES (?, ?, ?, ?, ?, ?, ?)
-- another replica may have been first
ON CONFLICT (name) DO UPDATE SET rapi_host = excluded.rapi_host, rapi_port = excluded.rapi_port,
    rapi_username = excluded.rapi_username, credentials_hash = excluded.credentials_hash,
    allow_duplicate = excluded.allow_duplicate, enabled = true
WHERE clusters.source = '` + SourceConfig + `'`

const updateCluster = `
UPDATE clusters
SET rapi_host = ?, rapi_port = ?, rapi_username = ?, credentials_hash = ?, allow_duplicate = ?, enabled = true
WHERE id = ?`

const updateStored = "UPDATE clusters SET rapi_host = ?, rapi_port = ?, credentials_hash = ? WHERE id = ?"

// SyncClusters makes the table hold the clusters of the configuration, matched by name, and returns them in the order
// given. Only what differs is written. Clusters that are no longer listed are disabled, nothing of them is removed;
// listed again, they go on with the same rows. Those kept in the database stay as they are, listed (ClusterSettings.Stored)
// or not, but for the columns that follow from their settings; one that is gone is missing in the result. A name of the
// configuration that is kept in the database as well is ErrTwoSources.
//
// A cluster that was renamed ([Store.RenameCluster]) is still found by the id that the caller knows, or under its former name
// if its address is the same and the new name is not listed: a configuration that is not up to date brings no second row
// into being. Cluster.Listed says so.
func (s *Store) SyncClusters(ctx context.Context, settings []ClusterSettings) ([]Cluster, error) {
	return s.syncClusters(ctx, settings, true)
}

// UpsertClusters is SyncClusters for callers that know only some of the clusters: the others stay as they are.
func (s *Store) UpsertClusters(ctx context.Context, settings []ClusterSettings) ([]Cluster, error) {
	return s.syncClusters(ctx, settings, false)
}

func (s *Store) syncClusters(ctx context.Context, settings []ClusterSettings, disableOthers bool) ([]Cluster, error) {
	listed := make(map[string]bool)
	for _, c := range settings {
		if listed[c.Name] {
			return nil, fmt.Errorf("cluster %q is listed twice", c.Name)
		}
		listed[c.Name] = true
	}
	var synced []Cluster
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		known, err := readNames(ctx, x.all, x.d.forUpdate)
		if err != nil {
			return err
		}
		kept := make(map[int64]bool)
		for _, m := range known.match(settings) {
			if err := syncCluster(ctx, x, m); err != nil {
				return fmt.Errorf("writing cluster %q: %w", m.settings.Name, err)
			}
			kept[m.row.ID] = true
		}
		for _, c := range known.clusters {
			if kept[c.ID] || !c.Enabled || !disableOthers || c.Source == SourceDatabase {
				continue
			}
			if _, err := x.exec(ctx, "UPDATE clusters SET enabled = false WHERE id = ?", c.ID); err != nil {
				return fmt.Errorf("disabling cluster %q: %w", c.Name, err)
			}
		}
		if known, err = readNames(ctx, x.all, x.d.forUpdate); err != nil {
			return err
		}
		synced, err = known.synced(settings)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bringing the clusters up to date: %w", err)
	}
	return synced, nil
}

// MatchClusters gives the rows that SyncClusters would find, as they are, and writes nothing.
func (s *Store) MatchClusters(ctx context.Context, settings []ClusterSettings) ([]Cluster, error) {
	known, err := readNames(ctx, s.read, "")
	if err != nil {
		return nil, err
	}
	return known.synced(settings)
}

// newDigestSeed draws a seed that nobody can guess; math/rand/v2's source is ChaCha8, seeded by the system.
func newDigestSeed() int64 { return int64(rand.Uint64()) } //nolint:gosec // G115: all 64 bits are wanted

// names are the rows of clusters, locked, and what leads to them.
type names struct {
	clusters []Cluster
	byName   map[string]*Cluster
	byID     map[int64]*Cluster
	// former has the ids of the clusters that had a name before.
	former map[string]int64
}

// readNames reads them by all, which is a transaction's or not; lock is what is put behind the query of the rows.
func readNames(ctx context.Context, all func(context.Context, any, string, ...any) error, lock string) (*names, error) {
	n := &names{byName: map[string]*Cluster{}, byID: map[int64]*Cluster{}, former: map[string]int64{}}
	if err := all(ctx, &n.clusters, selectClusters+" ORDER BY id"+lock); err != nil {
		return nil, fmt.Errorf("reading the clusters: %w", err)
	}
	for i := range n.clusters {
		c := &n.clusters[i]
		cleanField(&c.ObservedAt)
		n.byName[c.Name], n.byID[c.ID] = c, c
	}
	var former []struct {
		Name      string `db:"name"`
		ClusterID int64  `db:"cluster_id"`
	}
	if err := all(ctx, &former, "SELECT name, cluster_id FROM cluster_former_names"); err != nil {
		return nil, fmt.Errorf("reading the names that clusters had before: %w", err)
	}
	for _, f := range former {
		n.former[f.Name] = f.ClusterID
	}
	return n, nil
}

// match is a cluster that is listed and its row, which is empty when there is none.
type match struct {
	settings ClusterSettings
	row      Cluster
}

// match finds the rows of the clusters that are listed, each row once.
func (n *names) match(settings []ClusterSettings) []match {
	matches := make([]match, len(settings))
	taken := make(map[int64]bool)
	for _, find := range []func(ClusterSettings) *Cluster{n.byKnownID, n.byOwnName, n.byFormerName} {
		for i, c := range settings {
			if row := find(c); row != nil && matches[i].row.ID == 0 && !taken[row.ID] {
				matches[i].row = *row
				taken[row.ID] = true
			}
			matches[i].settings = c
		}
	}
	return matches
}

// byKnownID follows the caller, unless the row has become somebody else's.
func (n *names) byKnownID(c ClusterSettings) *Cluster {
	row := n.byID[c.ID]
	if row == nil || (row.Source == SourceDatabase) != c.Stored {
		return nil
	}
	return row
}

func (n *names) byOwnName(c ClusterSettings) *Cluster { return n.byName[c.Name] }

// byFormerName finds a renamed cluster of the configuration by its address: with another one it is another cluster to which
// the name was given since.
func (n *names) byFormerName(c ClusterSettings) *Cluster {
	row := n.byID[n.former[c.Name]]
	if c.Stored || row == nil || n.byName[c.Name] != nil || row.Source != SourceConfig {
		return nil
	}
	at := RAPIAddress{row.RAPIHost, row.RAPIPort}
	if !sameHost(at, RAPIAddress{c.RAPIHost, c.RAPIPort}) && !slices.ContainsFunc(c.RAPIOthers, func(o RAPIAddress) bool { return sameHost(at, o) }) {
		return nil
	}
	return row
}

// sameHost compares addresses as resolvers do: without regard to case, and to a dot at the end.
func sameHost(a, b RAPIAddress) bool { return a.Key() == b.Key() }

// Key is equal for addresses that are spelled differently and lead to the same place.
func (a RAPIAddress) Key() RAPIAddress {
	return RAPIAddress{strings.TrimSuffix(strings.ToLower(a.Host), "."), a.Port}
}

// synced gives the rows in the order of the settings.
func (n *names) synced(settings []ClusterSettings) ([]Cluster, error) {
	var rows []Cluster
	for _, m := range n.match(settings) {
		c, row := m.settings, m.row
		if row.ID == 0 {
			continue
		}
		if row.Source == SourceDatabase && !c.Stored {
			return nil, fmt.Errorf("cluster %q: %w", c.Name, ErrTwoSources)
		}
		if row.Name != c.Name {
			row.Listed = c.Name
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func syncCluster(ctx context.Context, x *txn, m match) error {
	c, old := m.settings, m.row
	ok := old.ID != 0
	if c.CredentialsHash == "" {
		c.CredentialsHash = old.CredentialsHash
	}
	if ok && slices.Contains(c.RAPIOthers, RAPIAddress{old.RAPIHost, old.RAPIPort}) {
		c.RAPIHost, c.RAPIPort = old.RAPIHost, old.RAPIPort
	}
	var err error
	switch {
	case ok && old.Source == SourceDatabase && !c.Stored:
		// synced says so
	case c.Stored:
		// An address that cannot be read is no reason to forget the last one.
		if ok && old.Source == SourceDatabase && !old.has(c) && c.RAPIPort != 0 {
			_, err = x.exec(ctx, updateStored, c.RAPIHost, c.RAPIPort, c.CredentialsHash, old.ID)
		}
	case !ok:
		_, err = x.exec(ctx, insertCluster, c.Name, c.RAPIHost, c.RAPIPort, c.RAPIUsername, c.CredentialsHash, c.AllowDuplicate, newDigestSeed())
	case !old.has(c) || !old.Enabled:
		_, err = x.exec(ctx, updateCluster, c.RAPIHost, c.RAPIPort, c.RAPIUsername, c.CredentialsHash, c.AllowDuplicate, old.ID)
	}
	return err
}
