package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ganeticache/test/pgprograms"
)

// coldFloor is the floor of everything that writes all rows: the bare download, then psql's \copy of the rows that the
// updater wrote, from files, into the same tables with the same indexes.
type coldFloor struct {
	*floor

	store  *postgresStore
	psql   string
	script string
}

// dump is where the rows are, and how psql loads them.
type dump struct{ folder string }

// script is the file with psql's commands, with or without the log of changes.
func (d dump) script(changes bool) string {
	if changes {
		return filepath.Join(d.folder, "load-with-changes.sql")
	}
	return filepath.Join(d.folder, "load.sql")
}

func newCold(folder string, w *world, s *postgresStore, d dump, changes bool) (*coldFloor, error) {
	f, err := newFloor(folder, w)
	if err != nil {
		return nil, err
	}
	psql, err := findPSQL()
	if err != nil {
		return nil, err
	}
	return &coldFloor{floor: f, store: s, psql: psql, script: d.script(changes)}, nil
}

// findPSQL prefers the program itself to the wrapper in PATH, which on Debian takes a tenth of a second to find it.
func findPSQL() (string, error) {
	if dir, err := pgprograms.Dir(); err == nil {
		if _, err := os.Stat(filepath.Join(dir, "psql")); err == nil {
			return filepath.Join(dir, "psql"), nil
		}
	}
	psql, err := exec.LookPath("psql")
	if err != nil {
		return "", fmt.Errorf("finding psql (Debian, Ubuntu: apt-get install postgresql-client): %w", err)
	}
	return psql, nil
}

func (c *coldFloor) reset(ctx context.Context) error {
	return errors.Join(c.close(), c.store.reset(ctx))
}

func (c *coldFloor) round(ctx context.Context) (cost, error) {
	sum, err := c.floor.round(ctx)
	if err != nil {
		return sum, err
	}
	address, err := c.store.address()
	if err != nil {
		return sum, err
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, c.psql, "-X", "-v", "ON_ERROR_STOP=1", "-f", c.script, address) //nolint:gosec // an installed program
	out, err := cmd.CombinedOutput()
	sum.wall += time.Since(began)
	if err != nil {
		return sum, fmt.Errorf("loading rows with psql: %w\n%s", err, out)
	}
	sum.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	sum.rows, err = copied(out)
	return sum, err
}

// copied adds up the lines "COPY n" that psql prints.
func copied(out []byte) (sum int64, err error) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var n int64
		if _, err := fmt.Sscanf(lines.Text(), "COPY %d", &n); err != nil {
			return 0, fmt.Errorf("psql printed %q: %w", lines.Text(), err)
		}
		sum += n
	}
	return sum, lines.Err()
}

// write fills the dump with the rows of a database that an updater has loaded.
func (d dump) write(ctx context.Context, s *postgresStore) (err error) {
	conn, err := s.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	psql, err := findPSQL()
	if err != nil {
		return err
	}
	address, err := s.address()
	if err != nil {
		return err
	}
	var out, in strings.Builder
	for _, table := range append([]string{"virtual_machines"}, append(updaterTables(), "changes")...) {
		var columns []string
		// The ids are the database's to give, here as there.
		err := conn.SelectContext(ctx, &columns, `SELECT column_name FROM information_schema.columns
WHERE table_name = $1 AND table_schema = 'public' AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY ordinal_position`, table)
		if err != nil || len(columns) == 0 {
			return fmt.Errorf("listing the columns of %s: %w", table, err)
		}
		if table == "changes" {
			if err := os.WriteFile(d.script(false), []byte(in.String()), 0o600); err != nil {
				return fmt.Errorf("writing psql's script: %w", err)
			}
		}
		what := fmt.Sprintf(`\copy %s (%s)`, table, strings.Join(columns, ", "))
		file := filepath.Join(d.folder, table+".rows")
		fmt.Fprintf(&out, "%s TO '%s'\n", what, file)
		fmt.Fprintf(&in, "%s FROM '%s'\n", what, file)
	}
	if err := os.WriteFile(d.script(true), []byte(in.String()), 0o600); err != nil {
		return fmt.Errorf("writing psql's script: %w", err)
	}
	cmd := exec.CommandContext(ctx, psql, "-X", "-v", "ON_ERROR_STOP=1", address) //nolint:gosec // an installed program
	cmd.Stdin = strings.NewReader(out.String())
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("writing the rows with psql: %w\n%s", err, text)
	}
	return nil
}
