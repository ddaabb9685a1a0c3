package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/printable"
)

func (a *app) clustersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clusters",
		Short: "List the clusters, and manage those kept in the database",
		Long: `clusters shows all clusters, and changes those that are kept in the database instead of the configuration file, for
sites whose web manager owns the list. A running updater applies changes within seconds. Passwords are kept sealed
(AES-256-GCM, key from secret_key_file), or stay in a named file. Either way address, user and certificate are sealed
with them, so that a change in the database cannot send a password elsewhere.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(a.clustersListCommand(), a.clustersAddCommand(), a.clustersSetCommand(), a.clustersRenameCommand(), a.clustersResealCommand(),
		a.clustersEnableCommand(true), a.clustersEnableCommand(false),
		a.clustersRemoveCommand(), a.clustersRefreshCommand(), a.clustersApproveCommand(), a.clustersRekeyCommand())
	cmd.RunE = func(*cobra.Command, []string) error {
		return errors.New("clusters needs a subcommand: list, add, set, rename, enable, disable, remove, refresh, approve-removals, reseal or rekey; " +
			"see updater clusters --help")
	}
	return cmd
}

func (a *app) clustersListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the clusters of the configuration and of the database",
		Long: `list shows where each cluster is kept: in the file, in the database, or in neither (then its rows are frozen). It
never shows a password, only where the password is kept.`,
		Example: "  updater clusters list --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.listClusters(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	return cmd
}

// clusterJSON is a cluster as --json prints it. The names are public.
type clusterJSON struct {
	Name     string `json:"name"`
	Source   string `json:"source"` // file, database, or none: frozen
	Enabled  bool   `json:"enabled"`
	RAPI     string `json:"rapi"`
	Username string `json:"username"`
	Password string `json:"password"` // sealed, file, variable or none
	Schedule string `json:"schedule"`
}

func (a *app) listClusters(ctx context.Context) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	list := []clusterJSON{}
	for _, cl := range c.Clusters {
		list = append(list, clusterJSON{cl.Name, "file", cl.Enabled, cl.RAPI, cl.Username, passwordPlace(cl), cl.Schedule})
	}
	if err := haveSchema(ctx, c); err == nil {
		if list, err = a.addStoredRows(ctx, c, list); err != nil {
			return err
		}
	} else if !isMissing(err) {
		return fail(err)
	}
	slices.SortStableFunc(list, func(a, b clusterJSON) int { return strings.Compare(a.Name, b.Name) })
	if a.jsonOutput {
		return a.printJSON(list)
	}
	t := newTable("cluster", "kept in", "enabled", "RAPI", "user", "password", "schedule")
	for _, l := range list {
		t.AppendRow(table.Row{printable.Text(l.Name), l.Source, l.Enabled, printable.Text(l.RAPI), printable.Text(l.Username), l.Password, printable.Text(l.Schedule)})
	}
	return a.printf("%s\n", t.Render())
}

// addStoredRows adds the clusters of the database, the frozen ones included.
func (a *app) addStoredRows(ctx context.Context, c *config.Config, list []clusterJSON) (_ []clusterJSON, err error) {
	store, err := openCache(ctx, c)
	if err != nil {
		return nil, err
	}
	defer closeStore(store, &err)
	kept, _, err := store.StoredClusters(ctx)
	if err != nil {
		return nil, fail(err)
	}
	for _, k := range kept {
		cl, _ := c.Adopt(fromStored(c, k, false)) //nolint:errcheck // a bad one is listed as it is
		password := passwordPlace(cl)
		if k.PasswordSealed != "" {
			password = "sealed"
		}
		list = append(list, clusterJSON{k.Name, "database", k.Enabled, k.RAPIURL, k.Username, password, cl.Schedule})
	}
	rows, err := store.Clusters(ctx)
	if err != nil {
		return nil, fail(err)
	}
	for _, r := range rows {
		if r.Source == db.SourceConfig && !listed(c, r.Name) {
			source := "none"
			if r.Enabled {
				source = "another file"
			}
			rapi := ""
			if r.RAPIHost != "" {
				rapi = "https://" + net.JoinHostPort(r.RAPIHost, strconv.Itoa(r.RAPIPort))
			}
			list = append(list, clusterJSON{Name: r.Name, Source: source, Enabled: r.Enabled, RAPI: rapi, Username: r.RAPIUsername, Password: "none"})
		}
	}
	return list, nil
}

func passwordPlace(cl config.Cluster) string {
	switch {
	case cl.PasswordFile != "":
		return "file"
	case cl.PasswordEnv != "":
		return "variable"
	default:
		return "none"
	}
}

func (a *app) clustersEnableCommand(enable bool) *cobra.Command {
	use, short, done := "enable", "Refresh a cluster kept in the database again", "enabled"
	if !enable {
		use, short, done = "disable", "Freeze a cluster kept in the database: its rows stay and show their age", "disabled"
	}
	return &cobra.Command{
		Use:     use + " NAME",
		Short:   short,
		Example: "  updater clusters " + use + " prod",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.editCluster(cmd.Context(), args[0], func(s *db.Store) error {
				return s.SetClusterEnabled(cmd.Context(), args[0], enable)
			}, done)
		},
	}
}

// editCluster runs an edit of one cluster kept in the database and says what was done.
func (a *app) editCluster(ctx context.Context, name string, edit func(*db.Store) error, done string) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	if listed(c, name) {
		return &exitError{exitUsage, fmt.Errorf("cluster %q: %w", name, db.ErrClusterConfigured)}
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	if err := edit(store); err != nil {
		return fail(err)
	}
	if done == "" {
		return nil
	}
	return a.printf("%s %s\n", done, name)
}

func (a *app) clustersRemoveCommand() *cobra.Command {
	var purge, yes bool
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a cluster from the database's list; with --purge delete everything cached about it",
		Long: `remove forgets the settings and the password of a cluster that is kept in the database. Its rows stay, frozen, with
all permissions. If the cluster is added again under the same name, here or in the configuration file, it continues
with these rows.

With --purge everything about the cluster is deleted for good: VMs, changes, permissions. The command asks first. A
cluster that has left the configuration file can be purged, too.`,
		Example: `  updater clusters remove prod
  updater clusters remove prod --purge --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, name, done := cmd.Context(), args[0], "removed"
			if purge {
				done = "purged"
			}
			return a.editCluster(ctx, name, func(s *db.Store) error {
				if purge && !yes {
					if err := a.confirmPurge(ctx, s, name, cmd.InOrStdin()); err != nil {
						return err
					}
				}
				return s.RemoveCluster(ctx, name, purge)
			}, done)
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete everything that is cached of the cluster, permissions included")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --purge: do not ask first")
	return cmd
}

// confirmPurge says what would be deleted and asks whether it shall be.
func (a *app) confirmPurge(ctx context.Context, s *db.Store, name string, answer io.Reader) error {
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(status, func(c db.ClusterStatus) bool { return c.Name == name })
	if i < 0 {
		return fmt.Errorf("cluster %q: %w", name, db.ErrNotFound)
	}
	grants, err := s.Grants(ctx, db.GrantFilter{Cluster: name})
	if err != nil {
		return err
	}
	if err := a.printf("This permanently deletes everything cached about %s: %s, %s, and its whole history.\nType the cluster's name to continue: ", name,
		english.Plural(status[i].Live[db.KindVM], "VM", ""), english.Plural(len(grants), "permission", "")); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(answer, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if strings.TrimSpace(line) != name {
		return errors.New("that is not its name; nothing was deleted")
	}
	return nil
}

func (a *app) clustersRefreshCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "refresh NAME",
		Short: "Refresh one cluster now, whatever its schedule or back-off",
		Long: `refresh fetches everything from the cluster and prints what changed, like updater --once --cluster NAME. The exit code
is 0 if the cluster was refreshed, else 1.`,
		Example: "  updater clusters refresh prod",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.once(cmd.Context(), onceOptions{once: true, clusters: args, json: a.jsonOutput})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}
