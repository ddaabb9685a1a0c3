package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/db"
	"ganeticache/printable"
)

func (a *app) permissionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Grant, revoke and list permissions on VMs and clusters",
		Long: `permissions keeps grants beside the cache: a subject (a user, a group: any text) is granted a permission (any text) on
a VM, or on a cluster and everything in it. A grant belongs to the row of its VM: it stays when the VM is renamed,
migrated, removed and restored, and goes when the row is purged. The application decides what the names mean; the HTTP
API shows a token what its subjects are granted.

With owner_tags.pattern in the configuration, tags of VMs grant permissions as well; those grants come and go with the
tag.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(a.permissionsListCommand(), a.permissionsGrantCommand(), a.permissionsRevokeCommand(), a.permissionsSyncCommand())
	cmd.RunE = func(*cobra.Command, []string) error {
		return errors.New("permissions needs a subcommand: list, grant, revoke or sync; see updater permissions --help")
	}
	return cmd
}

func (a *app) permissionsListCommand() *cobra.Command {
	var f db.GrantFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the grants",
		Example: `  updater permissions list --subject alice
  updater permissions list --cluster prod --vm web1.example.org --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listGrants(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Subject, "subject", "", "only those of the subject `NAME`")
	flags.StringVar(&f.Permission, "permission", "", "only the permission `NAME`")
	flags.StringVar(&f.Cluster, "cluster", "", "only those on the cluster `NAME` and its VMs")
	flags.StringVar(&f.VM, "vm", "", "only those on the VM with this `NAME` or uuid")
	flags.StringVar(&f.Source, "source", "", "only those from this `SOURCE`: grant or tag")
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) listGrants(ctx context.Context, f db.GrantFilter) (err error) {
	if f.Source != "" && f.Source != db.SourceGrant && f.Source != db.SourceTag {
		return errors.New("--source is grant or tag")
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
	grants, err := store.Grants(ctx, f)
	if err != nil {
		return fail(err)
	}
	if a.jsonOutput {
		return a.printJSON(grants)
	}
	t := newTable("subject", "permission", "cluster", "VM", "source")
	for _, g := range grants {
		vm := g.VM
		if g.VMID == nil {
			vm = "(all)"
		}
		t.AppendRow(table.Row{printable.Text(g.Subject), printable.Text(g.Permission), g.Cluster, printable.Text(vm), g.Source})
	}
	return a.printf("%s\n", t.Render())
}

const grantUse = " SUBJECT PERMISSION CLUSTER[/VM]"

func (a *app) permissionsGrantCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "grant" + grantUse,
		Short: "Grant a permission on a VM, or on a cluster and everything in it",
		Long: `grant grants a permission. Name the VM by its name or its uuid. An existing grant stays as it is; the exit code is 0
either way.`,
		Example: `  updater permissions grant alice console prod/web1.example.org
  updater permissions grant group:operators admin prod`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeGrant(cmd.Context(), args, (*db.Store).Grant, "granted", "is granted already")
		},
	}
}

func (a *app) permissionsRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke" + grantUse,
		Short: "Take a grant back",
		Long: `revoke takes back a grant that grant gave. If there is none it says so; the exit code is 0 either way. Revoking a
grant on a VM does not touch a grant on the cluster, and a grant from a tag only goes with the tag.`,
		Example: "  updater permissions revoke alice console prod/web1.example.org",
		Args:    cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeGrant(cmd.Context(), args, (*db.Store).Revoke, "revoked", "is not granted (by hand)")
		},
	}
}

func (a *app) changeGrant(ctx context.Context, args []string,
	change func(*db.Store, context.Context, db.Grant) (bool, error), done, nothing string,
) (err error) {
	g := db.Grant{Subject: args[0], Permission: args[1]}
	var ofVM bool
	// A cluster's name has no slash.
	if g.Cluster, g.VM, ofVM = strings.Cut(args[2], "/"); ofVM && g.VM == "" {
		return fmt.Errorf("%q names no VM after the slash; without the slash it means the whole cluster", args[2])
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
	changed, err := change(store, ctx, g)
	if errors.Is(err, db.ErrBadGrant) {
		return &exitError{exitUsage, err}
	}
	if err != nil {
		return fail(err)
	}
	what := fmt.Sprintf("%s on %s to %s", printable.Text(g.Permission), printable.Text(args[2]), printable.Text(g.Subject))
	if !changed {
		return a.printf("%s %s\n", what, nothing)
	}
	return a.printf("%s %s\n", done, what)
}

func (a *app) permissionsSyncCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sync",
		Short: "Bring the grants from tags in line with all tags on record",
		Long: `sync is needed once after owner_tags was changed in the configuration, because a refresh only looks at VMs that
changed. Without owner_tags.pattern it removes every grant that came from a tag. It never touches grants that were
given by hand.`,
		Example: "  updater permissions sync --config /etc/ganeti-cache-updater/config.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := a.config()
			if err != nil {
				return err
			}
			store, err := a.openStore(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer closeStore(store, &err)
			n, err := store.SyncOwnerTags(cmd.Context())
			if err != nil {
				return fail(err)
			}
			return a.printf("%s from tags added or removed\n", english.Plural(int(n), "grant", ""))
		},
	}
}
