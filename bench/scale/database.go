package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"ganeticache/test/trial"
)

// database is that of a private PostgreSQL with default settings.
type database struct {
	server *trial.Postgres
	conn   *sqlx.DB
}

func newDatabase(ctx context.Context, folder string) (*database, error) {
	server, err := trial.NewPostgres(ctx, folder)
	if err != nil {
		return nil, err
	}
	conn, err := server.Open(1)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &database{server, conn}, nil
}

func (d *database) url() string { return d.server.URL(0) }

func (d *database) close() error { return errors.Join(d.conn.Close(), d.server.Close()) }

// walPosition is how many bytes of write-ahead log there have ever been.
func (d *database) walPosition(ctx context.Context) (n int64, err error) {
	if err := d.conn.GetContext(ctx, &n, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"); err != nil {
		return 0, fmt.Errorf("reading the position in the write-ahead log: %w", err)
	}
	return n, nil
}

// storage is what the database takes on disk, in bytes.
type storage struct {
	Version string `db:"version"`
	Whole   int64  `db:"whole"`
	// Rows, Indexes and Info are those of the table of VMs: its rows, its indexes, and the objects' JSON beside them.
	Rows    int64 `db:"rows"`
	Indexes int64 `db:"indexes"`
	Info    int64 `db:"info"`
	Changes int64 `db:"changes"`
}

func (d *database) storage(ctx context.Context) (s storage, err error) {
	err = d.conn.GetContext(ctx, &s, `SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS whole,
pg_relation_size('virtual_machines') AS rows, pg_indexes_size('virtual_machines') AS indexes,
pg_table_size('virtual_machines') - pg_relation_size('virtual_machines') AS info, pg_total_relation_size('changes') AS changes`)
	if err != nil {
		return s, fmt.Errorf("asking for the size of the database: %w", err)
	}
	return s, nil
}
