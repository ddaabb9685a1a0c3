package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

func sqliteLoad(ctx context.Context, x *txn, table string, columns []string) (loader, error) {
	values := &valuesLoader{x: x, table: table, columns: columns}
	if table != "virtual_machines" {
		return values, nil
	}
	l := &termsLoader{valuesLoader: values}
	if err := x.get(ctx, &l.after, "SELECT coalesce(max(id), 0) FROM virtual_machines"); err != nil {
		return nil, fmt.Errorf("reading the last VM: %w", err)
	}
	if _, err := x.exec(ctx, "INSERT INTO vm_terms_bulk VALUES (1)"); err != nil {
		return nil, fmt.Errorf("keeping the trigger of vm_terms still: %w", err)
	}
	return l, nil
}

// valuesLoader inserts with one prepared statement of several rows.
type valuesLoader struct {
	x       *txn
	table   string
	columns []string
	full    *sqlx.Stmt // inserts loadRows rows
	args    []any
}

// loadRows is where more rows per statement stop paying, with some 25 columns each.
const loadRows = 50

func (l *valuesLoader) add(ctx context.Context, ptrs []any) error {
	l.args = l.x.d.arguments(l.args, ptrs)
	if len(l.args) < loadRows*len(l.columns) {
		return nil
	}
	if l.full == nil {
		stmt, err := l.x.PreparexContext(ctx, valuesStatement(l.table, l.columns, loadRows, ""))
		if err != nil {
			return err
		}
		l.full = stmt
	}
	_, err := l.full.ExecContext(ctx, l.args...)
	clear(l.args)
	l.args = l.args[:0]
	return err
}

func (l *valuesLoader) close(ctx context.Context) error {
	var err error
	if n := len(l.args) / len(l.columns); n > 0 {
		_, err = l.x.exec(ctx, valuesStatement(l.table, l.columns, n, ""), l.args...)
		l.args = l.args[:0]
	}
	if l.full != nil {
		err = errors.Join(err, l.full.Close())
		l.full = nil
	}
	return err
}

// termsLoader loads VMs and then, in the place of the trigger on each row, what lists are searched by.
type termsLoader struct {
	*valuesLoader

	after int64 // the last VM of before
}

func (l *termsLoader) close(ctx context.Context) error {
	if err := l.valuesLoader.close(ctx); err != nil {
		return err
	}
	// One term after the other, each sorted: that is the order of the table, and only one is in memory.
	for _, t := range []struct{ kind, column string }{
		{"ip", "nic_ips"},
		{"mac", "nic_macs"},
		{"network", "nic_networks"},
		{"secondary_node", "secondary_nodes"},
		{"tag", "tags"},
	} {
		_, err := l.x.exec(ctx, "INSERT OR IGNORE INTO vm_terms (kind, value, vm_id) SELECT ?, e.value, v.id"+
			" FROM virtual_machines v, json_each(v."+t.column+") e WHERE v.id > ? AND e.value IS NOT NULL ORDER BY 2, 3", t.kind, l.after)
		if err != nil {
			return fmt.Errorf("filling vm_terms with %s: %w", t.column, err)
		}
	}
	_, err := l.x.exec(ctx, "DELETE FROM vm_terms_bulk")
	return err
}
