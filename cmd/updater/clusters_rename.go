package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/printable"
)

func (a *app) clustersRenameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Give a cluster another name; rows, ids, permissions and history stay",
		Long: `rename changes the name of a cluster in the database. Its VMs and all other rows keep their ids, and with them
permissions, history and cursors; sealed settings stay as they are. The log of changes gets an entry. Links and
filters with the old name no longer find anything.

A cluster that is kept in the database needs nothing else: a running updater continues under the new name within
seconds. A cluster of the configuration file must be renamed there, too: run this command, change the name in the
file, and reload the updater (or the other way round). Nothing is lost in between: a file with the old name still uses
the same rows, as long as the address is the same, and each start says that it has the old name.

The new name must be free. A removed cluster keeps its name until it is purged. A cluster that was refused as a second
name, so that nothing is stored about it, makes way.`,
		Example: "  updater clusters rename prod main",
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.renameCluster(cmd.Context(), args[0], args[1]) },
	}
}

func (a *app) renameCluster(ctx context.Context, from, to string) (err error) {
	if err := config.CheckName(to); err != nil {
		return &exitError{exitUsage, err}
	}
	if from == to {
		return &exitError{exitUsage, errors.New("the old and the new name are the same")}
	}
	c, err := a.config()
	if err != nil {
		return err
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	row, err := store.ClusterByName(ctx, from)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return fail(err)
	}
	kept := err == nil && row.Source == db.SourceDatabase
	if kept && listed(c, to) {
		return &exitError{exitUsage, fmt.Errorf("cluster %q: %w; a cluster that is kept in the database cannot have its name", to, db.ErrClusterConfigured)}
	}
	if err := store.RenameCluster(ctx, from, to); err != nil {
		return fail(err)
	}
	next := "a running updater goes on under the new name within seconds"
	switch {
	case kept:
	case listed(c, from):
		next = "now change its name in the configuration, too, and reload the updater"
	default:
		next = "reload the updater, unless it knows of the new name already"
	}
	return a.printf("renamed %s to %s; %s\n", printable.Text(from), printable.Text(to), next)
}
