package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jmoiron/sqlx"

	"ganeticache/test/trial"
)

// server is the private PostgreSQL, with default settings, in which every system has a database of its own.
type server struct {
	postgres *trial.Postgres
	admin    *sqlx.DB
}

func newServer(ctx context.Context, folder string) (*server, error) {
	postgres, err := trial.NewPostgres(ctx, folder)
	if err != nil {
		return nil, err
	}
	admin, err := postgres.Open(1)
	if err != nil {
		return nil, errors.Join(err, postgres.Close())
	}
	return &server{postgres, admin}, nil
}

// url is the address of one of its databases.
func (s *server) url(database string) (string, error) {
	u, err := url.Parse(s.postgres.URL(0))
	if err != nil {
		return "", fmt.Errorf("reading the server's address: %w", err)
	}
	u.Path = "/" + database
	return u.String(), nil
}

// open opens one of its databases, to look into it. Close it.
func (s *server) open(database string) (*sqlx.DB, error) {
	address, err := s.url(database)
	if err != nil {
		return nil, err
	}
	conn, err := sqlx.Open("postgres", address)
	if err != nil {
		return nil, fmt.Errorf("opening database %s: %w", database, err)
	}
	return conn, nil
}

// create makes a database anew, as a copy of template, or empty when that is "".
func (s *server) create(ctx context.Context, database, template string) error {
	statements := []string{"DROP DATABASE IF EXISTS " + database + " WITH (FORCE)", "CREATE DATABASE " + database}
	if template != "" {
		statements[1] += " TEMPLATE " + template
	}
	for _, statement := range statements {
		if _, err := s.admin.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("running %s: %w", statement, err)
		}
	}
	return nil
}

// walPosition is how many bytes of write-ahead log there have ever been.
func (s *server) walPosition(ctx context.Context) (n int64, err error) {
	if err := s.admin.GetContext(ctx, &n, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"); err != nil {
		return 0, fmt.Errorf("reading the position in the write-ahead log: %w", err)
	}
	return n, nil
}

// version is that of the server, as it says.
func (s *server) version(ctx context.Context) (text string, err error) {
	if err := s.admin.GetContext(ctx, &text, "SHOW server_version"); err != nil {
		return "", fmt.Errorf("asking PostgreSQL for its version: %w", err)
	}
	return text, nil
}

func (s *server) close() error { return errors.Join(s.admin.Close(), s.postgres.Close()) }
