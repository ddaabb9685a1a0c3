package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"ganeticache/config"
	"ganeticache/db"
	"ganeticache/updater"
)

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the age of the cached rows and the last error, by cluster and kind",
		Long: `status only reads the database; it queries no cluster. The age is that of the newest complete answer: it grows while a
cluster fails, and the rows stay readable. A cluster whose RAPI answers slowly is refreshed less often than scheduled
(refresh_budget); a line below the table says so. The last column names the running updater that refreshes the cluster
on schedule, by host and process.`,
		Example: "  updater status --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) status(ctx context.Context) (err error) {
	c, err := a.config()
	if err != nil {
		return err
	}
	store, err := openCache(ctx, c)
	if err != nil {
		return err
	}
	defer closeStore(store, &err)
	clusters, err := store.Status(ctx)
	if err != nil {
		return fail(err)
	}
	now := databaseNow(ctx, store)
	paces, clocks := stretchedPaces(ctx, c, store, clusters), clockTroubles(ctx, c, store, clusters, now)
	if a.jsonOutput {
		return a.printJSON(statusToJSON(clusters, paces, clocks, now))
	}
	behind, err := store.Backfills(ctx)
	if err != nil {
		return fail(err)
	}
	if err := a.printStatus(clusters, paces, clocks, now); err != nil {
		return err
	}
	for _, p := range behind {
		err := a.printf("stored rows of an earlier version: %s is being brought up to date, %s rows checked, %s changed\n",
			p.Part, humanize.Comma(p.Checked), humanize.Comma(p.Changed))
		if err != nil {
			return err
		}
	}
	return nil
}

// openCache opens the database for reading, and insists that there is something to read.
func openCache(ctx context.Context, c *config.Config) (*db.Store, error) {
	store, err := db.Open(ctx, c.DatabaseURL.Reveal(), db.Options{ReadOnly: true})
	if err == nil {
		if err = store.CheckSchema(ctx); err == nil {
			return store, nil
		}
		err = joinClose(err, store)
	}
	if isMissing(err) {
		return nil, fail(fmt.Errorf("nothing is cached in %s yet; `updater --once` fills it", config.RedactURL(c.DatabaseURL)))
	}
	return nil, fail(err)
}

func isMissing(err error) bool { return errors.Is(err, db.ErrSchemaMissing) }

// joinClose closes the database after an error that is already the outcome.
func joinClose(err error, store *db.Store) error { return errors.Join(err, store.Close()) }

func (a *app) printStatus(
	clusters []db.ClusterStatus, paces map[string]updater.Pace, clocks map[string][]string, now time.Time,
) error {
	if len(clusters) == 0 {
		return a.printf("no cluster is cached yet; `updater --once` refreshes those of the configuration\n")
	}
	t := newTable("cluster", "kind", "objects", "age", "last try", "next", "failures", "state", "updater")
	var notes strings.Builder
	for _, c := range clusters {
		for _, f := range c.Freshness {
			t.AppendRow(table.Row{
				c.Name, f.Kind, objects(c, f), age(f.RefreshedAt, now), age(f.AttemptedAt, now), until(f.NextDueAt, now),
				f.ConsecutiveFailures, stateAt(c, f, now), holder(c.Holder),
			})
		}
		if len(c.Freshness) == 0 {
			t.AppendRow(table.Row{c.Name, "", "", "never", "never", "", 0, state(c, db.Freshness{}), holder(c.Holder)})
		}
		writeErrors(&notes, c)
		writeClocks(&notes, c.Name, clocks[c.Name])
		if p, ok := paces[c.Name]; ok {
			writePace(&notes, c.Name, p)
		}
	}
	t.SetColumnConfigs(alignRight(3, 7))
	gap := ""
	if notes.Len() > 0 {
		gap = "\n"
	}
	return a.printf("%s\n%s%s", t.Render(), gap, notes.String())
}

// writeErrors adds each error of a cluster in full, once for all the kinds that have it.
func writeErrors(w *strings.Builder, c db.ClusterStatus) {
	kindsOf := map[string][]string{}
	var order []string
	for _, f := range c.Freshness {
		if f.Error == "" {
			continue
		}
		if kindsOf[f.Error] == nil {
			order = append(order, f.Error)
		}
		kindsOf[f.Error] = append(kindsOf[f.Error], string(f.Kind))
	}
	for _, text := range order {
		fmt.Fprintf(w, "%s (%s): %s\n", c.Name, strings.Join(kindsOf[text], ", "), text)
	}
	if c.Quarantined > 0 {
		fmt.Fprintf(w, "%s: %d items could not be parsed; the table quarantine has them and the reasons\n", c.Name, c.Quarantined)
	}
}

func objects(c db.ClusterStatus, f db.Freshness) string {
	if f.Kind == db.KindCluster {
		return ""
	}
	return humanize.Comma(int64(c.Live[f.Kind]))
}

// stateAt is state, unless what is on record is of a time that has not come yet: its age is not known.
func stateAt(c db.ClusterStatus, f db.Freshness, now time.Time) string {
	if said := state(c, f); said != "ok" || f.RefreshedAt == nil || !f.RefreshedAt.After(now.Add(clockSlack)) {
		return said
	}
	return "clock"
}

func state(c db.ClusterStatus, f db.Freshness) string {
	switch {
	case !c.Enabled:
		return "disabled"
	case f.ErrorReason != "":
		return f.ErrorReason
	case f.RefreshedAt == nil:
		return "never refreshed"
	default:
		return "ok"
	}
}

// holder names the running updater that refreshes a cluster.
func holder(h *db.Holder) string {
	switch {
	case h == nil:
		return "none runs"
	case !h.Alive:
		return fmt.Sprintf("%s:%d is silent", h.Host, h.PID)
	default:
		return fmt.Sprintf("%s:%d", h.Host, h.PID)
	}
}

// age gives a duration in the largest two units, as a person says it.
func age(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	if t.After(now.Add(clockSlack)) {
		return "in the future (" + rough(t.Sub(now)) + ")"
	}
	return rough(now.Sub(*t))
}

func until(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return ""
	case !t.After(now):
		return "due"
	default:
		return "in " + rough(t.Sub(now))
	}
}

func rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Round(time.Second); {
	case d < 0:
		return "0s" // the database's clock is ahead of ours
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < day:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d/day), int(d.Hours())%24)
	}
}

// statusJSON is a cluster as --json prints it. The names are public.
type statusJSON struct {
	Cluster     string `json:"cluster"`
	UUID        string `json:"uuid"`
	Enabled     bool   `json:"enabled"`
	RAPIHost    string `json:"rapi_host"`
	RAPIPort    int    `json:"rapi_port"`
	Version     string `json:"software_version"`
	Master      string `json:"master_node"`
	Quarantined int    `json:"quarantined"`
	// RAPISeconds and RAPIBytes are what keeping the cluster fresh asks of its RAPI in an hour.
	RAPISeconds float64 `json:"rapi_seconds_per_hour"`
	RAPIBytes   float64 `json:"rapi_bytes_per_hour"`
	// Stretched is null while the cluster is refreshed as scheduled.
	Stretched *statusPaceJSON `json:"stretched"`
	// Updater is the running updater that refreshes the cluster on schedule; null when none does.
	Updater *db.Holder `json:"updater"`
	// ClockErrors says which times on record cannot be, and whose clock is wrong.
	ClockErrors []string         `json:"clock_errors"`
	Kinds       []statusKindJSON `json:"kinds"`
}

type statusKindJSON struct {
	Kind        string     `json:"kind"`
	Live        int        `json:"live_objects"`
	AgeSeconds  *float64   `json:"age_seconds"`
	RefreshedAt *time.Time `json:"refreshed_at"`
	AttemptedAt *time.Time `json:"attempted_at"`
	NextDueAt   *time.Time `json:"next_due_at"`
	DurationMS  int64      `json:"duration_ms"`
	Bytes       int64      `json:"bytes"`
	Failures    int        `json:"consecutive_failures"`
	Error       string     `json:"error"`
	Reason      string     `json:"reason"`
	Withheld    int        `json:"withheld_removals"`
}

func statusToJSON(clusters []db.ClusterStatus, paces map[string]updater.Pace, clocks map[string][]string, now time.Time) []statusJSON {
	out := make([]statusJSON, 0, len(clusters))
	for _, c := range clusters {
		load := c.Load()
		j := statusJSON{
			Cluster: c.Name, UUID: c.UUID, Enabled: c.Enabled, RAPIHost: c.RAPIHost, RAPIPort: c.RAPIPort,
			Version: c.SoftwareVersion, Master: c.MasterNode, Quarantined: c.Quarantined, Updater: c.Holder, Kinds: []statusKindJSON{},
			RAPISeconds: load.SecondsPerHour, RAPIBytes: load.BytesPerHour,
		}
		j.ClockErrors = append([]string{}, clocks[c.Name]...)
		if p, ok := paces[c.Name]; ok {
			j.Stretched = paceToJSON(p)
		}
		for _, f := range c.Freshness {
			k := statusKindJSON{
				Kind: string(f.Kind), Live: c.Live[f.Kind], RefreshedAt: f.RefreshedAt, AttemptedAt: f.AttemptedAt,
				NextDueAt: f.NextDueAt, DurationMS: f.DurationMS, Bytes: f.Bytes, Failures: f.ConsecutiveFailures,
				Error: f.Error, Reason: f.ErrorReason, Withheld: f.Pending.Count,
			}
			if f.Kind == db.KindCluster {
				k.Live = 1
			}
			if f.RefreshedAt != nil {
				seconds := now.Sub(*f.RefreshedAt).Seconds()
				k.AgeSeconds = &seconds
			}
			j.Kinds = append(j.Kinds, k)
		}
		out = append(out, j)
	}
	return out
}
