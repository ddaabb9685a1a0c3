package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ganeticache/db"
)

// database is one of the two kinds of database.
type database interface {
	// fresh gives the URL of a new, empty database; the last one is dropped.
	fresh(ctx context.Context) (string, error)
	// writing says whether another process is inside a transaction that writes.
	writing(ctx context.Context) (bool, error)
	// settle waits until nothing is left of a killed process, for some seconds at most, and says whether that was so.
	settle(ctx context.Context) (bool, error)
	// intact lists what the database finds wrong with itself.
	intact(ctx context.Context, store *db.Store) ([]string, error)
	close() error
}

// sqlite is a file of its own for each new database.
type sqlite struct {
	dir  string
	n    int
	path string
}

func newSQLite(_ context.Context, dir string) (database, error) { return &sqlite{dir: dir}, nil }

func (s *sqlite) fresh(context.Context) (string, error) {
	if err := s.close(); err != nil {
		return "", err
	}
	s.n++
	s.path = filepath.Join(s.dir, fmt.Sprintf("cache%d.db", s.n))
	return "sqlite:" + s.path, nil
}

// walWriteLock is the byte of the file -shm that a writer locks while it is in a transaction; see SQLite's walformat.
const walWriteLock = 120

func (s *sqlite) writing(context.Context) (bool, error) {
	f, err := os.OpenFile(s.path+"-shm", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // nobody has opened the database yet
	}
	if err != nil {
		return false, fmt.Errorf("looking for a writer: %w", err)
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: walWriteLock, Len: 1}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock); err != nil {
		return false, fmt.Errorf("looking for a writer: %w", err)
	}
	return lock.Type != syscall.F_UNLCK, nil
}

// settle has nothing to wait for: the system takes a dead process's locks back before its parent hears of the death.
func (s *sqlite) settle(ctx context.Context) (bool, error) {
	held, err := s.writing(ctx)
	return !held, err
}

func (s *sqlite) intact(ctx context.Context, store *db.Store) ([]string, error) {
	var said, keys []string
	if err := store.DB().SelectContext(ctx, &said, "PRAGMA integrity_check"); err != nil {
		return nil, fmt.Errorf("checking the file: %w", err)
	}
	if err := store.DB().SelectContext(ctx, &keys, `SELECT "table" FROM pragma_foreign_key_check`); err != nil {
		return nil, fmt.Errorf("checking the foreign keys: %w", err)
	}
	if len(said) == 1 && said[0] == "ok" {
		said = nil
	}
	for _, table := range keys {
		said = append(said, "a foreign key of "+table+" leads nowhere")
	}
	return said, nil
}

func (s *sqlite) close() error {
	if s.path == "" {
		return nil
	}
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// postgres is a private server; each new database is a database of it.
type postgres struct {
	server *server
	admin  *db.Store
	n      int
}

func newPostgres(ctx context.Context, dir string) (database, error) {
	s, err := startServer(ctx, dir)
	if err != nil {
		return nil, err
	}
	admin, err := db.Open(ctx, s.url("postgres"), db.Options{MaxConns: 2})
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return &postgres{server: s, admin: admin}, nil
}

func (p *postgres) database() string { return fmt.Sprintf("crash%d", p.n) }

func (p *postgres) fresh(ctx context.Context) (string, error) {
	if p.n > 0 {
		if err := p.exec(ctx, "DROP DATABASE "+p.database()); err != nil {
			return "", err
		}
	}
	p.n++
	return p.server.url(p.database()), p.exec(ctx, "CREATE DATABASE "+p.database())
}

func (p *postgres) exec(ctx context.Context, statement string) error {
	if _, err := p.admin.Writer().ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("running %s: %w", statement, err)
	}
	return nil
}

// sessions counts those of the trial's database; with writers, only the ones inside a transaction that writes.
func (p *postgres) sessions(ctx context.Context, writers bool) (int, error) {
	var n int
	err := p.admin.DB().GetContext(ctx, &n, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = $1 AND backend_type = 'client backend' AND (NOT $2 OR backend_xid IS NOT NULL)`, p.database(), writers)
	if err != nil {
		return 0, fmt.Errorf("counting the sessions: %w", err)
	}
	return n, nil
}

// inside says whether the sessions of that name are inside a transaction that writes.
func (p *postgres) inside(ctx context.Context, name string) (bool, error) {
	var n int
	err := p.admin.DB().GetContext(ctx, &n, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = $1 AND application_name = $2 AND backend_xid IS NOT NULL`, p.database(), name)
	if err != nil {
		return false, fmt.Errorf("looking for a transaction of %s: %w", name, err)
	}
	return n > 0, nil
}

func (p *postgres) writing(ctx context.Context) (bool, error) {
	n, err := p.sessions(ctx, true)
	return n > 0, err
}

// patience is how long a server may take to notice that its client is dead.
const patience = 5 * time.Second

func (p *postgres) settle(ctx context.Context) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		n, err := p.sessions(ctx, false)
		if err != nil || n == 0 {
			return n == 0, err
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// intact asks for indexes that an interrupted statement left unusable, and for locks that nobody will give back.
func (p *postgres) intact(ctx context.Context, store *db.Store) ([]string, error) {
	var found []string
	err := store.DB().SelectContext(ctx, &found, `
		SELECT 'the index ' || indexrelid::regclass || ' is not valid' FROM pg_index WHERE NOT indisvalid
		UNION ALL SELECT 'a prepared transaction is left: ' || gid FROM pg_prepared_xacts
		UNION ALL SELECT 'a lock is left: ' || locktype || ' ' || mode
		FROM pg_locks k JOIN pg_stat_activity a USING (pid)
		-- the server's own autovacuum works on the tables meanwhile
		WHERE a.backend_type = 'client backend' AND pid <> pg_backend_pid()
		      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err != nil {
		return nil, fmt.Errorf("looking for what is left behind: %w", err)
	}
	return found, nil
}

func (p *postgres) close() error { return errors.Join(p.admin.Close(), p.server.stop()) }
