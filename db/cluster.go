package db

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Cluster is a row of clusters.
type Cluster struct {
	ID int64 `db:"id" json:"id"`
	// Name is the cluster's name in the configuration; GanetiName is what it calls itself.
	Name string `db:"name" json:"name"`
	// UUID is "" until the cluster's info was seen once.
	UUID string `db:"uuid" json:"uuid"`
	// RAPIHost and RAPIPort are the address that served last.
	RAPIHost        string `db:"rapi_host" json:"rapi_host"`
	RAPIPort        int    `db:"rapi_port" json:"rapi_port"`
	RAPIUsername    string `db:"rapi_username" json:"-"`
	CredentialsHash string `db:"credentials_hash" json:"-"`
	// Enabled is false for a cluster that left the configuration: its rows are frozen.
	Enabled bool `db:"enabled" json:"enabled"`
	// Source is SourceConfig or SourceDatabase.
	Source          string `db:"source" json:"source"`
	GanetiName      string `db:"ganeti_name" json:"ganeti_name"`
	SoftwareVersion string `db:"software_version" json:"software_version"`
	MasterNode      string `db:"master_node" json:"master_node"`
	Tags            List   `db:"tags" json:"tags"`
	Info            JSON   `db:"info" json:"info,omitempty"`
	Digest          []byte `db:"digest" json:"-"`
	// DigestSeed is what the digests of the cluster's objects are made with; drawn when the row is made.
	DigestSeed int64      `db:"digest_seed" json:"-"`
	ObservedAt *time.Time `db:"observed_at" json:"observed_at"`
	// Ticket is that of the request which showed the info.
	Ticket int64 `db:"ticket" json:"-"`
	// AllowDuplicate says that another row may have the same UUID; see [Store.ApplyInfo].
	AllowDuplicate bool `db:"allow_duplicate" json:"allow_duplicate"`
	// Listed is the name by which SyncClusters was told of the cluster, where that is not, or not any more, its Name.
	Listed string `db:"-" json:"-"`
}

// RAPIAddress is a host and a port of a cluster's RAPI.
type RAPIAddress struct {
	Host string
	Port int
}

// ClusterSettings are the columns of clusters that come from the configuration. There is no password among them. An
// empty CredentialsHash means that it is not known now: the one on record stays.
type ClusterSettings struct {
	Name string
	// ID is the row's where the caller knows it, so that one that was renamed since stays the same; 0 where it does not.
	ID int64
	// RAPIHost and RAPIPort are the preferred address, RAPIOthers the cluster's other ones: where one of those is on
	// record, because it served last, it stays.
	RAPIHost        string
	RAPIPort        int
	RAPIOthers      []RAPIAddress
	RAPIUsername    string
	CredentialsHash string
	// Stored says that the settings are those of a cluster kept in the database: it is neither added nor enabled by being
	// listed, and whoever removes or disables it in the meantime has the last word.
	Stored bool
	// AllowDuplicate is as in Cluster. That of a stored cluster is its row's.
	AllowDuplicate bool
}

// has says whether the row holds the settings.
func (c *Cluster) has(s ClusterSettings) bool {
	return c.RAPIHost == s.RAPIHost && c.RAPIPort == s.RAPIPort && c.RAPIUsername == s.RAPIUsername &&
		c.CredentialsHash == s.CredentialsHash && (s.Stored || c.AllowDuplicate == s.AllowDuplicate)
}

const selectClusters = `
SELECT id, name, uuid, rapi_host, rapi_port, rapi_username, credentials_hash, enabled, source, ganeti_name,
       software_version, master_node, tags, info, digest, digest_seed, observed_at, ticket, allow_duplicate
FROM clusters`

// Clusters returns every cluster, disabled ones included, by name.
func (s *Store) Clusters(ctx context.Context) ([]Cluster, error) {
	var clusters []Cluster
	if err := s.read(ctx, &clusters, selectClusters+" ORDER BY name"); err != nil {
		return nil, fmt.Errorf("reading the clusters: %w", err)
	}
	for i := range clusters {
		cleanField(&clusters[i].ObservedAt)
	}
	return clusters, nil
}

// SetServing records the address at which a cluster's RAPI serves now, so that readers of the row reach the master. It
// writes nothing when that is on record, and nothing for a disabled cluster. ErrLeaseLost, as in Apply.
func (s *Store) SetServing(ctx context.Context, clusterID int64, l *Lease, at RAPIAddress) error {
	const setServing = `
UPDATE clusters SET rapi_host = ?, rapi_port = ?
WHERE id = ? AND enabled AND (rapi_host <> ? OR rapi_port <> ?)`
	err := s.inTx(ctx, func(ctx context.Context, x *txn) error {
		if err := fence(ctx, x, clusterID, l); err != nil {
			return err
		}
		_, err := x.exec(ctx, setServing, at.Host, at.Port, clusterID, at.Host, at.Port)
		return err
	})
	if err != nil {
		return fmt.Errorf("recording which address serves cluster %d: %w", clusterID, err)
	}
	return nil
}

// ClusterStatus is what `status` shows of a cluster.
type ClusterStatus struct {
	Cluster
	// Freshness has a row for each kind that was attempted, by kind.
	Freshness []Freshness
	// Live counts the objects that are not tombstones, per kind.
	Live map[Kind]int
	// Quarantined counts the items that could not be stored, of all kinds.
	Quarantined int
	// Holder refreshes it on schedule; nil when nobody does.
	Holder *Holder
}

// Status returns every cluster, by name, with the state of its kinds.
func (s *Store) Status(ctx context.Context) ([]ClusterStatus, error) {
	clusters, err := s.Clusters(ctx)
	if err != nil {
		return nil, err
	}
	holders, err := s.holders(ctx)
	if err != nil {
		return nil, err
	}
	status := make([]ClusterStatus, len(clusters))
	index := make(map[int64]*ClusterStatus, len(clusters))
	for i, c := range clusters {
		status[i] = ClusterStatus{Cluster: c, Live: make(map[Kind]int), Holder: holders[c.ID]}
		index[c.ID] = &status[i]
	}
	var fresh []Freshness
	if err := s.read(ctx, &fresh, selectFreshness+" ORDER BY cluster_id, kind"); err != nil {
		return nil, fmt.Errorf("reading the freshness: %w", err)
	}
	for _, f := range fresh {
		if c := index[f.ClusterID]; c != nil {
			f.clean()
			c.Freshness = append(c.Freshness, f)
		}
	}
	for _, k := range slices.Concat(Kinds(), []Kind{"quarantine"}) {
		if err := s.countInto(ctx, k, index); err != nil {
			return nil, err
		}
	}
	return status, nil
}

// countInto counts the live objects of a kind, or the quarantined items of all, per cluster.
func (s *Store) countInto(ctx context.Context, k Kind, index map[int64]*ClusterStatus) error {
	from := "quarantine"
	if t, ok := s.tables[k]; ok {
		from = t.name + " WHERE deleted_at IS NULL"
	}
	var counts []struct {
		ClusterID int64 `db:"cluster_id" json:"cluster_id"`
		N         int   `db:"n" json:"n"`
	}
	if err := s.read(ctx, &counts, "SELECT cluster_id, count(*) AS n FROM "+from+" GROUP BY cluster_id"); err != nil {
		return fmt.Errorf("counting objects of kind %s: %w", k, err)
	}
	for _, n := range counts {
		c := index[n.ClusterID]
		switch {
		case c == nil: // appeared after the clusters were read
		case from == "quarantine":
			c.Quarantined = n.N
		default:
			c.Live[k] = n.N
		}
	}
	return nil
}
