package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"
)

// Retries of a transaction: a conflict with another process is over within milliseconds, a busy SQLite file has
// already waited for its busy_timeout. Together at most about a second of waiting of our own.
const (
	maxTries  = 6
	firstWait = 20 * time.Millisecond
)

// txn is a transaction and the connection it runs on.
type txn struct {
	*sqlx.Tx
	conn *sqlx.Conn
	d    *dialect
}

// exec runs a statement written with ? placeholders and returns the number of rows it wrote.
func (x *txn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := x.ExecContext(ctx, x.Rebind(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// get scans one row into dest.
func (x *txn) get(ctx context.Context, dest any, query string, args ...any) error {
	return x.GetContext(ctx, dest, x.Rebind(query), args...)
}

// all scans every row into dest, a pointer to a slice.
func (x *txn) all(ctx context.Context, dest any, query string, args ...any) error {
	return x.SelectContext(ctx, dest, x.Rebind(query), args...)
}

// raw gives fn the driver's connection. Its error goes around database/sql, which would close the connection upon
// ErrBadConn and wait for the transaction on it, that is for itself.
func (x *txn) raw(fn func(conn any) error) error {
	var fnErr error
	err := x.conn.Raw(func(conn any) error {
		fnErr = fn(conn)
		return nil
	})
	return cmp.Or(fnErr, err)
}

// inTx is inAnyTx for this program's own schema: ErrSchemaNewer when a newer program was seen to have migrated it.
func (s *Store) inTx(ctx context.Context, fn func(ctx context.Context, x *txn) error) error {
	if err := s.mayWrite(); err != nil {
		return err
	}
	return s.inAnyTx(ctx, fn)
}

// inAnyTx runs fn in a transaction, again when the database says that another try may succeed: fn may run several times
// and must not keep state between its runs. An fn that returns errRollback writes nothing.
func (s *Store) inAnyTx(ctx context.Context, fn func(ctx context.Context, x *txn) error) error {
	err := s.retry(ctx, func() error { return s.tryTx(ctx, fn) })
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// retry runs fn again while the database says that another try may succeed, and adds advice to what remains. A statement
// outside of a transaction that loses its connection may have run all the same: fn's must do no harm when run twice.
func (s *Store) retry(ctx context.Context, fn func() error) error {
	wait := firstWait
	for try := 1; ; try++ {
		err := fn()
		switch {
		case err == nil:
			return nil
		case !s.d.retryable(err) || ctx.Err() != nil:
			return advise(ctx, err)
		case try == maxTries:
			return advise(ctx, fmt.Errorf("giving up after %d tries: %w", try, err))
		}
		// Half fixed, half random, so that two losers do not meet again.
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return advise(ctx, err)
		case <-timer.C:
		}
		wait *= 2
	}
}

// tryTx runs fn in one transaction on a connection, which is given up when it broke.
func (s *Store) tryTx(ctx context.Context, fn func(ctx context.Context, x *txn) error) (err error) {
	conn, err := s.writer.Connx(ctx)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	defer func() {
		if s.writer.gaveUp(err) {
			discard(conn)
		}
		// A connection that broke in the transaction is reported by the transaction already.
		if closeErr := conn.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("returning the connection: %w", closeErr)
		}
	}()
	return s.transact(ctx, conn, fn)
}

func (s *Store) transact(ctx context.Context, conn *sqlx.Conn, fn func(ctx context.Context, x *txn) error) error {
	// The context is that of each statement, not of the transaction: database/sql would answer its end with a ROLLBACK of
	// its own accord, in the middle of a COPY, where lib/pq waits for ever for what the server says to that.
	tx, err := conn.BeginTxx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", standbyError(err))
	}
	defer tx.Rollback()
	x := &txn{Tx: tx, conn: conn, d: s.d}
	if s.d.limits != "" {
		if _, err := x.exec(ctx, s.d.limits); err != nil {
			return fmt.Errorf("limiting a transaction: %w", err)
		}
	}
	if err := fn(ctx, x); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return commitError(err)
	}
	return nil
}
