package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
)

// finding is what a case gave.
type finding struct {
	what     string
	clusters int
	// ratios of the time between two refreshes of a healthy cluster to its interval, that before the first one included.
	ratios []float64
	// first is the longest time before a first refresh.
	first  time.Duration
	memory int64 // at its peak, in bytes
}

func (f *finding) add(took, interval time.Duration, first bool) {
	f.ratios = append(f.ratios, took.Seconds()/interval.Seconds())
	if first {
		f.first = max(f.first, took)
		f.ratios = f.ratios[:len(f.ratios)-1]
		// A first start finds all due at once, and its second refresh comes at the cluster's own time of the interval.
		if took > interval {
			f.ratios = append(f.ratios, took.Seconds()/interval.Seconds())
		}
	}
}

// quantile gives that of the ratios; 0 where there are none.
func (f finding) quantile(q float64) float64 {
	if len(f.ratios) == 0 {
		return 0
	}
	slices.Sort(f.ratios)
	return f.ratios[int(q*float64(len(f.ratios)-1))]
}

func (f finding) String() string {
	return fmt.Sprintf("%s: %d healthy, intervals median %.2f ×, p99 %.2f ×, longest %.2f × (%d), first refresh after %s at most, memory %s",
		f.what, f.clusters, f.quantile(0.5), f.quantile(0.99), f.quantile(1), len(f.ratios), f.first.Round(10*time.Millisecond),
		humanize.IBytes(uint64(f.memory))) //nolint:gosec // memory is positive
}

// report prints the table, and returns what is wrong.
func report(o options, found []finding, out io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"clusters", "healthy", "median", "p99", "longest", "first refresh", "memory"})
	var errs []error
	for _, f := range found {
		t.AppendRow(table.Row{
			f.what, f.clusters, fmt.Sprintf("%.2f", f.quantile(0.5)), fmt.Sprintf("%.2f", f.quantile(0.99)), fmt.Sprintf("%.2f", f.quantile(1)),
			f.first.Round(10 * time.Millisecond), humanize.IBytes(uint64(f.memory)), //nolint:gosec // likewise
		})
		switch {
		case len(f.ratios) == 0:
			errs = append(errs, fmt.Errorf("%s: no healthy cluster was refreshed twice", f.what))
		case f.quantile(0.5) > o.median || f.quantile(0.99) > o.p99:
			errs = append(errs, fmt.Errorf("%s: healthy clusters were refreshed at %.2f × their interval in the median and %.2f × in p99, allowed are %.2f and %.2f",
				f.what, f.quantile(0.5), f.quantile(0.99), o.median, o.p99))
		}
		if above := (f.memory - found[0].memory) >> 20; above > o.memory {
			errs = append(errs, fmt.Errorf("%s: %d MiB above %q, allowed are %d", f.what, above, found[0].what, o.memory))
		}
	}
	if _, err := fmt.Fprintln(out, t.Render()); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return errors.Join(errs...)
}
