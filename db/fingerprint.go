package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Fingerprints returns what is on record of a kind: the live rows, and the items in quarantine whose key is known. For
// KindCluster it is the one fingerprint of the cluster's info.
//
// Two sorts are left out, so that they count as changed whenever they are seen. Items in quarantine without a key: they
// withhold removals, so every snapshot must report them. Live rows whose object is in quarantine: should the old content
// return, the entry in quarantine has to go.
//
// They come in the order in which they were first stored: Ganeti's, but for what was added to a cluster since.
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
		return "SELECT uuid, digest, id FROM clusters WHERE id = ? AND digest IS NOT NULL", []any{clusterID}, nil
	}
	t, err := s.tableOf(k)
	if err != nil {
		return "", nil, err
	}
	return `
SELECT uuid, digest, id FROM ` + t.name + `
WHERE cluster_id = ? AND deleted_at IS NULL AND uuid NOT IN (SELECT uuid FROM quarantine WHERE cluster_id = ? AND kind = ?)
UNION ALL
SELECT uuid, digest, id FROM quarantine WHERE cluster_id = ? AND kind = ? AND uuid <> ''
ORDER BY id`,
		[]any{clusterID, clusterID, k, clusterID, k}, nil
}

func (s *Store) fingerprints(ctx context.Context, query string, args []any) ([]Fingerprint, error) {
	if s.d.fingerprints != nil {
		items, err := s.d.fingerprints(ctx, s.reader, query, args)
		if err != nil || items != nil {
			return items, err
		}
	}
	return readFingerprints(ctx, s.reader, query, args)
}

func readFingerprints(ctx context.Context, reader *pool, query string, args []any) (items []Fingerprint, err error) {
	rows, err := reader.QueryContext(ctx, reader.Rebind(query), args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var digest sql.RawBytes
	var id int64
	for rows.Next() {
		var item Fingerprint
		if err := rows.Scan(&item.Key, &digest, &id); err != nil {
			return nil, err
		}
		copy(item.Digest[:], digest)
		items = append(items, item)
	}
	return items, rows.Err()
}

// separator stands between keys: no uuid holds one.
const separator = "\x1f"

// postgresFingerprints has the server put all of them into one row: the driver's work on each of 10,000 rows takes longer
// than reading them does, and so does the work on both sides on an array of them. It gives nil when a key holds the
// separator.
func postgresFingerprints(ctx context.Context, reader *pool, query string, args []any) ([]Fingerprint, error) {
	var all struct {
		Keys    string `db:"keys"`
		Digests []byte `db:"digests"`
	}
	query = "SELECT coalesce(string_agg(uuid, chr(31)), '') AS keys, string_agg(digest, '') AS digests FROM (" + query + ") prints"
	if err := reader.GetContext(ctx, &all, reader.Rebind(query), args...); err != nil {
		return nil, err
	}
	items := make([]Fingerprint, len(all.Digests)/len(Fingerprint{}.Digest))
	if strings.Count(all.Keys, separator) >= max(len(items), 1) {
		return nil, nil
	}
	for i := range items {
		items[i].Key, all.Keys, _ = strings.Cut(all.Keys, separator)
		all.Digests = all.Digests[copy(items[i].Digest[:], all.Digests):]
	}
	return items, nil
}
