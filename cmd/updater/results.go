package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ganeticache/db"
	"ganeticache/printable"
	"ganeticache/updater"
)

// newTable gives the form that all tables of the command share: plain enough for mail and logs.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options.DrawBorder = false
	style.Options.SeparateColumns = false
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.AppendHeader(header)
	t.SuppressTrailingSpaces()
	return t
}

// printResults prints the outcome of --once: a row for each cluster, then the errors in full.
func (a *app) printResults(results []updater.Result, o onceOptions) error {
	if o.json {
		return a.printJSON(toJSON(results))
	}
	t := newTable("cluster", "VMs", "created", "updated", "renamed", "removed", "bytes", "time", "error")
	var notes strings.Builder
	for _, r := range results {
		total := r.Total()
		reason := ""
		if err := failureOf(r); err != nil {
			reason = updater.Reason(err)
			fmt.Fprintf(&notes, "%s: %v\n", r.Cluster, err)
		}
		vms := "?"
		if k, ok := r.Of(db.KindVM); ok && k.Bytes > 0 {
			vms = humanize.Comma(int64(k.Objects))
		}
		t.AppendRow(table.Row{
			r.Cluster, vms, total.Created + total.Restored, total.Updated, total.Renamed, total.Removed,
			humanize.IBytes(uint64(max(r.Bytes(), 0))), r.Duration.Round(time.Millisecond).String(), reason,
		})
		if total.Quarantined > 0 {
			fmt.Fprintf(&notes, "%s: %d items could not be parsed; the table quarantine has them and the reasons\n", r.Cluster, total.Quarantined)
		}
		if o.dryRun {
			writeChanges(&notes, r)
		}
	}
	t.SetColumnConfigs(alignRight(2, 8))
	if o.dryRun {
		notes.WriteString("dry run: nothing was written\n")
	}
	gap := ""
	if notes.Len() > 0 {
		gap = "\n"
	}
	return a.printf("%s\n%s%s", t.Render(), gap, notes.String())
}

// alignRight is for columns of numbers, first to last, counted from 1.
func alignRight(first, last int) []table.ColumnConfig {
	var configs []table.ColumnConfig
	for n := first; n <= last; n++ {
		configs = append(configs, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	return configs
}

// maxShown bounds the changes listed for a cluster; --json has them all.
const maxShown = 100

func writeChanges(w *strings.Builder, r updater.Result) {
	shown := 0
	for _, k := range r.Kinds {
		for _, c := range k.Outcome.Changes {
			if shown++; shown <= maxShown {
				fmt.Fprintf(w, "%s: %s\n", r.Cluster, describe(c))
			}
		}
	}
	if shown > maxShown {
		fmt.Fprintf(w, "%s: … and %d more; --json lists them all\n", r.Cluster, shown-maxShown)
	}
}

// failureOf gives why a refresh did not do what it should: its error, or that nothing of a kind could be read.
func failureOf(r updater.Result) error {
	if err := r.Err(); err != nil {
		return err
	}
	var errs []error
	for _, k := range r.Kinds {
		if k.Unreadable != "" {
			errs = append(errs, fmt.Errorf("not a single item of kind %s can be read (the first of %s: %s); the table quarantine has them all; "+
				"versions of Ganeti that are too old send such answers, and servers that are not RAPI",
				k.Kind, humanize.Comma(int64(k.Objects)), printable.Text(k.Unreadable)))
		}
	}
	return errors.Join(errs...)
}
