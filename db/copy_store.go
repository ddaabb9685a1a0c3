package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// Copied says what CopyTo copied of one table.
type Copied struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// copiedTables are the tables that a copy carries over, each behind those it refers to. What the rest holds is of the
// moment (replicas, reader_leases), or the target makes it itself (the version of the schema, SQLite's vm_terms).
func copiedTables() []string {
	return []string{
		"clusters", "cluster_former_names", "cluster_revision", "freshness", "leases", "virtual_machines", "nodes", "node_groups", "networks", "jobs",
		"permissions", logTable, "changes", "change_epochs", "quarantine", "withheld_removals", "guard_counts",
		"backfills",
	}
}

// logTable has its one row from the beginning: the source's takes the place of the target's.
const logTable = "change_log"

// CopyTo copies every row into target, an empty database of either kind with the same schema, and returns what it copied,
// table by table. Ids stay, and the target goes on counting where this database is: what refers to a row goes on
// referring to it. The source is read as of one moment and the target written in one transaction: after an error, or
// when the process dies, the target is as empty as before. Rows are streamed; a table need not fit into memory.
//
// No updater may run on either database: ErrRefreshed or ErrRefreshedElsewhere. ErrNotEmpty when the target has rows. On
// PostgreSQL the role must own the tables: their sequences are read here and set there.
func (s *Store) CopyTo(ctx context.Context, target *Store) (copied []Copied, err error) {
	releaseSource, err := s.Claim(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, releaseSource()) }()
	releaseTarget, err := target.Claim(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, releaseTarget()) }()
	err = target.inTx(ctx, func(ctx context.Context, x *txn) error {
		source, err := s.reader.BeginTxx(ctx, s.d.snapshot)
		if err != nil {
			return fmt.Errorf("beginning to read the source: %w", advise(ctx, err))
		}
		defer source.Rollback()
		c := copier{source: source, sourceDialect: s.d, target: x}
		if err := c.check(ctx); err != nil {
			return err
		}
		copied, err = c.copyAll(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return copied, nil
}

// copier copies from one transaction into another.
type copier struct {
	source        *sqlx.Tx
	sourceDialect *dialect
	target        *txn
}

// check refuses what must not be copied, or not there.
func (c *copier) check(ctx context.Context) error {
	if lock := c.target.d.lockClusters; lock != "" {
		if _, err := c.target.exec(ctx, lock); err != nil {
			return fmt.Errorf("keeping others from the target: %w", err)
		}
	}
	for _, side := range []struct {
		name string
		tx   *sqlx.Tx
		d    *dialect
	}{{"source", c.source, c.sourceDialect}, {"target", c.target.Tx, c.target.d}} {
		var alive []string
		query := "SELECT r.host FROM replicas r WHERE " + side.d.heardOf + " ORDER BY r.host"
		if err := side.tx.SelectContext(ctx, &alive, query); err != nil {
			return fmt.Errorf("looking for updaters on the %s: %w", side.name, err)
		}
		if len(alive) > 0 {
			return fmt.Errorf("%s (on %s): %w", side.name, alive[0], ErrRefreshed)
		}
	}
	for _, table := range copiedTables() {
		if table == logTable {
			continue
		}
		var filled bool
		if err := c.target.get(ctx, &filled, "SELECT EXISTS (SELECT 1 FROM "+table+")"); err != nil {
			return fmt.Errorf("looking into %s of the target: %w", table, err)
		}
		if filled {
			return fmt.Errorf("%s has rows: %w", table, ErrNotEmpty)
		}
	}
	return nil
}

func (c *copier) copyAll(ctx context.Context) ([]Copied, error) {
	var all []Copied
	for _, table := range copiedTables() {
		columns, err := c.columns(ctx, table)
		if err != nil {
			return nil, err
		}
		if table == logTable {
			if _, err := c.target.exec(ctx, "DELETE FROM "+logTable); err != nil {
				return nil, fmt.Errorf("emptying %s: %w", table, err)
			}
		}
		n, err := c.copyTable(ctx, table, columns)
		if err != nil {
			return nil, fmt.Errorf("copying %s: %w", table, err)
		}
		if err := c.compare(ctx, table, n); err != nil {
			return nil, err
		}
		if columns[0].name == "id" {
			if err := c.copyLastID(ctx, table); err != nil {
				return nil, err
			}
		}
		all = append(all, Copied{Table: table, Rows: n})
	}
	return all, c.copyLastTicket(ctx)
}

// copyLastTicket has the target go on where the source's requests are: its rows carry the source's tickets.
func (c *copier) copyLastTicket(ctx context.Context) error {
	var last int64
	if err := c.source.GetContext(ctx, &last, selectLastTicket); err != nil {
		return fmt.Errorf("reading the last ticket of the source: %w", err)
	}
	if _, err := c.target.exec(ctx, c.target.d.setTicket, last); err != nil {
		return fmt.Errorf("setting the last ticket to %d: %w", last, err)
	}
	return nil
}

// compare counts a table on both sides, beside the rows that went over.
func (c *copier) compare(ctx context.Context, table string, copied int64) error {
	query := "SELECT count(*) FROM " + table
	var from, to int64
	if err := c.source.GetContext(ctx, &from, query); err != nil {
		return fmt.Errorf("counting %s of the source: %w", table, err)
	}
	if err := c.target.get(ctx, &to, query); err != nil {
		return fmt.Errorf("counting %s of the target: %w", table, err)
	}
	if from != copied || to != copied {
		return fmt.Errorf("copying %s: the source has %d rows, %d were sent, the target has %d", table, from, copied, to)
	}
	return nil
}

// copyLastID makes the target give out no id that the source gave out before, also where its row was purged since.
func (c *copier) copyLastID(ctx context.Context, table string) error {
	var last, highest int64
	if err := c.source.GetContext(ctx, &last, c.source.Rebind(c.sourceDialect.lastID), table); err != nil {
		return fmt.Errorf("reading the last id of %s: %w", table, err)
	}
	// A row may have been inserted with an id that was not given out.
	if err := c.target.get(ctx, &highest, "SELECT coalesce(max(id), 0) FROM "+table); err != nil {
		return fmt.Errorf("reading the highest id of %s: %w", table, err)
	}
	if last = max(last, highest); last == 0 {
		return nil
	}
	if err := c.target.d.setLastID(ctx, c.target, table, last); err != nil {
		return fmt.Errorf("setting the last id of %s to %d: %w", table, last, err)
	}
	return nil
}
