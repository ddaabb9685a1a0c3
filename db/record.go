package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
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

// existing reads the typed columns of the rows with these uuids, tombstones included.
func (a *applier) existing(ctx context.Context, uuids []string) (map[string]Row, error) {
	found := make(map[string]Row, len(uuids))
	err := a.readRecord(ctx, a.t.read, uuids, func(rows *sql.Rows) error {
		row, ok := reflect.TypeAssert[Row](reflect.New(a.t.typ))
		if !ok {
			return fmt.Errorf("%s is no row type", a.t.typ)
		}
		if err := rows.Scan(a.t.readPointers(row)...); err != nil {
			return err
		}
		base := row.Base()
		base.ObservedAt = cleanTime(base.ObservedAt)
		found[base.UUID] = row
		return nil
	})
	return found, err
}

// infos reads the objects on record as they were.
func (a *applier) infos(ctx context.Context, uuids []string) (map[string]JSON, error) {
	found := make(map[string]JSON, len(uuids))
	err := a.readRecord(ctx, "uuid, info", uuids, func(rows *sql.Rows) error {
		var uuid string
		var info JSON
		if err := rows.Scan(&uuid, &info); err != nil {
			return err
		}
		found[uuid] = info
		return nil
	})
	return found, err
}

// readRecord reads columns of the rows with these uuids.
func (a *applier) readRecord(ctx context.Context, columns string, uuids []string, scan func(*sql.Rows) error) (err error) {
	var reader querier = a.x
	if a.reader != nil {
		reader = a.reader
	}
	query := "SELECT " + columns + " FROM " + a.t.name + " WHERE cluster_id = ? AND " + a.x.d.in("uuid")
	rows, err := reader.QueryContext(ctx, reader.Rebind(query), a.snap.ClusterID, a.x.d.list(uuids))
	if err != nil {
		return fmt.Errorf("reading the rows on record: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("reading the rows on record: %w", err)
		}
	}
	return rows.Err()
}
