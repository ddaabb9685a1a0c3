package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"reflect"

	"github.com/jmoiron/sqlx"
)

// pool is the connections to a database. What runs outside of a transaction passes its methods, which have sqlx's names:
// they give up broken connections and add advice to errors.
type pool struct {
	*sqlx.DB
	// maxIdle is how many connections are kept.
	maxIdle int
	// patience is that of its connections; nil for SQLite, which has no network.
	patience *patience
}

// GetContext is sqlx's, tried once more when the connection turned out to be broken.
func (p *pool) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	return p.again(ctx, func() error { return p.DB.GetContext(ctx, dest, query, args...) })
}

// SelectContext is sqlx's, tried once more when the connection turned out to be broken. Rows in dest are replaced.
func (p *pool) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	return p.again(ctx, func() error {
		reflect.ValueOf(dest).Elem().SetLen(0) // sqlx appends, and the first try may have got half way
		return p.DB.SelectContext(ctx, dest, query, args...)
	})
}

// QueryContext is sql's, tried once more when the connection turned out to be broken.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	err = p.again(ctx, func() error {
		rows, err = p.DB.QueryContext(ctx, query, args...) //nolint:sqlclosecheck,rowserrcheck // the caller's
		return err
	})
	return rows, err
}

// ExecContext is sql's. It may run the statement twice: database/sql repeats it by itself on a connection that ends.
func (p *pool) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = p.again(ctx, func() error {
		result, err = p.DB.ExecContext(ctx, query, args...)
		return err
	})
	return result, err
}

// again runs a statement once more if its connection was broken: after a restart of the server every connection in the
// pool is, and the first statements must not pay for that.
func (p *pool) again(ctx context.Context, statement func() error) error {
	err := statement()
	if p.gaveUp(err) && postgresRetryable(err) && ctx.Err() == nil {
		err = statement()
		p.gaveUp(err)
	}
	return advise(ctx, err)
}

// gaveUp closes the idle connections if err says that they are as useless as the one that met it, and reports whether it
// did: they would fail one statement each, or go on reading a server that is no longer the primary.
func (p *pool) gaveUp(err error) bool {
	if err == nil || p.patience == nil || !isBroken(err) {
		return false
	}
	p.SetMaxIdleConns(0)
	p.SetMaxIdleConns(p.maxIdle)
	return true
}

// discard ends conn, on which no transaction runs any more, instead of keeping it for others.
func discard(conn *sqlx.Conn) {
	conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck,gosec // it returns what the function does
}
