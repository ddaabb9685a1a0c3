package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ganeticache/config"
	"ganeticache/db"
)

func (a *app) checkCommand() *cobra.Command {
	var quick bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, the database and each cluster's RAPI",
		Long: `check reads the configuration, connects to the database, and asks each cluster for its info. It changes nothing. It
exits with 0 when all is well, with 2 when the configuration is wrong, and with 1 when something is wrong with the
database or a cluster. If a cluster has several addresses, check tries each; one that serves is enough.

With --quick it is a health check for containers and monitors: within a second it says whether the database answers
and has the right schema, and whether the daemon that listens here, if there is one, is ready. It queries no cluster.`,
		Example: `  updater check --config /etc/ganeti-cache-updater/config.yaml
  updater check --quick`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if quick {
				return a.checkQuick(cmd.Context())
			}
			return a.check(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "check the database and the daemon that runs here, within a second; query no cluster")
	a.jsonFlag(cmd)
	return cmd
}

// checked is the outcome of one check. The JSON names are public.
type checked struct {
	What  string `json:"what"`
	OK    bool   `json:"ok"`
	Found string `json:"found,omitempty"`
	Error string `json:"error,omitempty"`
	// Addresses are those of a cluster that has several.
	Addresses []checkedAddress `json:"addresses,omitempty"`

	// uuid is what the cluster says that it is.
	uuid string
}

func result(what, found string, err error) checked {
	if err != nil {
		return checked{What: what, Error: err.Error()}
	}
	return checked{What: what, OK: true, Found: found}
}

func (a *app) check(ctx context.Context) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	found := english.Plural(len(c.Clusters), "cluster", "")
	if c.File != "" {
		found += " in " + c.File
	}
	all, err := alsoStored(ctx, c)
	a.warn(all)
	results := []checked{result("configuration", found, err), checkDatabase(ctx, c)}
	clusters := checkClusters(ctx, all)
	checkNames(ctx, all, clusters)
	return a.report(append(results, clusters...))
}

// report prints the outcomes and turns them into the exit code.
func (a *app) report(results []checked) error {
	if err := a.printChecks(results); err != nil {
		return err
	}
	for _, r := range results {
		if !r.OK {
			return &exitError{exitFailed, errReported}
		}
	}
	return nil
}

// checkDatabase opens the database as it is: a missing schema is no fault, since the first refresh makes it.
func checkDatabase(ctx context.Context, c *config.Config) checked {
	const what = "database"
	found := config.RedactURL(c.DatabaseURL)
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true})
	if err == nil {
		writes, encoding := store.CheckWrites(ctx), store.CheckEncoding(ctx)
		if err = joinClose(store.CheckSchema(ctx), store); isMissing(err) && encoding != nil {
			err = nil
		}
		err = errors.Join(writes, encoding, err)
	}
	if isMissing(err) {
		return result(what, found+", no schema yet: the first refresh makes it", db.CheckPlace(c.DatabaseURL.Reveal()))
	}
	return result(what, found+", schema up to date", err)
}

// checksForEach is how many clusters are asked at once for each of the configured concurrency: what is asked for is small, and
// those that hang would keep the others waiting.
const checksForEach = 16

// checkClusters asks every enabled cluster for its info, many at a time.
func checkClusters(ctx context.Context, c *config.Config) []checked {
	results := make([]checked, len(c.Clusters))
	var g errgroup.Group
	g.SetLimit(checksForEach * c.Concurrency)
	for i, cluster := range c.Clusters {
		g.Go(func() error {
			results[i] = checkCluster(ctx, cluster)
			return nil
		})
	}
	_ = g.Wait() //nolint:errcheck // the outcomes are in results
	return results
}

func checkCluster(ctx context.Context, cluster config.Cluster) checked {
	what := "cluster " + cluster.Name
	if !cluster.Enabled {
		return result(what, "disabled, not queried", nil)
	}
	settings, err := cluster.Settings()
	if err != nil {
		return result(what, "", err)
	}
	addresses, err := checkAddresses(ctx, settings)
	if err != nil {
		return result(what, "", fmt.Errorf("cluster %s: %w", cluster.Name, err))
	}
	found, err := judge(addresses)
	r := result(what, found, err)
	for _, at := range addresses {
		if r.OK && r.uuid == "" {
			r.uuid = at.uuid
		}
	}
	if len(addresses) > 1 {
		r.Addresses = addresses
	}
	return r
}

// printChecks prints what was found as a table and each error as a sentence below it.
func (a *app) printChecks(results []checked) error {
	if a.jsonOutput {
		return a.printJSON(results)
	}
	t := newTable("check", "", "found")
	var notes strings.Builder
	for _, r := range results {
		mark := "ok"
		if !r.OK {
			mark = "FAILED"
			fmt.Fprintf(&notes, "%s: %s\n", r.What, r.Error)
		}
		t.AppendRow(table.Row{r.What, mark, r.Found})
		for _, at := range r.Addresses {
			t.AppendRow(table.Row{"  " + at.Address, strings.ReplaceAll(at.State, "_", " "), at.Found})
			if r.OK && at.remarkable() {
				fmt.Fprintf(&notes, "%s: %s\n", r.What, at.Error)
			}
		}
	}
	gap := ""
	if notes.Len() > 0 {
		gap = "\n"
	}
	return a.printf("%s\n%s%s", t.Render(), gap, notes.String())
}
