package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/jmoiron/sqlx"
)

// postgresStore is a database of the server; reset makes it as a copy of template.
type postgresStore struct {
	server         *server
	name, template string
}

func (p *postgresStore) address() (string, error) { return p.server.url(p.name) }

func (p *postgresStore) reset(ctx context.Context) error {
	return p.server.create(ctx, p.name, p.template)
}

func (p *postgresStore) open() (*sqlx.DB, error) { return p.server.open(p.name) }

func (p *postgresStore) vms() string { return selectPostgres }

// sqliteStore is a file.
type sqliteStore struct{ file string }

func (s *sqliteStore) address() (string, error) { return "sqlite:" + s.file, nil }

func (s *sqliteStore) reset(context.Context) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-refresh.lock"} {
		if err := os.Remove(s.file + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the database: %w", err)
		}
	}
	return nil
}

func (s *sqliteStore) open() (*sqlx.DB, error) {
	conn, err := sqlx.Open("sqlite", "file:"+s.file+"?mode=ro")
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", s.file, err)
	}
	return conn, nil
}

func (s *sqliteStore) vms() string { return selectSQLite }
