package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
)

// Fingerprints returns what is on record of a kind: the live rows, and the items in quarantine whose key is known. For
// KindCluster it is the one fingerprint of the cluster's info.
//
// Two sorts are left out, so that they count as changed whenever they are seen. Items in quarantine without a key: they
// withhold removals, so every snapshot must report them. Live rows whose object is in quarantine: should the old content
// return, the entry in quarantine has to go.
func (s *Store) Fingerprints(ctx context.Context, clusterID int64, k Kind) (Fingerprints, error) {
	var f Fingerprints
	query, args, err := s.fingerprintQuery(clusterID, k)
	if err != nil {
		return f, err
	}
	// The generation is read first: should a writer come between, the snapshot conflicts instead of being compared
	// with a record it does not know.
	err = s.reader.GetContext(ctx, &f.Generation, s.reader.Rebind(
		"SELECT coalesce(max(generation), 0) FROM freshness WHERE cluster_id = ? AND kind = ?"), clusterID, k)
	if err != nil {
		return f, fmt.Errorf("reading the generation of kind %s of cluster %d: %w", k, clusterID, err)
	}
	if f.Items, err = s.fingerprints(ctx, query, args); err != nil {
		return f, fmt.Errorf("reading the fingerprints of kind %s of cluster %d: %w", k, clusterID, err)
	}
	return f, nil
}

func (s *Store) fingerprintQuery(clusterID int64, k Kind) (string, []any, error) {
	if k == KindCluster {
		return "SELECT uuid, name, digest FROM clusters WHERE id = ? AND digest IS NOT NULL", []any{clusterID}, nil
	}
	t, err := s.tableOf(k)
	if err != nil {
		return "", nil, err
	}
	return `
SELECT uuid, name, digest FROM ` + t.name + ` o
WHERE cluster_id = ? AND deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.cluster_id = ? AND q.kind = ? AND q.uuid = o.uuid)
UNION ALL
SELECT uuid, name, digest FROM quarantine WHERE cluster_id = ? AND kind = ? AND uuid <> ''`,
		[]any{clusterID, clusterID, k, clusterID, k}, nil
}

func (s *Store) fingerprints(ctx context.Context, query string, args []any) (items []Fingerprint, err error) {
	if s.d.fingerprints != nil {
		return s.d.fingerprints(ctx, s.reader, query, args)
	}
	rows, err := s.reader.QueryContext(ctx, s.reader.Rebind(query), args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var digest sql.RawBytes
	for rows.Next() {
		var item Fingerprint
		if err := rows.Scan(&item.Key, &item.Name, &digest); err != nil {
			return nil, err
		}
		copy(item.Digest[:], digest)
		items = append(items, item)
	}
	return items, rows.Err()
}

// postgresFingerprints has the server put all of them into one row: the driver's work on each of 10,000 rows takes longer
// than reading them does.
func postgresFingerprints(ctx context.Context, reader *pool, query string, args []any) ([]Fingerprint, error) {
	var all struct {
		Keys    pq.StringArray `db:"keys"`
		Names   pq.StringArray `db:"names"`
		Digests []byte         `db:"digests"`
	}
	query = "SELECT array_agg(uuid) AS keys, array_agg(name) AS names, string_agg(digest, '') AS digests FROM (" + query + ") prints"
	if err := reader.GetContext(ctx, &all, reader.Rebind(query), args...); err != nil {
		return nil, err
	}
	if len(all.Digests) != len(all.Keys)*len(Fingerprint{}.Digest) {
		return nil, fmt.Errorf("%d bytes of digests for %d keys", len(all.Digests), len(all.Keys))
	}
	items := make([]Fingerprint, len(all.Keys))
	for i := range items {
		items[i].Key, items[i].Name = all.Keys[i], all.Names[i]
		all.Digests = all.Digests[copy(items[i].Digest[:], all.Digests):]
	}
	return items, nil
}
