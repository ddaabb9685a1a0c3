package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ganeticache/config"
	"ganeticache/db"
)

func (a *app) schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Apply or print the database schema",
		Args:  cobra.NoArgs,
	}
	var dialect string
	printCmd := &cobra.Command{
		Use:     "print",
		Short:   "Print the schema as SQL, for reading and for database administrators",
		Example: "  updater schema print --dialect postgres > schema.sql",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			sql := db.Schema(dialect)
			if sql == "" {
				return fmt.Errorf("there is no schema for %q; --dialect is postgres or sqlite", dialect)
			}
			return a.printf("%s", sql)
		},
	}
	printCmd.Flags().StringVar(&dialect, "dialect", "postgres", "`DIALECT` of SQL: postgres or sqlite")
	applyCmd := &cobra.Command{
		Use:   "apply",
		Short: "Create the schema or bring it up to date",
		Long: `apply runs the migrations that the database lacks; existing data stay. run and --once do the same when they start, if
their database user may; if it may not, run this command as the owner of the schema.`,
		Example: "  updater schema apply --database 'postgres://owner@db.example.org/ganeti?sslmode=verify-full'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := a.config()
			if err != nil {
				return err
			}
			store, err := db.Open(cmd.Context(), c.DatabaseURL.Reveal(), db.Options{})
			if err != nil {
				return fail(err)
			}
			defer closeStore(store, &err)
			if err := store.Migrate(cmd.Context()); err != nil {
				return fail(err)
			}
			return a.printf("the schema of %s is up to date\n", config.RedactURL(c.DatabaseURL))
		},
	}
	cmd.AddCommand(printCmd, applyCmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return errors.New("schema needs a subcommand: apply or print; see updater schema --help")
	}
	return cmd
}
