package db

import (
	"context"
	"database/sql"
	"fmt"
)

// querier reads rows: the transaction, or a connection beside it. What others have committed before the lock on the
// freshness row was taken is all there is to read of a kind's rows, so that both read the same.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	Rebind(query string) string
}

// spare takes a connection for reading beside a transaction; nil if another has one, or there is only one. Those who have
// two are fewer than there are connections, so that they never wait for each other alone.
func (s *Store) spare(ctx context.Context) (reader querier, release func(), err error) {
	select {
	case s.spares <- struct{}{}:
	default:
		return nil, func() {}, nil
	}
	conn, err := s.reader.Connx(ctx)
	if err != nil {
		<-s.spares
		return nil, nil, fmt.Errorf("connecting to the database: %w", err)
	}
	return conn, func() {
		conn.Close() //nolint:gosec // it goes back to the pool; one that broke has failed a query
		<-s.spares
	}, nil
}

// existing reads the rows with these uuids, tombstones included.
func (a *applier) existing(ctx context.Context, uuids []string) (map[string]Row, error) {
	var reader querier = a.x
	if a.reader != nil {
		reader = a.reader
	}
	found := make(map[string]Row, len(uuids))
	condition := "cluster_id = ? AND " + a.x.d.in("uuid")
	err := a.t.wholeRows(ctx, reader, condition, []any{a.snap.ClusterID, a.x.d.list(uuids)}, func(row Row) error {
		found[row.Base().UUID] = row
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the rows on record: %w", err)
	}
	return found, nil
}
