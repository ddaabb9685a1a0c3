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
	query, args, err := s.fingerprintQuery(clusterID, k)
	if err != nil {
		return Fingerprints{}, err
	}
	f, err := s.fingerprints(ctx, clusterID, k, query, args)
	if err != nil {
		return f, fmt.Errorf("reading the fingerprints of kind %s of cluster %d: %w", k, clusterID, err)
	}
	return f, nil
}

// selectGeneration comes before the items or with them: should a writer come between, the snapshot conflicts instead of
// being compared with a record it does not know.
const selectGeneration = "SELECT coalesce(max(generation), 0) FROM freshness WHERE cluster_id = ? AND kind = ?"

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

func (s *Store) fingerprints(ctx context.Context, clusterID int64, k Kind, query string, args []any) (f Fingerprints, err error) {
	if s.d.fingerprints != nil {
		args := append([]any{clusterID, k}, args...)
		f, ok, err := s.d.fingerprints(ctx, s.reader, query, args)
		if err != nil || ok {
			return f, err
		}
	}
	if err := s.reader.GetContext(ctx, &f.Generation, s.reader.Rebind(selectGeneration), clusterID, k); err != nil {
		return f, err
	}
	f.Items, err = readFingerprints(ctx, s.reader, query, args)
	return f, err
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
// than reading them does, and so does the work on both sides on an array of them. The first two arguments are those of
// selectGeneration. It is not ok when a key holds the separator.
func postgresFingerprints(ctx context.Context, reader *pool, query string, args []any) (f Fingerprints, ok bool, err error) {
	var all struct {
		Generation int64  `db:"generation"`
		Keys       string `db:"keys"`
		Digests    []byte `db:"digests"`
	}
	query = "SELECT (" + selectGeneration + ") AS generation, coalesce(string_agg(uuid, chr(31)), '') AS keys," +
		" string_agg(digest, '') AS digests FROM (" + query + ") prints"
	if err := reader.GetContext(ctx, &all, reader.Rebind(query), args...); err != nil {
		return f, false, err
	}
	f = Fingerprints{all.Generation, make([]Fingerprint, len(all.Digests)/len(Fingerprint{}.Digest))}
	if strings.Count(all.Keys, separator) >= max(len(f.Items), 1) {
		return f, false, nil
	}
	for i := range f.Items {
		f.Items[i].Key, all.Keys, _ = strings.Cut(all.Keys, separator)
		all.Digests = all.Digests[copy(f.Items[i].Digest[:], all.Digests):]
	}
	return f, true, nil
}
