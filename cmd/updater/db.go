package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/config"
	"ganeticache/db"
)

func (a *app) dbCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Move the rows to another database",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(a.dbCopyCommand())
	cmd.RunE = func(*cobra.Command, []string) error {
		return errors.New("db needs a subcommand: copy; see updater db --help")
	}
	return cmd
}

func (a *app) dbCopyCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "copy --from URL --to URL",
		Short: "Copy every row into an empty database: from SQLite to PostgreSQL, or back",
		Long: `copy moves to another database: clusters with their sealed passwords, VMs, nodes, groups, networks and jobs with their
ids, tombstones, permissions, changes, freshness and quarantine. Rows that refer to others by id stay valid, and
readers that follow changes by id continue where they were. The source is not changed.

Stop the updaters on both databases first; copy refuses to run beside one. It creates the schema of the target if
there is none. The target must have no rows, and gets either all of them in one transaction or none. On PostgreSQL
name the role that owns the tables. copy does not read the configuration: change database_url there afterwards, and
keep secret_key_file.`,
		Example: `  updater db copy --from sqlite:/var/lib/ganeti-cache-updater/cache.db \
          --to 'postgres://owner@db.example.org/ganeti?sslmode=verify-full'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case from == "" || to == "":
				return errors.New("db copy needs --from URL and --to URL, such as --from sqlite:cache.db --to postgres://owner@db.example.org/ganeti")
			case from == to:
				return errors.New("--from and --to are the same database")
			}
			return a.copyDatabase(cmd.Context(), config.DatabaseURL(from), config.DatabaseURL(to))
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`URL` of the database that has the rows")
	cmd.Flags().StringVar(&to, "to", "", "`URL` of the empty database that gets them")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) copyDatabase(ctx context.Context, from, to config.DatabaseURL) (err error) {
	source, err := openSource(ctx, from)
	if err != nil {
		return err
	}
	defer closeStore(source, &err)
	target, err := openTarget(ctx, to)
	if err != nil {
		return err
	}
	defer closeStore(target, &err)
	copied, err := source.CopyTo(ctx, target)
	if err != nil {
		return fail(fmt.Errorf("copying %s to %s: %w", from, to, err))
	}
	if a.jsonOutput {
		return a.printJSON(copied)
	}
	return a.printCopied(copied, from, to)
}

// openSource opens a database that must have this program's schema: it is read, not changed.
func openSource(ctx context.Context, url config.DatabaseURL) (*db.Store, error) {
	store, err := db.Open(ctx, url.Reveal(), db.Options{ReadOnly: true})
	if err != nil {
		return nil, fail(fmt.Errorf("--from: %w", err))
	}
	if err := store.CheckSchema(ctx); err != nil {
		return nil, fail(joinClose(fmt.Errorf("--from: %w", err), store))
	}
	return store, nil
}

func openTarget(ctx context.Context, url config.DatabaseURL) (*db.Store, error) {
	store, err := db.Open(ctx, url.Reveal(), db.Options{})
	if err != nil {
		return nil, fail(fmt.Errorf("--to: %w", err))
	}
	if err := store.Migrate(ctx); err != nil {
		return nil, fail(joinClose(fmt.Errorf("--to: %w", err), store))
	}
	return store, nil
}

func (a *app) printCopied(copied []db.Copied, from, to config.DatabaseURL) error {
	t := newTable("table", "rows")
	var total int64
	for _, c := range copied {
		t.AppendRow(table.Row{c.Table, humanize.Comma(c.Rows)})
		total += c.Rows
	}
	t.SetColumnConfigs(alignRight(2, 2))
	return a.printf("%s\n\ncopied and counted %s rows from %s to %s\n", t.Render(), humanize.Comma(total), from, to)
}
