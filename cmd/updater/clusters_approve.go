package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"ganeticache/db"
	"ganeticache/updater"
)

func (a *app) clustersApproveCommand() *cobra.Command {
	var later bool
	cmd := &cobra.Command{
		Use:   "approve-removals NAME",
		Short: "Make the removals that the guard withholds",
		Long: `approve-removals approves what is withheld at this moment, as updater status shows it, and refreshes the cluster. The
next complete answer of each kind may then remove as many objects as are printed here, and no more: if it lacks more, all
of them are withheld again. If it lacks none, nothing is removed.

With --later, and where another updater refreshes into the same SQLite file, the next scheduled refresh does it.`,
		Example: "  updater clusters approve-removals prod",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.approveRemovals(cmd.Context(), args[0], later)
		},
	}
	cmd.Flags().BoolVar(&later, "later", false, "approve only, and leave the removals to the next refresh")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) approveRemovals(ctx context.Context, name string, later bool) error {
	approved, err := a.approve(ctx, name)
	if err != nil {
		return err
	}
	if err := a.printApproved(name, approved); err != nil || len(approved) == 0 || later {
		return err
	}
	err = a.once(ctx, onceOptions{once: true, clusters: []string{name}, json: a.jsonOutput})
	if errors.Is(err, db.ErrRefreshedElsewhere) || errors.Is(err, updater.ErrUnknownCluster) {
		_, err = fmt.Fprintf(a.stderr, "updater: the running updater makes them when it refreshes %s next\n", name)
	}
	return err
}

// approve writes the approval, and gives what it covers.
func (a *app) approve(ctx context.Context, name string) (_ []db.ApprovedRemovals, err error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return nil, err
	}
	defer closeStore(store, &err)
	approved, err := store.ApproveRemovals(ctx, name)
	if err != nil {
		return nil, fail(err)
	}
	return approved, nil
}

// printApproved says what may be removed: for programs as one JSON document, before that of the refresh.
func (a *app) printApproved(name string, approved []db.ApprovedRemovals) error {
	if a.jsonOutput {
		return a.printJSON(approved)
	}
	if len(approved) == 0 {
		return a.printf("%s: no removal is withheld\n", name)
	}
	for _, r := range approved {
		if err := a.printf("%s: the next refresh removes at most %s\n", name, english.Plural(r.Count, string(r.Kind), "")); err != nil {
			return err
		}
	}
	return nil
}
