package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// migrationLock lets one process at a time migrate, as goose's session lockers do. Those take an advisory lock, which needs no
// right: everybody who may connect could keep the schema as it is. This one locks the table of versions, which takes the
// right to write it, in a mode that stops neither readers nor goose's own writing, and as long as its session lives.
type migrationLock struct {
	db *sql.DB
	tx *sql.Tx
	// end gives the transaction's connection back.
	end func() error
}

const lockVersions = "LOCK TABLE " + versionTable + " IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"

// migrationPoll is how often the lock is asked for while another process has it.
const migrationPoll = 250 * time.Millisecond

// SessionLock implements goose's lock.SessionLocker. The lock is held by a connection of its own, because goose begins
// transactions of its own on conn. It is asked for again and again instead of being waited for: a session that waits keeps
// its snapshot, and CREATE INDEX CONCURRENTLY of the one that migrates would wait for that.
func (l *migrationLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if err := makeVersions(ctx, conn); err != nil {
		return fmt.Errorf("making the table of versions: %w", err)
	}
	own, err := l.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting for the migration lock: %w", err)
	}
	for began := time.Now(); ; {
		l.tx, err = takeVersions(ctx, own)
		if err == nil {
			l.end = own.Close
			return nil
		}
		if pq.As(err, pqerror.LockNotAvailable) == nil || time.Since(began) > migrationWait {
			return errors.Join(fmt.Errorf("waiting for the migration lock: %w", err), own.Close())
		}
		timer := time.NewTimer(migrationPoll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), own.Close())
		case <-timer.C:
		}
	}
}

// takeVersions locks the table of versions for as long as the transaction lasts, or fails at once.
func takeVersions(ctx context.Context, own *sql.Conn) (*sql.Tx, error) {
	tx, err := own.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; "+lockVersions); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// SessionUnlock implements goose's lock.SessionLocker.
func (l *migrationLock) SessionUnlock(context.Context, *sql.Conn) error {
	return errors.Join(l.tx.Rollback(), l.end())
}

// makeVersions makes goose's table as goose does, with its first row, unless it is there. Of two who do so at once one wins.
func makeVersions(ctx context.Context, conn *sql.Conn) error {
	var there bool
	if err := conn.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable).Scan(&there); err != nil || there {
		return err
	}
	_, err := conn.ExecContext(ctx, "BEGIN; "+createVersions+" INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (0, true); COMMIT")
	if err == nil {
		return nil
	}
	_, rollback := conn.ExecContext(ctx, "ROLLBACK")
	if pq.As(err, pqerror.DuplicateTable, pqerror.UniqueViolation, pqerror.DuplicateObject) != nil {
		return rollback
	}
	return errors.Join(err, rollback)
}
